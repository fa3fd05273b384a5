//! Lets libFuzzer look for bodies that are not handled.

#![no_main]

#[path = "../targets/json_body.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::json_body(data));
