//! What all operations on a delivery stream share: how it is named, whose it is, and that it is
//! kept.

use std::time::Duration;

use millrace_tests::{ACCOUNT, Client, Service, destination};
use serde_json::{Value, json};

/// Every operation on one delivery stream, with the members it needs beside its name.
fn operations() -> Vec<(&'static str, Value)> {
    let record = json!({"Data": "eA=="});
    vec![
        ("DescribeDeliveryStream", json!({})),
        ("ListTagsForDeliveryStream", json!({})),
        ("PutRecord", json!({"Record": record})),
        ("PutRecordBatch", json!({"Records": [record]})),
        (
            "TagDeliveryStream",
            json!({"Tags": [{"Key": "a", "Value": "b"}]}),
        ),
        ("UntagDeliveryStream", json!({"TagKeys": ["a"]})),
        (
            "UpdateDestination",
            json!({
                "CurrentDeliveryStreamVersionId": "1",
                "DestinationId": "destinationId-000000000001",
                "ExtendedS3DestinationUpdate": {"Prefix": "x/"},
            }),
        ),
        ("DeleteDeliveryStream", json!({})),
    ]
}

/// The operations with the name of a delivery stream filled in.
fn calls(name: &str) -> Vec<(String, Value)> {
    let named = |(operation, mut input): (&str, Value)| {
        input["DeliveryStreamName"] = json!(name);
        (format!("Firehose.{operation}"), input)
    };
    operations().into_iter().map(named).collect()
}

async fn names(client: &Client) -> Value {
    let answer = client.call("Firehose.ListDeliveryStreams", json!({})).await;
    answer["DeliveryStreamNames"].clone()
}

#[tokio::test]
async fn a_delivery_stream_that_is_not_there_is_named_in_the_error() {
    let service = Service::start().await;
    for (operation, input) in calls("gone") {
        let refusal = service.client().refusal(&operation, input).await;
        assert_eq!(refusal.status, 400, "{operation}");
        assert_eq!(refusal.code, "ResourceNotFoundException", "{operation}");
        let wanted = format!("Firehose gone under account {ACCOUNT} not found.");
        assert_eq!(refusal.message, wanted, "{operation}");
    }
    service.stop().await;
}

#[tokio::test]
async fn every_operation_wants_a_name_of_64_characters_at_most() {
    let service = Service::start().await;
    let client = service.client();
    for name in ["", "a/b", "ä", &"x".repeat(65)] {
        for (operation, input) in calls(name) {
            let code = client.code(&operation, input).await;
            assert_eq!(code, "ValidationException", "{operation}: {name}");
        }
    }
    for (operation, input) in operations() {
        let refusal = client
            .refusal(&format!("Firehose.{operation}"), input)
            .await;
        let wanted = "Value null at 'deliveryStreamName' failed to satisfy constraint: \
            Member must not be null";
        assert!(
            refusal.message.ends_with(wanted),
            "{operation}: {refusal:?}"
        );
    }
    let longest = format!("{}_.-9", "x".repeat(60));
    client.create_delivery(&longest, json!({})).await;
    for (operation, input) in calls(&longest) {
        client.call(&operation, input).await;
    }
    service.stop().await;
}

#[tokio::test]
async fn accounts_and_regions_have_delivery_streams_of_their_own_under_one_name() {
    let service = Service::start().await;
    let callers = [
        service.client(),
        service.other_client(),
        service.client().in_region("mars-north-1"),
    ];
    for (index, client) in callers.iter().enumerate() {
        for (operation, input) in calls("clicks") {
            let code = client.code(&operation, input).await;
            assert_eq!(code, "ResourceNotFoundException", "{operation}");
        }
        assert_eq!(names(client).await, json!([]));
        let prefix = format!("caller-{index}/!{{timestamp:yyyy}}/");
        let more = json!({"Prefix": prefix, "ErrorOutputPrefix": "failed/"});
        client.create_delivery("clicks", more).await;
        client
            .put_delivery("clicks", &[format!("of {index}")])
            .await;
    }
    callers[0].delete_delivery("clicks").await;
    assert_eq!(names(&callers[0]).await, json!([]));
    for client in &callers[1..] {
        client.flush("clicks").await;
        assert_eq!(names(client).await, json!(["clicks"]));
    }
    assert_eq!(service.delivered(), ["of 1", "of 2"]);
    let keys: Vec<String> = service.objects("logs").into_iter().map(|o| o.key).collect();
    assert!(keys[0].starts_with("caller-1/2023/clicks-1-"), "{keys:?}");
    assert!(keys[1].starts_with("caller-2/2023/clicks-1-"), "{keys:?}");
    service.stop().await;
}

#[tokio::test]
async fn what_was_kept_is_there_after_a_restart() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let labels = json!({"Tags": [{"Key": "team", "Value": "web"}, {"Key": "empty", "Value": ""}]});
    client.create_delivery("clicks", json!({})).await;
    client
        .create_delivery_of("copies", "orders", json!({"CompressionFormat": "GZIP"}))
        .await;
    for (name, input) in [("clicks", &labels), ("copies", &labels)] {
        let mut input = input.clone();
        input["DeliveryStreamName"] = json!(name);
        client.call("Firehose.TagDeliveryStream", input).await;
    }
    service.pass(Duration::from_secs(5));
    let update = json!({
        "DeliveryStreamName": "clicks",
        "CurrentDeliveryStreamVersionId": "1",
        "DestinationId": "destinationId-000000000001",
        "ExtendedS3DestinationUpdate": destination(json!({"Prefix": "new/"})),
    });
    client.call("Firehose.UpdateDestination", update).await;
    client.put_delivery("clicks", &["done"]).await;
    client.flush("clicks").await;
    client.put_delivery("clicks", &["waits"]).await;

    let before = seen(&client).await;
    let service = service.restart().await;
    let client = service.client();
    assert_eq!(seen(&client).await, before);
    client.flush("clicks").await;
    assert_eq!(service.delivered(), ["done", "waits"]);
    assert_eq!(client.delivery("clicks").await["recordsIn"], 2);
    service.stop().await;
}

/// Everything that the operations tell of the two delivery streams, and what became of records.
async fn seen(client: &Client) -> Value {
    let mut all = vec![names(client).await];
    for name in ["clicks", "copies"] {
        let input = json!({"DeliveryStreamName": name});
        all.push(client.describe_delivery(name).await);
        all.push(
            client
                .call("Firehose.ListTagsForDeliveryStream", input)
                .await,
        );
        let page = client.delivery(name).await;
        all.push(json!([
            page["recordsIn"],
            page["delivered"],
            page["objects"]
        ]));
    }
    json!(all)
}

#[tokio::test]
async fn an_operation_that_is_not_served_is_unknown() {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    for operation in ["StartStreamEncryption", "CreateStream"] {
        let input = json!({"DeliveryStreamName": "clicks"});
        let code = client.code(&format!("Firehose.{operation}"), input).await;
        assert_eq!(code, "UnknownOperationException", "{operation}");
    }
    service.stop().await;
}

#[tokio::test]
async fn an_arn_names_the_partition_of_its_region() {
    let service = Service::start().await;
    for (region, partition) in [
        ("eu-central-1", "aws"),
        ("mars-north-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eusc-de-east-1", "aws-eusc"),
    ] {
        let client = service.client().in_region(region);
        let input = json!({
            "DeliveryStreamName": "clicks",
            "ExtendedS3DestinationConfiguration": destination(json!({})),
        });
        let answer = client.call("Firehose.CreateDeliveryStream", input).await;
        let wanted = format!("arn:{partition}:firehose:{region}:{ACCOUNT}:deliverystream/clicks");
        assert_eq!(answer["DeliveryStreamARN"], wanted);
        let described = client.describe_delivery("clicks").await;
        assert_eq!(described["DeliveryStreamARN"], wanted);
        // A source and a function are found by the ARNs of that partition, and no other.
        client.create("orders", 1).await;
        client.create_delivery_of("copy", "orders", json!({})).await;
        let source = &client.describe_delivery("copy").await["Source"];
        let arn = &source["KinesisStreamSourceDescription"]["KinesisStreamARN"];
        let wanted = format!("arn:{partition}:kinesis:{region}:{ACCOUNT}:stream/orders");
        assert_eq!(*arn, wanted);
    }
    service.stop().await;
}
