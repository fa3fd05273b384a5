//! DeregisterStreamConsumer, and streams that are deleted with their consumers.

use std::time::Duration;

use millrace_tests::Service;
use serde_json::json;

#[tokio::test]
async fn a_consumer_that_is_deregistered_is_gone_and_its_name_is_free() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let arn = client.register("orders", "app").await;
    let input = json!({"StreamARN": client.arn("orders"), "ConsumerName": "app"});
    client.call("DeregisterStreamConsumer", input).await;
    let gone = json!({"ConsumerARN": arn});
    for operation in ["DescribeStreamConsumer", "DeregisterStreamConsumer"] {
        let refused = client.refusal(operation, gone.clone()).await;
        assert_eq!(refused.code, "ResourceNotFoundException");
        assert_eq!(refused.message, format!("Consumer {arn} not found."));
    }
    service.pass(Duration::from_secs(1));
    assert_ne!(client.register("orders", "app").await, arn);
    let service = service.restart().await;
    let refused = service.client().code("DescribeStreamConsumer", gone).await;
    assert_eq!(refused, "ResourceNotFoundException");
}

#[tokio::test]
async fn a_stream_with_consumers_is_deleted_only_where_that_is_asked_for() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let arn = client.register("orders", "app").await;
    for input in [
        json!({"StreamName": "orders"}),
        json!({"StreamName": "orders", "EnforceConsumerDeletion": false}),
    ] {
        let code = client.code("DeleteStream", input).await;
        assert_eq!(code, "ResourceInUseException");
    }
    let input = json!({"StreamName": "orders", "EnforceConsumerDeletion": true});
    client.call("DeleteStream", input).await;
    loop {
        let names = client.call("ListStreams", json!({})).await;
        if names["StreamNames"] == json!([]) {
            break;
        }
    }
    client.create("orders", 1).await;
    assert_eq!(client.summary("orders").await["ConsumerCount"], 0);
    let service = service.restart().await;
    let client = service.client();
    let code = client.code("DescribeStreamConsumer", json!({"ConsumerARN": arn}));
    assert_eq!(code.await, "ResourceNotFoundException");
}
