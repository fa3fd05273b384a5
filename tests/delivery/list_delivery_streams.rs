//! ListDeliveryStreams.

use millrace_tests::{Client, Service};
use serde_json::{Value, json};
use types::limits::LIST_DELIVERY_STREAMS_COUNT;

async fn with(names: &[&str]) -> (Service, Client) {
    let service = Service::start().await;
    for name in names {
        service.client().create_delivery(name, json!({})).await;
    }
    let client = service.client();
    (service, client)
}

async fn list(client: &Client, input: Value) -> Value {
    client.call("Firehose.ListDeliveryStreams", input).await
}

#[tokio::test]
async fn without_delivery_streams_the_list_is_empty() {
    let (service, client) = with(&[]).await;
    let wanted = json!({"DeliveryStreamNames": [], "HasMoreDeliveryStreams": false});
    assert_eq!(list(&client, json!({})).await, wanted);
    service.stop().await;
}

#[tokio::test]
async fn pages_follow_in_the_order_of_names() {
    let (service, client) = with(&["c", "a", "B", "b"]).await;
    for (input, names, more) in [
        (json!({"Limit": 3}), json!(["B", "a", "b"]), true),
        (json!({"Limit": 4}), json!(["B", "a", "b", "c"]), false),
        (
            json!({"Limit": 10_000, "ExclusiveStartDeliveryStreamName": "b"}),
            json!(["c"]),
            false,
        ),
        // A name that was deleted meanwhile is a place all the same.
        (
            json!({"Limit": 1, "ExclusiveStartDeliveryStreamName": "a-gone"}),
            json!(["b"]),
            true,
        ),
        (
            json!({"ExclusiveStartDeliveryStreamName": "c"}),
            json!([]),
            false,
        ),
    ] {
        let wanted = json!({"DeliveryStreamNames": names, "HasMoreDeliveryStreams": more});
        assert_eq!(list(&client, input.clone()).await, wanted, "{input}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_page_holds_10_names_unless_it_is_told_otherwise() {
    let names: Vec<String> = (0..12).map(|number| format!("s-{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (service, client) = with(&names).await;
    let page = list(&client, json!({})).await;
    let wanted = &names[..LIST_DELIVERY_STREAMS_COUNT];
    assert_eq!(page["DeliveryStreamNames"], json!(wanted));
    assert_eq!(page["HasMoreDeliveryStreams"], true);
    service.stop().await;
}

#[tokio::test]
async fn a_type_lists_those_that_are_of_it() {
    let (service, client) = with(&["put-1", "put-2"]).await;
    client.create("orders", 1).await;
    client.create_delivery_of("copy", "orders", json!({})).await;
    for (kind, wanted) in [
        ("DirectPut", json!(["put-1", "put-2"])),
        ("KinesisStreamAsSource", json!(["copy"])),
        ("MSKAsSource", json!([])),
        ("DatabaseAsSource", json!([])),
    ] {
        let page = list(&client, json!({"DeliveryStreamType": kind})).await;
        assert_eq!(page["DeliveryStreamNames"], wanted, "{kind}");
        assert_eq!(page["HasMoreDeliveryStreams"], false, "{kind}");
    }
    let first = json!({"DeliveryStreamType": "DirectPut", "Limit": 1});
    let page = list(&client, first).await;
    assert_eq!(page["DeliveryStreamNames"], json!(["put-1"]));
    assert_eq!(page["HasMoreDeliveryStreams"], true);
    service.stop().await;
}

#[tokio::test]
async fn limits_types_and_names_that_cannot_be_are_refused() {
    let (service, client) = with(&[]).await;
    for input in [
        json!({"Limit": 0}),
        json!({"Limit": 10_001}),
        json!({"DeliveryStreamType": "Kafka"}),
        json!({"ExclusiveStartDeliveryStreamName": ""}),
        json!({"ExclusiveStartDeliveryStreamName": "a/b"}),
    ] {
        let code = client
            .code("Firehose.ListDeliveryStreams", input.clone())
            .await;
        assert_eq!(code, "ValidationException", "{input}");
    }
    service.stop().await;
}
