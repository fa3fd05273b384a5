//! What becomes of records that go through a plugin: kept, dropped, replaced or failed, and every
//! one counted.

use millrace_tests::{BUCKET, Client, Object, Service, base64};
use serde_json::{Value, json};

use crate::plugin_files::PluginFiles;
use crate::{function, processing, through};

const CARD: &str = "4111 1111 1111 1111";
const MASKED: &str = "**** **** **** 1111";
/// The arrival of every record, and the moment of every cut: the clock stands still.
const NOW: u64 = 1_700_000_000_000;

/// A delivery stream through this plugin, with `more` settings.
async fn with_transform(plugin: &str, mut more: Value) -> (Service, Client, PluginFiles) {
    let files = PluginFiles::with(&[plugin]);
    let service = files.start().await;
    let client = service.client();
    more["ProcessingConfiguration"] = through(plugin);
    client.create_delivery("clicks", more).await;
    (service, client, files)
}

/// A line of an access log.
fn log_line(path: &str, agent: &str) -> String {
    format!(
        "203.0.113.5 - - [17/May/2024:10:05:03 +0000] \"GET {path} HTTP/1.1\" 200 5120 \"-\" \
         \"{agent}\""
    )
}

/// The page of the delivery stream, whose counts must come to these: delivered, dropped, failed.
#[track_caller]
fn assert_counts(page: &Value, [delivered, dropped, failed]: [u64; 3]) {
    let wanted = json!({
        "recordsIn": delivered + dropped + failed,
        "delivered": delivered,
        "dropped": dropped,
        "failed": failed,
    });
    for (name, wanted) in wanted.as_object().unwrap() {
        assert_eq!(&page[name], wanted, "{name}: {page}");
    }
    let of_version = &page["versions"][0];
    assert_eq!(page["versions"].as_array().unwrap().len(), 1);
    assert_eq!(of_version["delivered"], delivered);
    assert_eq!(of_version["dropped"], dropped);
    assert_eq!(of_version["failed"], failed);
}

/// The objects below the error prefix, and the others.
fn by_fate(service: &Service) -> (Vec<Object>, Vec<Object>) {
    let objects = service.objects(BUCKET).into_iter();
    objects.partition(|object| object.key.contains("processing-failed"))
}

/// The lines of an object of failed records.
fn failed_lines(object: &Object) -> Vec<Value> {
    let lines = object.text().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The line of a record that the plugin gave back as failed.
fn failure(data: &str, plugin: &str, reason: &str) -> Value {
    json!({
        "attemptsMade": 1,
        "arrivalTimestamp": NOW,
        "errorCode": "Lambda.ProcessingFailedStatus",
        "errorMessage": "ProcessingFailed status set for record",
        "attemptEndingTimestamp": NOW,
        "rawData": base64(data),
        "reason": reason,
        "lambdaARN": function(plugin),
    })
}

#[tokio::test]
async fn dropped_records_are_left_out_and_the_others_kept_as_they_are() {
    let (service, client, _files) = with_transform("drop-bots", json!({})).await;
    let mut kept = String::new();
    let mut lines = Vec::new();
    for number in 0..200 {
        let (path, is_bot) = (format!("/{number}"), number % 3 == 1);
        let agent = if is_bot {
            "Googlebot/2.1"
        } else {
            "Mozilla/5.0"
        };
        let line = log_line(&path, agent) + "\n";
        if !is_bot {
            kept += &line;
        }
        lines.push(line);
    }
    client.put_delivery("clicks", &lines).await;
    client.flush("clicks").await;
    assert_eq!(service.delivered(), [kept]);
    let page = client.delivery("clicks").await;
    assert_counts(&page, [133, 67, 0]);
    assert_eq!(
        (&page["objects"], &page["failedObjects"]),
        (&json!(1), &json!(0))
    );
    service.stop().await;
}

#[tokio::test]
async fn replaced_records_are_delivered_in_their_places() {
    let (service, client, _files) = with_transform("redact-card-numbers", json!({})).await;
    let records = [
        format!("paid with {CARD}, "),
        "no card, ".to_owned(),
        String::new(),
        format!("{CARD} and {CARD}"),
    ];
    client.put_delivery("clicks", &records).await;
    client.flush("clicks").await;
    let wanted = format!("paid with {MASKED}, no card, {MASKED} and {MASKED}");
    assert_eq!(service.delivered(), [wanted]);
    assert_counts(&client.delivery("clicks").await, [4, 0, 0]);
    service.stop().await;
}

#[tokio::test]
async fn failed_records_lie_below_the_error_prefix_while_their_neighbours_are_delivered() {
    let more = json!({"Prefix": "logs/", "CompressionFormat": "UNCOMPRESSED"});
    let (service, client, _files) = with_transform("parse-access-log", more).await;
    let good = ["/a", "/b", "/c"].map(|path| log_line(path, "Mozilla/5.0"));
    let records = [
        &good[0],
        "no line",
        &good[1],
        "a \"quote\" \u{1}\n",
        &good[2],
    ];
    client.put_delivery("clicks", &records).await;
    client.flush("clicks").await;

    let (failed, delivered) = by_fate(&service);
    let paths: Vec<Value> = delivered[0]
        .text()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["path"].clone())
        .collect();
    assert_eq!(paths, ["/a", "/b", "/c"]);
    let start = "logs/2023/11/14/22/clicks-1-2023-11-14-22-13-20-";
    assert!(delivered[0].key.starts_with(start), "{delivered:?}");

    let start = "logs/processing-failed/2023/11/14/22/clicks-1-2023-11-14-22-13-20-";
    assert!(failed[0].key.starts_with(start), "{failed:?}");
    for line in failed[0].text().lines() {
        let end = format!(",\"lambdaARN\":\"{}\"}}", function("parse-access-log"));
        assert!(line.ends_with(&end), "{line}");
    }
    let lines = failed_lines(&failed[0]);
    let reason = "column 8: expected a space after the identity";
    assert_eq!(lines[0], failure(records[1], "parse-access-log", reason));
    let reason = lines[1]["reason"].as_str().unwrap();
    assert!(reason.starts_with("column "), "{reason}");
    assert_eq!(lines[1], failure(records[3], "parse-access-log", reason));
    assert_eq!((failed.len(), delivered.len(), lines.len()), (1, 1, 2));
    let page = client.delivery("clicks").await;
    assert_counts(&page, [3, 0, 2]);
    assert_eq!(
        (&page["objects"], &page["failedObjects"]),
        (&json!(1), &json!(1))
    );
    service.stop().await;
}

/// Apache writes `\xe4` for a byte that it cannot print. Such bytes came out as U+FFFD, all alike.
#[tokio::test]
async fn what_is_no_text_in_a_line_comes_out_as_it_was_written() {
    let (service, client, _files) = with_transform("parse-access-log", json!({})).await;
    let cases: [(&[u8], &str); 5] = [
        (br"/\xe4\xe5", r"/\xe4\xe5"),
        (b"/\xe4\xe5", r"/\xe4\xe5"),
        (br"/caf\xc3\xa9", "/caf\u{e9}"),
        (br"/\xe2\x82\xE2", r"/\xe2\x82\xE2"),
        (br"/\x4\q", r"/\x4\q"),
    ];
    let records = cases.map(|(written, _)| {
        let line = log_line("@", "Mozilla/5.0").into_bytes();
        let place = line.iter().position(|byte| *byte == b'@').unwrap();
        [&line[..place], written, &line[place + 1..]].concat()
    });
    client.put_delivery("clicks", &records).await;
    client.flush("clicks").await;
    let delivered = service.delivered().concat();
    assert!(!delivered.contains('\u{fffd}'), "{delivered}");
    let paths: Vec<Value> = delivered
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["path"].clone())
        .collect();
    assert_eq!(paths, cases.map(|(_, wanted)| wanted));
    assert_counts(&client.delivery("clicks").await, [5, 0, 0]);
    service.stop().await;
}

#[tokio::test]
async fn failed_records_are_not_packed_and_lie_where_the_error_prefix_says() {
    let more = json!({
        "CompressionFormat": "GZIP",
        "FileExtension": ".json.gz",
        "ErrorOutputPrefix": "bad/!{firehose:error-output-type}/!{timestamp:yyyy}/",
    });
    let (service, client, _files) = with_transform("parse-access-log", more).await;
    client.put_delivery("clicks", &["no line"]).await;
    client.flush("clicks").await;
    let (failed, delivered) = by_fate(&service);
    assert!(delivered.is_empty(), "{delivered:?}");
    let start = "bad/processing-failed/2023/clicks-1-2023-11-14-22-13-20-";
    assert!(failed[0].key.starts_with(start), "{failed:?}");
    assert!(!failed[0].key.contains('.'), "{failed:?}");
    assert_eq!(failed_lines(&failed[0]).len(), 1);
    assert_counts(&client.delivery("clicks").await, [0, 0, 1]);
    service.stop().await;
}

#[tokio::test]
async fn where_all_records_are_dropped_there_is_no_object() {
    let (service, client, _files) = with_transform("drop-bots", json!({})).await;
    let bot = log_line("/", "Googlebot/2.1");
    client.put_delivery("clicks", &[&bot, &bot]).await;
    client.flush("clicks").await;
    assert!(service.objects(BUCKET).is_empty());
    let page = client.delivery("clicks").await;
    assert_counts(&page, [0, 2, 0]);
    assert_eq!(
        (&page["objects"], &page["waitingRecords"]),
        (&json!(0), &json!(0))
    );
    service.stop().await;
}

#[tokio::test]
async fn many_batches_of_one_object_keep_their_order() {
    let (service, client, _files) = with_transform("redact-card-numbers", json!({})).await;
    let mut wanted = String::new();
    // More records than one batch takes, then more bytes.
    for round in 0..5 {
        let records: Vec<String> = (0..500)
            .map(|number| format!("{round}-{number}: {CARD}\n"))
            .collect();
        client.put_delivery("clicks", &records).await;
        wanted += &records.concat();
    }
    for letter in ["a", "b", "c", "d"] {
        let record = format!("{}: {CARD}\n", letter.repeat(700_000));
        client.put_delivery("clicks", &[&record]).await;
        wanted += &record;
    }
    client.flush("clicks").await;
    let delivered = service.delivered();
    assert_eq!(delivered.len(), 1);
    assert!(delivered[0] == wanted.replace(CARD, MASKED), "not in order");
    assert_counts(&client.delivery("clicks").await, [2_504, 0, 0]);
    service.stop().await;
}

#[tokio::test]
async fn a_function_has_any_name_that_lambda_takes() {
    let name = "Redact_Cards-2";
    let files = PluginFiles::with(&[]);
    files.add_redaction_as(name);
    let service = files.start().await;
    let client = service.client();
    let more = json!({"ProcessingConfiguration": through(name)});
    client.create_delivery("clicks", more).await;
    client.put_delivery("clicks", &[CARD]).await;
    client.flush("clicks").await;
    assert_eq!(service.delivered(), [MASKED]);
    service.stop().await;
}

#[tokio::test]
async fn a_delimiter_comes_after_the_transform() {
    let files = PluginFiles::with(&["drop-bots"]);
    let service = files.start().await;
    let client = service.client();
    let arn = function("drop-bots");
    let both = processing(&[
        ("Lambda", &[("LambdaArn", &*arn), ("NumberOfRetries", "0")]),
        ("AppendDelimiterToRecord", &[]),
    ]);
    let more = json!({"ProcessingConfiguration": both});
    client.create_delivery("clicks", more).await;
    let lines = ["Mozilla/5.0", "Googlebot/2.1", "curl/8"].map(|agent| log_line("/", agent));
    client.put_delivery("clicks", &lines).await;
    client.flush("clicks").await;
    assert_eq!(
        service.delivered(),
        [format!("{}\n{}\n", lines[0], lines[2])]
    );
    service.stop().await;
}

/// A batch whose outputs are more than a plugin may give makes it trap. The batch is divided until
/// what it cannot take stands alone.
#[tokio::test]
async fn one_record_that_makes_the_plugin_trap_costs_one_record() {
    let files = PluginFiles::with(&["redact-card-numbers"]);
    let limits = wasm::Limits {
        output_bytes_max: 64 * 1024,
        ..wasm::Limits::default()
    };
    let service = files.start_within(limits).await;
    let client = service.client();
    let more = json!({"ProcessingConfiguration": through("redact-card-numbers")});
    client.create_delivery("clicks", more).await;
    let mut records: Vec<String> = (0..40).map(|n| format!("{n}: {CARD}\n")).collect();
    let wanted = records.concat().replace(CARD, MASKED);
    let large = "x".repeat(100_000);
    records.insert(23, large.clone());
    client.put_delivery("clicks", &records).await;
    client.flush("clicks").await;

    let (failed, delivered) = by_fate(&service);
    assert_eq!(delivered[0].text(), wanted);
    let line = failed_lines(&failed[0]).remove(0);
    assert_eq!(line["rawData"], base64(&large));
    assert_eq!(line["errorCode"], "Lambda.FunctionError");
    let message = line["errorMessage"].as_str().unwrap();
    assert!(message.starts_with("it trapped: "), "{message}");
    assert!(2 <= line["attemptsMade"].as_u64().unwrap(), "{line}");
    assert_eq!((failed.len(), delivered.len()), (1, 1));
    assert_counts(&client.delivery("clicks").await, [40, 0, 1]);
    let plugin = client.read_page("plugins/redact-card-numbers").await;
    assert!(2 <= plugin["traps"].as_u64().unwrap(), "{plugin}");
    service.stop().await;
}

#[tokio::test]
async fn the_records_of_a_stream_go_through_a_plugin_too() {
    let files = PluginFiles::with(&["redact-card-numbers"]);
    let service = files.start().await;
    let client = service.client();
    client.create("orders", 1).await;
    service.pass(std::time::Duration::from_millis(10));
    let more = json!({"ProcessingConfiguration": through("redact-card-numbers")});
    client.create_delivery_of("copy", "orders", more).await;
    for data in [CARD, " and ", CARD] {
        client.put("orders", &base64(data)).await;
    }
    client.flush("copy").await;
    assert_eq!(service.delivered(), [format!("{MASKED} and {MASKED}")]);
    assert_counts(&client.delivery("copy").await, [3, 0, 0]);
    service.stop().await;
}

#[tokio::test]
async fn a_processing_that_is_not_enabled_changes_nothing() {
    let (service, client, _files) = with_transform("redact-card-numbers", json!({})).await;
    let mut off = through("redact-card-numbers");
    off["Enabled"] = json!(false);
    let update = json!({
        "DeliveryStreamName": "clicks",
        "CurrentDeliveryStreamVersionId": "1",
        "DestinationId": "destinationId-000000000001",
        "ExtendedS3DestinationUpdate": {"ProcessingConfiguration": off},
    });
    client.call("Firehose.UpdateDestination", update).await;
    client.put_delivery("clicks", &[CARD]).await;
    client.flush("clicks").await;
    assert_eq!(service.delivered(), [CARD]);
    service.stop().await;
}

#[tokio::test]
async fn counts_go_on_over_a_restart() {
    let (service, client, _files) = with_transform("drop-bots", json!({})).await;
    let records = ["Mozilla/5.0", "Googlebot/2.1"].map(|agent| log_line("/", agent));
    client.put_delivery("clicks", &records).await;
    client.flush("clicks").await;
    client.put_delivery("clicks", &records).await;
    let service = service.restart().await;
    let client = service.client();
    client.flush("clicks").await;
    assert_counts(&client.delivery("clicks").await, [2, 2, 0]);
    assert_eq!(service.delivered(), [&*records[0], &*records[0]]);
    service.stop().await;
}
