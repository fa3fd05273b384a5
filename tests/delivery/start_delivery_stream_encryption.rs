//! StartDeliveryStreamEncryption, and CreateDeliveryStream with an encryption.

use http::Method;
use std::fs;
use std::time::Duration;

use millrace_tests::keys::{KeyFiles, ONE, TWO};
use millrace_tests::{ACCOUNT, BUCKET, Client, REGION, Service, base64, destination};
use serde_json::{Value, json};
use types::limits::ENCRYPTION_CHANGES_PER_DAY_MAX;

/// A line that nobody else may know.
const SECRET: &str = "what nobody else may know";

fn key_arn(resource: &str) -> String {
    format!("arn:aws:kms:{REGION}:{ACCOUNT}:{resource}")
}

fn managed(resource: &str) -> Value {
    json!({"KeyType": "CUSTOMER_MANAGED_CMK", "KeyARN": key_arn(resource)})
}

fn input(wanted: &Value) -> Value {
    json!({
        "DeliveryStreamName": "clicks",
        "DeliveryStreamEncryptionConfigurationInput": wanted,
    })
}

async fn encryption(client: &Client) -> Value {
    let description = client.describe_delivery("clicks").await;
    description["DeliveryStreamEncryptionConfiguration"].clone()
}

/// Waits until an encryption is in force; what is told of it.
async fn until(client: &Client, status: &str) -> Value {
    for _ in 0..10_000 {
        let now = encryption(client).await;
        if now["Status"] == status {
            return now;
        }
    }
    panic!("it does not become {status}");
}

/// Encrypts the delivery stream.
pub async fn start(client: &Client, wanted: Option<Value>) -> Value {
    let input = match wanted {
        Some(wanted) => input(&wanted),
        None => json!({"DeliveryStreamName": "clicks"}),
    };
    let operation = "Firehose.StartDeliveryStreamEncryption";
    assert_eq!(client.call(operation, input).await, json!({}));
    until(client, "ENABLED").await
}

pub async fn put(client: &Client, line: &str) -> Value {
    let record = json!({"Data": base64(line)});
    let input = json!({"DeliveryStreamName": "clicks", "Record": record});
    let one = client.call("Firehose.PutRecord", input).await;
    let input = json!({"DeliveryStreamName": "clicks", "Records": [record]});
    let many = client.call("Firehose.PutRecordBatch", input).await;
    assert_eq!(one["Encrypted"], many["Encrypted"]);
    one["Encrypted"].clone()
}

#[tokio::test]
async fn records_wait_sealed_and_are_delivered_as_they_came() {
    for is_encrypted in [true, false] {
        let files = KeyFiles::new();
        let service = files.service().await;
        let client = service.client();
        client.create_delivery("clicks", json!({})).await;
        if is_encrypted {
            let told = start(&client, None).await;
            assert_eq!(
                told,
                json!({"KeyType": "AWS_OWNED_CMK", "Status": "ENABLED"})
            );
        }
        assert_eq!(put(&client, SECRET).await, is_encrypted);
        let found = service.files_with(&[SECRET, &base64(SECRET)]);
        assert_eq!(found.is_empty(), is_encrypted, "{found:?}");
        let service = service.restart().await;
        let client = service.client();
        let found = service.files_with(&[SECRET, &base64(SECRET)]);
        assert_eq!(found.is_empty(), is_encrypted, "{found:?}");
        client.flush("clicks").await;
        assert_eq!(service.delivered().concat(), format!("{SECRET}{SECRET}"));
        service.stop().await;
    }
}

#[tokio::test]
async fn a_key_is_named_by_its_arn_and_shown_and_another_takes_its_place() {
    let files = KeyFiles::new();
    let service = files.service().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    let keys = [format!("key/{ONE}"), format!("key/{TWO}")];
    for resource in &keys {
        let told = start(&client, Some(managed(resource))).await;
        let expected = json!({
            "KeyType": "CUSTOMER_MANAGED_CMK", "KeyARN": key_arn(resource), "Status": "ENABLED",
        });
        assert_eq!(told, expected);
        assert_eq!(put(&client, resource).await, true);
    }
    let told = start(&client, None).await;
    assert_eq!(told["KeyType"], "AWS_OWNED_CMK");
    assert_eq!(told.get("KeyARN"), None);
    let service = service.restart().await;
    let client = service.client();
    assert_eq!(encryption(&client).await, told);
    client.flush("clicks").await;
    let [one, two] = keys;
    let expected = format!("{one}{one}{two}{two}");
    assert_eq!(service.delivered().concat(), expected);
    service.stop().await;
}

#[tokio::test]
async fn a_delivery_stream_is_made_encrypted() {
    let files = KeyFiles::new();
    let service = files.service().await;
    let client = service.client();
    let create = |wanted: Value| {
        json!({
            "DeliveryStreamName": "clicks",
            "ExtendedS3DestinationConfiguration": destination(json!({})),
            "DeliveryStreamEncryptionConfigurationInput": wanted,
        })
    };
    let gone = create(managed("key/no-such"));
    let refusal = client.refusal("Firehose.CreateDeliveryStream", gone).await;
    assert_eq!(refusal.code, "InvalidKMSResourceException");
    let made = create(managed(&format!("key/{ONE}")));
    client.call("Firehose.CreateDeliveryStream", made).await;
    client.delivery_is_active("clicks").await;
    let told = until(&client, "ENABLED").await;
    assert_eq!(told["KeyARN"], key_arn(&format!("key/{ONE}")));
    assert_eq!(put(&client, SECRET).await, true);
    assert!(service.files_with(&[SECRET]).is_empty());
    client.flush("clicks").await;
    assert_eq!(service.delivered().concat(), format!("{SECRET}{SECRET}"));
    // Nothing is left of its keys once it is gone.
    client.delete_delivery("clicks").await;
    client.create_delivery("clicks", json!({})).await;
    assert_eq!(encryption(&client).await, json!({"Status": "DISABLED"}));
    service.stop().await;
}

#[tokio::test]
async fn what_no_key_can_be_is_refused() {
    let files = KeyFiles::new();
    let service = files.service().await;
    let client = service.client();
    let operation = "Firehose.StartDeliveryStreamEncryption";
    let missing = client.refusal(operation, json!({"DeliveryStreamName": "clicks"}));
    assert_eq!(missing.await.code, "ResourceNotFoundException");
    client.create_delivery("clicks", json!({})).await;
    let elsewhere = "arn:aws:kms:eu-central-1:999999999999:key/a";
    for (wanted, code) in [
        (managed("key/no-such"), "InvalidKMSResourceException"),
        (
            json!({"KeyType": "CUSTOMER_MANAGED_CMK", "KeyARN": elsewhere}),
            "InvalidKMSResourceException",
        ),
        (
            json!({"KeyType": "CUSTOMER_MANAGED_CMK"}),
            "InvalidArgumentException",
        ),
        (
            json!({"KeyType": "AWS_OWNED_CMK", "KeyARN": key_arn("key/a")}),
            "InvalidArgumentException",
        ),
        (json!({"KeyType": "NONE"}), "ValidationException"),
        (json!({}), "ValidationException"),
        (
            json!({"KeyType": "CUSTOMER_MANAGED_CMK", "KeyARN": "alias/one"}),
            "ValidationException",
        ),
        (managed("alias/one"), "ValidationException"),
    ] {
        let refusal = client.refusal(operation, input(&wanted)).await;
        assert_eq!(refusal.code, code, "{wanted}: {}", refusal.message);
    }
    assert_eq!(encryption(&client).await["Status"], "DISABLED");
    service.stop().await;
}

#[tokio::test]
async fn a_delivery_stream_that_reads_a_stream_is_encrypted_by_that_alone() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    client
        .create_delivery_of("clicks", "orders", json!({}))
        .await;
    for operation in ["Start", "Stop"] {
        let operation = format!("Firehose.{operation}DeliveryStreamEncryption");
        let refusal = client.refusal(&operation, json!({"DeliveryStreamName": "clicks"}));
        assert_eq!(refusal.await.code, "InvalidArgumentException");
    }
    service.stop().await;
}

#[tokio::test]
async fn it_is_changed_25_times_within_a_day() {
    let files = KeyFiles::new();
    let service = files.service().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    for number in 0..ENCRYPTION_CHANGES_PER_DAY_MAX {
        let key = format!("key/{}", [ONE, TWO][number % 2]);
        for _ in 0..2 {
            start(&client, Some(managed(&key))).await;
        }
    }
    let operation = "Firehose.StopDeliveryStreamEncryption";
    let refusal = client.refusal(operation, json!({"DeliveryStreamName": "clicks"}));
    assert_eq!(refusal.await.code, "LimitExceededException");
    service.stop().await;
}

#[tokio::test]
async fn without_their_key_records_wait_and_it_is_said_why() {
    let files = KeyFiles::new();
    let service = files.service().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    start(&client, Some(managed(&format!("key/{TWO}")))).await;
    put(&client, "waits\n").await;
    let service = service.restart_with_keys(files.without_two(), || {}).await;
    let client = service.client();
    let record = json!({"Data": base64("refused")});
    let one = json!({"DeliveryStreamName": "clicks", "Record": record});
    let refusal = client.refusal("Firehose.PutRecord", one).await;
    assert_eq!(refusal.code, "InvalidKMSResourceException");
    assert_eq!(
        refusal.message,
        format!("{} is disabled.", key_arn(&format!("key/{TWO}")))
    );
    let page = client
        .delivery_until("clicks", |page| page["trouble"].is_string())
        .await;
    let trouble = page["trouble"].as_str().unwrap();
    assert!(trouble.contains("master key is disabled"), "{trouble}");
    assert!(service.delivered().is_empty());
    let service = service.restart_with_keys(files.settings(), || {}).await;
    let client = service.client();
    client.flush("clicks").await;
    assert_eq!(service.delivered().concat(), "waits\nwaits\n");
    service.stop().await;
}

/// The clock was ahead when the record was put, and its key was forgotten by the time of others.
#[tokio::test]
async fn the_key_of_what_waits_is_kept_though_the_clock_was_set_back_and_others_followed_it() {
    let hours = |count: u64| Duration::from_secs(count * 3_600);
    let files = KeyFiles::new();
    let service = files.service().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    let [one, two] = [ONE, TWO].map(|id| managed(&format!("key/{id}")));
    start(&client, Some(one.clone())).await;
    let in_the_way = service.buckets().join(BUCKET);
    fs::create_dir_all(service.buckets()).unwrap();
    fs::write(&in_the_way, "").unwrap();
    let right = service.now();
    service.pass(hours(60));
    put(&client, "waits\n").await;
    service.set_clock(right);
    start(&client, Some(two)).await;
    service.pass(hours(50));
    start(&client, Some(one)).await;
    let meanwhile = || fs::remove_file(&in_the_way).unwrap();
    let service = service.restart_after(meanwhile).await;
    service.client().flush("clicks").await;
    assert_eq!(service.delivered().concat(), "waits\nwaits\n");
    service.stop().await;
}

/// A key that never came back held up all that was put after it, and no order reached it.
#[tokio::test]
async fn records_whose_key_is_lost_are_left_out_by_an_operator_and_those_around_them_delivered() {
    let files = KeyFiles::new();
    let service = files.service().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    put(&client, "before\n").await;
    start(&client, Some(managed(&format!("key/{TWO}")))).await;
    put(&client, "lost\n").await;
    start(&client, Some(managed(&format!("key/{ONE}")))).await;
    put(&client, "sealed anew\n").await;
    let service = service.restart_with_keys(files.without_two(), || {}).await;
    let client = service.client();
    put(&client, "after\n").await;
    let page = client
        .delivery_until("clicks", |page| page["stuck"][0]["unreadable"] == true)
        .await;
    assert_eq!(
        (&page["delivered"], &page["waitingRecords"]),
        (&json!(2), &json!(6))
    );
    assert_eq!(page["stuck"][0]["records"], 2, "{page}");
    let trouble = page["trouble"].as_str().unwrap();
    assert!(trouble.contains("master key is disabled"), "{trouble}");
    assert!(trouble.contains("--leave-out"), "{trouble}");
    let order = "delivery-streams/clicks/leave-out";
    let answer = client.page(Method::POST, order).await;
    let answer: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(answer["lanes"][0]["outcome"], "done", "{answer}");
    client.flush("clicks").await;
    let delivered = service.delivered().concat();
    let expected = ["before", "sealed anew", "after"].map(|line| format!("{line}\n{line}\n"));
    assert_eq!(delivered, expected.concat());
    let page = client.delivery("clicks").await;
    assert_eq!(
        (&page["recordsIn"], &page["delivered"]),
        (&json!(8), &json!(6))
    );
    assert_eq!((&page["lost"], &page["leftOut"]), (&json!(2), &json!(2)));
    service.stop().await;
}

/// The same of a delivery stream that reads an encrypted stream; another one goes on.
#[tokio::test]
async fn a_stream_without_its_key_stops_its_own_deliveries_and_no_others() {
    let files = KeyFiles::new();
    let service = files.service().await;
    let client = service.client();
    for stream in ["orders", "plain"] {
        client.create(stream, 1).await;
        client.create_delivery_of(stream, stream, json!({})).await;
    }
    let wanted = json!({
        "StreamName": "orders", "EncryptionType": "KMS", "KeyId": "alias/two",
    });
    client.call("StartStreamEncryption", wanted).await;
    client.until_active("orders").await;
    client.put("orders", &base64("sealed")).await;
    let service = service.restart_with_keys(files.without_two(), || {}).await;
    let client = service.client();
    client
        .delivery_until("orders", |page| {
            let trouble = page["trouble"].as_str().unwrap_or_default();
            trouble.contains("master key is disabled")
        })
        .await;
    client.put("plain", &base64("plain")).await;
    client.flush("plain").await;
    assert_eq!(service.delivered(), ["plain"]);
    let service = service.restart_with_keys(files.settings(), || {}).await;
    service.client().flush("orders").await;
    let mut delivered = service.delivered();
    delivered.sort();
    assert_eq!(delivered, ["plain", "sealed"]);
    service.stop().await;
}
