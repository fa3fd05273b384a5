//! StopDeliveryStreamEncryption.

use millrace_tests::keys::KeyFiles;
use millrace_tests::{Client, Service};
use serde_json::{Value, json};

use crate::start_delivery_stream_encryption::{put, start};

async fn stop(client: &Client) {
    let input = json!({"DeliveryStreamName": "clicks"});
    let operation = "Firehose.StopDeliveryStreamEncryption";
    assert_eq!(client.call(operation, input).await, json!({}));
    for _ in 0..10_000 {
        let description = client.describe_delivery("clicks").await;
        let now = &description["DeliveryStreamEncryptionConfiguration"];
        if now["Status"] == "DISABLED" {
            assert_eq!(*now, json!({"Status": "DISABLED"}));
            return;
        }
    }
    panic!("it does not become DISABLED");
}

#[tokio::test]
async fn records_are_sealed_no_longer_and_those_that_wait_are_delivered() {
    let files = KeyFiles::new();
    let service = files.service().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    start(&client, None).await;
    assert_eq!(put(&client, "sealed ").await, true);
    stop(&client).await;
    assert_eq!(put(&client, "plain ").await, false);
    let service = service.restart().await;
    let client = service.client();
    client.flush("clicks").await;
    let expected = "sealed sealed plain plain ";
    assert_eq!(service.delivered().concat(), expected);
    // Asked again, nothing changes.
    stop(&client).await;
    service.stop().await;
}

#[tokio::test]
async fn one_that_is_not_there_is_not_found() {
    let service = Service::start().await;
    let client = service.client();
    let operation = "Firehose.StopDeliveryStreamEncryption";
    let refusal = client.refusal(operation, json!({"DeliveryStreamName": "clicks"}));
    assert_eq!(refusal.await.code, "ResourceNotFoundException");
    let refusal = client.refusal(operation, json!({"DeliveryStreamName": Value::Null}));
    assert_eq!(refusal.await.code, "ValidationException");
    service.stop().await;
}
