//! AddTagsToStream.

use millrace_tests::{Client, Service};
use serde_json::{Map, Value, json};
use types::limits::TAGS_PER_RESOURCE_MAX;

async fn tags(client: &Client) -> Value {
    client
        .call("ListTagsForStream", json!({"StreamName": "orders"}))
        .await["Tags"]
        .clone()
}

fn adding(tags: impl Into<Value>) -> Value {
    json!({"StreamName": "orders", "Tags": tags.into()})
}

fn numbered(count: usize) -> Map<String, Value> {
    (0..count)
        .map(|number| (format!("key-{number:03}"), json!("x")))
        .collect()
}

#[tokio::test]
async fn tags_are_added_and_replaced_by_key() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    client
        .call("AddTagsToStream", adding(json!({"a": "1", "b": ""})))
        .await;
    client
        .call("AddTagsToStream", adding(json!({"a": "2", "c": "ü"})))
        .await;
    let wanted = json!([
        {"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}, {"Key": "c", "Value": "ü"},
    ]);
    assert_eq!(tags(&client).await, wanted);
    let service = service.restart().await;
    assert_eq!(tags(&service.client()).await, wanted);
    service.stop().await;
}

#[tokio::test]
async fn keys_that_begin_with_aws_are_not_for_clients() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    for key in ["aws:cloudformation:stack-name", "aws:", "AWS:x", "Aws:y"] {
        for (operation, mut input) in [
            ("AddTagsToStream", adding(json!({"a": "1", key: "x"}))),
            ("CreateStream", json!({"ShardCount": 1, "Tags": {key: "x"}})),
            (
                "RemoveTagsFromStream",
                json!({"StreamName": "orders", "TagKeys": [key]}),
            ),
        ] {
            if operation == "CreateStream" {
                input["StreamName"] = json!("tagged");
            }
            let refusal = client.refusal(operation, input).await;
            assert_eq!(
                refusal.code, "InvalidArgumentException",
                "{operation} {key}"
            );
            assert!(refusal.message.contains("'aws:'"), "{refusal:?}");
        }
    }
    client
        .call(
            "AddTagsToStream",
            adding(json!({"aws": "1", "my:aws:key": "2"})),
        )
        .await;
    assert_eq!(tags(&client).await.as_array().unwrap().len(), 2);
    service.stop().await;
}

#[tokio::test]
async fn a_stream_has_at_most_50_tags() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let code = client
        .code(
            "AddTagsToStream",
            adding(numbered(TAGS_PER_RESOURCE_MAX + 1)),
        )
        .await;
    assert!(
        ["LimitExceededException", "InvalidArgumentException"].contains(&&*code),
        "{code}"
    );
    assert_eq!(tags(&client).await, json!([]));
    client
        .call("AddTagsToStream", adding(numbered(TAGS_PER_RESOURCE_MAX)))
        .await;
    let again = client
        .code("AddTagsToStream", adding(json!({"one-more": "x"})))
        .await;
    assert_eq!(again, code);
    client
        .call("AddTagsToStream", adding(json!({"key-000": "y"})))
        .await;
    assert_eq!(
        tags(&client).await.as_array().unwrap().len(),
        TAGS_PER_RESOURCE_MAX
    );
    service.stop().await;
}
