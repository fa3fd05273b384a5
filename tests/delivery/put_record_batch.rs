//! PutRecordBatch.

use std::collections::HashSet;

use millrace_tests::{Client, Service, base64};
use serde_json::{Value, json};
use types::limits::{
    DELIVERY_RECORD_BYTES_MAX, PUT_RECORD_BATCH_BYTES_MAX, PUT_RECORD_BATCH_COUNT_MAX,
};

async fn with_delivery_stream() -> (Service, Client) {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    (service, client)
}

fn putting(data: impl IntoIterator<Item = String>) -> Value {
    let records = data.into_iter().map(|data| json!({"Data": data}));
    let records: Vec<Value> = records.collect();
    json!({"DeliveryStreamName": "clicks", "Records": records})
}

/// Base64 of records of these sizes.
fn sized(sizes: &[usize]) -> Vec<String> {
    sizes.iter().map(|size| base64(vec![b'x'; *size])).collect()
}

#[tokio::test]
async fn records_are_answered_one_by_one_and_delivered_in_order() {
    let (service, client) = with_delivery_stream().await;
    let input = putting(["one,", "two,", "", "three,"].map(base64));
    let answer = client.call("Firehose.PutRecordBatch", input).await;
    let members: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(members, ["Encrypted", "FailedPutCount", "RequestResponses"]);
    assert_eq!(
        (&answer["Encrypted"], &answer["FailedPutCount"]),
        (&json!(false), &json!(0))
    );
    let responses = answer["RequestResponses"].as_array().unwrap();
    let mut ids = HashSet::new();
    for response in responses {
        assert_eq!(response.as_object().unwrap().len(), 1, "{response}");
        ids.insert(response["RecordId"].as_str().unwrap());
    }
    assert_eq!((responses.len(), ids.len()), (4, 4));
    client.flush("clicks").await;
    assert_eq!(service.delivered(), ["one,two,three,"]);
    assert_eq!(client.delivery("clicks").await["delivered"], 4);
    service.stop().await;
}

#[tokio::test]
async fn a_call_holds_500_records_at_most_and_one_at_least() {
    let (service, client) = with_delivery_stream().await;
    let numbered = |count: usize| putting((0..count).map(|number| base64(format!("{number} "))));
    let operation = "Firehose.PutRecordBatch";
    let too_many = numbered(PUT_RECORD_BATCH_COUNT_MAX + 1);
    assert_eq!(
        client.code(operation, too_many).await,
        "ValidationException"
    );
    assert_eq!(
        client.code(operation, numbered(0)).await,
        "ValidationException"
    );
    let none = json!({"DeliveryStreamName": "clicks"});
    assert_eq!(client.code(operation, none).await, "ValidationException");

    let answer = client
        .call(operation, numbered(PUT_RECORD_BATCH_COUNT_MAX))
        .await;
    let responses = answer["RequestResponses"].as_array().unwrap();
    assert_eq!(responses.len(), PUT_RECORD_BATCH_COUNT_MAX);
    client.flush("clicks").await;
    let wanted: String = (0..500).map(|number| format!("{number} ")).collect();
    assert_eq!(service.delivered(), [wanted]);
    service.stop().await;
}

#[tokio::test]
async fn a_call_of_too_many_records_is_not_told_what_each_of_them_lacks() {
    let (service, client) = with_delivery_stream().await;
    let records = vec![json!({}); PUT_RECORD_BATCH_COUNT_MAX + 1];
    let input = json!({"DeliveryStreamName": "clicks", "Records": records});
    let refusal = client.refusal("Firehose.PutRecordBatch", input).await;
    assert_eq!(refusal.code, "ValidationException");
    let told = &refusal.message;
    assert!(told.starts_with("1 validation error detected: "), "{told}");
    let wanted = "at 'records' failed to satisfy constraint: \
        Member must have length less than or equal to 500";
    assert!(told.ends_with(wanted), "{told}");
    service.stop().await;
}

#[tokio::test]
async fn a_call_holds_4_mib_of_data_at_most() {
    let (service, client) = with_delivery_stream().await;
    let mut sizes = [DELIVERY_RECORD_BYTES_MAX; 5];
    sizes[4] = PUT_RECORD_BATCH_BYTES_MAX - 4 * DELIVERY_RECORD_BYTES_MAX;
    client
        .call("Firehose.PutRecordBatch", putting(sized(&sizes)))
        .await;
    sizes[4] += 1;
    let refusal = client
        .refusal("Firehose.PutRecordBatch", putting(sized(&sizes)))
        .await;
    assert_eq!(refusal.status, 400);
    assert_eq!(refusal.code, "InvalidArgumentException");
    assert_eq!(refusal.message, "Records size exceeds 4 MB limit");
    client.flush("clicks").await;
    let bytes: usize = service
        .objects("logs")
        .iter()
        .map(|o| o.content.len())
        .sum();
    assert_eq!(bytes, PUT_RECORD_BATCH_BYTES_MAX);
    assert_eq!(client.delivery("clicks").await["delivered"], 5);
    service.stop().await;
}

#[tokio::test]
async fn one_record_that_cannot_be_keeps_its_neighbours_out() {
    let (service, client) = with_delivery_stream().await;
    let operation = "Firehose.PutRecordBatch";
    let refusal = client
        .refusal(
            operation,
            putting(sized(&[1, DELIVERY_RECORD_BYTES_MAX + 1])),
        )
        .await;
    assert_eq!(refusal.code, "ValidationException");
    let wanted = "at 'records.2.member.data' failed to satisfy constraint: \
        Member must have length less than or equal to 1024000";
    assert!(refusal.message.ends_with(wanted), "{refusal:?}");
    let broken = putting(["eA==", "no base64"].map(str::to_owned));
    assert_eq!(
        client.code(operation, broken).await,
        "SerializationException"
    );
    let without = json!({"DeliveryStreamName": "clicks", "Records": [{"Data": "eA=="}, {}]});
    assert_eq!(client.code(operation, without).await, "ValidationException");
    client.flush("clicks").await;
    assert!(service.objects("logs").is_empty());
    service.stop().await;
}

#[tokio::test]
async fn many_that_put_at_the_same_time_lose_nothing() {
    let (service, client) = with_delivery_stream().await;
    let mut calls = tokio::task::JoinSet::new();
    for caller in 0..8 {
        let client = client.clone();
        calls.spawn(async move {
            for call in 0..5 {
                let records = [0, 1, 2].map(|number| format!("{caller}-{call}-{number}\n"));
                client.put_delivery("clicks", &records).await;
            }
        });
    }
    calls.join_all().await;
    client.flush("clicks").await;
    let text = service.delivered().concat();
    let lines: Vec<&str> = text.lines().collect();
    let different: HashSet<&&str> = lines.iter().collect();
    assert_eq!((lines.len(), different.len()), (120, 120));
    // What one caller put stands in the order in which it was put.
    for caller in ["0-", "7-"] {
        let mine: Vec<&&str> = lines
            .iter()
            .filter(|line| line.starts_with(caller))
            .collect();
        assert!(mine.is_sorted(), "{mine:?}");
    }
    service.stop().await;
}

/// What a delivery stream does not take in this second is answered record by record; the others
/// are delivered.
#[tokio::test]
async fn a_call_can_fail_in_part() {
    const LARGE: usize = 400_000;
    let service = Service::start_throttled().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    let operation = "Firehose.PutRecordBatch";
    let letters = ["a", "b", "c", "d"];
    let large = letters.map(|letter| base64(letter.repeat(LARGE)));
    let [a, b, c, d] = large;
    let data = [a, b, c, base64("small"), d];
    let answer = client.call(operation, putting(data)).await;
    assert_eq!(answer["FailedPutCount"], 2, "{answer}");
    let responses = answer["RequestResponses"].as_array().unwrap();
    assert_eq!(responses.len(), 5);
    let not_put = json!({
        "ErrorCode": "ServiceUnavailableException",
        "ErrorMessage": "Slow down.",
    });
    for (number, response) in responses.iter().enumerate() {
        if number == 2 || number == 4 {
            assert_eq!(*response, not_put, "{number}");
        } else {
            let members: Vec<&String> = response.as_object().unwrap().keys().collect();
            assert_eq!(members, ["RecordId"], "{number}");
        }
    }
    // Nothing of a call is a refusal of the call.
    let refusal = client
        .refusal(operation, putting(sized(&[LARGE, LARGE])))
        .await;
    assert_eq!(refusal.status, 503);
    assert_eq!(refusal.code, "ServiceUnavailableException");
    assert_eq!(refusal.message, "Slow down.");
    client.flush("clicks").await;
    let wanted = ["a".repeat(LARGE), "b".repeat(LARGE), "small".to_owned()].concat();
    assert!(
        service.delivered() == [wanted],
        "other records, or in another order"
    );
    assert_eq!(client.delivery("clicks").await["recordsIn"], 3);
    service.stop().await;
}
