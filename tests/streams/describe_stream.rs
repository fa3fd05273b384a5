//! DescribeStream.

use millrace_tests::{ACCOUNT, REGION, Service, shard_id};
use serde_json::json;

#[tokio::test]
async fn a_stream_is_described_with_its_shards() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 2).await;
    let answer = client
        .call("DescribeStream", json!({"StreamName": "orders"}))
        .await;
    let stream = &answer["StreamDescription"];
    assert_eq!(stream["StreamName"], "orders");
    let arn = format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/orders");
    assert_eq!(stream["StreamARN"], arn);
    assert_eq!(stream["StreamStatus"], "ACTIVE");
    assert_eq!(
        stream["StreamModeDetails"],
        json!({"StreamMode": "PROVISIONED"})
    );
    assert_eq!(stream["RetentionPeriodHours"], 24);
    assert_eq!(stream["EncryptionType"], "NONE");
    assert_eq!(
        stream["EnhancedMonitoring"],
        json!([{"ShardLevelMetrics": []}])
    );
    assert_eq!(stream["HasMoreShards"], false);
    assert_eq!(
        stream["StreamCreationTimestamp"].as_f64(),
        Some(1_700_000_000.0)
    );
    let shards = stream["Shards"].as_array().unwrap();
    assert_eq!(shards.len(), 2);
    for (index, shard) in (0..).zip(shards) {
        assert_eq!(shard["ShardId"], shard_id(index));
        let numbers = shard["SequenceNumberRange"].as_object().unwrap();
        assert!(numbers["StartingSequenceNumber"].is_string());
        // Absent members are left out, not null.
        assert_eq!(numbers.len(), 1);
        assert!(shard.get("ParentShardId").is_none());
    }
    service.stop().await;
}

#[tokio::test]
async fn shards_come_in_pages() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 5).await;
    let mut ids = Vec::new();
    let mut input = json!({"StreamName": "orders", "Limit": 2});
    for more in [true, true, false] {
        let answer = client.call("DescribeStream", input.clone()).await;
        let stream = &answer["StreamDescription"];
        assert_eq!(stream["HasMoreShards"], more);
        let page = stream["Shards"].as_array().unwrap().iter();
        ids.extend(page.map(|shard| shard["ShardId"].as_str().unwrap().to_owned()));
        input["ExclusiveStartShardId"] = json!(ids.last());
    }
    let all: Vec<String> = (0..5).map(shard_id).collect();
    assert_eq!(ids, all);
    service.stop().await;
}

#[tokio::test]
async fn a_page_holds_100_shards_whatever_is_asked_for() {
    let service = Service::start().await;
    let client = service.client();
    client.create("wide", 101).await;
    for input in [
        json!({"StreamName": "wide"}),
        json!({"StreamName": "wide", "Limit": 10_000}),
    ] {
        let answer = client.call("DescribeStream", input).await;
        let stream = &answer["StreamDescription"];
        assert_eq!(stream["Shards"].as_array().unwrap().len(), 100);
        assert_eq!(stream["HasMoreShards"], true);
    }
    service.stop().await;
}
