//! An endpoint that does not let the server in, has no such bucket, or never answers: producers do
//! not notice, the page says what is wrong, nothing is lost.

use std::time::{Duration, Instant};

use millrace_tests::{BUCKET, Client, Object, Service, Setting};
use serde_json::{Value, json};

use crate::endpoint::{Does, Endpoint};

/// What a lane may take to its end, and a little more.
const STOP_TIME_MAX: Duration = Duration::from_secs(8);

/// Does not wait for a flush.
fn at_once() -> Value {
    json!({"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}})
}

async fn start(endpoint: &Endpoint, secret: &str) -> (Service, Client) {
    let setting = Setting {
        s3: Some(endpoint.config(secret)),
        ..Setting::default()
    };
    let service = Service::start_with(setting).await;
    let client = service.client();
    client.create_delivery("logs", at_once()).await;
    (service, client)
}

/// Puts lines while nothing can be delivered, and more of them once the page says why.
async fn put_in_trouble(client: &Client, trouble: &[&str]) -> String {
    let lines = |numbers: std::ops::Range<u32>| numbers.map(|n| format!("{n}\n"));
    client.put_delivery("logs", &["0\n"]).await;
    let is_told = |page: &Value| {
        let told = page["trouble"].as_str().unwrap_or_default();
        trouble.iter().all(|part| told.contains(part))
    };
    client.delivery_until("logs", is_told).await;
    for line in lines(1..100) {
        client.put_delivery("logs", &[line]).await;
    }
    let page = client.delivery("logs").await;
    assert_eq!(page["delivered"], 0);
    assert!(1 <= page["waitingRecords"].as_u64().unwrap(), "{page}");
    lines(0..100).collect()
}

async fn assert_all_delivered(client: &Client, endpoint: &Endpoint, wanted: &str) {
    client.flush("logs").await;
    let objects = endpoint.objects(BUCKET);
    let text: String = objects.iter().map(Object::text).collect();
    assert_eq!(text, wanted);
    let page = client.delivery("logs").await;
    assert_eq!(page["trouble"], Value::Null);
    assert_eq!(
        (&page["delivered"], &page["waitingRecords"]),
        (&json!(100), &json!(0))
    );
    assert_eq!(page["objects"], objects.len());
}

#[tokio::test]
async fn a_wrong_secret_loses_nothing_and_is_named_until_it_is_right() {
    let endpoint = Endpoint::start(&[BUCKET]).await;
    let (service, client) = start(&endpoint, "another secret").await;
    let wanted = put_in_trouble(&client, &["403", "SignatureDoesNotMatch"]).await;
    assert_eq!(endpoint.objects(BUCKET), []);
    endpoint.know("another secret");
    assert_all_delivered(&client, &endpoint, &wanted).await;
    service.stop().await;
}

#[tokio::test]
async fn a_bucket_that_is_missing_is_named_and_gets_everything_once_it_is_made() {
    let endpoint = Endpoint::start(&[]).await;
    let (service, client) = start(&endpoint, crate::endpoint::SECRET).await;
    let wanted = put_in_trouble(&client, &["404", "NoSuchBucket", BUCKET]).await;
    endpoint.make_bucket(BUCKET);
    assert_all_delivered(&client, &endpoint, &wanted).await;
    service.stop().await;
}

#[tokio::test]
async fn what_a_missing_bucket_did_not_get_goes_to_the_one_that_is_named_since() {
    let endpoint = Endpoint::start(&[BUCKET]).await;
    let service = Service::start_with(endpoint.setting()).await;
    let client = service.client();
    let mut missing = at_once();
    missing["BucketARN"] = json!("arn:aws:s3:::missing");
    client.create_delivery("logs", missing).await;
    let wanted = put_in_trouble(&client, &["404", "NoSuchBucket", "missing"]).await;
    let input = json!({
        "DeliveryStreamName": "logs", "CurrentDeliveryStreamVersionId": "1",
        "DestinationId": "destinationId-000000000001",
        "ExtendedS3DestinationUpdate": {"BucketARN": format!("arn:aws:s3:::{BUCKET}")},
    });
    client.call("Firehose.UpdateDestination", input).await;
    assert_all_delivered(&client, &endpoint, &wanted).await;
    service.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_fails_for_a_while_gets_everything_afterwards() {
    let endpoint = Endpoint::start(&[BUCKET]).await;
    let (service, client) = start(&endpoint, crate::endpoint::SECRET).await;
    endpoint.rule(|_, _| Does::Answer(500));
    let wanted = put_in_trouble(&client, &["500"]).await;
    endpoint.rule(|_, _| Does::Well);
    assert_all_delivered(&client, &endpoint, &wanted).await;
    service.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_never_answers_holds_up_neither_producers_nor_the_end_of_the_server() {
    let endpoint = Endpoint::start(&[BUCKET]).await;
    let (service, client) = start(&endpoint, crate::endpoint::SECRET).await;
    endpoint.rule(|_, _| Does::StaySilent);
    client.put_delivery("logs", &["0\n"]).await;
    endpoint.until_begun(1).await;
    let wanted = put_in_trouble_of_silence(&client).await;
    assert_eq!(
        endpoint.requests(),
        1,
        "it still waits for the first answer"
    );

    endpoint.rule(|_, _| Does::Well);
    let told = Instant::now();
    let service = service.restart().await;
    let took = told.elapsed();
    assert!(took < STOP_TIME_MAX, "it took {took:?} to end and begin");
    assert_all_delivered(&service.client(), &endpoint, &wanted).await;
    service.stop().await;
}

/// As [`put_in_trouble`], without a word of what is wrong yet.
async fn put_in_trouble_of_silence(client: &Client) -> String {
    for number in 1..100 {
        client.put_delivery("logs", &[format!("{number}\n")]).await;
    }
    let page = client.delivery("logs").await;
    assert_eq!(
        (&page["delivered"], &page["status"]),
        (&json!(0), &json!("ACTIVE"))
    );
    assert!(1 <= page["waitingRecords"].as_u64().unwrap(), "{page}");
    (0..100).map(|n| format!("{n}\n")).collect()
}
