//! UntagResource.

use millrace_tests::{ACCOUNT, Service};
use serde_json::{Value, json};

use crate::naming::arn;

#[tokio::test]
async fn tags_go_by_key_and_those_that_are_not_there_are_passed_over() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let resource = arn(ACCOUNT, "orders");
    let tags = json!({"a": "1", "b": "2", "c": "3"});
    client
        .call(
            "TagResource",
            json!({"ResourceARN": resource, "Tags": tags}),
        )
        .await;
    let input = json!({"ResourceARN": resource, "TagKeys": ["a", "c", "no-such-key"]});
    assert_eq!(client.call("UntagResource", input).await, Value::Null);
    let service = service.restart().await;
    let input = json!({"ResourceARN": resource});
    let left = service.client().call("ListTagsForResource", input).await;
    assert_eq!(left, json!({"Tags": [{"Key": "b", "Value": "2"}]}));
    service.stop().await;
}

#[tokio::test]
async fn keys_that_no_tag_can_have_are_refused() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let resource = arn(ACCOUNT, "orders");
    let fifty_one: Vec<_> = (0..51).map(|number| format!("key-{number}")).collect();
    for (keys, code) in [
        (json!(["a;b"]), "InvalidArgumentException"),
        (json!(["aws:a"]), "InvalidArgumentException"),
        (json!([]), "ValidationException"),
        (json!([""]), "ValidationException"),
        (json!(fifty_one), "ValidationException"),
    ] {
        let input = json!({"ResourceARN": resource, "TagKeys": keys});
        assert_eq!(client.code("UntagResource", input).await, code, "{keys}");
    }
    service.stop().await;
}
