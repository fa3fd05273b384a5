//! Replays what fuzzing has found: each file of `tests/fuzz/corpus` goes through the function that
//! the fuzzer calls.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../../tests/fuzz/targets/segment_frame.rs"]
mod segment_frame;
#[path = "../../../tests/fuzz/targets/wal_block.rs"]
mod wal_block;

use std::fs;
use std::path::Path;

/// A corpus of fewer files has been lost.
const FILES_MIN: usize = 10;

fn replay(name: &str, target: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus");
    let mut files = 0;
    for entry in fs::read_dir(corpus.join(name)).unwrap() {
        let input = fs::read(entry.unwrap().path()).unwrap();
        // A cut is a neighbour that costs nothing.
        for length in 0..=input.len() {
            target(&input[..length]);
        }
        files += 1;
    }
    assert!(FILES_MIN <= files, "{files} files in the corpus of {name}");
}

#[test]
fn every_input_of_the_block_corpus_is_handled() {
    replay("wal_block", wal_block::wal_block);
}

#[test]
fn every_input_of_the_frame_corpus_is_handled() {
    replay("segment_frame", segment_frame::segment_frame);
}
