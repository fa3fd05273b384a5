//! DeleteStream.

use millrace_tests::Service;
use serde_json::json;

#[tokio::test]
async fn a_deleted_stream_is_gone_with_its_records_and_tags() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    client.put("orders", "b25l").await;
    let tags = json!({"StreamName": "orders", "Tags": {"a": "b"}});
    client.call("AddTagsToStream", tags).await;
    client.delete("orders").await;
    for operation in ["DescribeStream", "DescribeStreamSummary", "ListShards"] {
        let code = client
            .code(operation, json!({"StreamName": "orders"}))
            .await;
        assert_eq!(code, "ResourceNotFoundException");
    }

    client.create("orders", 1).await;
    assert!(client.data("orders").await.is_empty());
    let tags = client
        .call("ListTagsForStream", json!({"StreamName": "orders"}))
        .await;
    assert_eq!(tags["Tags"], json!([]));
    service.stop().await;
}

#[tokio::test]
async fn an_iterator_of_a_deleted_stream_does_not_read_its_successor() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let iterator = client
        .iterator("orders", json!({"ShardIteratorType": "TRIM_HORIZON"}))
        .await;
    client.delete("orders").await;
    let input = json!({"ShardIterator": iterator});
    assert_eq!(
        client.code("GetRecords", input.clone()).await,
        "ResourceNotFoundException"
    );
    client.create("orders", 1).await;
    client.put("orders", "bmV3").await;
    assert_eq!(
        client.code("GetRecords", input).await,
        "ResourceNotFoundException"
    );
    service.stop().await;
}

#[tokio::test]
async fn a_deletion_survives_a_restart() {
    let service = Service::start().await;
    service.client().create("gone", 2).await;
    service.client().create("kept", 2).await;
    service.client().delete("gone").await;
    let service = service.restart().await;
    let names = service.client().call("ListStreams", json!({})).await;
    assert_eq!(names["StreamNames"], json!(["kept"]));
    service.stop().await;
}

#[tokio::test]
async fn a_stream_is_deleted_once() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    client.delete("orders").await;
    let code = client
        .code("DeleteStream", json!({"StreamName": "orders"}))
        .await;
    assert_eq!(code, "ResourceNotFoundException");
    service.stop().await;
}
