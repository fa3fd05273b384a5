//! Guests that trap: how many records it costs, and how many calls.

use std::fs;
use std::time::Duration;

use millrace_tests::base64;
use serde_json::Value;

use crate::arena::{arena, attack, goes_on, replace};
use crate::ground::{Ground, RETRIES, accounts_for};
use crate::guest::Guest;

/// Records of one batch.
const RECORDS: usize = 500;

/// So many records, each with its place, of which some are marked.
fn numbered(count: usize, is_marked: impl Fn(usize) -> bool) -> Vec<String> {
    let text = |place: usize| {
        if is_marked(place) {
            format!("{place}!")
        } else {
            place.to_string()
        }
    };
    (0..count).map(text).collect()
}

/// Hands a batch whose records of these places are marked to a guest that traps on them; the
/// ground afterwards.
async fn trapped_by(marked: impl Fn(usize) -> bool) -> Ground {
    let ground = arena(&Guest::attacking("(unreachable)").component()).await;
    let records = numbered(RECORDS, marked);
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    attack(&ground, &records).await;
    ground
}

/// Exactly the record at `place` fails, all others are delivered in their order.
async fn only_this_one_fails(place: usize) {
    let ground = trapped_by(|other| other == place).await;
    let failed = ground.failed("attacker");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["rawData"], base64(format!("{place}!")));
    let message = failed[0]["errorMessage"].as_str().unwrap();
    assert!(message.contains("unreachable"), "{message}");
    let others = (0..RECORDS).filter(|other| *other != place);
    let others: Vec<String> = others.map(|other| other.to_string()).collect();
    assert_eq!(ground.delivered("attacker"), others);
    // The batch, each record, and this one as often as it is to be tried again.
    assert_eq!(failed[0]["attemptsMade"], RETRIES + 1);
    let page = ground.plugin("attacker").await;
    assert_eq!(page["calls"], RECORDS + RETRIES as usize, "{page}");
    assert_eq!(page["traps"], RETRIES + 1, "{page}");
}

#[tokio::test]
async fn a_trap_on_the_first_record_costs_that_record() {
    only_this_one_fails(0).await;
}

#[tokio::test]
async fn a_trap_on_a_record_in_the_middle_costs_that_record() {
    only_this_one_fails(RECORDS / 2).await;
}

#[tokio::test]
async fn a_trap_on_the_last_record_costs_that_record() {
    only_this_one_fails(RECORDS - 1).await;
}

#[tokio::test]
async fn traps_on_two_records_far_apart_cost_these_two() {
    let ground = trapped_by(|place| place == 3 || place == 490).await;
    let failed = ground.failed("attacker");
    let failed: Vec<&Value> = failed.iter().map(|line| &line["rawData"]).collect();
    assert_eq!(failed, [&base64("3!"), &base64("490!")]);
    assert_eq!(ground.delivered("attacker").len(), RECORDS - 2);
}

#[tokio::test]
async fn traps_on_twenty_records_cost_these_twenty() {
    let ground = trapped_by(|place| place % 25 == 7).await;
    assert_eq!(ground.failed("attacker").len(), RECORDS / 25);
    let others = (0..RECORDS).filter(|place| place % 25 != 7);
    let others: Vec<String> = others.map(|place| place.to_string()).collect();
    assert_eq!(ground.delivered("attacker"), others);
}

#[tokio::test]
async fn a_guest_that_traps_on_every_record_costs_the_calls_for_each_and_goes_on() {
    let ground = trapped_by(|_| true).await;
    assert_eq!(ground.failed("attacker").len(), RECORDS);
    let calls = ground.plugin("attacker").await["calls"].clone();
    assert_eq!(calls, 1 + RECORDS * RETRIES as usize);
    goes_on(&ground).await;
}

/// A guest that tells which record it panics with: the first marked one of a batch.
fn panicking() -> Guest {
    Guest {
        imports: r#"(import "millrace:plugin/context@VERSION" "panicked"
            (func $panicked (param i32 i32 i32 i32 i32 i32)))"#
            .to_owned(),
        fields: r#"(data (i32.const 256) "no good") (data (i32.const 264) "lib.rs:1")"#.to_owned(),
        locals: "(local $start i32) (local $end i32)".to_owned(),
        ..Guest::attacking(
            "(loop $next
              (local.set $end (i32.load
                (i32.add (local.get $ends) (i32.shl (local.get $i) (i32.const 2)))))
              (if (call $is_marked
                    (i32.add (local.get $bytes) (local.get $start))
                    (i32.sub (local.get $end) (local.get $start)))
                (then
                  (call $panicked (i32.const 1) (local.get $i)
                    (i32.const 256) (i32.const 7) (i32.const 264) (i32.const 8))
                  (unreachable)))
              (local.set $start (local.get $end))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $next (i32.lt_u (local.get $i) (local.get $count))))",
        )
    }
}

/// Puts so many records, more than one call takes; the places of those that are marked.
async fn put_many(ground: &Ground, count: usize, is_marked: impl Fn(usize) -> bool) -> Vec<usize> {
    let records = numbered(count, &is_marked);
    for call in records.chunks(RECORDS) {
        ground.client.put_delivery("attacker", call).await;
    }
    ground.client.flush("attacker").await;
    accounts_for(&ground.client.delivery("attacker").await, count);
    (0..count).filter(|place| is_marked(*place)).collect()
}

/// Exactly these failed, and all others were delivered in their order.
fn exactly_these_failed(ground: &Ground, count: usize, marked: &[usize]) -> Vec<Value> {
    let failed = ground.failed("attacker");
    let raw: Vec<_> = failed.iter().map(|line| line["rawData"].clone()).collect();
    let wanted = marked.iter().map(|place| base64(format!("{place}!")));
    assert_eq!(raw, wanted.collect::<Vec<_>>());
    let others = (0..count).filter(|place| !marked.contains(place));
    let others: Vec<String> = others.map(|place| place.to_string()).collect();
    assert_eq!(ground.delivered("attacker"), others);
    failed
}

/// 156 innocent ones failed beside them.
#[tokio::test]
async fn fifty_records_of_a_thousand_that_panic_fail_and_no_others() {
    let ground = arena(&panicking().component()).await;
    let marked = put_many(&ground, 1_000, |place| place % 20 == 7).await;
    assert_eq!(marked.len(), 50);
    let failed = exactly_these_failed(&ground, 1_000, &marked);
    for line in &failed {
        let message = line["errorMessage"].as_str().unwrap();
        assert_eq!(message, "it panicked at lib.rs:1: no good");
        assert_eq!(line["attemptsMade"], RETRIES + 1);
    }
    let page = ground.plugin("attacker").await;
    let tries = 50 * (RETRIES + 1);
    assert_eq!(page["traps"], tries, "one call found each of them");
    goes_on(&ground).await;
}

#[tokio::test]
async fn fifty_records_of_a_thousand_that_trap_without_a_word_fail_and_no_others() {
    let ground = arena(&Guest::attacking("(unreachable)").component()).await;
    let marked = put_many(&ground, 1_000, |place| place % 20 == 7).await;
    exactly_these_failed(&ground, 1_000, &marked);
    goes_on(&ground).await;
}

#[tokio::test]
async fn what_a_guest_left_in_its_memory_is_gone_after_a_trap() {
    // A marked record leaves a trace at 256 and traps. Who finds the trace answers with nothing.
    let guest = Guest {
        fields: "(global $trace (mut i32) (i32.const 0))".to_owned(),
        init: "(if (i32.load (i32.const 256)) (then (unreachable)))
            (if (global.get $trace) (then (unreachable)))"
            .to_owned(),
        ..Guest::attacking(
            "(i32.store (i32.const 256) (i32.const 1))
            (global.set $trace (i32.const 1))
            (unreachable)",
        )
    };
    let ground = arena(&guest.component()).await;
    for _ in 0..5 {
        tokio::join!(
            ground.deliver("attacker", &["a", "!", "b"]),
            ground.victim_works()
        );
    }
    assert_eq!(ground.delivered("attacker"), ["a", "b"].repeat(5));
    assert_eq!(ground.failed("attacker").len(), 5);
    accounts_for(&ground.client.delivery("attacker").await, 15);
}

/// Does not come to life later than 2,000 s after the start of the test.
fn short_lived() -> Vec<u8> {
    let guest = Guest {
        init: "(if (i64.gt_u (call $now_ms) (i64.const 1700002000000)) (then (unreachable)))"
            .to_owned(),
        ..Guest::default()
    };
    guest.component()
}

#[tokio::test]
async fn a_guest_that_does_not_come_to_life_at_work_costs_its_records_until_a_better_one_is_there()
{
    let ground = arena(&short_lived()).await;
    ground.service.pass(Duration::from_secs(3_000));
    attack(&ground, &["a", "b"]).await;
    let failed = ground.failed("attacker");
    let reasons: Vec<_> = failed
        .iter()
        .map(|line| line["errorMessage"].as_str())
        .collect();
    assert_eq!(failed.len(), 2, "{failed:?}");
    let reason = reasons[0].unwrap();
    assert!(
        reason.starts_with("it trapped: ") && reason.contains("unreachable"),
        "{reason}"
    );
    let before = ground.plugin("attacker").await["hash"].clone();
    replace(&ground, &Guest::default().component());
    ground
        .plugin_when("attacker", |page| page["hash"] != before)
        .await;
    goes_on(&ground).await;
}

#[tokio::test]
async fn a_version_that_would_be_refused_today_finishes_what_was_begun_with_it() {
    let ground = arena(&short_lived()).await;
    let bucket = ground.service.buckets().join("attacker");
    // It cannot be told whether an object may be there.
    std::os::unix::fs::symlink(&bucket, &bucket).unwrap();
    ground.client.put_delivery("attacker", &["a"]).await;
    ground.service.pass(Duration::from_secs(1_000));
    let in_trouble = |page: &Value| page["trouble"].is_string();
    ground.client.delivery_until("attacker", in_trouble).await;
    let before = ground.plugin("attacker").await["hash"].clone();
    replace(&ground, &Guest::default().component());
    ground
        .plugin_when("attacker", |page| page["hash"] != before)
        .await;
    ground.service.pass(Duration::from_secs(2_000));
    fs::remove_file(&bucket).unwrap();
    let ground = ground.restart().await;
    let is_done = |page: &Value| page["waitingRecords"] == 0;
    let status = ground.client.delivery_until("attacker", is_done).await;
    accounts_for(&status, 1);
    assert_eq!(ground.delivered("attacker"), ["a"]);
    assert_eq!(status["versions"][0]["hash"], before, "{status}");
}
