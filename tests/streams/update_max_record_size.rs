//! UpdateMaxRecordSize.

use millrace_tests::{ACCOUNT, Client, Service};
use serde_json::{Value, json};
use types::limits::{GET_RECORDS_BYTES_MAX, RECORD_BYTES_MAX};

use crate::naming::arn;

/// The data of a record with the key `a` that has so many bytes, in base64.
fn data(record_bytes: usize) -> String {
    let bytes = record_bytes - 1;
    let rest = ["", "AA==", "AAA="][bytes % 3];
    format!("{}{rest}", "AAAA".repeat(bytes / 3))
}

fn record(record_bytes: usize) -> Value {
    json!({"StreamName": "orders", "PartitionKey": "a", "Data": data(record_bytes)})
}

async fn update(client: &Client, kib: usize) {
    let input = json!({"StreamARN": arn(ACCOUNT, "orders"), "MaxRecordSizeInKiB": kib});
    assert_eq!(client.call("UpdateMaxRecordSize", input).await, Value::Null);
}

#[tokio::test]
async fn a_stream_takes_larger_records_and_then_smaller_ones_and_keeps_those_it_has() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let large = 2 * RECORD_BYTES_MAX;
    assert_eq!(
        client.code("PutRecord", record(large)).await,
        "ValidationException"
    );
    update(&client, 2_048).await;
    client.call("PutRecord", record(large)).await;
    let service = service.restart().await;
    let client = service.client();
    let summary = client.summary("orders").await;
    assert_eq!(summary["MaxRecordSizeInKiB"], 2_048);
    assert_eq!(summary["StreamStatus"], "ACTIVE");
    client.call("PutRecord", record(large)).await;
    let refusal = client.refusal("PutRecord", record(large + 1)).await;
    assert_eq!(refusal.code, "ValidationException");
    assert_eq!(
        refusal.message,
        "1 validation error detected: Value at 'data' failed to satisfy constraint: Member must \
         have length less than or equal to 2097152"
    );
    update(&client, 1_024).await;
    assert_eq!(
        client.code("PutRecord", record(large)).await,
        "ValidationException"
    );
    assert_eq!(client.data("orders").await, [data(large), data(large)]);
    service.stop().await;
}

#[tokio::test]
async fn put_records_obeys_the_size_and_names_the_record_that_is_larger() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    update(&client, 3_072).await;
    let records = |sizes: &[usize]| {
        let records = sizes
            .iter()
            .map(|bytes| json!({"PartitionKey": "a", "Data": data(*bytes)}));
        json!({"StreamName": "orders", "Records": records.collect::<Vec<_>>()})
    };
    let most = 3 * RECORD_BYTES_MAX;
    let answer = client.call("PutRecords", records(&[1, most])).await;
    assert_eq!(answer["FailedRecordCount"], 0);
    let refusal = client.refusal("PutRecords", records(&[1, most + 1])).await;
    assert_eq!(refusal.code, "ValidationException");
    assert_eq!(
        refusal.message,
        "1 validation error detected: Value at 'records.2.member.data' failed to satisfy \
         constraint: Member must have length less than or equal to 3145728"
    );
    service.stop().await;
}

#[tokio::test]
async fn records_of_10_mib_are_read_one_at_a_time_and_whole() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    update(&client, 10_240).await;
    let most = GET_RECORDS_BYTES_MAX;
    for bytes in [most, 2, most] {
        client.call("PutRecord", record(bytes)).await;
    }
    let refusal = client.refusal("PutRecord", record(most + 2)).await;
    assert_eq!(refusal.code, "ValidationException");
    let oldest = json!({"ShardIteratorType": "TRIM_HORIZON"});
    let mut iterator = json!(client.iterator("orders", oldest).await);
    for expected in [&[data(most)][..], &[data(2)], &[data(most)], &[]] {
        let input = json!({"ShardIterator": iterator});
        let answer = client.call("GetRecords", input).await;
        let records = answer["Records"].as_array().unwrap().iter();
        let read: Vec<_> = records.map(|record| record["Data"].clone()).collect();
        assert!(read == expected, "{} records", read.len());
        iterator = answer["NextShardIterator"].clone();
    }
    service.stop().await;
}

#[tokio::test]
async fn a_size_that_no_stream_may_have_is_refused() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let stream = arn(ACCOUNT, "orders");
    for (input, text) in [
        (
            json!({"StreamARN": stream, "MaxRecordSizeInKiB": 1_023}),
            "1 validation error detected: Value '1023' at 'maxRecordSizeInKiB' failed to satisfy \
             constraint: Member must have value greater than or equal to 1024",
        ),
        (
            json!({"StreamARN": stream, "MaxRecordSizeInKiB": 10_241}),
            "1 validation error detected: Value '10241' at 'maxRecordSizeInKiB' failed to satisfy \
             constraint: Member must have value less than or equal to 10240",
        ),
        (
            json!({"StreamARN": stream}),
            "1 validation error detected: Value null at 'maxRecordSizeInKiB' failed to satisfy \
             constraint: Member must not be null",
        ),
    ] {
        let refusal = client.refusal("UpdateMaxRecordSize", input).await;
        assert_eq!(refusal.code, "ValidationException");
        assert_eq!(refusal.message, text);
    }
    let nameless = json!({"MaxRecordSizeInKiB": 2_048});
    let code = client.code("UpdateMaxRecordSize", nameless).await;
    assert_eq!(code, "InvalidArgumentException");
    service.stop().await;
}
