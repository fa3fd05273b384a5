//! Whether objects can have the names that a destination gives them is asked when it is configured.

use delivery::objects::S3Config;
use millrace_tests::{Client, Service, Setting, destination};
use serde_json::{Value, json};

const CREATE: &str = "Firehose.CreateDeliveryStream";
const UPDATE: &str = "Firehose.UpdateDestination";

/// A server whose objects go to an endpoint that nothing is asked of.
fn with_an_endpoint() -> Setting {
    let config = S3Config {
        endpoint: Some("http://127.0.0.1:1".to_owned()),
        region: "eu-central-1".to_owned(),
        access_key_id: "any".to_owned(),
        secret_access_key: "any".to_owned(),
        path_style: true,
    };
    Setting {
        s3: Some(config),
        ..Setting::default()
    }
}

async fn create(client: &Client, name: &str, more: Value) -> Result<(), String> {
    let input = json!({
        "DeliveryStreamName": name, "ExtendedS3DestinationConfiguration": destination(more),
    });
    let answer = client.send(CREATE, input.to_string().into()).await;
    if answer.status() == 200 {
        return Ok(());
    }
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(body["__type"], "InvalidArgumentException", "{body}");
    assert_eq!(answer.status(), 400);
    Err(body["message"].as_str().unwrap().to_owned())
}

/// It was taken, and every record waited for ever: the store found the name too long.
#[tokio::test]
async fn a_prefix_that_makes_a_key_too_long_for_s3_is_refused() {
    let service = Service::start_with(with_an_endpoint()).await;
    let client = service.client();
    // An evaluated prefix has 512 characters at most, and some of these have two bytes each.
    for (name, member, prefix, fits) in [
        ("a", "Prefix", "x".repeat(1_000), true),
        ("b", "Prefix", "\u{e9}".repeat(440), true),
        ("c", "Prefix", "\u{e9}".repeat(470), false),
        ("d", "ErrorOutputPrefix", "\u{e9}".repeat(470), false),
    ] {
        let created = create(&client, name, json!({member: prefix})).await;
        match created {
            Ok(()) => assert!(fits, "{name}"),
            Err(why) => {
                assert!(!fits, "{name}: {why}");
                assert!(why.starts_with(&format!("{member} is too long")), "{why}");
                assert!(
                    why.ends_with("the key of an object can have 1024."),
                    "{why}"
                );
            }
        }
    }
    service.stop().await;
}

/// They are names of objects of S3, and of no file.
#[tokio::test]
async fn empty_parts_of_a_prefix_are_taken_where_objects_are_in_s3() {
    let (s3, local) = (with_an_endpoint(), Setting::default());
    for (setting, fits) in [(s3, true), (local, false)] {
        let service = Service::start_with(setting).await;
        let client = service.client();
        for (number, more) in [
            json!({"Prefix": "/"}),
            json!({"Prefix": "/logs/"}),
            json!({"Prefix": "logs//"}),
            json!({"ErrorOutputPrefix": "bad//x/"}),
            json!({"Prefix": "!{timestamp:yyyy'//'MM}/", "ErrorOutputPrefix": "bad/"}),
        ]
        .into_iter()
        .enumerate()
        {
            match create(&client, &format!("d{number}"), more.clone()).await {
                Ok(()) => assert!(fits, "{more}"),
                Err(why) => {
                    assert!(!fits, "{more}: {why}");
                    assert!(why.contains("begins with '/' or has '//'"), "{why}");
                }
            }
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn a_part_of_a_name_that_is_longer_than_that_of_a_file_is_refused_where_objects_are_files() {
    let service = Service::start().await;
    let client = service.client();
    let long = |count: usize| "x".repeat(count);
    for (more, fits) in [
        (json!({"Prefix": format!("{}/", long(255))}), true),
        (json!({"Prefix": format!("{}/", long(256))}), false),
        (json!({"Prefix": long(300)}), false),
        (
            json!({"ErrorOutputPrefix": format!("a/{}/", long(256))}),
            false,
        ),
        (json!({"FileExtension": format!(".{}", long(100))}), true),
        (json!({"FileExtension": format!(".{}", long(127))}), false),
        (
            json!({
                "Prefix": "!{timestamp:'a'}/z", "ErrorOutputPrefix": "e/",
                "FileExtension": format!(".{}", long(99)),
            }),
            true,
        ),
    ] {
        let name = &long(60);
        match create(&client, name, more.clone()).await {
            Ok(()) => {
                assert!(fits, "{more}");
                client.delivery_is_active(name).await;
                client.put_delivery(name, &["one"]).await;
                client.flush(name).await;
                client.delete_delivery(name).await;
            }
            Err(why) => {
                assert!(!fits, "{more}: {why}");
                assert!(why.contains("can have 255"), "{why}");
            }
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn a_prefix_below_an_object_is_refused_when_it_is_set_and_when_it_is_changed() {
    let service = Service::start().await;
    let client = service.client();
    let bucket = service.buckets().join("logs");
    std::fs::create_dir_all(&bucket).unwrap();
    std::fs::write(bucket.join("taken"), "").unwrap();
    let below = json!({"Prefix": "taken/below/"});
    let why = create(&client, "clicks", below.clone()).await.unwrap_err();
    assert_eq!(
        why,
        "Prefix: an object lies at 'taken' where a folder would have to be."
    );
    client.create_delivery("clicks", json!({})).await;
    let mut input = json!({
        "DeliveryStreamName": "clicks", "CurrentDeliveryStreamVersionId": "1",
        "DestinationId": "destinationId-000000000001", "ExtendedS3DestinationUpdate": below,
    });
    let refusal = client.refusal(UPDATE, input.clone()).await;
    assert_eq!(
        (refusal.code.as_str(), &refusal.message),
        ("InvalidArgumentException", &why)
    );
    input["ExtendedS3DestinationUpdate"] = json!({"Prefix": "x".repeat(300)});
    let code = client.code(UPDATE, input).await;
    assert_eq!(code, "InvalidArgumentException");
    let description = client.describe_delivery("clicks").await;
    assert_eq!(description["VersionId"], "1");
    service.stop().await;
}
