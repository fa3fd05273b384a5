//! Where objects lie: what a Prefix and an ErrorOutputPrefix come to, as the developer guide's
//! rules and examples have it ("Custom Prefixes for Amazon S3 Objects"). The clock stands at
//! 2023-11-14 22:13:20 UTC.

use millrace_tests::Service;
use serde_json::{Value, json};

use crate::plugin_files::PluginFiles;
use crate::through;

const LINE: &str =
    "203.0.113.5 - - [17/May/2024:10:05:03 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"-\"";
/// What a name is after its prefix.
const NAME: &str = "clicks-1-2023-11-14-22-13-20-";
/// The same in Tokyo.
const NAME_IN_TOKYO: &str = "clicks-1-2023-11-15-07-13-20-";

/// What stands before the names of an object of delivered records and one of failed records.
async fn evaluated(prefixes: Value) -> [String; 2] {
    evaluated_before(NAME, prefixes).await
}

async fn evaluated_before(name: &str, prefixes: Value) -> [String; 2] {
    let files = PluginFiles::with(&["parse-access-log"]);
    let service = files.start().await;
    let client = service.client();
    let mut more = prefixes;
    more["ProcessingConfiguration"] = through("parse-access-log");
    client.create_delivery("clicks", more).await;
    client.put_delivery("clicks", &[LINE, "no line"]).await;
    client.flush("clicks").await;
    let (mut delivered, mut failed) = (Vec::new(), Vec::new());
    for object in service.objects("logs") {
        let (before, _) = object.key.split_once(name).unwrap();
        if object.text().contains("errorCode") {
            failed.push(before.to_owned());
        } else {
            delivered.push(before.to_owned());
        }
    }
    service.stop().await;
    assert_eq!((delivered.len(), failed.len()), (1, 1));
    [delivered.remove(0), failed.remove(0)]
}

#[tokio::test]
async fn an_error_output_prefix_gets_no_date() {
    for (error, wanted) in [
        (
            "myFirehoseFailures/!{firehose:error-output-type}/",
            "myFirehoseFailures/processing-failed/",
        ),
        ("!{firehose:error-output-type}", "processing-failed"),
        (
            "bad/!{firehose:error-output-type}/!{timestamp:yyyy}/anyMonth/!{timestamp:dd}",
            "bad/processing-failed/2023/anyMonth/14",
        ),
        ("bad/", "bad/processing-failed/"),
    ] {
        let [delivered, failed] = evaluated(json!({"ErrorOutputPrefix": error})).await;
        assert_eq!(failed, wanted, "{error}");
        assert_eq!(delivered, "2023/11/14/22/", "{error}");
    }
}

#[tokio::test]
async fn without_an_error_output_prefix_failed_records_lie_beside_the_others_by_the_hour() {
    for (prefix, delivered, failed) in [
        ("", "2023/11/14/22/", "processing-failed/2023/11/14/22/"),
        (
            "a/",
            "a/2023/11/14/22/",
            "a/processing-failed/2023/11/14/22/",
        ),
        (
            "a-",
            "a-2023/11/14/22/",
            "a-processing-failed/2023/11/14/22/",
        ),
    ] {
        let found = evaluated(json!({"Prefix": prefix})).await;
        assert_eq!(found, [delivered, failed]);
    }
}

#[tokio::test]
async fn a_prefix_with_any_expression_gets_no_date() {
    let error = "bad/!{firehose:error-output-type}/";
    let random = json!({"Prefix": "!{firehose:random-string}/", "ErrorOutputPrefix": error});
    let [delivered, failed] = evaluated(random).await;
    let name = delivered.strip_suffix('/').unwrap();
    assert_eq!(name.len(), 11, "{delivered}");
    assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "{name}");
    assert_eq!(failed, "bad/processing-failed/");

    let year = json!({"Prefix": "y=!{timestamp:yyyy}/", "ErrorOutputPrefix": error});
    assert_eq!(evaluated(year).await[0], "y=2023/");
}

#[tokio::test]
async fn names_are_in_the_time_zone_of_the_destination() {
    let tokyo = |mut prefixes: Value| {
        prefixes["CustomTimeZone"] = json!("Asia/Tokyo");
        evaluated_before(NAME_IN_TOKYO, prefixes)
    };
    let appended = tokyo(json!({"Prefix": "a/"})).await;
    assert_eq!(
        appended,
        ["a/2023/11/15/07/", "a/processing-failed/2023/11/15/07/"]
    );
    let patterns = tokyo(json!({
        "Prefix": "!{timestamp:YYYY-'W'ww-EEEE}/!{timestamp:h a z}/",
        "ErrorOutputPrefix": "!{firehose:error-output-type}/!{timestamp:VV/ZZZZZ/QQQ/e}/",
    }))
    .await;
    assert_eq!(
        patterns,
        [
            "2023-W46-Wednesday/7 AM JST/",
            "processing-failed/Asia/Tokyo/+09:00/Q4/4/"
        ]
    );
}

/// What waits for its delivery goes by the configuration that it is delivered by.
#[tokio::test]
async fn another_time_zone_counts_from_the_next_object_on() {
    let service = Service::start().await;
    let client = service.client();
    let zone = |zone: &str| json!({"CustomTimeZone": zone});
    client
        .create_delivery("clicks", zone("America/New_York"))
        .await;
    for (version, update) in [("1", "Australia/Adelaide"), ("2", "UTC"), ("3", "")] {
        client.put_delivery("clicks", &[version]).await;
        client.flush("clicks").await;
        let input = json!({
            "DeliveryStreamName": "clicks", "CurrentDeliveryStreamVersionId": version,
            "DestinationId": "destinationId-000000000001",
            "ExtendedS3DestinationUpdate": zone(update),
        });
        client.call("Firehose.UpdateDestination", input).await;
        let description = client.describe_delivery("clicks").await;
        let destination = &description["Destinations"][0]["ExtendedS3DestinationDescription"];
        assert_eq!(destination["CustomTimeZone"], update);
    }
    client.put_delivery("clicks", &["4"]).await;
    client.flush("clicks").await;
    let mut keys: Vec<String> = service
        .objects("logs")
        .into_iter()
        .map(|object| object.key)
        .collect();
    keys.sort_by_key(|key| key.split('-').nth(1).map(str::to_owned));
    for (key, starts) in keys.iter().zip([
        "2023/11/14/17/clicks-1-2023-11-14-17-13-20-",
        "2023/11/15/08/clicks-2-2023-11-15-08-43-20-",
        "2023/11/14/22/clicks-3-2023-11-14-22-13-20-",
        "2023/11/14/22/clicks-4-2023-11-14-22-13-20-",
    ]) {
        assert!(key.starts_with(starts), "{keys:?}");
    }
    assert_eq!(keys.len(), 4);
    service.stop().await;
}
