//! UpdateStreamRecordDistributionStrategy, and what it makes of PutRecord and PutRecords.

use std::collections::BTreeMap;

use millrace_tests::{ACCOUNT, Client, Service, shard_id};
use serde_json::{Value, json};

use crate::naming::arn;
use crate::on_demand;

const OPERATION: &str = "UpdateStreamRecordDistributionStrategy";

fn to(strategy: &str) -> Value {
    json!({"StreamARN": arn(ACCOUNT, "orders"), "RecordDistributionStrategy": strategy})
}

async fn with_auto(client: &Client) {
    let auto = json!({"RecordDistributionStrategy": "AUTO"});
    let summary = on_demand::create(client, "orders", auto).await;
    assert_eq!(summary["RecordDistributionStrategy"], "AUTO");
}

/// How many of these records landed in each shard.
fn counts(placed: &[Value]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for place in placed {
        *counts
            .entry(place["ShardId"].as_str().unwrap())
            .or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn records_of_one_key_go_to_one_shard_until_the_stream_distributes_them() {
    let service = Service::start().await;
    let client = service.client();
    let summary = on_demand::create(&client, "orders", json!({})).await;
    assert_eq!(summary["RecordDistributionStrategy"], "USER_PARTITION_KEY");
    let record = json!({"Data": "eA==", "PartitionKey": "a"});
    let many = json!({"StreamName": "orders", "Records": vec![record; 100]});
    let answer = client.call("PutRecords", many.clone()).await;
    assert_eq!(counts(answer["Records"].as_array().unwrap()).len(), 1);

    assert_eq!(client.call(OPERATION, to("AUTO")).await, Value::Null);
    let service = service.restart().await;
    let client = service.client();
    assert_eq!(
        client.summary("orders").await["RecordDistributionStrategy"],
        "AUTO"
    );
    let answer = client.call("PutRecords", many.clone()).await;
    let counts_of_auto = counts(answer["Records"].as_array().unwrap());
    assert_eq!(counts_of_auto.into_values().collect::<Vec<_>>(), [25; 4]);

    client.call(OPERATION, to("USER_PARTITION_KEY")).await;
    let answer = client.call("PutRecords", many).await;
    assert_eq!(counts(answer["Records"].as_array().unwrap()).len(), 1);
    service.stop().await;
}

#[tokio::test]
async fn single_records_without_keys_go_to_the_shards_in_turn_and_are_read_with_some_key() {
    let service = Service::start().await;
    let client = service.client();
    with_auto(&client).await;
    let keyless = json!({"StreamName": "orders", "Data": "eA=="});
    let mut placed = Vec::new();
    for _ in 0..12 {
        placed.push(client.call("PutRecord", keyless.clone()).await);
    }
    let counts = counts(&placed);
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [3; 4]);
    let mut keys = Vec::new();
    for shard in 0..4 {
        let input = json!({
            "StreamName": "orders", "ShardId": shard_id(shard),
            "ShardIteratorType": "TRIM_HORIZON",
        });
        let iterator = client.call("GetShardIterator", input).await;
        let input = json!({"ShardIterator": iterator["ShardIterator"]});
        let read = client.call("GetRecords", input).await;
        for record in read["Records"].as_array().unwrap() {
            keys.push(record["PartitionKey"].as_str().unwrap().to_owned());
        }
    }
    // The model allows no empty key; whoever passes the records on by their keys spreads them.
    assert!(keys.iter().all(|key| (1..=256).contains(&key.len())));
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 12);
    service.stop().await;
}

#[tokio::test]
async fn keys_that_are_given_are_read_as_they_were_and_have_no_say() {
    let service = Service::start().await;
    let client = service.client();
    with_auto(&client).await;
    let beyond_all_shards = "340282366920938463463374607431768211456";
    let record = json!({
        "Data": "eA==", "PartitionKey": "a", "ExplicitHashKey": beyond_all_shards,
    });
    let many = json!({"StreamName": "orders", "Records": vec![record; 8]});
    let answer = client.call("PutRecords", many).await;
    assert_eq!(answer["FailedRecordCount"], 0);
    let counts = counts(answer["Records"].as_array().unwrap());
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [2; 4]);
    let read = client.read("orders").await;
    assert_eq!(read["Records"][1]["PartitionKey"], "a");
    service.stop().await;
}

#[tokio::test]
async fn a_record_goes_to_another_shard_if_the_one_whose_turn_it_is_takes_no_more() {
    let service = Service::start_throttled().await;
    let client = service.client();
    with_auto(&client).await;
    // A shard takes 1 MiB in a second: one large record and one small one, but not two large ones.
    let large = json!({"Data": "AAAA".repeat(235_000)});
    let small = json!({"Data": "AAAA".repeat(67_000)});
    for (records, failed) in [
        (vec![&large, &small, &small, &small, &large], 0),
        (vec![&large, &large], 0),
        (vec![&large], 1),
    ] {
        let many = json!({"StreamName": "orders", "Records": records});
        let answer = client.call("PutRecords", many).await;
        assert_eq!(answer["FailedRecordCount"], failed, "{answer}");
        if failed > 0 {
            assert_eq!(
                answer["Records"][0]["ErrorCode"],
                "ProvisionedThroughputExceededException"
            );
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn a_stream_that_places_by_key_says_which_record_has_none() {
    let service = Service::start().await;
    let client = service.client();
    on_demand::create(&client, "orders", json!({})).await;
    let text = |path: &str| {
        format!(
            "1 validation error detected: Value null at '{path}' failed to satisfy constraint: \
             Member must not be null"
        )
    };
    let keyless = json!({"StreamName": "orders", "Data": "eA=="});
    let refusal = client.refusal("PutRecord", keyless).await;
    assert_eq!(refusal.code, "ValidationException");
    assert_eq!(refusal.message, text("partitionKey"));
    let records = json!([{"Data": "", "PartitionKey": "a"}, {"Data": ""}]);
    let input = json!({"StreamName": "orders", "Records": records});
    let refusal = client.refusal("PutRecords", input).await;
    assert_eq!(refusal.code, "ValidationException");
    assert_eq!(refusal.message, text("records.2.member.partitionKey"));
    service.stop().await;
}

#[tokio::test]
async fn a_provisioned_stream_distributes_nothing() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 2).await;
    let text = "RecordDistributionStrategy AUTO is only supported for streams with StreamMode \
                ON_DEMAND.";
    let refusal = client.refusal(OPERATION, to("AUTO")).await;
    assert_eq!(refusal.code, "InvalidArgumentException");
    assert_eq!(refusal.message, text);
    client.call(OPERATION, to("USER_PARTITION_KEY")).await;
    let refusal = client.refusal(OPERATION, to("ROUND_ROBIN")).await;
    assert_eq!(refusal.code, "ValidationException");
    assert_eq!(
        refusal.message,
        "1 validation error detected: Value 'ROUND_ROBIN' at 'recordDistributionStrategy' failed \
         to satisfy constraint: Member must satisfy enum value set: [AUTO, USER_PARTITION_KEY]"
    );
    service.stop().await;
}
