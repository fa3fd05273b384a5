//! GetShardIterator.

use std::time::Duration;

use millrace_tests::{ACCOUNT, Client, Service, shard_id};
use serde_json::{Value, json};

/// A stream of one shard whose records `MQ==`, `Mg==` and `Mw==` arrived a second apart.
async fn with_three_records() -> (Service, Vec<Value>) {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let mut places = Vec::new();
    for data in ["MQ==", "Mg==", "Mw=="] {
        places.push(client.put("orders", data).await);
        service.pass(Duration::from_secs(1));
    }
    (service, places)
}

async fn from(client: &Client, start: Value) -> Vec<String> {
    let iterator = client.iterator("orders", start).await;
    let answer = client
        .call("GetRecords", json!({"ShardIterator": iterator}))
        .await;
    let records = answer["Records"].as_array().unwrap().iter();
    records
        .map(|record| record["Data"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_five_kinds_start_where_they_say() {
    let (service, places) = with_three_records().await;
    let client = service.client();
    let second = &places[1]["SequenceNumber"];
    let at = json!({"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": second});
    let after =
        json!({"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": second});
    let all = ["MQ==", "Mg==", "Mw=="];
    assert_eq!(
        from(&client, json!({"ShardIteratorType": "TRIM_HORIZON"})).await,
        all
    );
    assert_eq!(from(&client, at).await, all[1..]);
    assert_eq!(from(&client, after).await, all[2..]);
    assert!(
        from(&client, json!({"ShardIteratorType": "LATEST"}))
            .await
            .is_empty()
    );
    for (seconds, wanted) in [(-1.0, 0), (0.0, 0), (0.5, 1), (1.0, 1), (2.0, 2), (2.5, 3)] {
        let time = 1_700_000_000.0 + seconds;
        let start = json!({"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": time});
        assert_eq!(from(&client, start).await, all[wanted..], "{seconds}");
    }
    service.stop().await;
}

#[tokio::test]
async fn latest_is_the_place_at_the_time_of_asking() {
    let (service, _) = with_three_records().await;
    let client = service.client();
    let iterator = client
        .iterator("orders", json!({"ShardIteratorType": "LATEST"}))
        .await;
    client.put("orders", "NA==").await;
    let answer = client
        .call("GetRecords", json!({"ShardIterator": iterator}))
        .await;
    assert_eq!(answer["Records"].as_array().unwrap().len(), 1);
    assert_eq!(answer["Records"][0]["Data"], "NA==");
    service.stop().await;
}

#[tokio::test]
async fn an_empty_shard_has_iterators_of_every_kind() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    for start in [
        json!({"ShardIteratorType": "TRIM_HORIZON"}),
        json!({"ShardIteratorType": "LATEST"}),
        json!({"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 1_600_000_000}),
        json!({"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 1_700_000_000}),
    ] {
        assert!(from(&client, start).await.is_empty());
    }
    service.stop().await;
}

#[tokio::test]
async fn the_first_sequence_number_of_the_shard_is_a_place_to_start() {
    let (service, _) = with_three_records().await;
    let client = service.client();
    let shards = client
        .call("ListShards", json!({"StreamName": "orders"}))
        .await;
    let first = &shards["Shards"][0]["SequenceNumberRange"]["StartingSequenceNumber"];
    let start = json!({"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": first});
    assert_eq!(from(&client, start).await.len(), 3);
    service.stop().await;
}

#[tokio::test]
async fn what_does_not_fit_the_kind_is_refused() {
    let (service, places) = with_three_records().await;
    let number = &places[0]["SequenceNumber"];
    let foreign = "49590338271490256608559692538361571095921575989136588898";
    let future = 1_700_000_000 + 3_600;
    for start in [
        json!({"ShardIteratorType": "AT_SEQUENCE_NUMBER"}),
        json!({"ShardIteratorType": "AFTER_SEQUENCE_NUMBER"}),
        json!({"ShardIteratorType": "AT_TIMESTAMP"}),
        json!({"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": future}),
        json!({"ShardIteratorType": "LATEST", "StartingSequenceNumber": number}),
        json!({"ShardIteratorType": "TRIM_HORIZON", "StartingSequenceNumber": number}),
        json!({"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": "0"}),
        json!({"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": foreign}),
    ] {
        let mut input = json!({"StreamName": "orders", "ShardId": shard_id(0)});
        input
            .as_object_mut()
            .unwrap()
            .extend(start.as_object().unwrap().clone());
        let code = service.client().code("GetShardIterator", input).await;
        assert_eq!(code, "InvalidArgumentException", "{start}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_shard_that_is_not_there_is_named() {
    let (service, _) = with_three_records().await;
    let place = format!("in stream orders under account {ACCOUNT}");
    for (shard, text) in [
        (
            "shardId-1",
            format!("Shard {} {place} does not exist", shard_id(1)),
        ),
        ("1", format!("Shard {} {place} does not exist", shard_id(1))),
        (
            "no-shard",
            format!("Could not find shard no-shard {place}."),
        ),
        (
            "shardId-002147483648",
            format!("Could not find shard shardId-002147483648 {place}."),
        ),
    ] {
        let input = json!({
            "StreamName": "orders", "ShardId": shard, "ShardIteratorType": "LATEST",
        });
        let refusal = service.client().refusal("GetShardIterator", input).await;
        assert_eq!(refusal.code, "ResourceNotFoundException");
        assert_eq!(refusal.message, text);
    }
    service.stop().await;
}

#[tokio::test]
async fn the_name_of_a_shard_is_read_as_a_number() {
    let (service, _) = with_three_records().await;
    let client = service.client();
    for shard in ["shardId-0", "x-0", "0", "-00", "shardId-000000000000"] {
        let input = json!({
            "StreamName": "orders", "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON",
        });
        let iterator = client.call("GetShardIterator", input).await["ShardIterator"].clone();
        let input = json!({"ShardIterator": iterator});
        let records = client.call("GetRecords", input).await["Records"].clone();
        assert_eq!(records.as_array().unwrap().len(), 3, "{shard}");
    }
    service.stop().await;
}

#[tokio::test]
async fn in_a_stream_that_is_not_there_it_is_the_shard_that_is_missed() {
    let service = Service::start().await;
    let place = format!("in stream gone under account {ACCOUNT}");
    for (shard, text) in [
        (
            "shardId-7",
            format!("Shard {} {place} does not exist", shard_id(7)),
        ),
        (
            "no-shard",
            format!("Could not find shard no-shard {place}."),
        ),
    ] {
        // The arguments, which do not fit either, are looked at last.
        let input = json!({
            "StreamName": "gone", "ShardId": shard, "ShardIteratorType": "AT_SEQUENCE_NUMBER",
        });
        let refusal = service.client().refusal("GetShardIterator", input).await;
        assert_eq!(refusal.code, "ResourceNotFoundException");
        assert_eq!(refusal.message, text);
    }
    service.stop().await;
}

#[tokio::test]
async fn an_iterator_fits_the_shape_of_the_model() {
    let (service, places) = with_three_records().await;
    let number = &places[0]["SequenceNumber"];
    let start =
        json!({"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": number});
    let iterator = service.client().iterator("orders", start).await;
    assert!((1..=512).contains(&iterator.len()), "{iterator}");
    service.stop().await;
}

#[tokio::test]
async fn the_sixth_iterator_of_a_shard_within_a_second_is_throttled() {
    let service = Service::start_throttled().await;
    let client = service.client();
    client.create("orders", 1).await;
    let input = json!({
        "StreamName": "orders", "ShardId": shard_id(0), "ShardIteratorType": "LATEST",
    });
    for _ in 0..5 {
        client.call("GetShardIterator", input.clone()).await;
    }
    let code = client.code("GetShardIterator", input.clone()).await;
    assert_eq!(code, "ProvisionedThroughputExceededException");
    service.pass(Duration::from_secs(1));
    client.call("GetShardIterator", input).await;
    service.stop().await;
}

#[tokio::test]
async fn a_dry_run_gives_no_iterator() {
    let (service, _) = with_three_records().await;
    for (kind, wanted) in [
        ("LATEST", "DryRunOperationException"),
        ("AT_SEQUENCE_NUMBER", "InvalidArgumentException"),
    ] {
        let input = json!({
            "StreamName": "orders", "ShardId": shard_id(0), "ShardIteratorType": kind,
            "DryRun": true,
        });
        let code = service.client().code("GetShardIterator", input).await;
        assert_eq!(code, wanted);
    }
    service.stop().await;
}
