//! Replays what fuzzing has found: each file of `tests/fuzz/corpus` goes through the function that
//! the fuzzer calls.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../tests/fuzz/targets/cbor_body.rs"]
mod cbor_body;
#[path = "../../../tests/fuzz/targets/json_body.rs"]
mod json_body;
#[path = "../../../tests/fuzz/targets/sigv4_header.rs"]
mod sigv4_header;
#[path = "../../../tests/fuzz/targets/sigv4_query.rs"]
mod sigv4_query;

use std::fs;
use std::path::Path;

/// A corpus of fewer files has been lost.
const FILES_MIN: usize = 10;

fn replay(name: &str, target: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus");
    let mut files = 0;
    for entry in fs::read_dir(corpus.join(name)).unwrap() {
        let input = fs::read(entry.unwrap().path()).unwrap();
        target(&input);
        // A cut is a neighbour that costs nothing.
        target(&input[..input.len() / 2]);
        files += 1;
    }
    assert!(FILES_MIN <= files, "{files} files in the corpus of {name}");
}

#[test]
fn every_input_of_the_json_corpus_is_handled() {
    replay("json_body", json_body::json_body);
}

#[test]
fn every_input_of_the_cbor_corpus_is_handled() {
    replay("cbor_body", cbor_body::cbor_body);
}

#[test]
fn every_input_of_the_signature_corpus_is_handled() {
    replay("sigv4_header", sigv4_header::sigv4_header);
}

#[test]
fn every_input_of_the_corpus_of_presigned_queries_is_handled() {
    replay("sigv4_query", sigv4_query::sigv4_query);
}
