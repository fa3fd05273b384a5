//! Failed records in an S3 bucket are listed, shown and delivered once more, also when the endpoint
//! does its work badly.

use std::path::Path;

use http::Method;
use millrace_tests::{ACCOUNT, BUCKET, Client, REGION, Service, Setting};
use serde_json::{Value, json};

use crate::endpoint::{Does, Endpoint};

const PAGE: &str = "delivery-streams/logs/dead-letters";
/// A plugin of this repository, which fails what is no line of an access log.
const PLUGIN: &str = "parse-access-log";

fn plugins() -> tempfile::TempDir {
    let plugins = tempfile::tempdir().unwrap();
    let built = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../plugins")
        .join(PLUGIN);
    let folder = plugins.path().join(PLUGIN);
    std::fs::create_dir(&folder).unwrap();
    for file in ["plugin.toml".to_owned(), format!("{PLUGIN}.wasm")] {
        std::fs::copy(built.join(&file), folder.join(&file)).unwrap();
    }
    plugins
}

fn through(enabled: bool) -> Value {
    let arn = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{PLUGIN}");
    let parameters = json!([{"ParameterName": "LambdaArn", "ParameterValue": arn}]);
    json!({
        "Enabled": enabled,
        "Processors": [{"Type": "Lambda", "Parameters": parameters}],
    })
}

async fn replay(client: &Client, key: &str) -> (u16, Value) {
    let page = format!("{PAGE}/replay");
    client.post_page(&page, &json!({"letter": key})).await
}

/// The keys of all that is listed, a page for each.
async fn listed_one_by_one(client: &Client) -> Vec<String> {
    let (mut keys, mut after): (Vec<String>, Option<String>) = (Vec::new(), None);
    loop {
        let mut page = format!("{PAGE}?limit=1");
        if let Some(after) = &after {
            page.push_str(&format!("&after={}", encoded(after)));
        }
        let page = client.read_page(&page).await;
        for letter in page["deadLetters"].as_array().unwrap() {
            assert_eq!(
                (&letter["records"], &letter["state"]),
                (&json!(1), &json!("open"))
            );
            keys.push(letter["object"].as_str().unwrap().to_owned());
        }
        after = page["next"].as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    keys
}

#[tokio::test]
async fn failed_records_in_a_bucket_of_s3_are_delivered_once_more() {
    let (plugins, endpoint) = (plugins(), Endpoint::start(&[BUCKET]).await);
    let service = Service::start_with(Setting {
        plugins: Some(plugins.path().to_owned()),
        ..endpoint.setting()
    })
    .await;
    let client = service.client();
    let more = json!({
        "ProcessingConfiguration": through(true),
        "Prefix": "a/é~ b/",
        "ErrorOutputPrefix": "bad é+/",
    });
    client.create_delivery("logs", more).await;
    for round in 0..3 {
        client
            .put_delivery("logs", &[format!("no line {round}")])
            .await;
        client.flush("logs").await;
    }
    let keys = listed_one_by_one(&client).await;
    let objects = endpoint.objects(BUCKET);
    let wanted: Vec<_> = objects.iter().map(|object| object.key.clone()).collect();
    assert_eq!(keys, wanted);
    assert!(
        keys[0].starts_with("bad é+/processing-failed/logs-1-"),
        "{keys:?}"
    );
    let one = format!("{PAGE}/one?letter={}", encoded(&keys[1]));
    let shown = client.read_page(&one).await;
    assert_eq!(shown["records"][0]["data"], "no line 1");

    let input = json!({
        "DeliveryStreamName": "logs",
        "CurrentDeliveryStreamVersionId": "1",
        "DestinationId": "destinationId-000000000001",
        "ExtendedS3DestinationUpdate": {"ProcessingConfiguration": {"Enabled": false}},
    });
    client.call("Firehose.UpdateDestination", input).await;
    // A bucket that gives nothing changes nothing.
    endpoint.rule(|_, _| Does::Refuse(403, "AccessDenied"));
    let (status, answer) = replay(&client, &keys[1]).await;
    assert_eq!(status, 503, "{answer}");
    let page = client.page(Method::GET, PAGE).await;
    assert_eq!(page.status(), 503);
    endpoint.rule(|_, _| Does::Well);
    for now in [1, 0] {
        let (status, answer) = replay(&client, &keys[1]).await;
        assert_eq!((status, &answer["now"]), (200, &json!(now)), "{answer}");
    }
    client.flush("logs").await;
    let objects = endpoint.objects(BUCKET);
    let delivered = objects
        .iter()
        .filter(|object| object.key.starts_with("a/é~ b/"));
    let delivered: Vec<_> = delivered.map(|object| object.text().to_owned()).collect();
    assert_eq!(delivered, ["no line 1"]);
    let page = client.delivery("logs").await;
    assert_eq!((&page["replayed"], &page["failed"]), (&json!(1), &json!(3)));
    service.stop().await;
}

/// A key as queries write it.
fn encoded(key: &str) -> String {
    let encoded = key.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    });
    encoded.collect()
}
