//! Lets libFuzzer look for frames that are not handled.

#![no_main]

#[path = "../targets/segment_frame.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::segment_frame(data));
