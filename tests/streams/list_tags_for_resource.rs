//! ListTagsForResource.

use millrace_tests::{ACCOUNT, Service};
use serde_json::json;

use crate::naming::arn;

#[tokio::test]
async fn all_tags_of_a_resource_come_in_one_answer_by_key() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let input = json!({"ResourceARN": arn(ACCOUNT, "orders")});
    let none = client.call("ListTagsForResource", input.clone()).await;
    assert_eq!(none, json!({"Tags": []}));
    let tags: serde_json::Map<_, _> = (0..50)
        .map(|number| (format!("key-{number:02}"), json!(number.to_string())))
        .collect();
    client
        .call(
            "AddTagsToStream",
            json!({"StreamName": "orders", "Tags": tags}),
        )
        .await;
    let listed = client.call("ListTagsForResource", input).await;
    let wanted: Vec<_> = (0..50)
        .map(|number| json!({"Key": format!("key-{number:02}"), "Value": number.to_string()}))
        .collect();
    assert_eq!(listed, json!({"Tags": wanted}));
    service.stop().await;
}
