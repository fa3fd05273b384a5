//! `transform-simple`: the same meaning as `transform`, in lists of records.

use std::fs;

use millrace_tests::base64;

use crate::ground::{Ground, accounts_for};
use crate::simple;

/// Answers with a fault: at 4 which, at 8 its text `not today`.
fn fault(kind: u32) -> String {
    format!(
        "(i32.store (i32.const 256) (i32.const 0x20746f6e))
        (i32.store (i32.const 260) (i32.const 0x61646f74))
        (i32.store8 (i32.const 264) (i32.const 0x79))
        (i32.store8 (local.get $answer) (i32.const 1))
        (i32.store8 offset=4 (local.get $answer) (i32.const {kind}))
        (i32.store offset=8 (local.get $answer) (i32.const 256))
        (i32.store offset=12 (local.get $answer) (i32.const 9))"
    )
}

/// A server with a component that does this to each marked record, behind a delivery stream.
async fn ground_with(to_marked: &str) -> Ground {
    let directory = tempfile::tempdir().unwrap();
    fs::write(
        directory.path().join("own.wasm"),
        simple::component(to_marked),
    )
    .unwrap();
    let ground = Ground::start(directory).await;
    ground.stream("own").await;
    ground
}

#[tokio::test]
async fn records_come_and_go_one_by_one() {
    let ground = ground_with("").await;
    ground.deliver("own", &["a", "a longer one!", "b"]).await;
    assert_eq!(ground.delivered("own"), ["a", "a longer one!", "b"]);
    let page = ground.plugin("own").await;
    assert_eq!(page["world"], "transformer-simple");
    assert_eq!(page["version"], "1", "what describe says");
    assert_eq!((&page["calls"], &page["records"]), (&1.into(), &3.into()));
}

#[tokio::test]
async fn a_record_is_changed_by_answering_other_bytes() {
    let shorter = "(local.set $length (i32.sub (local.get $length) (i32.const 1)))";
    let ground = ground_with(shorter).await;
    ground.deliver("own", &["a", "b!", "c"]).await;
    assert_eq!(ground.delivered("own"), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_record_can_be_dropped() {
    let ground = ground_with("(local.set $status (i32.const 1))").await;
    ground.deliver("own", &["a", "b!", "c"]).await;
    assert_eq!(ground.delivered("own"), ["a", "c"]);
    let status = ground.client.delivery("own").await;
    accounts_for(&status, 3);
    assert_eq!(status["dropped"], 1);
}

#[tokio::test]
async fn a_record_can_fail_with_its_reason_as_data() {
    let ground = ground_with("(local.set $status (i32.const 2))").await;
    ground.deliver("own", &["a", "bad!", "c"]).await;
    assert_eq!(ground.delivered("own"), ["a", "c"]);
    let failed = ground.failed("own");
    assert_eq!(failed[0]["errorCode"], "Lambda.ProcessingFailedStatus");
    assert_eq!(
        failed[0]["errorMessage"],
        "ProcessingFailed status set for record"
    );
    assert_eq!(failed[0]["reason"], "bad!");
    assert_eq!(failed[0]["rawData"], base64("bad!"));
}

#[tokio::test]
async fn a_record_that_traps_fails_alone() {
    let ground = ground_with("(unreachable)").await;
    ground.deliver("own", &["a", "b!", "c", "d"]).await;
    assert_eq!(ground.delivered("own"), ["a", "c", "d"]);
    assert_eq!(ground.failed("own").len(), 1);
    accounts_for(&ground.client.delivery("own").await, 4);
}

#[tokio::test]
async fn an_index_that_did_not_come_in_is_not_taken() {
    let ground = ground_with("(i32.store (local.get $record) (i32.const 7))").await;
    ground.deliver("own", &["a", "b!", "c"]).await;
    assert_eq!(ground.delivered("own"), ["a", "c"]);
    let failed = ground.failed("own");
    assert_eq!(failed[0]["errorCode"], "Lambda.MissingRecordId");
    let why = "its answer has an output of record 7 of 1";
    assert_eq!(failed[0]["errorMessage"], why);
}

#[tokio::test]
async fn a_record_that_is_not_answered_for_is_not_taken_as_dropped() {
    let ground = ground_with("(local.set $count (i32.const 0))").await;
    ground.deliver("own", &["b!"]).await;
    let why = "its answer has no output of record 0";
    assert_eq!(ground.failed("own")[0]["errorMessage"], why);
    accounts_for(&ground.client.delivery("own").await, 1);
}

#[tokio::test]
async fn a_batch_can_fail_for_good_or_for_now_as_in_the_other_shape() {
    // For now: once and three times more.
    for (kind, attempts) in [(0, 4), (1, 1)] {
        let directory = tempfile::tempdir().unwrap();
        let component = simple::component_that("", &fault(kind));
        fs::write(directory.path().join("own.wasm"), component).unwrap();
        let ground = Ground::start(directory).await;
        ground.stream("own").await;
        ground.deliver("own", &["a"]).await;
        let failed = ground.failed("own");
        assert_eq!(failed[0]["errorMessage"], "not today", "{}", failed[0]);
        assert_eq!(failed[0]["attemptsMade"], attempts);
        accounts_for(&ground.client.delivery("own").await, 1);
    }
}

#[tokio::test]
async fn partition_keys_are_left_aside_and_a_target_that_is_not_there_fails_its_record() {
    // One partition key, `kk`: see `$answer`, whose outputs are at 4, of 36 bytes.
    let keyed = "
        (i32.store16 (i32.const 256) (i32.const 0x6b6b))
        (i32.store (i32.const 260) (i32.const 256))
        (i32.store (i32.const 264) (i32.const 2))
        (i32.store (i32.const 268) (i32.const 256))
        (i32.store (i32.const 272) (i32.const 2))
        (i32.store offset=16 (i32.load offset=4 (local.get $answer)) (i32.const 260))
        (i32.store offset=20 (i32.load offset=4 (local.get $answer)) (i32.const 1))";
    let aimed = "
        (i32.store8 offset=24 (i32.load offset=4 (local.get $answer)) (i32.const 1))
        (i32.store offset=28 (i32.load offset=4 (local.get $answer)) (i32.const 256))
        (i32.store offset=32 (i32.load offset=4 (local.get $answer)) (i32.const 2))";
    let directory = tempfile::tempdir().unwrap();
    let component = simple::component_that("", keyed);
    fs::write(directory.path().join("own.wasm"), component).unwrap();
    let component = simple::component_that("", &format!("{keyed} {aimed}"));
    fs::write(directory.path().join("aimed.wasm"), component).unwrap();
    let ground = Ground::start(directory).await;
    ground.stream("own").await;
    ground.stream("aimed").await;
    ground.deliver("own", &["a"]).await;
    assert_eq!(ground.delivered("own"), ["a"]);
    ground.deliver("aimed", &["a", "b"]).await;
    assert_eq!(ground.delivered("aimed"), ["b"]);
    let why = "it is for 'kk', which the delivery stream does not have";
    assert_eq!(ground.failed("aimed")[0]["errorMessage"], why);
}
