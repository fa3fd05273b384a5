//! ListTagsForDeliveryStream.

use millrace_tests::{Client, Service};
use serde_json::{Value, json};

async fn list(client: &Client, mut input: Value) -> Value {
    input["DeliveryStreamName"] = json!("clicks");
    client
        .call("Firehose.ListTagsForDeliveryStream", input)
        .await
}

async fn with_tags(keys: &[String]) -> (Service, Client) {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    let tags: Vec<Value> = keys
        .iter()
        .map(|key| json!({"Key": key, "Value": "x"}))
        .collect();
    if !tags.is_empty() {
        let input = json!({"DeliveryStreamName": "clicks", "Tags": tags});
        client.call("Firehose.TagDeliveryStream", input).await;
    }
    (service, client)
}

#[tokio::test]
async fn a_delivery_stream_without_tags_lists_none() {
    let (service, client) = with_tags(&[]).await;
    let wanted = json!({"Tags": [], "HasMoreTags": false});
    assert_eq!(list(&client, json!({})).await, wanted);
    service.stop().await;
}

#[tokio::test]
async fn tags_come_in_pages_by_key() {
    let keys = ["e", "c", "a", "d", "b"].map(str::to_owned);
    let (service, client) = with_tags(&keys).await;
    let mut found = Vec::new();
    let mut input = json!({"Limit": 2});
    for more in [true, true, false] {
        let answer = list(&client, input.clone()).await;
        assert_eq!(answer["HasMoreTags"], more);
        let page = answer["Tags"].as_array().unwrap().iter();
        found.extend(page.map(|tag| tag["Key"].as_str().unwrap().to_owned()));
        input["ExclusiveStartTagKey"] = json!(found.last());
    }
    assert_eq!(found, ["a", "b", "c", "d", "e"]);
    service.stop().await;
}

#[tokio::test]
async fn all_50_tags_are_listed_at_once() {
    let keys: Vec<String> = (0..50).map(|number| format!("key-{number:02}")).collect();
    let (service, client) = with_tags(&keys).await;
    for input in [json!({}), json!({"Limit": 50})] {
        let answer = list(&client, input).await;
        let tags = keys.iter().map(|key| json!({"Key": key, "Value": "x"}));
        let wanted = json!({"Tags": tags.collect::<Vec<_>>(), "HasMoreTags": false});
        assert_eq!(answer, wanted);
    }
    service.stop().await;
}

#[tokio::test]
async fn limits_and_keys_that_cannot_be_are_refused() {
    let (service, client) = with_tags(&[]).await;
    for mut input in [
        json!({"Limit": 0}),
        json!({"Limit": 51}),
        json!({"ExclusiveStartTagKey": ""}),
        json!({"ExclusiveStartTagKey": "aws:x"}),
        json!({"ExclusiveStartTagKey": "k".repeat(129)}),
    ] {
        input["DeliveryStreamName"] = json!("clicks");
        let code = client
            .code("Firehose.ListTagsForDeliveryStream", input.clone())
            .await;
        assert_eq!(code, "ValidationException", "{input}");
    }
    service.stop().await;
}
