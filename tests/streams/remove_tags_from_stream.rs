//! RemoveTagsFromStream.

use millrace_tests::Service;
use serde_json::json;

#[tokio::test]
async fn only_the_named_tags_are_removed_and_unknown_ones_are_passed_over() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let tags = json!({"a": "1", "b": "2", "c": "3"});
    client
        .call(
            "AddTagsToStream",
            json!({"StreamName": "orders", "Tags": tags}),
        )
        .await;
    let input = json!({"StreamName": "orders", "TagKeys": ["a", "c", "never-there"]});
    client.call("RemoveTagsFromStream", input).await;
    let left = client
        .call("ListTagsForStream", json!({"StreamName": "orders"}))
        .await;
    assert_eq!(left["Tags"], json!([{"Key": "b", "Value": "2"}]));
    let service = service.restart().await;
    let left = service
        .client()
        .call("ListTagsForStream", json!({"StreamName": "orders"}))
        .await;
    assert_eq!(left["Tags"], json!([{"Key": "b", "Value": "2"}]));
    service.stop().await;
}
