//! Replays what fuzzing has found: each file of `tests/fuzz/corpus` goes through the function that
//! the fuzzer calls.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../tests/fuzz/targets/shard_iterator.rs"]
mod shard_iterator;

use std::fs;
use std::path::Path;

use streams::SealingKey;
use streams::iterator::ShardIterator;

/// A corpus of fewer files has been lost.
const FILES_MIN: usize = 10;

fn corpus() -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus");
    fs::read_dir(corpus.join("shard_iterator"))
        .unwrap()
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect()
}

#[test]
fn every_input_of_the_iterator_corpus_is_handled() {
    let inputs = corpus();
    assert!(FILES_MIN <= inputs.len(), "{} files", inputs.len());
    for input in inputs {
        shard_iterator::shard_iterator(&input);
        // A cut is a neighbour that costs nothing.
        shard_iterator::shard_iterator(&input[..input.len() / 2]);
    }
}

#[test]
fn the_iterator_corpus_holds_iterators_as_well_as_nonsense() {
    let key = SealingKey::new([7; SealingKey::BYTES]);
    let is_iterator = |input: &Vec<u8>| {
        let token = std::str::from_utf8(input).ok();
        token.is_some_and(|token| ShardIterator::open(&key, token).is_some())
    };
    let good = corpus().iter().filter(|input| is_iterator(input)).count();
    assert!(good >= 3, "{good}");
}
