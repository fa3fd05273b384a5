//! StopStreamEncryption.

use millrace_tests::Client;
use millrace_tests::keys::KeyFiles;
use serde_json::{Value, json};

use crate::start_stream_encryption::{OWN, start};

fn input(stream: &str, key: &str) -> Value {
    json!({"StreamName": stream, "EncryptionType": "KMS", "KeyId": key})
}

async fn stop(client: &Client, stream: &str, key: &str) {
    let answer = client.call("StopStreamEncryption", input(stream, key));
    assert_eq!(answer.await, Value::Null);
    client.until_active(stream).await;
}

#[tokio::test]
async fn records_are_sealed_no_longer_and_those_that_were_are_still_read() {
    let files = KeyFiles::new();
    let service = files.service().await;
    let client = service.client();
    client.create("orders", 1).await;
    start(&client, "orders", OWN).await;
    client.put("orders", "AAAA").await;
    stop(&client, "orders", OWN).await;
    let landed = client.put("orders", "AAAB").await;
    assert_eq!(landed.get("EncryptionType"), None);
    let service = service.restart().await;
    let client = service.client();
    let summary = client.summary("orders").await;
    assert_eq!(summary["EncryptionType"], "NONE");
    assert_eq!(summary.get("KeyId"), None);
    let read = client.read("orders").await;
    let records = read["Records"].as_array().unwrap();
    assert_eq!(records[0]["EncryptionType"], "KMS");
    assert_eq!(records[1].get("EncryptionType"), None);
    assert_eq!(client.data("orders").await, ["AAAA", "AAAB"]);
    service.stop().await;
}

#[tokio::test]
async fn a_stream_that_is_not_encrypted_stays_so_however_often_it_is_asked_for() {
    let files = KeyFiles::new();
    let service = files.service().await;
    let client = service.client();
    client.create("orders", 1).await;
    for _ in 0..30 {
        stop(&client, "orders", OWN).await;
    }
    start(&client, "orders", "alias/one").await;
    service.stop().await;
}

/// Nobody would get rid of a key that is gone otherwise.
#[tokio::test]
async fn encryption_with_a_key_that_is_gone_can_be_stopped() {
    let files = KeyFiles::new();
    let service = files.service().await;
    let client = service.client();
    client.create("orders", 1).await;
    start(&client, "orders", "alias/two").await;
    client.put("orders", "AAAA").await;
    let mut settings = files.settings();
    settings.keys.truncate(1);
    let service = service.restart_with_keys(settings, || {}).await;
    let client = service.client();
    let put = json!({"StreamName": "orders", "Data": "AAAB", "PartitionKey": "a"});
    assert_eq!(client.code("PutRecord", put).await, "KMSNotFoundException");
    stop(&client, "orders", "alias/two").await;
    client.put("orders", "AAAB").await;
    service.stop().await;
}

#[tokio::test]
async fn what_is_no_encryption_or_no_stream_is_refused() {
    let files = KeyFiles::new();
    let service = files.service().await;
    let client = service.client();
    let refusal = client.refusal("StopStreamEncryption", input("orders", OWN));
    assert_eq!(refusal.await.code, "ResourceNotFoundException");
    client.create("orders", 1).await;
    let none = json!({"StreamName": "orders", "EncryptionType": "NONE", "KeyId": OWN});
    let refusal = client.refusal("StopStreamEncryption", none).await;
    assert_eq!(refusal.code, "InvalidArgumentException");
    let missing = client.refusal("StopStreamEncryption", json!({"StreamName": "orders"}));
    assert_eq!(missing.await.code, "ValidationException");
    service.stop().await;
}
