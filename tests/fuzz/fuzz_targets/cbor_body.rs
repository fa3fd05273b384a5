//! Lets libFuzzer look for bodies in CBOR that are not handled.

#![no_main]

#[path = "../targets/cbor_body.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::cbor_body(data));
