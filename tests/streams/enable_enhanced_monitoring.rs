//! EnableEnhancedMonitoring.

use millrace_tests::{ACCOUNT, Service};
use serde_json::{Value, json};

use crate::naming::arn;

/// The seven metrics, as the model names and orders them.
pub const ALL: [&str; 7] = [
    "IncomingBytes",
    "IncomingRecords",
    "OutgoingBytes",
    "OutgoingRecords",
    "WriteProvisionedThroughputExceeded",
    "ReadProvisionedThroughputExceeded",
    "IteratorAgeMilliseconds",
];

fn enabling(metrics: impl Into<Value>) -> Value {
    json!({"StreamName": "orders", "ShardLevelMetrics": metrics.into()})
}

#[tokio::test]
async fn metrics_are_added_to_those_that_are_enabled_and_both_lists_are_told() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    for (metrics, current, desired) in [
        (
            json!(["OutgoingBytes", "IncomingBytes", "OutgoingBytes"]),
            json!([]),
            json!(["IncomingBytes", "OutgoingBytes"]),
        ),
        (
            json!(["IncomingBytes"]),
            json!(["IncomingBytes", "OutgoingBytes"]),
            json!(["IncomingBytes", "OutgoingBytes"]),
        ),
        (
            json!(["ALL"]),
            json!(["IncomingBytes", "OutgoingBytes"]),
            json!(ALL),
        ),
    ] {
        let answer = client
            .call("EnableEnhancedMonitoring", enabling(metrics))
            .await;
        assert_eq!(
            answer,
            json!({
                "StreamName": "orders", "StreamARN": arn(ACCOUNT, "orders"),
                "CurrentShardLevelMetrics": current, "DesiredShardLevelMetrics": desired,
            })
        );
    }
    service.stop().await;
}

#[tokio::test]
async fn what_is_enabled_is_described_and_kept() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let metrics = json!(["IteratorAgeMilliseconds", "IncomingRecords"]);
    client
        .call("EnableEnhancedMonitoring", enabling(metrics))
        .await;
    let wanted = json!([{"ShardLevelMetrics": ["IncomingRecords", "IteratorAgeMilliseconds"]}]);
    let service = service.restart().await;
    let client = service.client();
    let summary = client.summary("orders").await;
    assert_eq!(summary["EnhancedMonitoring"], wanted);
    let name = json!({"StreamName": "orders"});
    let described = client.call("DescribeStream", name).await;
    assert_eq!(described["StreamDescription"]["EnhancedMonitoring"], wanted);
    service.stop().await;
}

#[tokio::test]
async fn a_metric_that_there_is_not_is_refused() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    for operation in ["EnableEnhancedMonitoring", "DisableEnhancedMonitoring"] {
        for (metrics, told) in [
            (
                json!(["ALL", "Temperature"]),
                "Value '[ALL, Temperature]' at 'shardLevelMetrics' failed to satisfy constraint: \
                 Member must satisfy constraint: [Member must satisfy enum value set: \
                 [IncomingBytes, IncomingRecords, OutgoingBytes, OutgoingRecords, \
                 WriteProvisionedThroughputExceeded, ReadProvisionedThroughputExceeded, \
                 IteratorAgeMilliseconds, ALL]]",
            ),
            (
                json!([]),
                "Value '[]' at 'shardLevelMetrics' failed to satisfy constraint: Member must have \
                 length greater than or equal to 1",
            ),
        ] {
            let refusal = client.refusal(operation, enabling(metrics)).await;
            assert_eq!(refusal.code, "ValidationException", "{operation}");
            assert_eq!(
                refusal.message,
                format!("1 validation error detected: {told}")
            );
        }
    }
    service.stop().await;
}
