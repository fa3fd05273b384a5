//! UpdateDestination. What a destination may not say is in `refused_settings`.

use std::time::Duration;

use millrace_tests::{Client, ROLE, Service, over};
use serde_json::{Value, json};

use crate::processing;

const UPDATE: &str = "Firehose.UpdateDestination";

async fn with_delivery_stream(more: Value) -> (Service, Client) {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("clicks", more).await;
    (service, client)
}

/// A change from version `version` on.
fn from_version(version: &str, more: Value) -> Value {
    let members = json!({
        "DeliveryStreamName": "clicks",
        "CurrentDeliveryStreamVersionId": version,
        "DestinationId": "destinationId-000000000001",
    });
    over(members, more)
}

fn extended(more: Value) -> Value {
    json!({"ExtendedS3DestinationUpdate": more})
}

async fn settings(client: &Client) -> Value {
    let description = client.describe_delivery("clicks").await;
    description["Destinations"][0]["ExtendedS3DestinationDescription"].clone()
}

#[tokio::test]
async fn what_is_not_said_stays_as_it_is() {
    let (service, client) = with_delivery_stream(json!({
        "Prefix": "a/",
        "CompressionFormat": "GZIP",
        "FileExtension": ".json.gz",
        "ProcessingConfiguration": processing(&[("AppendDelimiterToRecord", &[])]),
    }))
    .await;
    let mut wanted = settings(&client).await;
    for (version, change) in [
        ("1", json!({"Prefix": "b/"})),
        (
            "2",
            json!({"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60}}),
        ),
        ("3", json!({"BucketARN": "arn:aws:s3:::other"})),
        (
            "4",
            json!({"CloudWatchLoggingOptions": {"Enabled": true, "LogGroupName": "g"}}),
        ),
        ("5", json!({"ErrorOutputPrefix": "bad/"})),
        ("6", json!({"RoleARN": format!("{ROLE}-2")})),
        (
            "7",
            json!({"CompressionFormat": "UNCOMPRESSED", "FileExtension": ".json"}),
        ),
        (
            "8",
            json!({"ProcessingConfiguration": {"Enabled": false, "Processors": []}}),
        ),
    ] {
        let input = from_version(version, extended(change.clone()));
        assert_eq!(client.call(UPDATE, input).await, json!({}));
        wanted = over(wanted, change);
        assert_eq!(settings(&client).await, wanted);
    }
    let description = client.describe_delivery("clicks").await;
    assert_eq!(description["VersionId"], "9");
    service.stop().await;
}

#[tokio::test]
async fn a_change_that_changes_nothing_is_no_new_version() {
    let (service, client) = with_delivery_stream(json!({
        "Prefix": "a/",
        "ProcessingConfiguration": processing(&[("AppendDelimiterToRecord", &[])]),
    }))
    .await;
    let before = client.describe_delivery("clicks").await;
    service.pass(std::time::Duration::from_secs(5));
    let hints = before["Destinations"][0]["S3DestinationDescription"]["BufferingHints"].clone();
    for same in [
        extended(json!({})),
        extended(json!({"Prefix": "a/", "RoleARN": ROLE, "BufferingHints": hints})),
        extended(json!({
            "ProcessingConfiguration": processing(&[("AppendDelimiterToRecord", &[])]),
        })),
        json!({"S3DestinationUpdate": {"Prefix": "a/"}}),
    ] {
        client.call(UPDATE, from_version("1", same)).await;
        assert_eq!(client.describe_delivery("clicks").await, before);
    }
    let stale = client.code(UPDATE, from_version("2", extended(json!({}))));
    assert_eq!(stale.await, "ConcurrentModificationException");
    client.put_delivery("clicks", &["x"]).await;
    client.flush("clicks").await;
    let objects = service.objects("logs");
    assert!(objects[0].key.contains("/clicks-1-"), "{objects:?}");
    service.stop().await;
}

#[tokio::test]
async fn whether_processing_is_enabled_stays_where_it_is_not_said() {
    let (service, client) = with_delivery_stream(json!({
        "ProcessingConfiguration": processing(&[("AppendDelimiterToRecord", &[])]),
    }))
    .await;
    let mut unsaid = processing(&[("AppendDelimiterToRecord", &[("Delimiter", "|")])]);
    unsaid.as_object_mut().unwrap().remove("Enabled");
    let change = extended(json!({"ProcessingConfiguration": unsaid}));
    client.call(UPDATE, from_version("1", change)).await;
    assert_eq!(
        settings(&client).await["ProcessingConfiguration"]["Enabled"],
        true
    );
    client.put_delivery("clicks", &["a", "b"]).await;
    client.flush("clicks").await;
    assert_eq!(service.delivered(), ["a|b|"]);
    service.stop().await;
}

#[tokio::test]
async fn a_member_that_is_said_to_be_empty_is_gone() {
    let (service, client) = with_delivery_stream(json!({
        "FileExtension": ".log",
        "ErrorOutputPrefix": "bad/",
    }))
    .await;
    let change = json!({"FileExtension": "", "ErrorOutputPrefix": ""});
    client
        .call(UPDATE, from_version("1", extended(change)))
        .await;
    let after = settings(&client).await;
    assert!(after.get("FileExtension").is_none(), "{after}");
    assert!(after.get("ErrorOutputPrefix").is_none(), "{after}");
    service.stop().await;
}

#[tokio::test]
async fn the_older_update_changes_an_extended_destination_too() {
    let (service, client) = with_delivery_stream(json!({"FileExtension": ".log"})).await;
    let change = json!({"S3DestinationUpdate": {"Prefix": "b/"}});
    client.call(UPDATE, from_version("1", change)).await;
    let after = settings(&client).await;
    assert_eq!(after["Prefix"], "b/");
    assert_eq!(after["FileExtension"], ".log");
    service.stop().await;
}

#[tokio::test]
async fn an_extended_update_extends_an_older_destination() {
    let service = Service::start().await;
    let client = service.client();
    let older = json!({
        "DeliveryStreamName": "clicks",
        "S3DestinationConfiguration":
            {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::logs", "Prefix": "a/"},
    });
    client.call("Firehose.CreateDeliveryStream", older).await;
    client.delivery_is_active("clicks").await;
    let change = extended(json!({"FileExtension": ".log"}));
    client.call(UPDATE, from_version("1", change)).await;
    let after = settings(&client).await;
    assert_eq!(after["Prefix"], "a/");
    assert_eq!(after["FileExtension"], ".log");
    service.stop().await;
}

#[tokio::test]
async fn a_change_from_another_version_than_the_current_is_refused() {
    let (service, client) = with_delivery_stream(json!({})).await;
    client
        .call(UPDATE, from_version("1", extended(json!({"Prefix": "b/"}))))
        .await;
    for version in ["1", "3", "0", &"9".repeat(50)] {
        let input = from_version(version, extended(json!({"Prefix": "c/"})));
        let refusal = client.refusal(UPDATE, input).await;
        assert_eq!(refusal.status, 400, "{version}");
        assert_eq!(refusal.code, "ConcurrentModificationException", "{version}");
        let wanted = format!(
            "Cannot update firehose: clicks since the current version id: 2 and specified \
             version id: {version} do not match"
        );
        assert_eq!(refusal.message, wanted);
    }
    for version in ["", "v2", "-1", &"9".repeat(51)] {
        let input = from_version(version, extended(json!({"Prefix": "c/"})));
        let code = client.code(UPDATE, input).await;
        assert_eq!(code, "ValidationException", "{version}");
    }
    assert_eq!(settings(&client).await["Prefix"], "b/");
    service.stop().await;
}

#[tokio::test]
async fn of_many_changes_from_one_version_one_succeeds() {
    let (service, client) = with_delivery_stream(json!({})).await;
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..16 {
        let client = client.clone();
        let change = extended(json!({"Prefix": format!("{number}/")}));
        let input = from_version("1", change).to_string();
        calls.spawn(async move { client.send(UPDATE, input.into()).await.status().as_u16() });
    }
    let statuses = calls.join_all().await;
    let done = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(done, 1, "{statuses:?}");
    let description = client.describe_delivery("clicks").await;
    assert_eq!(description["VersionId"], "2");
    service.stop().await;
}

#[tokio::test]
async fn a_destination_that_is_not_there_is_named() {
    let (service, client) = with_delivery_stream(json!({})).await;
    let mut input = from_version("1", extended(json!({"Prefix": "b/"})));
    input["DestinationId"] = json!("destinationId-000000000002");
    let refusal = client.refusal(UPDATE, input.clone()).await;
    assert_eq!(refusal.code, "InvalidArgumentException");
    let wanted = "Destination Id destinationId-000000000002 not found";
    assert_eq!(refusal.message, wanted);
    for id in ["", "a_b", &"x".repeat(101)] {
        input["DestinationId"] = json!(id);
        let code = client.code(UPDATE, input.clone()).await;
        assert_eq!(code, "ValidationException", "{id}");
    }
    service.stop().await;
}

#[tokio::test]
async fn exactly_one_served_destination_is_changed() {
    let (service, client) = with_delivery_stream(json!({})).await;
    let both = json!({
        "S3DestinationUpdate": {"Prefix": "b/"},
        "ExtendedS3DestinationUpdate": {"Prefix": "c/"},
    });
    for change in [both, json!({})] {
        let refusal = client.refusal(UPDATE, from_version("1", change)).await;
        assert_eq!(refusal.code, "InvalidArgumentException");
        let wanted = "Exactly one destination configuration is supported for a Firehose";
        assert_eq!(refusal.message, wanted);
    }
    for member in [
        "AmazonOpenSearchServerlessDestinationUpdate",
        "SnowflakeDestinationUpdate",
        "IcebergDestinationUpdate",
    ] {
        let with_s3 = json!({member: {}, "S3DestinationUpdate": {"Prefix": "b/"}});
        for change in [json!({member: {}}), with_s3] {
            let refusal = client.refusal(UPDATE, from_version("1", change)).await;
            assert_eq!(refusal.code, "InvalidArgumentException", "{member}");
            let wanted = "Only S3, extended S3, HTTP endpoint, Splunk, OpenSearch Service, \
                          Elasticsearch and Redshift destinations are supported.";
            assert_eq!(refusal.message, wanted, "{member}");
        }
    }
    let description = client.describe_delivery("clicks").await;
    assert_eq!(description["VersionId"], "1");
    service.stop().await;
}

#[tokio::test]
async fn what_waits_during_an_update_is_delivered_later_by_the_new_configuration() {
    let (service, client) = with_delivery_stream(json!({"Prefix": "before/"})).await;
    client.put_delivery("clicks", &["one ", "two "]).await;
    client
        .delivery_until("clicks", |page| page["waitingBytes"] != 0)
        .await;
    let change = json!({"Prefix": "after/", "BucketARN": "arn:aws:s3:::other"});
    client
        .call(UPDATE, from_version("1", extended(change)))
        .await;
    client.put_delivery("clicks", &["three"]).await;
    let page = client
        .delivery_until("clicks", |page| page["waitingRecords"] == 3)
        .await;
    assert_eq!(page["delivered"], 0, "an update closes nothing: {page}");
    client.flush("clicks").await;
    assert_eq!(service.objects("logs"), []);
    let objects = service.objects("other");
    let start = "after/2023/11/14/22/clicks-2-2023-11-14-22-13-20-";
    assert!(objects[0].key.starts_with(start), "{objects:?}");
    assert_eq!(objects[0].text(), "one two three");
    assert_eq!(objects.len(), 1);
    service.stop().await;
}

#[tokio::test]
async fn what_waits_during_an_update_goes_once_the_new_hints_are_reached() {
    let (service, client) = with_delivery_stream(json!({"Prefix": "before/"})).await;
    client.put_delivery("clicks", &["one"]).await;
    let waits = |page: &Value| page["waitingBytes"] != 0;
    client.delivery_until("clicks", waits).await;
    service.pass(Duration::from_secs(100));
    for (version, seconds) in [("1", 300), ("2", 101)] {
        let hints = json!({"SizeInMBs": 128, "IntervalInSeconds": seconds});
        let change = json!({"Prefix": format!("{seconds}/"), "BufferingHints": hints});
        let input = from_version(version, extended(change));
        client.call(UPDATE, input).await;
        assert_eq!(client.delivery("clicks").await["delivered"], 0, "{seconds}");
    }
    service.pass(Duration::from_secs(1));
    let delivered = |page: &Value| page["delivered"] == 1;
    client.delivery_until("clicks", delivered).await;

    let large = vec!["x".repeat(1_000_000); 3];
    client.put_delivery("clicks", &large).await;
    let waits = |page: &Value| page["waitingBytes"].as_u64().unwrap() >= 3_000_000;
    client.delivery_until("clicks", waits).await;
    let hints = json!({"SizeInMBs": 1, "IntervalInSeconds": 900});
    let change = json!({"Prefix": "small/", "BufferingHints": hints});
    client
        .call(UPDATE, from_version("3", extended(change)))
        .await;
    let delivered = |page: &Value| page["delivered"] == 4;
    client.delivery_until("clicks", delivered).await;
    let objects = service.objects("logs");
    let keys: Vec<&str> = objects.iter().map(|object| &object.key[..4]).collect();
    assert!(keys[0] == "101/", "{keys:?}");
    assert!(keys[1..].iter().all(|key| *key == "smal"), "{keys:?}");
    service.stop().await;
}

/// A cut was kept when it was decided, and then stayed with its configuration though nothing of it
/// had left.
#[tokio::test]
async fn a_cut_that_could_not_begin_to_leave_goes_by_the_new_configuration() {
    let (service, client) = with_delivery_stream(json!({"Prefix": "a/b/"})).await;
    // A file where a folder should be.
    std::fs::create_dir_all(service.buckets().join("logs")).unwrap();
    std::fs::write(service.buckets().join("logs/a"), "").unwrap();
    client.put_delivery("clicks", &["one"]).await;
    service.pass(Duration::from_secs(900));
    let stuck = |page: &Value| page["trouble"].is_string();
    client.delivery_until("clicks", stuck).await;
    let service = service.restart().await;
    let client = service.client();
    client.delivery_until("clicks", stuck).await;
    let change = extended(json!({"Prefix": "c/"}));
    client.call(UPDATE, from_version("1", change)).await;
    let delivered = |page: &Value| page["delivered"] == 1;
    let page = client.delivery_until("clicks", delivered).await;
    assert_eq!(page["trouble"], Value::Null);
    let objects = service.objects("logs");
    assert!(objects[1].key.starts_with("c/2023/11/14/22/clicks-2-"));
    service.stop().await;
}
