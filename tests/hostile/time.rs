//! Guests that do not come to an end, and what stops them.

use std::fs;
use std::time::Duration;

use http::Method;
use millrace_tests::base64;
use serde_json::Value;
use wasm::Limits;

use crate::arena::{self, Attack};
use crate::ground::{Ground, RETRIES, accounts_for};
use crate::guest::Guest;
use crate::open_cut;

/// Flushes until all is delivered, at most.
const FLUSHES_MAX: u32 = 10;
const STACK: &str = "more than 512 KiB of stack, the most that any plugin may have";
const ENDLESS: &str = "(loop $for_ever (br $for_ever))";

#[tokio::test]
async fn an_endless_loop_costs_the_record_that_starts_it() {
    let guest = Guest::attacking(ENDLESS);
    Attack::that_takes_too_long(&guest).endured().await;
}

#[tokio::test]
async fn an_endless_loop_after_the_answer_is_stopped_like_one_before_it() {
    let guest = Guest {
        fields: "(global $wild (mut i32) (i32.const 0))".to_owned(),
        after: format!("(if (global.get $wild) (then {ENDLESS}))"),
        ..Guest::attacking("(global.set $wild (i32.const 1))")
    };
    Attack::that_takes_too_long(&guest).endured().await;
}

#[tokio::test]
async fn endless_recursion_ends_with_the_stack() {
    let guest = Guest {
        fields: "(func $deeper (call $deeper) (call $deeper))".to_owned(),
        ..Guest::attacking("(call $deeper)")
    };
    Attack::that_traps(&guest, STACK).endured().await;
}

#[tokio::test]
async fn recursion_through_a_table_ends_with_the_stack() {
    let fields = "(table 2 funcref) (elem (i32.const 0) $there $back)
        (func $there (call_indirect (i32.const 1)) (call_indirect (i32.const 1)))
        (func $back (call_indirect (i32.const 0)) (call_indirect (i32.const 0)))";
    let guest = Guest {
        fields: fields.to_owned(),
        ..Guest::attacking("(call $there)")
    };
    Attack::that_traps(&guest, STACK).endured().await;
}

#[tokio::test]
async fn filling_all_memory_again_and_again_is_stopped_between_two_fills() {
    let guest = Guest::attacking(
        "(drop (memory.grow (i32.const 1000)))
        (loop $again
          (memory.fill (i32.const 65536) (i32.const 7) (i32.const 65000000))
          (br $again))",
    );
    Attack::that_takes_too_long(&guest).endured().await;
}

#[tokio::test]
async fn copying_all_memory_again_and_again_is_stopped_between_two_copies() {
    let guest = Guest::attacking(
        "(drop (memory.grow (i32.const 1000)))
        (loop $again
          (memory.copy (i32.const 65536) (i32.const 65537) (i32.const 65000000))
          (br $again))",
    );
    Attack::that_takes_too_long(&guest).endured().await;
}

#[tokio::test]
async fn a_guest_that_wants_to_sleep_traps_at_once() {
    let import = r#"(import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration"
        (func $wait (param i64) (result i32)))"#;
    let guest = Guest {
        imports: import.to_owned(),
        ..Guest::attacking("(drop (call $wait (i64.const 3600000000000)))")
    };
    Attack::that_traps(&guest, "a plugin cannot sleep")
        .endured()
        .await;
}

#[tokio::test]
async fn a_component_whose_init_does_not_return_is_refused() {
    let guest = Guest {
        init: ENDLESS.to_owned(),
        ..Guest::default()
    };
    arena::is_refused(
        &guest.component(),
        &["it took longer than 200 ms (batch_ms = 200)"],
    )
    .await;
}

#[tokio::test]
async fn a_component_whose_start_function_does_not_return_is_refused() {
    let guest = Guest::with_fields(&format!("(start $begin) (func $begin {ENDLESS})"));
    arena::is_refused(
        &guest.component(),
        &["it took longer than 200 ms (batch_ms = 200)"],
    )
    .await;
}

#[tokio::test]
async fn a_component_whose_description_does_not_return_is_refused() {
    let guest = Guest {
        describe: ENDLESS.to_owned(),
        ..Guest::default()
    };
    let whys = ["describe: it took longer than 200 ms (batch_ms = 200)"];
    arena::is_refused(&guest.component(), &whys).await;
}

fn within(time: Duration) -> Limits {
    Limits {
        batch_time_max: time,
        ..Limits::default()
    }
}

/// A guest that takes about a second for a marked record, and traps on one that asks.
fn slow() -> Vec<u8> {
    let guest = Guest {
        fields: "(global $turns (mut i32) (i32.const 0))".to_owned(),
        ..Guest::attacking(
            "(local.set $i (i32.const 0))
            (loop $next
              (if (i32.eq
                    (i32.load8_u (i32.add (local.get $bytes) (local.get $i)))
                    (i32.const 63))
                (then (unreachable)))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $next (i32.lt_u (local.get $i) (local.get $length))))
            (global.set $turns (i32.const 2000000000))
            (loop $on
              (global.set $turns (i32.sub (global.get $turns) (i32.const 1)))
              (br_if $on (global.get $turns)))",
        )
    };
    guest.component()
}

/// A cut of these records is half put by a slow guest.
async fn half_put(time: Duration, records: &[&str]) -> Ground {
    open_cut::half_put(&slow(), within(time), records).await
}

/// The server anew, whose plugins may take as long as this.
async fn restarted(ground: Ground, time: Duration) -> Ground {
    open_cut::restarted(ground, within(time)).await
}

/// The cut is put to its end: which records were delivered, and the code of each that failed.
async fn finished(ground: &Ground, records: &[&str]) -> (Vec<String>, Vec<(Value, Value)>) {
    open_cut::finished(ground, records).await;
    let failed = ground.failed("attacker").into_iter();
    let failed = failed.map(|line| (line["rawData"].clone(), line["errorCode"].clone()));
    (ground.delivered("attacker"), failed.collect())
}

const SHORT: Duration = Duration::from_millis(250);
const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_record_that_was_too_slow_once_is_not_delivered_by_a_later_try() {
    let records = ["one", "!", "two"];
    let ground = half_put(SHORT, &records).await;
    let ground = restarted(ground, LONG).await;
    let (delivered, failed) = finished(&ground, &records).await;
    assert_eq!(delivered, ["one", "two"]);
    let late = (base64("!").into(), "Lambda.FunctionTimedOut".into());
    assert_eq!(failed, [late]);
}

/// A cut keeps the time that it was begun with.
#[tokio::test]
async fn a_record_that_was_delivered_does_not_fail_though_it_would_be_too_slow_by_now() {
    let records = ["one", "!", "!?"];
    let ground = half_put(LONG, &records).await;
    let ground = restarted(ground, SHORT).await;
    let (delivered, failed) = finished(&ground, &records).await;
    assert_eq!(delivered, ["one", "!"]);
    let trapped = (base64("!?").into(), "Lambda.FunctionError".into());
    assert_eq!(failed, [trapped]);
}

/// A server whose attacker loops with every marked record, and may take 10 ms, so many times again.
async fn looping(retries: u32) -> Ground {
    let guest = Guest::attacking(ENDLESS);
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("attacker.wasm"), guest.component()).unwrap();
    let ground = Ground::start_within(directory, within(Duration::from_millis(10))).await;
    ground.stream_that_retries("attacker", retries).await;
    ground
}

/// So many records of a thousand loop. All others were delivered, where two of them cost 249 others
/// and three all.
async fn only_those_that_loop_fail(retries: u32, is_marked: impl Fn(usize) -> bool) {
    let ground = looping(retries).await;
    let text = |place: usize| {
        if is_marked(place) {
            format!("{place}!")
        } else {
            place.to_string()
        }
    };
    let records: Vec<String> = (0..1_000).map(text).collect();
    for call in records.chunks(500) {
        ground.client.put_delivery("attacker", call).await;
    }
    // A flush does not wait for as long as that may take on a busy machine.
    for _ in 0..FLUSHES_MAX {
        let flushed = ground
            .client
            .page(Method::POST, "delivery-streams/attacker/flush");
        flushed.await;
        if ground.client.delivery("attacker").await["waitingRecords"] == 0 {
            break;
        }
    }
    accounts_for(&ground.client.delivery("attacker").await, 1_000);
    let (marked, others): (Vec<_>, Vec<_>) = records.iter().partition(|text| text.contains('!'));
    let delivered = ground.delivered("attacker");
    assert_eq!(delivered.iter().collect::<Vec<_>>(), others);
    let failed = ground.failed("attacker");
    let raw: Vec<_> = failed.iter().map(|line| line["rawData"].clone()).collect();
    assert_eq!(raw, marked.iter().map(base64).collect::<Vec<_>>());
    for line in failed {
        assert_eq!(line["errorCode"], "Lambda.FunctionTimedOut", "{line}");
        // The batch, and then alone: to be found, and again on an instance of its own.
        let attempts = line["attemptsMade"].as_u64().unwrap();
        assert!(attempts <= u64::from(retries.max(2) + 1), "{line}");
        assert!(attempts >= u64::from(retries.max(1) + 1), "{line}");
    }
    ground.victim_works().await;
}

/// Nothing was said while that went on, for minutes, and no order reached the lane.
#[tokio::test]
async fn records_that_hang_are_shown_at_once_and_can_be_given_to_the_version_in_force() {
    let guest = Guest::attacking(ENDLESS);
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("attacker.wasm"), guest.component()).unwrap();
    let ground = Ground::start_within(directory, within(Duration::from_secs(2))).await;
    ground.stream_that_retries("attacker", 0).await;
    let records: Vec<_> = (0..500).map(|number| format!("{number}!")).collect();
    ground.client.put_delivery("attacker", &records).await;
    ground.service.pass(Duration::from_secs(900));
    let is_told = |page: &Value| {
        let trouble = page["trouble"].as_str();
        trouble.is_some_and(|it| it.contains("`millrace delivery move attacker --lane direct`"))
    };
    let page = ground.client.delivery_until("attacker", is_told).await;
    assert_eq!(page["stuck"][0]["records"], 500, "{page}");
    let path = ground.directory.path();
    fs::write(path.join(".next"), Guest::default().component()).unwrap();
    fs::rename(path.join(".next"), path.join("attacker.wasm")).unwrap();
    ground
        .plugin_when("attacker", |page| page["swaps"] == 1)
        .await;
    let page = "delivery-streams/attacker/move/direct";
    let answer = ground.client.page(Method::POST, page).await;
    let answer: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(answer["lanes"][0]["outcome"], "done", "{answer}");
    ground.client.flush("attacker").await;
    let page = ground.client.delivery("attacker").await;
    accounts_for(&page, 500);
    assert_eq!(
        (&page["trouble"], &page["failed"]),
        (&Value::Null, &0.into())
    );
    assert_eq!(ground.delivered("attacker"), records);
}

#[tokio::test]
async fn two_records_of_a_thousand_that_loop_fail_and_no_others() {
    only_those_that_loop_fail(RETRIES, |place| place == 250 || place == 750).await;
}

#[tokio::test]
async fn three_records_of_a_thousand_that_loop_fail_and_no_others() {
    only_those_that_loop_fail(RETRIES, |place| [1, 500, 998].contains(&place)).await;
}

#[tokio::test]
async fn most_records_of_a_thousand_may_loop_and_the_others_are_delivered() {
    only_those_that_loop_fail(0, |place| place % 4 != 1 && place < 997).await;
}
