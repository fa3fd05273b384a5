//! TagResource.

use millrace_tests::{ACCOUNT, REGION, Service};
use serde_json::{Map, Value, json};
use types::limits::TAGS_PER_RESOURCE_MAX;

use crate::naming::arn;

fn tagging(tags: impl Into<Value>) -> Value {
    json!({"ResourceARN": arn(ACCOUNT, "orders"), "Tags": tags.into()})
}

fn numbered(count: usize) -> Map<String, Value> {
    (0..count)
        .map(|number| (format!("key-{number:03}"), json!("x")))
        .collect()
}

#[tokio::test]
async fn a_resource_is_tagged_by_its_arn_and_keeps_its_tags() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let answer = client
        .call("TagResource", tagging(json!({"a": "1", "b": ""})))
        .await;
    assert_eq!(answer, Value::Null);
    client
        .call("TagResource", tagging(json!({"a": "2", "c": "ü"})))
        .await;
    let wanted = json!([
        {"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}, {"Key": "c", "Value": "ü"},
    ]);
    let service = service.restart().await;
    let client = service.client();
    let by_arn = json!({"ResourceARN": arn(ACCOUNT, "orders")});
    let by_name = json!({"StreamName": "orders"});
    for (operation, input) in [
        ("ListTagsForResource", by_arn),
        ("ListTagsForStream", by_name),
    ] {
        let answer = client.call(operation, input).await;
        assert_eq!(answer["Tags"], wanted, "{operation}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_resource_has_at_most_50_tags() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let all = numbered(TAGS_PER_RESOURCE_MAX);
    client.call("TagResource", tagging(all)).await;
    let refusal = client
        .refusal("TagResource", tagging(json!({"one-more": "x"})))
        .await;
    assert_eq!(refusal.code, "InvalidArgumentException");
    let wanted = format!(
        "Failed to add tags to stream orders under account {ACCOUNT} because a given stream \
         cannot have more than 50 tags associated with it."
    );
    assert_eq!(refusal.message, wanted);
    client
        .call("TagResource", tagging(json!({"key-000": "y"})))
        .await;
    service.stop().await;
}

#[tokio::test]
async fn what_no_tag_may_be_is_refused() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    for tags in [json!({"a;b": ""}), json!({"a": "b%"}), json!({"aws:a": ""})] {
        let code = client.code("TagResource", tagging(tags)).await;
        assert_eq!(code, "InvalidArgumentException");
    }
    for tags in [json!({}), json!({"": "x"}), json!({"a": "x".repeat(257)})] {
        let code = client.code("TagResource", tagging(tags)).await;
        assert_eq!(code, "ValidationException");
    }
    service.stop().await;
}

#[tokio::test]
async fn resources_that_there_are_none_of_are_not_found() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    for resource in ["stream/orders/consumer/c:1", "queue/q", "channel/c"] {
        let arn = format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:{resource}");
        for (operation, mut input) in [
            ("TagResource", json!({"Tags": {"a": "b"}})),
            ("UntagResource", json!({"TagKeys": ["a"]})),
            ("ListTagsForResource", json!({})),
        ] {
            input["ResourceARN"] = json!(arn);
            let refusal = client.refusal(operation, input).await;
            assert_eq!(refusal.code, "ResourceNotFoundException", "{operation}");
            let wanted = if resource.contains("consumer") {
                format!("Consumer {arn} not found.")
            } else {
                format!("Resource {arn} under account {ACCOUNT} not found.")
            };
            assert_eq!(refusal.message, wanted);
        }
    }
    service.stop().await;
}
