//! Lets libFuzzer look for blocks that are not handled.

#![no_main]

#[path = "../targets/wal_block.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::wal_block(data));
