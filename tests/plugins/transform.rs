//! `transform`: what a plugin that takes slabs may answer, and what becomes of its records.

use std::fs;

use millrace_tests::base64;
use serde_json::{Value, json};

use crate::ground::{Ground, accounts_for};
use crate::guest::Guest;

/// Answers each record of a batch by its first byte: `d` is dropped, `f` failed with its own bytes
/// as the reason, `s` split behind its first byte, anything else kept.
const AS_TOLD: &str = "
  (local.set $answer (call $alloc (i32.const 44)))
  (memory.fill (local.get $answer) (i32.const 0) (i32.const 44))
  (i32.store offset=4 (local.get $answer)
    (call $alloc (i32.mul (local.get $count) (i32.const 16))))
  (i32.store offset=8 (local.get $answer) (i32.const 0))
  (i32.store offset=12 (local.get $answer) (local.get $bytes))
  (i32.store offset=16 (local.get $answer) (local.get $length))
  (i32.store offset=20 (local.get $answer)
    (call $alloc (i32.mul (local.get $count) (i32.const 8))))
  (loop $next
    (local.set $end (i32.load
      (i32.add (local.get $ends) (i32.shl (local.get $i) (i32.const 2)))))
    (local.set $first (i32.load8_u (i32.add (local.get $bytes) (local.get $start))))
    (if (i32.eq (local.get $first) (i32.const 115)) (then
      (call $add (local.get $answer) (local.get $i) (i32.const 0)
        (i32.add (local.get $start) (i32.const 1)))))
    (call $add (local.get $answer) (local.get $i)
      (i32.add (i32.eq (local.get $first) (i32.const 100))
        (i32.mul (i32.eq (local.get $first) (i32.const 102)) (i32.const 2)))
      (local.get $end))
    (local.set $start (local.get $end))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $i) (local.get $count))))
  (i32.store offset=24 (local.get $answer) (i32.load offset=8 (local.get $answer)))";

/// Adds an output to an answer.
const ADD: &str = "
  (func $add (param $answer i32) (param $source i32) (param $status i32) (param $end i32)
    (local $number i32)
    (local.set $number (i32.load offset=8 (local.get $answer)))
    (call $put_head (i32.load offset=4 (local.get $answer)) (local.get $number)
      (local.get $source) (local.get $status))
    (i32.store
      (i32.add (i32.load offset=20 (local.get $answer))
        (i32.shl (local.get $number) (i32.const 2)))
      (local.get $end))
    (i32.store offset=8 (local.get $answer)
      (i32.add (local.get $number) (i32.const 1))))";

/// A server with a guest behind a delivery stream, both called `own`.
async fn ground_with(guest: &Guest) -> Ground {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("own.wasm"), guest.component()).unwrap();
    let ground = Ground::start(directory).await;
    ground.stream("own").await;
    ground
}

/// A guest that does to the records of a batch that holds a marked one what each says.
fn obedient() -> Guest {
    Guest {
        fields: ADD.to_owned(),
        locals: "(local $start i32) (local $end i32) (local $first i32)".to_owned(),
        ..Guest::attacking(AS_TOLD)
    }
}

/// A guest that answers a batch that holds a marked record with a fault.
fn faulting(case: u32, text: &str) -> Guest {
    let attack = format!(
        "(i32.store8 (local.get $answer) (i32.const 1))
        (i32.store8 offset=4 (local.get $answer) (i32.const {case}))
        (i32.store offset=8 (local.get $answer) (i32.const 256))
        (i32.store offset=12 (local.get $answer) (i32.const {}))",
        text.len()
    );
    Guest {
        fields: format!("(data (i32.const 256) \"{text}\")"),
        ..Guest::attacking(&attack)
    }
}

#[tokio::test]
async fn records_are_kept_dropped_split_and_failed_each_as_the_plugin_says() {
    let ground = ground_with(&obedient()).await;
    let records = ["keep!", "drop", "split", "fail for this", "keep too"];
    ground.deliver("own", &records).await;
    assert_eq!(ground.delivered("own"), ["keep!", "s", "plit", "keep too"]);
    let failed = ground.failed("own");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["reason"], "fail for this");
    assert_eq!(failed[0]["errorCode"], "Lambda.ProcessingFailedStatus");
    assert_eq!(failed[0]["rawData"], base64("fail for this"));
    let status = ground.client.delivery("own").await;
    accounts_for(&status, records.len());
    let counts = ["delivered", "dropped", "failed"].map(|name| status[name].as_u64());
    // A record that was split is one that was delivered.
    assert_eq!(counts, [Some(3), Some(1), Some(1)]);
}

#[tokio::test]
async fn records_come_in_batches_of_a_thousand_at_most_and_leave_in_their_order() {
    let ground = ground_with(&Guest::default()).await;
    let records: Vec<String> = (0..1_250).map(|number| number.to_string()).collect();
    for part in records.chunks(500) {
        ground.client.put_delivery("own", part).await;
    }
    ground.client.flush("own").await;
    assert_eq!(ground.delivered("own"), records);
    let page = ground.plugin("own").await;
    assert_eq!(
        (&page["calls"], &page["records"]),
        (&json!(2), &json!(1_250))
    );
}

#[tokio::test]
async fn a_permanent_fault_fails_the_batch_at_once_with_its_text() {
    let ground = ground_with(&faulting(1, "no such table")).await;
    ground.deliver("own", &["a", "!", "b"]).await;
    let failed = ground.failed("own");
    assert_eq!(failed.len(), 3);
    for line in failed {
        assert_eq!(line["errorMessage"], "no such table");
        assert_eq!(line["attemptsMade"], 1);
    }
    assert_eq!(ground.plugin("own").await["refusedBatches"], 1);
    ground.deliver("own", &["c"]).await;
    assert_eq!(ground.delivered("own"), ["c"]);
}

#[tokio::test]
async fn a_retryable_fault_is_tried_again_three_times_before_the_record_fails() {
    let ground = ground_with(&faulting(0, "busy")).await;
    ground.deliver("own", &["!"]).await;
    let failed = ground.failed("own");
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["errorMessage"], "busy");
    assert_eq!(failed[0]["attemptsMade"], 4);
    assert_eq!(ground.plugin("own").await["calls"], 4);
}

#[tokio::test]
async fn a_retryable_fault_of_one_record_does_not_fail_those_beside_it() {
    let ground = ground_with(&faulting(0, "busy")).await;
    ground.deliver("own", &["a", "!", "b"]).await;
    assert_eq!(ground.delivered("own"), ["a", "b"]);
    assert_eq!(ground.failed("own").len(), 1);
}

#[tokio::test]
async fn the_reason_of_a_failed_record_is_cut_to_a_kilobyte() {
    let ground = ground_with(&obedient()).await;
    let record = format!("f!{}", "\u{e9}".repeat(100_000));
    ground.deliver("own", &[&record]).await;
    let failed = ground.failed("own");
    let reason = failed[0]["reason"].as_str().unwrap();
    assert_eq!(reason, format!("f!{}", "\u{e9}".repeat(511)));
    let whole = Value::String(base64(&record));
    assert_eq!(failed[0]["rawData"], whole, "the record is not cut");
}

/// A guest that keeps each batch, and gives a marked one's first output a partition key and, if it
/// is said, a target: both `to` with their texts at 256.
fn routing(keys: bool, target: bool) -> Guest {
    let mut attack = String::new();
    if keys {
        attack.push_str(
            "(local.set $i (call $alloc (i32.const 20)))
            (i32.store (local.get $i) (i32.const 0))
            (i32.store offset=4 (local.get $i) (i32.const 256))
            (i32.store offset=8 (local.get $i) (i32.const 2))
            (i32.store offset=12 (local.get $i) (i32.const 256))
            (i32.store offset=16 (local.get $i) (i32.const 2))
            (i32.store offset=28 (local.get $answer) (local.get $i))
            (i32.store offset=32 (local.get $answer) (i32.const 1))",
        );
    }
    if target {
        attack.push_str(
            "(local.set $i (call $alloc (i32.const 12)))
            (i32.store (local.get $i) (i32.const 0))
            (i32.store offset=4 (local.get $i) (i32.const 256))
            (i32.store offset=8 (local.get $i) (i32.const 2))
            (i32.store offset=36 (local.get $answer) (local.get $i))
            (i32.store offset=40 (local.get $answer) (i32.const 1))",
        );
    }
    Guest {
        fields: r#"(data (i32.const 256) "to")"#.to_owned(),
        ..Guest::attacking(&attack)
    }
}

#[tokio::test]
async fn partition_keys_are_left_aside_without_dynamic_partitioning() {
    let ground = ground_with(&routing(true, false)).await;
    ground.deliver("own", &["a!", "b"]).await;
    assert_eq!(ground.delivered("own"), ["a!", "b"]);
    accounts_for(&ground.client.delivery("own").await, 2);
}

#[tokio::test]
async fn a_record_for_a_destination_that_is_not_there_fails_and_names_it() {
    let ground = ground_with(&routing(true, true)).await;
    ground.deliver("own", &["a!", "b"]).await;
    assert_eq!(ground.delivered("own"), ["b"]);
    let failed = ground.failed("own");
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["rawData"], base64("a!"));
    assert_eq!(failed[0]["errorCode"], "Lambda.FunctionError");
    let why = "it is for 'to', which the delivery stream does not have";
    assert_eq!(failed[0]["errorMessage"], why);
    accounts_for(&ground.client.delivery("own").await, 2);
}
