//! DescribeStreamSummary.

use millrace_tests::{ACCOUNT, REGION, Service};
use serde_json::json;

#[tokio::test]
async fn a_summary_counts_the_open_shards_and_lists_none() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 3).await;
    let stream = client.summary("orders").await;
    assert_eq!(stream["StreamName"], "orders");
    let arn = format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/orders");
    assert_eq!(stream["StreamARN"], arn);
    assert_eq!(stream["StreamStatus"], "ACTIVE");
    assert_eq!(
        stream["StreamModeDetails"],
        json!({"StreamMode": "PROVISIONED"})
    );
    assert_eq!(stream["RetentionPeriodHours"], 24);
    assert_eq!(stream["OpenShardCount"], 3);
    assert_eq!(stream["ConsumerCount"], 0);
    assert_eq!(stream["EncryptionType"], "NONE");
    assert_eq!(
        stream["StreamCreationTimestamp"].as_f64(),
        Some(1_700_000_000.0)
    );
    assert!(stream.get("Shards").is_none());
    service.stop().await;
}

#[tokio::test]
async fn a_summary_is_the_same_after_a_restart() {
    let service = Service::start().await;
    service.client().create("orders", 3).await;
    let before = service.client().summary("orders").await;
    let service = service.restart().await;
    assert_eq!(service.client().summary("orders").await, before);
    service.stop().await;
}
