//! Lets libFuzzer look for signed headers that are not handled.

#![no_main]

#[path = "../targets/sigv4_header.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::sigv4_header(data));
