//! DescribeDeliveryStream.

use std::time::Duration;

use millrace_tests::{ACCOUNT, Client, REGION, ROLE, Service, over};
use serde_json::{Value, json};

use crate::plugin_files::PluginFiles;
use crate::{function, processing, through};

/// What every description has.
fn description(name: &str, more: Value) -> Value {
    let always = json!({
        "DeliveryStreamName": name,
        "DeliveryStreamARN":
            format!("arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/{name}"),
        "DeliveryStreamStatus": "ACTIVE",
        "DeliveryStreamEncryptionConfiguration": {"Status": "DISABLED"},
        "DeliveryStreamType": "DirectPut",
        "VersionId": "1",
        "CreateTimestamp": 1_700_000_000.0,
        "HasMoreDestinations": false,
    });
    over(always, more)
}

/// What every S3 destination has.
fn s3(more: Value) -> Value {
    let always = json!({
        "RoleARN": ROLE,
        "BucketARN": "arn:aws:s3:::logs",
        "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 300},
        "CompressionFormat": "UNCOMPRESSED",
        "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
        "CloudWatchLoggingOptions": {"Enabled": false},
    });
    over(always, more)
}

async fn create(client: &Client, input: Value) {
    client
        .call("Firehose.CreateDeliveryStream", input.clone())
        .await;
    let name = input["DeliveryStreamName"].as_str().unwrap();
    client.delivery_is_active(name).await;
}

#[tokio::test]
async fn a_plain_s3_destination_is_described_with_its_defaults() {
    let service = Service::start().await;
    let client = service.client();
    create(
        &client,
        json!({
            "DeliveryStreamName": "clicks",
            "S3DestinationConfiguration":
                {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::logs"},
        }),
    )
    .await;
    let wanted = description(
        "clicks",
        json!({"Destinations": [{
            "DestinationId": "destinationId-000000000001",
            "S3DestinationDescription": s3(json!({})),
            "ExtendedS3DestinationDescription": s3(json!({"S3BackupMode": "Disabled"})),
        }]}),
    );
    assert_eq!(client.describe_delivery("clicks").await, wanted);
    service.stop().await;
}

#[tokio::test]
async fn an_extended_s3_destination_is_described_as_it_was_configured() {
    let service = Service::start().await;
    let client = service.client();
    let basic = json!({
        "RoleARN": ROLE,
        "BucketARN": "arn:aws:s3:::other.bucket-1",
        "Prefix": "data/!{timestamp:yyyy}/",
        "ErrorOutputPrefix": "bad/!{firehose:error-output-type}/",
        "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 0},
        "CompressionFormat": "GZIP",
        "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
        "CloudWatchLoggingOptions":
            {"Enabled": true, "LogGroupName": "/aws/x", "LogStreamName": "S3 delivery"},
    });
    let more = json!({
        "ProcessingConfiguration":
            processing(&[("AppendDelimiterToRecord", &[("Delimiter", "\\n")])]),
        "S3BackupMode": "Disabled",
        "FileExtension": ".json.gz",
        "CustomTimeZone": "UTC",
    });
    let extended = over(basic.clone(), more);
    create(
        &client,
        json!({
            "DeliveryStreamName": "clicks",
            "DeliveryStreamType": "DirectPut",
            "DirectPutSourceConfiguration": {"ThroughputHintInMBs": 10},
            "ExtendedS3DestinationConfiguration": extended,
        }),
    )
    .await;
    let wanted = description(
        "clicks",
        json!({"Destinations": [{
            "DestinationId": "destinationId-000000000001",
            "S3DestinationDescription": basic,
            "ExtendedS3DestinationDescription": extended,
        }]}),
    );
    assert_eq!(client.describe_delivery("clicks").await, wanted);
    service.stop().await;
}

#[tokio::test]
async fn the_stream_that_is_read_is_described_with_the_moment_of_the_start() {
    let service = Service::start().await;
    let client = service.client();
    client.create("orders", 1).await;
    service.pass(Duration::from_millis(1_500));
    client.create_delivery_of("copy", "orders", json!({})).await;
    let description = client.describe_delivery("copy").await;
    assert_eq!(description["DeliveryStreamType"], "KinesisStreamAsSource");
    assert_eq!(description["CreateTimestamp"], 1_700_000_001.5);
    let wanted = json!({"KinesisStreamSourceDescription": {
        "KinesisStreamARN": format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/orders"),
        "RoleARN": ROLE,
        "DeliveryStartTimestamp": 1_700_000_001.5,
    }});
    assert_eq!(description["Source"], wanted);
    service.stop().await;
}

/// The parameters of the described Lambda processor, by name, in their order.
fn parameters(description: &Value) -> Vec<(&str, &str)> {
    let destination = &description["Destinations"][0]["ExtendedS3DestinationDescription"];
    let processing = &destination["ProcessingConfiguration"];
    let [processor] = &processing["Processors"].as_array().unwrap()[..] else {
        panic!("{processing}");
    };
    assert_eq!(processor["Type"], "Lambda");
    let parameters = processor["Parameters"].as_array().unwrap().iter();
    parameters
        .map(|parameter| {
            let text = |member: &str| parameter[member].as_str().unwrap();
            (text("ParameterName"), text("ParameterValue"))
        })
        .collect()
}

#[tokio::test]
async fn a_lambda_processor_is_described_with_all_its_parameters_in_one_order() {
    let files = PluginFiles::with(&["drop-bots"]);
    let service = files.start().await;
    let client = service.client();
    let arn = function("drop-bots");
    let few = json!({"ProcessingConfiguration": through("drop-bots")});
    client.create_delivery("few", few).await;
    let wanted = [
        ("LambdaArn", &*arn),
        ("NumberOfRetries", "3"),
        ("RoleArn", ROLE),
        ("BufferSizeInMBs", "1"),
        ("BufferIntervalInSeconds", "60"),
    ];
    assert_eq!(parameters(&client.describe_delivery("few").await), wanted);

    let role = format!("{ROLE}-of-the-processor");
    let said = [
        ("BufferIntervalInSeconds", "0"),
        ("BufferSizeInMBs", "0.5"),
        ("RoleArn", &*role),
        ("NumberOfRetries", "0"),
        ("LambdaArn", &*arn),
    ];
    let all = json!({"ProcessingConfiguration": processing(&[("Lambda", &said)])});
    client.create_delivery("all", all).await;
    let mut wanted = said.to_vec();
    wanted.reverse();
    assert_eq!(parameters(&client.describe_delivery("all").await), wanted);
    service.stop().await;
}

#[tokio::test]
async fn a_change_is_described_with_its_moment() {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    let before = client.describe_delivery("clicks").await;
    assert!(before.get("LastUpdateTimestamp").is_none());
    service.pass(Duration::from_secs(7));
    let update = json!({
        "DeliveryStreamName": "clicks",
        "CurrentDeliveryStreamVersionId": before["VersionId"],
        "DestinationId": before["Destinations"][0]["DestinationId"],
        "S3DestinationUpdate": {"Prefix": "x/"},
    });
    client.call("Firehose.UpdateDestination", update).await;
    let after = client.describe_delivery("clicks").await;
    assert_eq!(after["VersionId"], "2");
    assert_eq!(after["CreateTimestamp"], before["CreateTimestamp"]);
    assert_eq!(after["LastUpdateTimestamp"], 1_700_000_007.0);
    service.stop().await;
}

#[tokio::test]
async fn after_the_one_destination_come_no_more() {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("clicks", json!({})).await;
    let input = |more: Value| over(json!({"DeliveryStreamName": "clicks"}), more);
    let operation = "Firehose.DescribeDeliveryStream";
    let limited = client.call(operation, input(json!({"Limit": 1}))).await;
    let description = &limited["DeliveryStreamDescription"];
    let found = description["Destinations"].as_array().unwrap();
    assert_eq!(found.len(), 1);
    let after = json!({"ExclusiveStartDestinationId": found[0]["DestinationId"]});
    let rest = client.call(operation, input(after)).await;
    let description = &rest["DeliveryStreamDescription"];
    assert_eq!(description["Destinations"], json!([]));
    assert_eq!(description["HasMoreDestinations"], false);
    for wrong in [
        json!({"Limit": 0}),
        json!({"Limit": 10_001}),
        json!({"ExclusiveStartDestinationId": "a_b"}),
    ] {
        let code = client.code(operation, input(wrong)).await;
        assert_eq!(code, "ValidationException");
    }
    service.stop().await;
}
