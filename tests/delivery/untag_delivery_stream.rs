//! UntagDeliveryStream.

use millrace_tests::{Client, Service};
use serde_json::{Value, json};

async fn with_tags() -> (Service, Client) {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    let tags = ["a", "b", "c"].map(|key| json!({"Key": key, "Value": "x"}));
    let input = json!({"DeliveryStreamName": "clicks", "Tags": tags});
    client.call("Firehose.TagDeliveryStream", input).await;
    (service, client)
}

fn removing(keys: impl Into<Value>) -> Value {
    json!({"DeliveryStreamName": "clicks", "TagKeys": keys.into()})
}

async fn keys(client: &Client) -> Vec<String> {
    let input = json!({"DeliveryStreamName": "clicks"});
    let answer = client
        .call("Firehose.ListTagsForDeliveryStream", input)
        .await;
    let tags = answer["Tags"].as_array().unwrap().iter();
    tags.map(|tag| tag["Key"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn only_the_named_tags_are_removed_and_unknown_ones_are_passed_over() {
    let (service, client) = with_tags().await;
    let input = removing(json!(["c", "a", "never-there"]));
    let answer = client.call("Firehose.UntagDeliveryStream", input).await;
    assert_eq!(answer, json!({}));
    assert_eq!(keys(&client).await, ["b"]);
    let service = service.restart().await;
    assert_eq!(keys(&service.client()).await, ["b"]);
    service.stop().await;
}

#[tokio::test]
async fn keys_that_cannot_be_are_refused() {
    let (service, client) = with_tags().await;
    for wrong in [
        json!([]),
        json!([""]),
        json!(["aws:x"]),
        json!(["a!"]),
        json!(["a", "k".repeat(129)]),
        json!(vec!["a"; 51]),
    ] {
        let code = client
            .code("Firehose.UntagDeliveryStream", removing(wrong.clone()))
            .await;
        assert_eq!(code, "ValidationException", "{wrong}");
    }
    let none = json!({"DeliveryStreamName": "clicks"});
    let code = client.code("Firehose.UntagDeliveryStream", none).await;
    assert_eq!(code, "ValidationException");
    assert_eq!(keys(&client).await, ["a", "b", "c"]);
    service.stop().await;
}
