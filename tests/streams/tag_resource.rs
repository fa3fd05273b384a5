//! TagResource.

use millrace_tests::{ACCOUNT, REGION, Service, statement};
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

/// A policy compares each label that is asked for.
#[tokio::test]
async fn more_tags_than_a_resource_can_have_are_refused_before_a_policy_is_asked() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let closed = statement("Deny", &json!("*"), &json!("*"), Some(json!("*")));
    let policy = json!({"ResourceARN": arn(ACCOUNT, "orders"), "Policy": closed.to_string()});
    client.call("PutResourcePolicy", policy).await;
    let stream = arn(ACCOUNT, "orders");
    let mut many = numbered(TAGS_PER_RESOURCE_MAX);
    let by_name = json!({"StreamName": "orders", "Tags": many});
    for (operation, input) in [
        ("TagResource", tagging(many.clone())),
        ("AddTagsToStream", by_name),
    ] {
        let code = client.code(operation, input).await;
        assert_eq!(code, "AccessDeniedException", "{operation}");
    }
    many.insert("one-more".to_owned(), json!("x"));
    let consumer = format!("{stream}/consumer/app:1700000000");
    for (operation, input) in [
        ("TagResource", tagging(many.clone())),
        (
            "TagResource",
            json!({"ResourceARN": consumer, "Tags": many}),
        ),
        (
            "AddTagsToStream",
            json!({"StreamName": "orders", "Tags": many}),
        ),
        (
            "CreateStream",
            json!({"StreamName": "orders", "ShardCount": 1, "Tags": many}),
        ),
        (
            "RegisterStreamConsumer",
            json!({"StreamARN": stream, "ConsumerName": "app", "Tags": many}),
        ),
    ] {
        let refusal = client.refusal(operation, input).await;
        let wanted = format!(
            "Failed to add tags to stream orders under account {ACCOUNT} because a given stream \
             cannot have more than 50 tags associated with it."
        );
        assert_eq!(refusal.message, wanted, "{operation}");
    }
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
