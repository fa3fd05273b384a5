//! Guests whose answers are wrong: about records that there are not, in an order that there is not,
//! at places where nothing is.

use millrace_tests::base64;

use crate::arena::{Attack, arena, attack, goes_on};
use crate::guest::Guest;

async fn lie(attack: &str, reason: &'static str) {
    let guest = Guest::attacking(attack);
    Attack::that_lies(&guest, reason).endured().await;
}

async fn trap(attack: &str, reason: &'static str) {
    let guest = Guest::attacking(attack);
    Attack::that_traps(&guest, reason).endured().await;
}

#[tokio::test]
async fn an_output_of_a_record_that_did_not_come_in_is_not_taken() {
    lie(
        "(i32.store (i32.load offset=4 (local.get $answer)) (i32.const 99))",
        "an output of record 99 of 1",
    )
    .await;
}

#[tokio::test]
async fn a_record_that_is_not_answered_for_is_not_lost() {
    lie(
        "(i32.store offset=8 (local.get $answer) (i32.const 0))
        (i32.store offset=16 (local.get $answer) (i32.const 0))
        (i32.store offset=24 (local.get $answer) (i32.const 0))",
        "no output of record 0",
    )
    .await;
}

#[tokio::test]
async fn a_record_that_is_dropped_twice_is_not_taken_as_dropped() {
    let guest = Guest::attacking(
        "(local.set $i (call $alloc (i32.const 16)))
        (call $put_head (local.get $i) (i32.const 0) (i32.const 0) (i32.const 1))
        (call $put_head (local.get $i) (i32.const 1) (i32.const 0) (i32.const 1))
        (i32.store offset=4 (local.get $answer) (local.get $i))
        (i32.store offset=8 (local.get $answer) (i32.const 2))
        (local.set $i (call $alloc (i32.const 8)))
        (i32.store (local.get $i) (i32.const 0))
        (i32.store offset=4 (local.get $i) (local.get $length))
        (i32.store offset=20 (local.get $answer) (local.get $i))
        (i32.store offset=24 (local.get $answer) (i32.const 2))",
    );
    let mut attack = Attack::that_lies(&guest, "record 0 more than once");
    attack.code = "Lambda.DuplicatedRecordId";
    attack.endured().await;
}

#[tokio::test]
async fn ends_that_run_backwards_are_not_taken() {
    lie(
        "(local.set $i (call $alloc (i32.const 16)))
        (call $put_head (local.get $i) (i32.const 0) (i32.const 0) (i32.const 0))
        (call $put_head (local.get $i) (i32.const 1) (i32.const 0) (i32.const 0))
        (i32.store offset=4 (local.get $answer) (local.get $i))
        (i32.store offset=8 (local.get $answer) (i32.const 2))
        (local.set $i (call $alloc (i32.const 8)))
        (i32.store (local.get $i) (local.get $length))
        (i32.store offset=4 (local.get $i) (i32.const 0))
        (i32.store offset=20 (local.get $answer) (local.get $i))
        (i32.store offset=24 (local.get $answer) (i32.const 2))",
        "ends that are not in order",
    )
    .await;
}

#[tokio::test]
async fn an_end_beyond_the_bytes_is_not_taken() {
    lie(
        "(i32.store (i32.load offset=20 (local.get $answer)) (i32.const 1000000))",
        "a last end of 1000000 for 1 bytes",
    )
    .await;
}

#[tokio::test]
async fn bytes_that_belong_to_no_output_are_not_taken() {
    lie(
        "(i32.store offset=16 (local.get $answer) (i32.const 1000))",
        "a last end of 1 for 1000 bytes",
    )
    .await;
}

#[tokio::test]
async fn more_ends_than_outputs_are_not_taken() {
    lie(
        "(i32.store offset=24 (local.get $answer) (i32.const 100))",
        "100 ends for 1 outputs",
    )
    .await;
}

#[tokio::test]
async fn an_answer_out_of_order_is_not_taken_and_its_records_are_worked_on_again() {
    // Alone, each record is in order.
    let guest = Guest::attacking(
        "(if (i32.lt_u (i32.const 1) (local.get $count)) (then
          (call $put_head (i32.load offset=4 (local.get $answer))
            (i32.const 0) (i32.const 1) (i32.const 0))
          (call $put_head (i32.load offset=4 (local.get $answer))
            (i32.const 1) (i32.const 0) (i32.const 0))))",
    );
    let ground = arena(&guest.component()).await;
    attack(&ground, &["one!", "two!", "three!"]).await;
    assert_eq!(ground.delivered("attacker"), ["one!", "two!", "three!"]);
    assert_ne!(ground.plugin("attacker").await["refusedBatches"], 0);
}

#[tokio::test]
async fn outputs_at_an_address_outside_of_memory_trap() {
    trap(
        "(i32.store offset=4 (local.get $answer) (i32.const -8))",
        "out of bounds",
    )
    .await;
}

#[tokio::test]
async fn bytes_of_a_length_beyond_memory_trap() {
    trap(
        "(i32.store offset=16 (local.get $answer) (i32.const -1))",
        "out of bounds",
    )
    .await;
}

#[tokio::test]
async fn outputs_at_an_odd_address_trap() {
    trap(
        "(i32.store offset=4 (local.get $answer)
          (i32.add (i32.load offset=4 (local.get $answer)) (i32.const 1)))",
        "not aligned",
    )
    .await;
}

#[tokio::test]
async fn an_answer_outside_of_memory_traps() {
    trap("(return (i32.const -4))", "out of bounds").await;
}

#[tokio::test]
async fn a_case_that_there_is_not_traps() {
    trap(
        "(i32.store8 (local.get $answer) (i32.const 7))",
        "discriminant",
    )
    .await;
}

#[tokio::test]
async fn a_status_that_there_is_not_traps() {
    trap(
        "(i32.store8 offset=4 (i32.load offset=4 (local.get $answer)) (i32.const 9))",
        "discriminant",
    )
    .await;
}

#[tokio::test]
async fn a_fault_that_is_not_text_traps() {
    // err(permanent(text)), the text being two bytes that no text has.
    let fields = r#"(data (i32.const 256) "\ff\fe")"#;
    let guest = Guest {
        fields: fields.to_owned(),
        ..Guest::attacking(
            "(i32.store8 (local.get $answer) (i32.const 1))
            (i32.store8 offset=4 (local.get $answer) (i32.const 1))
            (i32.store offset=8 (local.get $answer) (i32.const 256))
            (i32.store offset=12 (local.get $answer) (i32.const 2))",
        )
    };
    Attack::that_traps(&guest, "utf-8").endured().await;
}

#[tokio::test]
async fn the_reason_of_a_failed_record_that_is_not_text_is_told_as_far_as_it_is() {
    let fields = r#"(data (i32.const 256) "bad \ff\00\1b[2J\"line\0a")"#;
    let guest = Guest {
        fields: fields.to_owned(),
        ..Guest::attacking(
            "(i32.store8 offset=4 (i32.load offset=4 (local.get $answer)) (i32.const 2))
            (i32.store offset=12 (local.get $answer) (i32.const 256))
            (i32.store offset=16 (local.get $answer) (i32.const 15))
            (i32.store (i32.load offset=20 (local.get $answer)) (i32.const 15))",
        )
    };
    let ground = arena(&guest.component()).await;
    attack(&ground, &["!"]).await;
    let failed = ground.failed("attacker");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["rawData"], base64("!"));
    let reason = failed[0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("bad \u{fffd}"), "{reason}");
    goes_on(&ground).await;
}

#[tokio::test]
async fn memory_that_is_given_where_there_is_none_traps() {
    let guest = Guest {
        realloc: "(if (i32.eq (local.get $size) (i32.const 777)) (then (return (i32.const -16))))"
            .to_owned(),
        ..Guest::default()
    };
    let ground = arena(&guest.component()).await;
    attack(&ground, &["x".repeat(777).as_str()]).await;
    let failed = ground.failed("attacker");
    let message = failed[0]["errorMessage"].as_str().unwrap();
    assert!(message.contains("beyond end of memory"), "{message}");
    goes_on(&ground).await;
}
