//! UpdateStreamWarmThroughput.

use std::time::Duration;

use millrace_tests::{ACCOUNT, Service};
use serde_json::{Value, json};
use types::limits::WARM_MIBPS_MAX;

use crate::naming::arn;
use crate::on_demand::{self, commit};

fn warm(mibps: u32) -> Value {
    json!({"StreamName": "orders", "WarmThroughputMiBps": mibps})
}

#[tokio::test]
async fn a_warm_throughput_is_told_and_shown_beside_what_the_shards_can_take() {
    let service = Service::start().await;
    let client = service.client();
    let summary = on_demand::create(&client, "orders", json!({})).await;
    assert!(summary.get("WarmThroughput").is_none());
    commit(&client, "ENABLED").await;
    let summary = client.summary("orders").await;
    assert_eq!(summary["WarmThroughput"], json!({"CurrentMiBps": 4}));
    let answer = client.call("UpdateStreamWarmThroughput", warm(3)).await;
    let wanted = json!({"TargetMiBps": 3, "CurrentMiBps": 4});
    assert_eq!(
        answer,
        json!({
            "StreamARN": arn(ACCOUNT, "orders"), "StreamName": "orders", "WarmThroughput": wanted,
        })
    );
    let service = service.restart().await;
    let client = service.client();
    assert_eq!(client.summary("orders").await["WarmThroughput"], wanted);
    service.stop().await;
}

#[tokio::test]
async fn a_stream_gets_the_shards_for_its_warm_throughput_and_loses_no_record() {
    let service = Service::start().await;
    let client = service.client();
    commit(&client, "ENABLED").await;
    on_demand::create(&client, "orders", json!({})).await;
    let before = client.put("orders", "b25l").await;
    let answer = client.call("UpdateStreamWarmThroughput", warm(9)).await;
    assert_eq!(
        answer["WarmThroughput"],
        json!({"TargetMiBps": 9, "CurrentMiBps": 4})
    );
    let summary = on_demand::until_active(&client, "orders").await;
    assert_eq!(summary["OpenShardCount"], 9);
    let warmed = json!({"TargetMiBps": 9, "CurrentMiBps": 9});
    assert_eq!(summary["WarmThroughput"], warmed);
    let shard = json!({
        "StreamName": "orders", "ShardId": before["ShardId"], "ShardIteratorType": "TRIM_HORIZON",
    });
    let iterator = client.call("GetShardIterator", shard).await["ShardIterator"].clone();
    let read = client
        .call("GetRecords", json!({"ShardIterator": iterator}))
        .await;
    assert_eq!(read["Records"][0]["Data"], "b25l");
    // What is told is less, and the shards stay.
    client.call("UpdateStreamWarmThroughput", warm(2)).await;
    let service = service.restart().await;
    let summary = service.client().summary("orders").await;
    assert_eq!(
        summary["WarmThroughput"],
        json!({"TargetMiBps": 2, "CurrentMiBps": 9})
    );
    service.stop().await;
}

#[tokio::test]
async fn more_shards_than_an_account_may_have_are_not_made_for_a_warm_throughput() {
    let service = Service::start().await;
    let client = service.client();
    commit(&client, "ENABLED").await;
    on_demand::create(&client, "orders", json!({})).await;
    client.create("others", 15_000).await;
    let refusal = client
        .refusal("UpdateStreamWarmThroughput", warm(WARM_MIBPS_MAX))
        .await;
    assert_eq!(refusal.code, "LimitExceededException");
    let summary = client.summary("orders").await;
    assert_eq!(summary["StreamStatus"], "ACTIVE");
    assert_eq!(summary["WarmThroughput"], json!({"CurrentMiBps": 4}));
    service.stop().await;
}

#[tokio::test]
async fn a_stream_is_made_with_the_shards_for_its_warm_throughput() {
    let service = Service::start().await;
    let client = service.client();
    commit(&client, "ENABLED").await;
    let more = json!({"WarmThroughputMiBps": 9});
    let summary = on_demand::create(&client, "orders", more).await;
    assert_eq!(summary["OpenShardCount"], 9);
    assert_eq!(
        summary["WarmThroughput"],
        json!({"TargetMiBps": 9, "CurrentMiBps": 9})
    );
    let more = json!({"WarmThroughputMiBps": 2});
    let summary = on_demand::create(&client, "small", more).await;
    assert_eq!(summary["OpenShardCount"], 4);
    service.stop().await;
}

#[tokio::test]
async fn without_a_commitment_or_for_a_provisioned_stream_it_is_refused() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    on_demand::create(&client, "clicks", json!({})).await;
    let mut clicks = warm(4);
    clicks["StreamName"] = json!("clicks");
    let not_committed = "WarmThroughputMiBps is only supported for accounts with \
                         MinimumThroughputBillingCommitment ENABLED.";
    let provisioned =
        "WarmThroughputMiBps is only supported for streams with StreamMode ON_DEMAND.";
    for (input, text) in [(warm(8), provisioned), (clicks.clone(), not_committed)] {
        let refusal = client.refusal("UpdateStreamWarmThroughput", input).await;
        assert_eq!(refusal.code, "ValidationException");
        assert_eq!(refusal.message, text);
    }
    commit(&client, "ENABLED").await;
    client
        .call("UpdateStreamWarmThroughput", clicks.clone())
        .await;
    commit(&client, "DISABLED").await;
    client
        .call("UpdateStreamWarmThroughput", clicks.clone())
        .await;
    service.pass(Duration::from_secs(24 * 3_600));
    let code = client.code("UpdateStreamWarmThroughput", clicks).await;
    assert_eq!(code, "ValidationException");
    let summary = client.summary("clicks").await;
    assert!(summary.get("WarmThroughput").is_none());
    service.stop().await;
}

#[tokio::test]
async fn more_than_10_gib_in_a_second_are_refused_and_so_is_the_sixth_call_of_a_second() {
    let service = Service::start_throttled().await;
    let client = service.client();
    on_demand::create(&client, "orders", json!({})).await;
    commit(&client, "ENABLED").await;
    let refusal = client
        .refusal("UpdateStreamWarmThroughput", warm(WARM_MIBPS_MAX + 1))
        .await;
    assert_eq!(refusal.code, "LimitExceededException");
    assert_eq!(
        refusal.message,
        "WarmThroughputMiBps 10241 exceeds the limit of 10240 MiB/s for a stream."
    );
    for _ in 0..4 {
        client.call("UpdateStreamWarmThroughput", warm(0)).await;
    }
    let refusal = client.refusal("UpdateStreamWarmThroughput", warm(0)).await;
    assert_eq!(refusal.code, "LimitExceededException");
    let wanted = format!("Rate exceeded for account {ACCOUNT}.");
    assert_eq!(refusal.message, wanted);
    service.stop().await;
}
