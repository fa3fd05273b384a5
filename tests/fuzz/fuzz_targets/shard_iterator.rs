//! Lets libFuzzer look for shard iterators that are not handled.

#![no_main]

#[path = "../targets/shard_iterator.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::shard_iterator(data));
