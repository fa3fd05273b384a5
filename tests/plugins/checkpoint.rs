//! `checkpoint`: how far a consumer has come within a batch.

use wasm::Fault;

use crate::consumer_guest::ConsumerGuest;
use crate::shard::Shard;

/// What a guest is told that says so of its batch of three records.
fn done(counts: &[u32]) -> (Vec<u32>, Result<(), Fault>) {
    let calls = counts.iter().map(|count| {
        format!(
            "(call $done (i32.const {count}) (i32.const 96))
            (if (i32.load8_u (i32.const 96)) (then (return (call $told))))"
        )
    });
    let calls: String = calls.collect();
    let shard = Shard::of(&ConsumerGuest::processing(&calls).component());
    let became = shard.process(&["a", "b", "c"]);
    let done = shard.memory.0.lock().unwrap().done.clone();
    (done, became)
}

#[test]
fn counts_that_rise_up_to_the_last_record_are_taken() {
    assert_eq!(done(&[1, 3]), (vec![1, 3], Ok(())));
}

#[test]
fn counts_that_do_not_rise_or_are_too_high_are_refused() {
    for (counts, taken, why) in [
        (&[0][..], 0, "0 records of 3 are done, after 0"),
        (&[2, 2], 1, "2 records of 3 are done, after 2"),
        (&[2, 1], 1, "1 records of 3 are done, after 2"),
        (&[4], 0, "4 records of 3 are done, after 0"),
    ] {
        let (done, became) = done(counts);
        assert_eq!(done, counts[..taken]);
        assert_eq!(became, Err(Fault::Permanent(why.to_owned())));
    }
}
