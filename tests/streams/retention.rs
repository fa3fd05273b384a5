//! What time does to records, also when the clock is wrong about it.

use std::time::Duration;

use millrace_tests::{Client, Service, Setting};
use serde_json::json;
use types::Timestamp;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

async fn with_stream() -> Service {
    let service = Service::start().await;
    service.client().create("orders", 1).await;
    service
}

async fn keep(client: &Client, verb: &str, hours: u32) {
    let input = json!({"StreamName": "orders", "RetentionPeriodHours": hours});
    client
        .call(&format!("{verb}StreamRetentionPeriod"), input)
        .await;
}

/// Whoever shortened a stream's retention by mistake and took it back at once read records that
/// had expired in between, and some readers had passed them already.
#[tokio::test]
async fn what_has_expired_stays_so_however_long_the_retention_is_then() {
    let service = with_stream().await;
    let client = service.client();
    keep(&client, "Increase", 100).await;
    client.put("orders", "b2xk").await;
    service.pass(30 * HOUR);
    client.put("orders", "bmV3").await;
    assert_eq!(client.data("orders").await, ["b2xk", "bmV3"]);
    keep(&client, "Decrease", 24).await;
    assert_eq!(client.data("orders").await, ["bmV3"]);
    service.pass(Duration::from_secs(30));
    keep(&client, "Increase", 100).await;
    assert_eq!(client.data("orders").await, ["bmV3"]);
    // Not after a restart, either.
    let service = service.restart().await;
    let client = service.client();
    assert_eq!(client.summary("orders").await["RetentionPeriodHours"], 100);
    assert_eq!(client.data("orders").await, ["bmV3"]);
    // What had not expired is kept for as long as was asked last.
    service.pass(90 * HOUR);
    assert_eq!(client.data("orders").await, ["bmV3"]);
    service.stop().await;
}

/// A machine without a clock of its own starts in some other year until its time service is
/// there. Everything that it kept would be read as expired, and passed by its readers for good.
#[tokio::test]
async fn a_clock_that_is_years_ahead_at_the_start_takes_nothing_from_readers() {
    let service = with_stream().await;
    service.client().put("orders", "b2xk").await;
    let right = service.now();
    service.set_clock(right.after(900 * DAY));
    let service = service.restart().await;
    let client = service.client();
    let iterator = client
        .iterator("orders", json!({"ShardIteratorType": "TRIM_HORIZON"}))
        .await;
    let input = json!({"ShardIterator": iterator, "Limit": 1});
    let read = client.call("GetRecords", input).await;
    assert_eq!(read["Records"][0]["Data"], "b2xk");
    service.pass(Duration::from_secs(60));
    service.set_clock(right.after(Duration::from_secs(61)));
    assert_eq!(client.data("orders").await, ["b2xk"]);
    service.stop().await;
}

#[tokio::test]
async fn a_clock_that_stays_years_ahead_is_believed_after_an_hour() {
    let service = with_stream().await;
    service.client().put("orders", "b2xk").await;
    service.set_clock(service.now().after(900 * DAY));
    let service = service.restart().await;
    let client = service.client();
    service.pass(HOUR / 2);
    assert_eq!(client.data("orders").await, ["b2xk"]);
    service.pass(HOUR / 2);
    assert!(client.data("orders").await.is_empty());
    service.stop().await;
}

/// One record put while the clock was doubted was the newest of all, so the next start believed its
/// clock and took all others from their readers.
#[tokio::test]
async fn a_record_put_while_the_clock_is_doubted_ends_no_doubt_at_the_next_start() {
    let service = with_stream().await;
    service.client().put("orders", "b2xk").await;
    service.set_clock(service.now().after(900 * DAY));
    let service = service.restart().await;
    service.client().put("orders", "bmV3").await;
    let mut service = service.restart().await;
    // Not even when it starts again and again: the hour passes in one life.
    for _ in 0..3 {
        assert_eq!(service.client().data("orders").await, ["b2xk", "bmV3"]);
        service.pass(HOUR - Duration::from_secs(1));
        assert_eq!(service.client().data("orders").await, ["b2xk", "bmV3"]);
        service = service.restart().await;
    }
    service.pass(HOUR);
    assert_eq!(service.client().data("orders").await, ["bmV3"]);
    service.stop().await;
}

#[tokio::test]
async fn a_clock_that_leaps_while_the_server_runs_is_doubted_just_so() {
    let service = with_stream().await;
    let client = service.client();
    client.put("orders", "b2xk").await;
    assert_eq!(client.data("orders").await, ["b2xk"]);
    let right: Timestamp = service.now();
    service.set_clock(right.after(900 * DAY));
    assert_eq!(client.data("orders").await, ["b2xk"]);
    // What arrives meanwhile is newer than anything, and proves nothing.
    client.put("orders", "bmV3").await;
    assert_eq!(client.data("orders").await, ["b2xk", "bmV3"]);
    service.stop().await;
}

#[tokio::test]
async fn an_account_has_a_limit_over_all_regions_together() {
    let mut setting = Setting::default();
    setting.limits.streams_per_account_max = 3;
    setting.limits.shards_per_account_max = 5;
    let service = Service::start_with(setting).await;
    let client = service.client();
    client.create("a", 2).await;
    client.in_region("us-east-1").create("a", 2).await;
    let third = client.in_region("made-up-1");
    let two = json!({"StreamName": "a", "ShardCount": 2});
    let refusal = third.refusal("CreateStream", two.clone()).await;
    assert_eq!(refusal.code, "LimitExceededException");
    let wanted = "This request would exceed the shard limit for the account 000000000000. Current \
        shard count for the account: 4. Limit: 5. Number of additional shards that would have \
        resulted from this request: 2. ";
    assert!(refusal.message.starts_with(wanted), "{refusal:?}");
    third.create("a", 1).await;
    client.delete("a").await;
    client.in_region("made-up-2").create("b", 1).await;
    let one = json!({"StreamName": "c", "ShardCount": 1});
    let refusal = client
        .in_region("made-up-3")
        .refusal("CreateStream", one)
        .await;
    assert_eq!(refusal.code, "LimitExceededException");
    assert!(
        refusal.message.contains("stream limit for the account"),
        "{refusal:?}"
    );
    // Another account has its own.
    service.other_client().create("a", 2).await;
    service.stop().await;
}
