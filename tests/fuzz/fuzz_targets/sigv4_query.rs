//! Lets libFuzzer look for signed queries that are not handled.

#![no_main]

#[path = "../targets/sigv4_query.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::sigv4_query(data));
