//! CreateDeliveryStream. What a destination may not say is in `refused_settings`.

use millrace_tests::{ACCOUNT, OTHER_ACCOUNT, REGION, ROLE, Service, destination, over};
use serde_json::{Value, json};

const CREATE: &str = "Firehose.CreateDeliveryStream";

/// A delivery stream for direct puts, with the members of `more`.
fn creation(name: &str, more: Value) -> Value {
    let members = json!({
        "DeliveryStreamName": name,
        "ExtendedS3DestinationConfiguration": destination(json!({})),
    });
    over(members, more)
}

/// The members of a delivery stream that reads this stream.
fn reading(arn: &str) -> Value {
    json!({
        "DeliveryStreamType": "KinesisStreamAsSource",
        "KinesisStreamSourceConfiguration": {"KinesisStreamARN": arn, "RoleARN": ROLE},
    })
}

fn stream_arn(region: &str, account: &str, name: &str) -> String {
    format!("arn:aws:kinesis:{region}:{account}:stream/{name}")
}

#[track_caller]
fn assert_nothing_was_made(names: &Value) {
    let wanted = json!({"DeliveryStreamNames": [], "HasMoreDeliveryStreams": false});
    assert_eq!(names, &wanted);
}

#[tokio::test]
async fn a_creation_answers_the_arn_of_what_becomes_active() {
    let service = Service::start().await;
    let client = service.client();
    let answer = client.call(CREATE, creation("clicks", json!({}))).await;
    let arn = format!("arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/clicks");
    assert_eq!(answer, json!({"DeliveryStreamARN": arn}));
    client.delivery_is_active("clicks").await;
    let description = client.describe_delivery("clicks").await;
    assert_eq!(description["DeliveryStreamARN"], arn);
    assert_eq!(description["DeliveryStreamStatus"], "ACTIVE");
    service.stop().await;
}

#[tokio::test]
async fn a_name_is_given_once() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    client.call(CREATE, creation("clicks", json!({}))).await;
    client.delivery_is_active("clicks").await;
    let orders = stream_arn(REGION, ACCOUNT, "orders");
    for again in [json!({}), reading(&orders)] {
        let refusal = client.refusal(CREATE, creation("clicks", again)).await;
        assert_eq!(refusal.status, 400);
        assert_eq!(refusal.code, "ResourceInUseException");
        let wanted = format!("Firehose clicks under accountId {ACCOUNT} already exists");
        assert_eq!(refusal.message, wanted);
    }
    service.stop().await;
}

#[tokio::test]
async fn of_many_creations_of_one_name_at_the_same_time_one_succeeds() {
    let service = Service::start().await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let client = service.client();
        let input = creation("race", json!({}));
        calls.spawn(async move {
            let answer = client.send(CREATE, input.to_string().into()).await;
            answer.status().as_u16()
        });
    }
    let statuses = calls.join_all().await;
    let made = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(made, 1, "{statuses:?}");
    service.stop().await;
}

#[tokio::test]
async fn the_stream_to_read_must_be_there_and_the_callers() {
    let service = Service::start().await;
    let client = service.client();
    service.other_client().create("foreign", 1).await;
    client.in_region("mars-north-1").create("far", 1).await;
    for arn in [
        stream_arn(REGION, ACCOUNT, "gone"),
        stream_arn(REGION, OTHER_ACCOUNT, "foreign"),
        stream_arn(REGION, ACCOUNT, "foreign"),
        stream_arn("mars-north-1", ACCOUNT, "far"),
    ] {
        let refusal = client
            .refusal(CREATE, creation("copy", reading(&arn)))
            .await;
        assert_eq!(refusal.status, 400, "{arn}");
        assert_eq!(refusal.code, "InvalidArgumentException", "{arn}");
        let wanted = format!("Kinesis stream {arn} does not exist or is not ACTIVE.");
        assert_eq!(refusal.message, wanted);
    }
    for arn in ["", "orders", "arn:aws:kinesis:x:1:stream/orders"] {
        let code = client.code(CREATE, creation("copy", reading(arn))).await;
        assert_eq!(code, "ValidationException", "{arn}");
    }
    let names = client.call("Firehose.ListDeliveryStreams", json!({})).await;
    assert_nothing_was_made(&names);
    service.stop().await;
}

#[tokio::test]
async fn the_type_and_the_source_go_together() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    let orders = stream_arn(REGION, ACCOUNT, "orders");
    let mut direct = reading(&orders);
    direct["DeliveryStreamType"] = json!("DirectPut");
    let mut unsaid = reading(&orders);
    unsaid.as_object_mut().unwrap().remove("DeliveryStreamType");
    let no_puts = "KinesisStreamSourceConfiguration must not be provided when \
        DeliveryStreamType is DirectPut.";
    for (more, told) in [
        (direct, no_puts),
        (unsaid, no_puts),
        (
            json!({"DeliveryStreamType": "KinesisStreamAsSource"}),
            "KinesisStreamSourceConfiguration must be provided when DeliveryStreamType is \
             KinesisStreamAsSource.",
        ),
        (
            json!({"DeliveryStreamType": "MSKAsSource"}),
            "DeliveryStreamType MSKAsSource is not supported.",
        ),
        (
            json!({"DeliveryStreamType": "DatabaseAsSource"}),
            "DeliveryStreamType DatabaseAsSource is not supported.",
        ),
    ] {
        let refusal = client.refusal(CREATE, creation("copy", more)).await;
        assert_eq!(refusal.code, "InvalidArgumentException");
        assert_eq!(refusal.message, told);
    }
    let unknown = json!({"DeliveryStreamType": "Kafka"});
    let code = client.code(CREATE, creation("copy", unknown)).await;
    assert_eq!(code, "ValidationException");
    let names = client.call("Firehose.ListDeliveryStreams", json!({})).await;
    assert_nothing_was_made(&names);
    service.stop().await;
}

#[tokio::test]
async fn there_is_exactly_one_destination() {
    let service = Service::start().await;
    let client = service.client();
    let s3 = json!({"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::logs"});
    let both = creation("clicks", json!({"S3DestinationConfiguration": s3}));
    let none = json!({"DeliveryStreamName": "clicks"});
    for input in [both, none] {
        let refusal = client.refusal(CREATE, input).await;
        assert_eq!(refusal.code, "InvalidArgumentException");
        let wanted = "Exactly one destination configuration is supported for a Firehose";
        assert_eq!(refusal.message, wanted);
    }
    let names = client.call("Firehose.ListDeliveryStreams", json!({})).await;
    assert_nothing_was_made(&names);
    service.stop().await;
}

#[tokio::test]
async fn what_is_not_served_is_refused_by_name_and_not_ignored() {
    let service = Service::start().await;
    let client = service.client();
    for (member, what) in [
        (
            "AmazonOpenSearchServerlessDestinationConfiguration",
            "An OpenSearch Serverless destination",
        ),
        (
            "SnowflakeDestinationConfiguration",
            "A Snowflake destination",
        ),
        ("IcebergDestinationConfiguration", "An Iceberg destination"),
        ("MSKSourceConfiguration", "An MSK source"),
        ("DatabaseSourceConfiguration", "A database source"),
    ] {
        let alone = json!({"DeliveryStreamName": "clicks", member: {}});
        for input in [alone, creation("clicks", json!({member: {}}))] {
            let refusal = client.refusal(CREATE, input).await;
            assert_eq!(refusal.code, "InvalidArgumentException", "{member}");
            assert_eq!(refusal.message, format!("{what} is not supported."));
        }
    }
    let names = client.call("Firehose.ListDeliveryStreams", json!({})).await;
    assert_nothing_was_made(&names);
    service.stop().await;
}

#[tokio::test]
async fn up_to_50_tags_are_given_with_the_creation() {
    let service = Service::start().await;
    let client = service.client();
    let tags = |count: usize| {
        let tags = (0..count).map(|number| json!({"Key": format!("key-{number:02}")}));
        json!({"Tags": tags.collect::<Vec<_>>()})
    };
    for wrong in [
        tags(51),
        tags(0),
        json!({"Tags": [{"Key": "aws:x"}]}),
        json!({"Tags": [{"Value": "x"}]}),
    ] {
        let code = client.code(CREATE, creation("clicks", wrong)).await;
        assert_eq!(code, "ValidationException");
    }
    client.call(CREATE, creation("clicks", tags(50))).await;
    let input = json!({"DeliveryStreamName": "clicks"});
    let found = client
        .call("Firehose.ListTagsForDeliveryStream", input)
        .await;
    let found = found["Tags"].as_array().unwrap();
    assert_eq!(found.len(), 50);
    assert_eq!(found[49], json!({"Key": "key-49", "Value": ""}));
    service.stop().await;
}

#[tokio::test]
async fn a_throughput_hint_is_a_number_from_1_to_100() {
    let service = Service::start().await;
    let client = service.client();
    let hint = |hint: Value| {
        let more = json!({"DirectPutSourceConfiguration": {"ThroughputHintInMBs": hint}});
        creation("clicks", more)
    };
    for wrong in [json!(0), json!(101), json!(null)] {
        assert_eq!(
            client.code(CREATE, hint(wrong)).await,
            "ValidationException"
        );
    }
    client.call(CREATE, hint(json!(100))).await;
    service.stop().await;
}

#[tokio::test]
async fn a_name_that_is_taken_is_told_before_anything_that_is_asked_for() {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    let reads_nothing = json!({"DeliveryStreamType": "KinesisStreamAsSource"});
    let unserved = json!({"SnowflakeDestinationConfiguration": {}});
    let no_destination = json!({"DeliveryStreamName": "clicks"});
    for input in [
        creation("clicks", reads_nothing),
        creation("clicks", unserved),
        no_destination,
    ] {
        let code = client.code(CREATE, input).await;
        assert_eq!(code, "ResourceInUseException");
    }
    // What the model forbids is told before.
    let hint = json!({"DirectPutSourceConfiguration": {"ThroughputHintInMBs": 0}});
    let code = client.code(CREATE, creation("clicks", hint)).await;
    assert_eq!(code, "ValidationException");
    service.stop().await;
}
