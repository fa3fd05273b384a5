//! PutRecord.

use std::collections::HashSet;
use std::time::Duration;

use millrace_tests::{Client, Service, base64};
use serde_json::{Value, json};
use types::Timestamp;
use types::limits::{DELIVERY_RECORD_BYTES_MAX, DIRECT_PUT_CALLS_PER_SECOND};

async fn with_delivery_stream() -> (Service, Client) {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    (service, client)
}

fn putting(data: impl Into<Value>) -> Value {
    json!({"DeliveryStreamName": "clicks", "Record": {"Data": data.into()}})
}

#[tokio::test]
async fn a_record_is_delivered_as_it_was_put() {
    let (service, client) = with_delivery_stream().await;
    let answer = client.call("Firehose.PutRecord", putting("aGVsbG8=")).await;
    assert_eq!(answer["Encrypted"], false);
    let members: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(members, ["Encrypted", "RecordId"]);
    client.flush("clicks").await;
    assert_eq!(service.delivered(), ["hello"]);
    service.stop().await;
}

#[tokio::test]
async fn every_byte_of_a_record_is_kept() {
    let (service, client) = with_delivery_stream().await;
    let all: Vec<u8> = (0..=255).cycle().take(1_000).collect();
    let input = putting(base64(&all));
    client.call("Firehose.PutRecord", input).await;
    client.flush("clicks").await;
    assert_eq!(service.objects("logs")[0].content, all);
    service.stop().await;
}

#[tokio::test]
async fn each_record_has_an_id_of_its_own() {
    let (service, client) = with_delivery_stream().await;
    let mut ids = HashSet::new();
    for _ in 0..20 {
        let answer = client.call("Firehose.PutRecord", putting("eA==")).await;
        ids.insert(answer["RecordId"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 20);
    assert!(ids.iter().all(|id| !id.is_empty()));
    service.stop().await;
}

#[tokio::test]
async fn a_record_may_be_empty_and_is_counted() {
    let (service, client) = with_delivery_stream().await;
    client.call("Firehose.PutRecord", putting("")).await;
    client.call("Firehose.PutRecord", putting("eA==")).await;
    client.flush("clicks").await;
    assert_eq!(service.delivered(), ["x"]);
    assert_eq!(client.delivery("clicks").await["delivered"], 2);
    service.stop().await;
}

#[tokio::test]
async fn a_record_may_have_1_024_000_bytes() {
    let (service, client) = with_delivery_stream().await;
    let largest = base64(vec![b'x'; DELIVERY_RECORD_BYTES_MAX]);
    client.call("Firehose.PutRecord", putting(largest)).await;
    let larger = base64(vec![b'y'; DELIVERY_RECORD_BYTES_MAX + 1]);
    let refusal = client.refusal("Firehose.PutRecord", putting(larger)).await;
    assert_eq!(
        (refusal.status, &*refusal.code),
        (400, "ValidationException")
    );
    let wanted = "at 'record.data' failed to satisfy constraint: \
        Member must have length less than or equal to 1024000";
    assert!(refusal.message.ends_with(wanted), "{refusal:?}");
    client.flush("clicks").await;
    let content = service.objects("logs").remove(0).content;
    assert_eq!(content, vec![b'x'; DELIVERY_RECORD_BYTES_MAX]);
    service.stop().await;
}

#[tokio::test]
async fn a_call_without_a_record_or_its_data_is_refused() {
    let (service, client) = with_delivery_stream().await;
    for wrong in [
        json!({"DeliveryStreamName": "clicks"}),
        json!({"DeliveryStreamName": "clicks", "Record": {}}),
        json!({"DeliveryStreamName": "clicks", "Record": {"Data": null}}),
    ] {
        let code = client.code("Firehose.PutRecord", wrong.clone()).await;
        assert_eq!(code, "ValidationException", "{wrong}");
    }
    for data in [json!("a"), json!("-_-_"), json!("eA==\n"), json!(7)] {
        let code = client.code("Firehose.PutRecord", putting(data)).await;
        assert_eq!(code, "SerializationException");
    }
    client.flush("clicks").await;
    assert!(service.objects("logs").is_empty());
    service.stop().await;
}

#[tokio::test]
async fn a_delivery_stream_that_reads_a_stream_takes_no_puts() {
    let (service, client) = with_delivery_stream().await;
    client.create("orders", 1).await;
    client.create_delivery_of("copy", "orders", json!({})).await;
    let record = json!({"Data": "eA=="});
    for (operation, input) in [
        (
            "Firehose.PutRecord",
            json!({"DeliveryStreamName": "copy", "Record": record}),
        ),
        (
            "Firehose.PutRecordBatch",
            json!({"DeliveryStreamName": "copy", "Records": [record]}),
        ),
    ] {
        let refusal = client.refusal(operation, input).await;
        assert_eq!(refusal.status, 400, "{operation}");
        assert_eq!(refusal.code, "InvalidArgumentException", "{operation}");
        let wanted =
            "This operation is not permitted on KinesisStreamAsSource delivery stream type.";
        assert_eq!(refusal.message, wanted, "{operation}");
    }
    service.stop().await;
}

#[tokio::test]
async fn what_is_no_record_is_refused_before_a_delivery_stream_is_looked_for() {
    let service = Service::start().await;
    let client = service.client();
    let records = json!([{"Data": "eA=="}, {"Data": "e==="}]);
    for (operation, input) in [
        ("Firehose.PutRecord", putting("e===")),
        (
            "Firehose.PutRecordBatch",
            json!({"DeliveryStreamName": "clicks", "Records": records}),
        ),
    ] {
        let code = client.code(operation, input).await;
        assert_eq!(code, "SerializationException", "{operation}");
    }
    service.stop().await;
}

/// 1 MiB and 1,000 calls a second in this region, by every way in together.
#[tokio::test]
async fn a_delivery_stream_takes_as_much_in_a_second_as_aws_allows() {
    let service = Service::start_throttled().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    client.create_delivery("other", json!({})).await;
    let most = putting(base64(vec![b'x'; DELIVERY_RECORD_BYTES_MAX]));
    client.call("Firehose.PutRecord", most.clone()).await;
    let refusal = client.refusal("Firehose.PutRecord", most.clone()).await;
    assert_eq!(refusal.status, 503);
    assert_eq!(refusal.code, "ServiceUnavailableException");
    assert_eq!(refusal.message, "Slow down.");
    // A record that there is room for is not held up by one that there was not.
    client.call("Firehose.PutRecord", putting("eA==")).await;
    let mut elsewhere = most.clone();
    elsewhere["DeliveryStreamName"] = json!("other");
    client.call("Firehose.PutRecord", elsewhere).await;
    service.pass(Duration::from_secs(1));
    client.call("Firehose.PutRecord", most).await;
    client.flush("clicks").await;
    let bytes = service.objects("logs")[0].content.len();
    assert_eq!(bytes, 2 * DELIVERY_RECORD_BYTES_MAX + 1);
    assert_eq!(client.delivery("clicks").await["recordsIn"], 3);
    service.stop().await;
}

#[tokio::test]
async fn calls_count_whatever_comes_of_their_records() {
    let service = Service::start_throttled().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    for _ in 0..DIRECT_PUT_CALLS_PER_SECOND {
        client.call("Firehose.PutRecord", putting("")).await;
    }
    let one = json!({"DeliveryStreamName": "clicks", "Records": [{"Data": "eA=="}]});
    for (operation, input) in [
        ("Firehose.PutRecord", putting("eA==")),
        ("Firehose.PutRecordBatch", one),
    ] {
        let refusal = client.refusal(operation, input).await;
        assert_eq!(refusal.code, "ServiceUnavailableException", "{operation}");
    }
    service.pass(Duration::from_millis(1));
    client.call("Firehose.PutRecord", putting("eA==")).await;
    service.stop().await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_throttles_no_puts() {
    let service = Service::start_throttled().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    let most = putting(base64(vec![b'x'; DELIVERY_RECORD_BYTES_MAX]));
    client.call("Firehose.PutRecord", most.clone()).await;
    service.set_clock(Timestamp(service.now().0 - 60_000));
    service.pass(Duration::from_secs(1));
    client.call("Firehose.PutRecord", most).await;
    service.stop().await;
}
