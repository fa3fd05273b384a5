//! TagDeliveryStream.

use millrace_tests::{Client, Service};
use serde_json::{Value, json};
use types::limits::TAGS_PER_RESOURCE_MAX;

async fn with_delivery_stream() -> (Service, Client) {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    (service, client)
}

fn adding(tags: impl Into<Value>) -> Value {
    json!({"DeliveryStreamName": "clicks", "Tags": tags.into()})
}

fn numbered(numbers: std::ops::Range<usize>) -> Vec<Value> {
    numbers
        .map(|number| json!({"Key": format!("key-{number:03}"), "Value": "x"}))
        .collect()
}

async fn tags(client: &Client) -> Value {
    let input = json!({"DeliveryStreamName": "clicks"});
    let answer = client.call("Firehose.ListTagsForDeliveryStream", input);
    answer.await["Tags"].clone()
}

#[tokio::test]
async fn tags_are_added_and_replaced_by_key() {
    let (service, client) = with_delivery_stream().await;
    let first = adding(json!([{"Key": "b", "Value": "1"}, {"Key": "a"}]));
    let answer = client.call("Firehose.TagDeliveryStream", first).await;
    assert_eq!(answer, json!({}));
    let second = adding(json!([{"Key": "b", "Value": "2"}, {"Key": "ключ 1", "Value": "ü@%"}]));
    client.call("Firehose.TagDeliveryStream", second).await;
    let wanted = json!([
        {"Key": "a", "Value": ""},
        {"Key": "b", "Value": "2"},
        {"Key": "ключ 1", "Value": "ü@%"},
    ]);
    assert_eq!(tags(&client).await, wanted);
    let description = client.describe_delivery("clicks").await;
    assert_eq!(description["VersionId"], "1", "tags are no configuration");
    let service = service.restart().await;
    assert_eq!(tags(&service.client()).await, wanted);
    service.stop().await;
}

#[tokio::test]
async fn a_delivery_stream_has_at_most_50_tags() {
    let (service, client) = with_delivery_stream().await;
    let tag = "Firehose.TagDeliveryStream";
    let too_many = adding(numbered(0..TAGS_PER_RESOURCE_MAX + 1));
    assert_eq!(client.code(tag, too_many).await, "ValidationException");
    assert_eq!(tags(&client).await, json!([]));

    client
        .call(tag, adding(numbered(0..TAGS_PER_RESOURCE_MAX)))
        .await;
    let refusal = client.refusal(tag, adding(numbered(49..51))).await;
    assert_eq!(refusal.code, "LimitExceededException");
    let wanted = "A delivery stream cannot have more than 50 tags.";
    assert_eq!(refusal.message, wanted);
    client
        .call(tag, adding(json!([{"Key": "key-000", "Value": "new"}])))
        .await;
    let all = tags(&client).await;
    assert_eq!(all.as_array().unwrap().len(), TAGS_PER_RESOURCE_MAX);
    assert_eq!(all[0], json!({"Key": "key-000", "Value": "new"}));
    assert_eq!(all[49], json!({"Key": "key-049", "Value": "x"}));
    service.stop().await;
}

#[tokio::test]
async fn keys_and_values_that_cannot_be_are_refused() {
    let (service, client) = with_delivery_stream().await;
    for wrong in [
        json!([]),
        json!([{"Value": "no key"}]),
        json!([{"Key": "", "Value": "x"}]),
        json!([{"Key": "aws:mine", "Value": "x"}]),
        json!([{"Key": "a!", "Value": "x"}]),
        json!([{"Key": "k".repeat(129), "Value": "x"}]),
        json!([{"Key": "a", "Value": "v".repeat(257)}]),
        json!([{"Key": "a", "Value": "x;y"}]),
    ] {
        let code = client
            .code("Firehose.TagDeliveryStream", adding(wrong.clone()))
            .await;
        assert_eq!(code, "ValidationException", "{wrong}");
    }
    let none = json!({"DeliveryStreamName": "clicks"});
    let code = client.code("Firehose.TagDeliveryStream", none).await;
    assert_eq!(code, "ValidationException");
    assert_eq!(tags(&client).await, json!([]));
    let longest = json!([{"Key": "k".repeat(128), "Value": "v".repeat(256)}]);
    client
        .call("Firehose.TagDeliveryStream", adding(longest.clone()))
        .await;
    assert_eq!(tags(&client).await, longest);
    service.stop().await;
}
