//! ListTagsForStream.

use millrace_tests::Service;
use serde_json::json;

#[tokio::test]
async fn a_stream_without_tags_lists_none() {
    let service = Service::start().await;
    service.client().create("orders", 1).await;
    let input = json!({"StreamName": "orders"});
    let answer = service.client().call("ListTagsForStream", input).await;
    assert_eq!(answer, json!({"Tags": [], "HasMoreTags": false}));
    service.stop().await;
}

#[tokio::test]
async fn tags_come_in_pages_by_key() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let tags = json!({"a": "1", "b": "2", "c": "3", "d": "4", "e": "5"});
    client
        .call(
            "AddTagsToStream",
            json!({"StreamName": "orders", "Tags": tags}),
        )
        .await;
    let mut keys = Vec::new();
    let mut input = json!({"StreamName": "orders", "Limit": 2});
    for more in [true, true, false] {
        let answer = client.call("ListTagsForStream", input.clone()).await;
        assert_eq!(answer["HasMoreTags"], more);
        let page = answer["Tags"].as_array().unwrap().iter();
        keys.extend(page.map(|tag| tag["Key"].as_str().unwrap().to_owned()));
        input["ExclusiveStartTagKey"] = json!(keys.last());
    }
    assert_eq!(keys, ["a", "b", "c", "d", "e"]);
    service.stop().await;
}
