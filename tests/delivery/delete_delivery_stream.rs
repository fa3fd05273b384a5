//! DeleteDeliveryStream.

use std::time::Duration;

use delivery::objects::S3Config;
use millrace_tests::{ACCOUNT, Client, Service, Setting, destination};
use serde_json::{Value, json};
use tokio::net::TcpListener;

fn named(name: &str) -> Value {
    json!({"DeliveryStreamName": name})
}

#[tokio::test]
async fn a_deleted_delivery_stream_is_gone_and_what_it_delivered_stays() {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    let mut tags = named("clicks");
    tags["Tags"] = json!([{"Key": "a", "Value": "b"}]);
    client.call("Firehose.TagDeliveryStream", tags).await;
    client.put_delivery("clicks", &["delivered"]).await;
    client.flush("clicks").await;
    client.put_delivery("clicks", &["waits"]).await;

    let mut deletion = named("clicks");
    deletion["AllowForceDelete"] = json!(true);
    let answer = client.call("Firehose.DeleteDeliveryStream", deletion).await;
    assert_eq!(answer, json!({}));
    let gone = |page: &Value| page["deliveryStreams"] == json!([]);
    client.page_until("delivery-streams", gone).await;
    for operation in ["Describe", "Delete"] {
        let operation = format!("Firehose.{operation}DeliveryStream");
        let code = client.code(&operation, named("clicks")).await;
        assert_eq!(code, "ResourceNotFoundException", "{operation}");
    }
    let list = client.call("Firehose.ListDeliveryStreams", json!({})).await;
    assert_eq!(list["DeliveryStreamNames"], json!([]));
    assert_eq!(service.delivered(), ["delivered"]);
    service.stop().await;
}

#[tokio::test]
async fn one_of_the_same_name_begins_with_nothing() {
    let service = Service::start().await;
    let client = service.client();
    for round in 0..3 {
        client.create_delivery("clicks", json!({})).await;
        let tags = client
            .call("Firehose.ListTagsForDeliveryStream", named("clicks"))
            .await;
        assert_eq!(tags["Tags"], json!([]));
        assert_eq!(client.delivery("clicks").await["recordsIn"], 0);
        let mut tags = named("clicks");
        tags["Tags"] = json!([{"Key": "a", "Value": "b"}]);
        client.call("Firehose.TagDeliveryStream", tags).await;
        client
            .put_delivery("clicks", &[format!("of {round}")])
            .await;
        client.flush("clicks").await;
        client.put_delivery("clicks", &["never delivered"]).await;
        client.delete_delivery("clicks").await;
    }
    let mut delivered = service.delivered();
    delivered.sort();
    assert_eq!(delivered, ["of 0", "of 1", "of 2"]);
    service.stop().await;
}

#[tokio::test]
async fn a_deletion_survives_a_restart() {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("gone", json!({})).await;
    client.create_delivery("kept", json!({})).await;
    client.put_delivery("gone", &["waits"]).await;
    // Answered when it is durable as DELETING; the rest comes before or after the restart.
    client
        .call("Firehose.DeleteDeliveryStream", named("gone"))
        .await;
    let service = service.restart().await;
    let client = service.client();
    let gone = |page: &Value| page["deliveryStreams"].as_array().unwrap().len() == 1;
    let page = client.page_until("delivery-streams", gone).await;
    assert_eq!(page["deliveryStreams"][0]["name"], "kept");
    assert!(service.objects("logs").is_empty());
    service.stop().await;
}

#[tokio::test]
async fn the_stream_that_was_read_is_left_as_it_is() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    client.create_delivery_of("copy", "orders", json!({})).await;
    client.put("orders", "b25l").await;
    client.delete_delivery("copy").await;
    assert_eq!(client.data("orders").await, ["b25l"]);
    client.delete("orders").await;
    service.stop().await;
}

/// An endpoint that takes connections and says nothing holds a delivery up, and so the end of its
/// delivery stream.
#[tokio::test]
async fn one_that_is_being_deleted_can_only_be_looked_at() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let setting = Setting {
        s3: Some(S3Config {
            endpoint: Some(format!("http://{}", silent.local_addr().unwrap())),
            region: "eu-central-1".to_owned(),
            access_key_id: "key".to_owned(),
            secret_access_key: "secret".to_owned(),
            path_style: true,
        }),
        ..Setting::default()
    };
    let service = Service::start_with(setting).await;
    let client = service.client();
    let at_once = json!({"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}});
    client.create_delivery("stuck", at_once).await;
    client.put_delivery("stuck", &["waits"]).await;
    let asked = tokio::time::timeout(Duration::from_secs(30), silent.accept()).await;
    let (connection, _) = asked.unwrap().unwrap();

    client
        .call("Firehose.DeleteDeliveryStream", named("stuck"))
        .await;
    let description = client.describe_delivery("stuck").await;
    assert_eq!(description["DeliveryStreamStatus"], "DELETING");
    assert_eq!(client.delivery("stuck").await["status"], "DELETING");
    changes_are_refused(&client).await;
    // Asked for once more it is what it was, however often.
    for _ in 0..3 {
        let again = client.call("Firehose.DeleteDeliveryStream", named("stuck"));
        assert_eq!(again.await, json!({}));
    }
    puts_are_refused(&client).await;
    // Others go on meanwhile.
    client.create_delivery("other", json!({})).await;
    drop((connection, silent));
    let gone = |page: &Value| page["deliveryStreams"].as_array().unwrap().len() == 1;
    client.page_until("delivery-streams", gone).await;
    service.stop().await;
}

async fn changes_are_refused(client: &Client) {
    let update = json!({
        "CurrentDeliveryStreamVersionId": "1",
        "DestinationId": "destinationId-000000000001",
        "S3DestinationUpdate": {"Prefix": "x/"},
    });
    let creation = json!({"ExtendedS3DestinationConfiguration": destination(json!({}))});
    for (operation, mut input) in [
        ("CreateDeliveryStream", creation),
        ("UpdateDestination", update),
        ("TagDeliveryStream", json!({"Tags": [{"Key": "a"}]})),
        ("UntagDeliveryStream", json!({"TagKeys": ["a"]})),
    ] {
        input["DeliveryStreamName"] = json!("stuck");
        let refusal = client
            .refusal(&format!("Firehose.{operation}"), input)
            .await;
        assert_eq!(refusal.status, 400, "{operation}");
        assert_eq!(refusal.code, "ResourceInUseException", "{operation}");
        let wanted = format!(
            "Firehose stuck under accountId {ACCOUNT} is not ACTIVE, instead in state DELETING. \
             Please retry after some time."
        );
        assert_eq!(refusal.message, wanted, "{operation}");
    }
}

async fn puts_are_refused(client: &Client) {
    let record = json!({"Data": "eA=="});
    for (operation, mut input) in [
        ("PutRecord", json!({"Record": record})),
        ("PutRecordBatch", json!({"Records": [record]})),
    ] {
        input["DeliveryStreamName"] = json!("stuck");
        let code = client.code(&format!("Firehose.{operation}"), input).await;
        assert_eq!(code, "ResourceNotFoundException", "{operation}");
    }
}
