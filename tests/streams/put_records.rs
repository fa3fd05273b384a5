//! PutRecords.

use std::collections::BTreeMap;

use millrace_tests::{ACCOUNT, Client, Service, shard_id};
use serde_json::{Value, json};
use types::limits::PUT_RECORDS_COUNT_MAX;

fn input(records: Vec<Value>) -> Value {
    json!({"StreamName": "orders", "Records": records})
}

async fn with_shards(shards: u32) -> (Service, Client) {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", shards).await;
    (service, client)
}

#[tokio::test]
async fn every_record_has_its_answer_in_its_place() {
    let (service, client) = with_shards(4).await;
    let keys: Vec<String> = (0..100).map(|number| format!("key-{number}")).collect();
    let records = keys
        .iter()
        .map(|key| json!({"Data": "eA==", "PartitionKey": key}));
    let answer = client.call("PutRecords", input(records.collect())).await;
    assert_eq!(answer["FailedRecordCount"], 0);
    let placed = answer["Records"].as_array().unwrap();
    assert_eq!(placed.len(), keys.len());
    let mut numbers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (key, place) in keys.iter().zip(placed) {
        let alone = json!({"StreamName": "orders", "Data": "eA==", "PartitionKey": key});
        assert_eq!(
            client.call("PutRecord", alone).await["ShardId"],
            place["ShardId"]
        );
        let number = place["SequenceNumber"].as_str().unwrap();
        numbers
            .entry(place["ShardId"].as_str().unwrap())
            .or_default()
            .push(number);
    }
    assert_eq!(numbers.len(), 4);
    for numbers in numbers.values() {
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    }
    service.stop().await;
}

#[tokio::test]
async fn the_records_of_one_shard_keep_their_order() {
    let (service, client) = with_shards(1).await;
    let data: Vec<String> = (1000..1500).map(|number| number.to_string()).collect();
    let records = data
        .iter()
        .map(|data| json!({"Data": data, "PartitionKey": data}));
    client.call("PutRecords", input(records.collect())).await;
    assert_eq!(client.data("orders").await, data);
    service.stop().await;
}

#[tokio::test]
async fn the_501st_record_is_one_too_many() {
    let (service, client) = with_shards(1).await;
    let record = json!({"Data": "eA==", "PartitionKey": "a"});
    let refusal = client
        .refusal(
            "PutRecords",
            input(vec![record.clone(); PUT_RECORDS_COUNT_MAX + 1]),
        )
        .await;
    assert_eq!(refusal.code, "ValidationException");
    let constraint = "failed to satisfy constraint: \
        Member must have length less than or equal to 500";
    assert!(
        refusal
            .message
            .starts_with("1 validation error detected: Value '[")
    );
    assert!(
        refusal
            .message
            .ends_with(&format!("at 'records' {constraint}")),
        "{refusal:?}"
    );
    client
        .call("PutRecords", input(vec![record; PUT_RECORDS_COUNT_MAX]))
        .await;
    assert_eq!(client.data("orders").await.len(), PUT_RECORDS_COUNT_MAX);
    service.stop().await;
}

#[tokio::test]
async fn more_than_10_mib_are_refused_as_a_whole() {
    let (service, client) = with_shards(1).await;
    let megabyte = "AAAA".repeat(1_047_000 / 3);
    let record = json!({"Data": megabyte, "PartitionKey": "a"});
    let code = client
        .code("PutRecords", input(vec![record.clone(); 11]))
        .await;
    assert_eq!(code, "InvalidArgumentException");
    assert!(client.data("orders").await.is_empty());
    let answer = client.call("PutRecords", input(vec![record; 10])).await;
    assert_eq!(answer["FailedRecordCount"], 0);
    service.stop().await;
}

#[tokio::test]
async fn one_record_that_cannot_be_refuses_the_request_before_any_is_put() {
    let (service, client) = with_shards(1).await;
    let good = json!({"Data": "eA==", "PartitionKey": "a"});
    let large = json!({"Data": "AAAA".repeat(350_000), "PartitionKey": "a"});
    let cases = [
        (
            json!({"Data": "x", "PartitionKey": "a"}),
            "SerializationException",
        ),
        (
            json!({"Data": "eA==", "PartitionKey": ""}),
            "ValidationException",
        ),
        (large, "ValidationException"),
    ];
    for (bad, code) in cases {
        let input = input(vec![good.clone(), bad]);
        assert_eq!(client.code("PutRecords", input).await, code);
        assert!(client.data("orders").await.is_empty());
    }
    service.stop().await;
}

#[tokio::test]
async fn what_a_shard_does_not_take_fails_record_by_record() {
    let service = Service::start_throttled().await;
    let client = service.client();
    client.create("orders", 1).await;
    let record = json!({"Data": "AAAA".repeat(200_000), "PartitionKey": "a"});
    let answer = client.call("PutRecords", input(vec![record; 3])).await;
    assert_eq!(answer["FailedRecordCount"], 2);
    let places = answer["Records"].as_array().unwrap();
    assert!(places[0].get("ErrorCode").is_none());
    assert!(places[0]["SequenceNumber"].is_string());
    for place in &places[1..] {
        assert_eq!(place["ErrorCode"], "ProvisionedThroughputExceededException");
        let shard = shard_id(0);
        let text =
            format!("Rate exceeded for shard {shard} in stream orders under account {ACCOUNT}.");
        assert_eq!(place["ErrorMessage"], text);
        assert!(place.get("SequenceNumber").is_none());
        assert!(place.get("ShardId").is_none());
    }
    assert_eq!(client.data("orders").await.len(), 1);
    service.stop().await;
}

#[tokio::test]
async fn a_dry_run_puts_nothing() {
    let (service, client) = with_shards(1).await;
    let mut input = input(vec![json!({"Data": "eA==", "PartitionKey": "a"})]);
    input["DryRun"] = json!(true);
    assert_eq!(
        client.code("PutRecords", input).await,
        "DryRunOperationException"
    );
    assert!(client.data("orders").await.is_empty());
    service.stop().await;
}
