//! What `/metrics` says of streams and their shards, as CloudWatch would.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Version;
use millrace_tests::{ACCOUNT, Client, OTHER_ACCOUNT, REGION, Service, base64, shard_id};
use serde_json::{Value, json};

use crate::naming::arn;

/// A partition key and data: so many bytes together.
const RECORD_BYTES: u64 = 1 + 9;
const DATA: &[u8] = b"123456789";

/// The lines of one stream, by what is between the prefix and their values.
async fn lines(client: &Client, stream: &str) -> BTreeMap<String, String> {
    let of_stream = format!("stream=\"{}\"", arn(ACCOUNT, stream));
    let text = client.metrics().await;
    let lines = text.lines().filter(|line| line.contains(&of_stream));
    let lines = lines.map(|line| {
        let line = line.strip_prefix("millrace_").unwrap();
        let line = line.replace(&of_stream, "");
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.replace("{}", ""), value.to_owned())
    });
    lines.collect()
}

async fn says(client: &Client, stream: &str, expected: &[(&str, u64)]) {
    let lines = lines(client, stream).await;
    for (name, value) in expected {
        assert_eq!(
            lines.get(*name),
            Some(&value.to_string()),
            "{name}: {lines:#?}"
        );
    }
}

async fn put_many(client: &Client, keys: &[&str]) -> Value {
    let records = keys
        .iter()
        .map(|key| json!({"PartitionKey": key, "Data": base64(DATA)}));
    let records: Vec<_> = records.collect();
    let input = json!({"StreamName": "orders", "Records": records});
    client.call("PutRecords", input).await
}

async fn monitor(client: &Client, operation: &str, metrics: Value) {
    let input = json!({"StreamName": "orders", "ShardLevelMetrics": metrics});
    client.call(operation, input).await;
}

/// The lines about shards: their metrics, and of each the shards.
async fn of_shards(client: &Client) -> Vec<(String, u32, String)> {
    let lines = lines(client, "orders").await.into_iter();
    let of_shards = lines.filter_map(|(name, value)| {
        let (name, shard) = name
            .strip_prefix("shard_")?
            .split_once("{,shard=\"shardId-")?;
        let shard = shard.strip_suffix("\"}").unwrap();
        Some((name.to_owned(), shard.parse().unwrap(), value))
    });
    of_shards.collect()
}

#[tokio::test]
async fn what_is_put_and_read_is_counted_of_its_stream() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    client.create("other", 1).await;
    let one = json!({"StreamName": "orders", "PartitionKey": "k", "Data": base64(DATA)});
    for _ in 0..2 {
        client.call("PutRecord", one.clone()).await;
    }
    put_many(&client, &["a", "b", "c"]).await;
    service.pass(Duration::from_millis(1_234));
    assert_eq!(
        client.read("orders").await["Records"]
            .as_array()
            .unwrap()
            .len(),
        5
    );
    let expected = [
        ("stream_incoming_records_total", 5),
        ("stream_incoming_bytes_total", 5 * RECORD_BYTES),
        ("stream_put_record_bytes_total", 2 * RECORD_BYTES),
        ("stream_put_record_success_total", 2),
        ("stream_put_record_latency_seconds_count", 2),
        ("stream_put_records_bytes_total", 3 * RECORD_BYTES),
        ("stream_put_records_records_total", 3),
        ("stream_put_records_success_total", 1),
        ("stream_put_records_latency_seconds_count", 1),
        ("stream_put_records_total_records_total", 3),
        ("stream_put_records_successful_records_total", 3),
        ("stream_put_records_failed_records_total", 0),
        ("stream_put_records_throttled_records_total", 0),
        ("stream_get_records_bytes_total", 5 * RECORD_BYTES),
        ("stream_get_records_records_total", 5),
        ("stream_get_records_success_total", 1),
        ("stream_get_records_latency_seconds_count", 1),
        ("stream_get_records_iterator_age_milliseconds", 1_234),
        ("stream_read_provisioned_throughput_exceeded_total", 0),
        ("stream_write_provisioned_throughput_exceeded_total", 0),
    ];
    says(&client, "orders", &expected).await;
    let others: Vec<_> = expected.iter().map(|(name, _)| (*name, 0)).collect();
    says(&client, "other", &others).await;
    // Two lines of each of three latencies, one of each other.
    assert_eq!(lines(&client, "orders").await.len(), 26 + 3);
    service.stop().await;
}

#[tokio::test]
async fn what_is_over_a_rate_is_counted_of_its_stream_and_its_shard() {
    let service = Service::start_throttled().await;
    let client = service.client();
    client.create("orders", 1).await;
    monitor(&client, "EnableEnhancedMonitoring", json!(["ALL"])).await;
    // A shard takes 1,000 records a second.
    for _ in 0..3 {
        put_many(&client, &["k"; 400]).await;
    }
    let over = json!({"StreamName": "orders", "PartitionKey": "k", "Data": base64(DATA)});
    let code = client.code("PutRecord", over).await;
    assert_eq!(code, "ProvisionedThroughputExceededException");
    let iterator = client
        .iterator("orders", json!({"ShardIteratorType": "TRIM_HORIZON"}))
        .await;
    for _ in 0..5 {
        client
            .call("GetRecords", json!({"ShardIterator": iterator, "Limit": 2}))
            .await;
    }
    let code = client
        .code("GetRecords", json!({"ShardIterator": iterator}))
        .await;
    assert_eq!(code, "ProvisionedThroughputExceededException");
    says(
        &client,
        "orders",
        &[
            ("stream_incoming_records_total", 1_000),
            ("stream_put_records_total_records_total", 1_200),
            ("stream_put_records_successful_records_total", 1_000),
            ("stream_put_records_throttled_records_total", 200),
            ("stream_put_records_success_total", 3),
            ("stream_put_record_success_total", 0),
            ("stream_put_record_latency_seconds_count", 1),
            ("stream_write_provisioned_throughput_exceeded_total", 201),
            ("stream_get_records_success_total", 5),
            ("stream_get_records_latency_seconds_count", 6),
            ("stream_get_records_records_total", 10),
            ("stream_read_provisioned_throughput_exceeded_total", 1),
        ],
    )
    .await;
    let of_shard = of_shards(&client).await.into_iter();
    let of_shard: BTreeMap<_, _> = of_shard.map(|(name, _, value)| (name, value)).collect();
    for (name, value) in [
        ("incoming_records_total", 1_000),
        ("incoming_bytes_total", 1_000 * RECORD_BYTES),
        ("outgoing_records_total", 10),
        ("outgoing_bytes_total", 10 * RECORD_BYTES),
        ("write_provisioned_throughput_exceeded_total", 201),
        ("read_provisioned_throughput_exceeded_total", 1),
        ("iterator_age_milliseconds", 0),
    ] {
        assert_eq!(of_shard[name], value.to_string(), "{name}");
    }
    assert_eq!(of_shard.len(), 7);
    service.stop().await;
}

#[tokio::test]
async fn subscriptions_and_what_they_push_are_counted_of_their_stream() {
    let service = Service::start_throttled().await;
    let client = service.client();
    client.create("orders", 1).await;
    let consumer = client.register("orders", "app").await;
    put_many(&client, &["a", "b"]).await;
    let input = json!({
        "ConsumerARN": consumer, "ShardId": shard_id(0),
        "StartingPosition": {"Type": "TRIM_HORIZON"},
    });
    let mut events = client
        .subscribe(Version::HTTP_11, input.clone())
        .await
        .unwrap();
    events.begins().await;
    assert_eq!(events.data(2).await.len(), 2);
    // It is too early for another one to take over.
    let refused = client.subscribe(Version::HTTP_11, input).await;
    assert!(refused.is_err());
    says(
        &client,
        "orders",
        &[
            ("stream_subscribe_to_shard_success_total", 1),
            ("stream_subscribe_to_shard_rate_exceeded_total", 1),
            ("stream_subscribe_to_shard_event_success_total", 1),
            ("stream_subscribe_to_shard_event_records_total", 2),
            (
                "stream_subscribe_to_shard_event_bytes_total",
                2 * RECORD_BYTES,
            ),
            ("stream_subscribe_to_shard_event_millis_behind_latest", 0),
            ("stream_get_records_records_total", 0),
        ],
    )
    .await;
    // The same of the consumer, and nothing of another one.
    client.register("orders", "idle").await;
    let lines = lines(&client, "orders").await;
    for (name, value) in [("success_total", 1), ("rate_exceeded_total", 1)] {
        let name = format!("consumer_subscribe_to_shard_{name}");
        says_of_consumers(&lines, &name, value);
    }
    for (name, value) in [
        ("success_total", 1),
        ("records_total", 2),
        ("bytes_total", 2 * RECORD_BYTES),
        ("millis_behind_latest", 0),
    ] {
        let name = format!("consumer_subscribe_to_shard_event_{name}");
        says_of_consumers(&lines, &name, value);
    }
}

/// Finds a metric of the consumer `app`, which is none of the consumer `idle`.
fn says_of_consumers(lines: &BTreeMap<String, String>, name: &str, value: u64) {
    for (consumer, value) in [("app", value), ("idle", 0)] {
        let name = format!("{name}{{,consumer=\"{consumer}\"}}");
        assert_eq!(
            lines.get(&name),
            Some(&value.to_string()),
            "{name}: {lines:#?}"
        );
    }
}

/// EnableEnhancedMonitoring kept and told which metrics a stream has of its shards, and nothing
/// published them.
#[tokio::test]
async fn metrics_of_shards_are_published_while_they_are_enabled_through_splits_and_merges() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 2).await;
    put_many(&client, &["k"; 3]).await;
    assert_eq!(of_shards(&client).await, []);
    let metrics = json!(["IncomingRecords", "OutgoingBytes"]);
    monitor(&client, "EnableEnhancedMonitoring", metrics).await;
    let put_at = async |key: u128| {
        let input = json!({
            "StreamName": "orders", "PartitionKey": "k", "Data": base64(DATA),
            "ExplicitHashKey": key.to_string(),
        });
        client.call("PutRecord", input).await;
    };
    put_at(0).await;
    put_at(u128::MAX).await;
    put_at(u128::MAX).await;
    let line = |name: &str, shard: u32, value: u32| (name.to_owned(), shard, value.to_string());
    let incoming = "incoming_records_total";
    let outgoing = "outgoing_bytes_total";
    // They count from when they are enabled.
    let expected = [
        line(incoming, 0, 1),
        line(incoming, 1, 2),
        line(outgoing, 0, 0),
        line(outgoing, 1, 0),
    ];
    assert_eq!(of_shards(&client).await, expected);
    let split = json!({
        "StreamName": "orders", "ShardToSplit": shard_id(0), "NewStartingHashKey": "5",
    });
    client.call("SplitShard", split).await;
    client.until_active("orders").await;
    put_at(0).await;
    put_at(7).await;
    put_at(7).await;
    let metrics = json!(["OutgoingBytes"]);
    monitor(&client, "DisableEnhancedMonitoring", metrics).await;
    let expected = [
        line(incoming, 0, 1),
        line(incoming, 1, 2),
        line(incoming, 2, 1),
        line(incoming, 3, 2),
    ];
    assert_eq!(of_shards(&client).await, expected);
    let merge = json!({
        "StreamName": "orders", "ShardToMerge": shard_id(2), "AdjacentShardToMerge": shard_id(3),
    });
    client.call("MergeShards", merge).await;
    client.until_active("orders").await;
    put_at(7).await;
    let merged = [&expected[..], &[line(incoming, 4, 1)]].concat();
    assert_eq!(of_shards(&client).await, merged);
    monitor(&client, "DisableEnhancedMonitoring", json!(["ALL"])).await;
    assert_eq!(of_shards(&client).await, []);
    service.stop().await;
}

#[tokio::test]
async fn an_account_sees_its_own_streams_and_the_operator_all() {
    let service = Service::start().await;
    let (client, other) = (service.client(), service.other_client());
    client.create("orders", 1).await;
    other.create("orders", 1).await;
    client.put("orders", &base64(DATA)).await;
    let has =
        |text: &str, account: &str| text.contains(&format!("{REGION}:{account}:stream/orders\"}}"));
    let theirs = other.metrics().await;
    assert!(!has(&theirs, ACCOUNT) && has(&theirs, OTHER_ACCOUNT));
    let all = client.metrics_of_all().await;
    assert!(has(&all, ACCOUNT) && has(&all, OTHER_ACCOUNT));
    // Over all streams, under a name of its own.
    assert!(
        all.contains("\nmillrace_incoming_records_total 1\n"),
        "{all}"
    );
    client.delete("orders").await;
    assert!(!has(&client.metrics_of_all().await, ACCOUNT));
    service.stop().await;
}
