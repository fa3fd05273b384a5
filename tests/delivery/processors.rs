//! Records that CloudWatch Logs sends are decompressed, and become the messages in them, before a
//! plugin or a destination sees them; what cannot be is kept as it came in.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use millrace_tests::{BUCKET, Client, ROLE, Service, base64};
use serde_json::{Value, json};

use crate::endpoint::{Endpoint, NAME};
use crate::plugin_files::PluginFiles;
use crate::{function, processing};

const CARD: &str = "4111 1111 1111 1111";
const MASKED: &str = "**** **** **** 1111";
/// The arrival of every record, and the moment of every cut: the clock stands still.
const NOW: u64 = 1_700_000_000_000;

const DECOMPRESSION: (&str, &[(&str, &str)]) = ("Decompression", &[("CompressionFormat", "GZIP")]);
const EXTRACTION: (&str, &[(&str, &str)]) = (
    "CloudWatchLogProcessing",
    &[("DataMessageExtraction", "true")],
);

fn gzip(data: impl AsRef<[u8]>) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(data.as_ref()).unwrap();
    packed.finish().unwrap()
}

/// What CloudWatch Logs says of these messages.
fn sent(kind: &str, messages: &[&str]) -> String {
    let events = messages.iter().enumerate().map(|(place, message)| {
        json!({"id": place.to_string(), "timestamp": 1_510_109_208_016_u64, "message": message})
    });
    json!({
        "messageType": kind,
        "owner": "123456789012",
        "logGroup": "log_group_name",
        "logStream": "log_stream_name",
        "subscriptionFilters": ["subscription_filter_name"],
        "logEvents": events.collect::<Vec<_>>(),
    })
    .to_string()
}

/// A record with these messages.
fn logs(messages: &[&str]) -> Vec<u8> {
    gzip(sent("DATA_MESSAGE", messages))
}

fn control() -> Vec<u8> {
    let check = "CWL CONTROL MESSAGE: Checking health of destination Firehose.";
    gzip(sent("CONTROL_MESSAGE", &[check]))
}

/// Members of a destination with these processors.
fn with(processors: &[(&str, &[(&str, &str)])]) -> Value {
    json!({"ProcessingConfiguration": processing(processors)})
}

async fn started(processors: &[(&str, &[(&str, &str)])]) -> (Service, Client) {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("logs", with(processors)).await;
    (service, client)
}

/// The lines below the error prefix, in order.
fn failed_lines(service: &Service) -> Vec<Value> {
    let objects = service.objects(BUCKET).into_iter();
    let failed = objects.filter(|object| object.key.contains("processing-failed/"));
    let lines = failed.flat_map(|object| {
        let lines = object.text().lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect::<Vec<Value>>()
    });
    lines.collect()
}

/// The texts of delivered objects.
fn delivered(service: &Service) -> Vec<String> {
    let objects = service.objects(BUCKET).into_iter();
    let delivered = objects.filter(|object| !object.key.contains("processing-failed/"));
    delivered.map(|object| object.text().to_owned()).collect()
}

/// The line of a record that could not be unpacked, and no plugin saw.
fn failure(data: &[u8], code: &str, message: &str) -> Value {
    json!({
        "attemptsMade": 1,
        "arrivalTimestamp": NOW,
        "errorCode": code,
        "errorMessage": message,
        "attemptEndingTimestamp": NOW,
        "rawData": base64(data),
        "lambdaARN": "",
    })
}

/// What became of records: delivered, dropped, failed.
#[track_caller]
fn assert_counts(page: &Value, [delivered, dropped, failed]: [u64; 3]) {
    for (name, wanted) in [
        ("recordsIn", delivered + dropped + failed),
        ("delivered", delivered),
        ("dropped", dropped),
        ("failed", failed),
        ("lost", 0),
        ("waitingRecords", 0),
    ] {
        assert_eq!(page[name], wanted, "{name}: {page}");
    }
}

#[tokio::test]
async fn records_are_decompressed_and_nothing_else_is_done_to_them() {
    for processors in [
        &[DECOMPRESSION][..],
        &[("Decompression", &[])],
        &[
            DECOMPRESSION,
            (
                "CloudWatchLogProcessing",
                &[("DataMessageExtraction", "false")],
            ),
        ],
    ] {
        let (service, client) = started(processors).await;
        let text = sent("DATA_MESSAGE", &["one", "two\n"]);
        let members = [gzip("a member,"), gzip(" and another")].concat();
        let records = [gzip(&text), members, gzip(""), control(), gzip("\u{fc}")];
        client.put_delivery("logs", &records).await;
        client.flush("logs").await;
        let control = sent(
            "CONTROL_MESSAGE",
            &["CWL CONTROL MESSAGE: Checking health of destination Firehose."],
        );
        let wanted = format!("{text}a member, and another{control}\u{fc}");
        assert_eq!(service.delivered(), [wanted]);
        assert_counts(&client.delivery("logs").await, [5, 0, 0]);
        service.stop().await;
    }
}

#[tokio::test]
async fn each_message_becomes_a_line_and_a_control_message_is_dropped_and_counted() {
    let (service, client) = started(&[DECOMPRESSION, EXTRACTION]).await;
    let records = [
        logs(&["one", "two\n", "", "{\"three\":3}"]),
        control(),
        logs(&[]),
        [logs(&["four"]), logs(&["five"])].concat(),
        logs(&["six"]),
    ];
    client.put_delivery("logs", &records).await;
    client.flush("logs").await;
    let wanted = "one\ntwo\n\n{\"three\":3}\nfour\nfive\nsix\n";
    assert_eq!(service.delivered(), [wanted]);
    let page = client.delivery("logs").await;
    assert_counts(&page, [4, 1, 0]);
    assert_eq!(page["bytesDelivered"], wanted.len());
    service.stop().await;
}

#[tokio::test]
async fn a_stream_gives_its_records_as_they_came_and_their_messages_are_delivered() {
    let service = Service::start().await;
    let client = service.client();
    client.create("source", 1).await;
    let more = with(&[DECOMPRESSION, EXTRACTION, ("AppendDelimiterToRecord", &[])]);
    client.create_delivery_of("logs", "source", more).await;
    let records = [logs(&["one", "two"]), b"no gzip".to_vec(), logs(&["three"])];
    for record in &records {
        client.put("source", &base64(record)).await;
    }
    client.flush("logs").await;
    assert_eq!(delivered(&service), ["one\ntwo\nthree\n"]);
    assert_eq!(failed_lines(&service)[0]["rawData"], base64("no gzip"));
    assert_counts(&client.delivery("logs").await, [2, 0, 1]);
    assert_eq!(client.data("source").await, records.map(base64));
    service.stop().await;
}

#[tokio::test]
async fn what_cannot_be_decompressed_or_has_no_messages_is_kept_as_it_came_in() {
    let (service, client) = started(&[DECOMPRESSION, EXTRACTION]).await;
    let whole = logs(&["kept"]);
    let cut_off = whole[..whole.len() - 1].to_vec();
    let followed = [&whole[..], b"more"].concat();
    let (not_json, no_logs) = (gzip("a line"), gzip(r#"{"messageType":"DATA_MESSAGE"}"#));
    let good = |number: u32| logs(&[&number.to_string()]);
    let records = [
        good(1),
        b"no gzip".to_vec(),
        Vec::new(),
        good(2),
        cut_off.clone(),
        followed.clone(),
        good(3),
        not_json.clone(),
        no_logs.clone(),
        good(4),
    ];
    client.put_delivery("logs", &records).await;
    client.flush("logs").await;
    assert_eq!(delivered(&service), ["1\n2\n3\n4\n"]);
    let damaged = |data: &[u8]| {
        let what = "The record is damaged gzip";
        failure(data, "Millrace.DecompressionFailed", what)
    };
    let not_gzip = |data: &[u8]| {
        let what = "The record is not compressed with gzip";
        failure(data, "Millrace.DecompressionFailed", what)
    };
    let not_sent = |data: &[u8]| {
        let what = "The decompressed record is not what CloudWatch Logs sends";
        failure(data, "Millrace.MessageExtractionFailed", what)
    };
    let wanted = [
        not_gzip(b"no gzip"),
        not_gzip(b""),
        damaged(&cut_off),
        damaged(&followed),
        not_sent(&not_json),
        not_sent(&no_logs),
    ];
    assert_eq!(failed_lines(&service), wanted);
    assert_counts(&client.delivery("logs").await, [4, 0, 6]);
    service.stop().await;
}

/// Some hundred kilobytes that would become as many megabytes.
#[tokio::test]
async fn bombs_fail_within_the_memory_of_a_cut() {
    let (service, client) = started(&[DECOMPRESSION, EXTRACTION]).await;
    let zeros = gzip(vec![0; 48 << 20]);
    let all = zeros.repeat(4);
    assert!(all.len() < 1_000_000, "{}", all.len());
    let mut records = vec![logs(&["before"])];
    records.extend(vec![all.clone(); 3]);
    // One that is no larger than a record may be, and is none of CloudWatch Logs.
    let large = gzip(vec![b' '; 10 << 20]);
    records.extend([large.clone(), logs(&["after"])]);
    for record in &records {
        client
            .put_delivery("logs", std::slice::from_ref(record))
            .await;
    }
    client.flush("logs").await;
    assert_eq!(delivered(&service), ["before\nafter\n"]);
    let bomb = failure(
        &all,
        "Millrace.DecompressionFailed",
        "The record decompresses to more than 10485760 bytes",
    );
    let lines = failed_lines(&service);
    assert_eq!(lines.len(), 4);
    assert!(lines[..3].iter().all(|line| *line == bomb));
    assert_eq!(lines[3]["errorCode"], "Millrace.MessageExtractionFailed");
    assert_eq!(lines[3]["rawData"], base64(&large));
    assert_counts(&client.delivery("logs").await, [2, 0, 4]);
    let metrics = client.metrics_of_all().await;
    let peak = metrics
        .lines()
        .find_map(|line| line.strip_prefix("millrace_delivery_work_bytes_peak "))
        .unwrap();
    let peak: f64 = peak.parse().unwrap();
    // Five times what a record may become, and the cut.
    assert!(
        (52_000_000.0..80_000_000.0).contains(&peak),
        "{peak} bytes at a time"
    );
    service.stop().await;
}

/// More than an object holds comes of few bytes: it leaves as it becomes ready.
#[tokio::test]
async fn records_that_become_a_hundred_times_as_much_are_delivered_in_several_objects() {
    let (service, client) = started(&[DECOMPRESSION, EXTRACTION]).await;
    let long = "x".repeat(9_000_000);
    let records: Vec<_> = (0..6).map(|n| logs(&[&long, &n.to_string()])).collect();
    client.put_delivery("logs", &records).await;
    client.flush("logs").await;
    let objects = delivered(&service);
    assert!(objects.len() > 1, "{}", objects.len());
    let text = objects.concat();
    let wanted: String = (0..6).map(|n| format!("{long}\n{n}\n")).collect();
    assert!(text == wanted, "{} of {} bytes", text.len(), wanted.len());
    assert_counts(&client.delivery("logs").await, [6, 0, 0]);
    service.stop().await;
}

#[tokio::test]
async fn a_plugin_sees_what_records_become_and_its_failures_hold_them_as_they_came_in() {
    let files = PluginFiles::with(&["redact-card-numbers", "parse-access-log"]);
    let service = files.start().await;
    let client = service.client();
    let lambda = |plugin: &str| function(plugin);
    let (masks, parses) = (lambda("redact-card-numbers"), lambda("parse-access-log"));
    let processors = [
        ("Lambda", &[("LambdaArn", &masks[..])][..]),
        EXTRACTION,
        DECOMPRESSION,
    ];
    client.create_delivery("logs", with(&processors)).await;
    // Enough for more than one batch, with what no plugin sees in between.
    let mut records = Vec::new();
    let mut wanted = String::new();
    for number in 0..1_200 {
        match number % 100 {
            17 => records.push(b"no gzip".to_vec()),
            50 => records.push(control()),
            _ => {
                records.push(logs(&[&format!("{number} has {CARD}"), "none"]));
                wanted += &format!("{number} has {MASKED}\nnone\n");
            }
        }
    }
    for records in records.chunks(400) {
        client.put_delivery("logs", records).await;
    }
    client.flush("logs").await;
    assert!(delivered(&service).concat() == wanted);
    let lines = failed_lines(&service);
    assert_eq!(lines.len(), 12);
    for line in lines {
        assert_eq!(line["rawData"], base64("no gzip"), "{line}");
        assert_eq!(line["lambdaARN"], masks);
    }
    assert_counts(&client.delivery("logs").await, [1_176, 12, 12]);

    let processors = [DECOMPRESSION, ("Lambda", &[("LambdaArn", &parses[..])][..])];
    client.create_delivery("access", with(&processors)).await;
    let record = gzip("no line of an access log");
    client
        .put_delivery("access", &[b"no gzip".to_vec(), record.clone()])
        .await;
    client.flush("access").await;
    let lines = failed_lines(&service).into_iter();
    let lines: Vec<_> = lines.filter(|line| line["lambdaARN"] == parses).collect();
    let told = lines.iter().map(|line| {
        let code = line["errorCode"].as_str().unwrap();
        (code, line["rawData"].as_str().unwrap().to_owned())
    });
    let wanted = [
        ("Millrace.DecompressionFailed", base64("no gzip")),
        ("Lambda.ProcessingFailedStatus", base64(&record)),
    ];
    assert_eq!(told.collect::<Vec<_>>(), wanted);
    assert_counts(&client.delivery("access").await, [0, 0, 2]);
    service.stop().await;
}

#[tokio::test]
async fn an_endpoint_gets_what_records_become() {
    let endpoint = Endpoint::saying(&[]).await;
    let (service, client) = endpoint.server().await;
    let more = with(&[DECOMPRESSION, EXTRACTION]);
    endpoint.create(&client, more).await;
    let records = [
        logs(&["one", "two"]),
        b"no gzip".to_vec(),
        control(),
        logs(&["three"]),
    ];
    client.put_delivery(NAME, &records).await;
    client.flush(NAME).await;
    let heard = endpoint.heard();
    let [request] = &heard[..] else {
        panic!("{heard:?}")
    };
    assert_eq!(request.records(), ["one\ntwo\n", "three\n"].map(base64));
    assert_eq!(failed_lines(&service)[0]["rawData"], base64("no gzip"));
    assert_counts(&client.delivery(NAME).await, [2, 1, 1]);
    service.stop().await;
}

/// What comes of records and what came in are in two buckets.
#[tokio::test]
async fn a_backup_holds_records_as_they_came_in() {
    let service = Service::start().await;
    let client = service.client();
    let mut more = with(&[DECOMPRESSION, EXTRACTION]);
    more["S3BackupMode"] = json!("Enabled");
    more["S3BackupConfiguration"] = json!({"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::raw"});
    client.create_delivery("logs", more).await;
    let records = [logs(&["one"]), b"no gzip".to_vec(), control()];
    client.put_delivery("logs", &records).await;
    client.flush("logs").await;
    let backup = service.objects("raw");
    assert_eq!(backup.len(), 1);
    assert_eq!(backup[0].content, records.concat());
    assert_eq!(delivered(&service), ["one\n"]);
    assert_eq!(failed_lines(&service).len(), 1);
    assert_counts(&client.delivery("logs").await, [1, 1, 1]);
    service.stop().await;
}

async fn updated(client: &Client, version: &str, more: Value) {
    let input = json!({
        "DeliveryStreamName": "logs",
        "CurrentDeliveryStreamVersionId": version,
        "DestinationId": "destinationId-000000000001",
        "ExtendedS3DestinationUpdate": more,
    });
    client.call("Firehose.UpdateDestination", input).await;
}

/// A record that failed goes through the same again, until the configuration lets it through.
#[tokio::test]
async fn dead_letters_go_through_it_again() {
    let (service, client) = started(&[DECOMPRESSION, EXTRACTION]).await;
    client.put_delivery("logs", &[gzip("a line\n")]).await;
    client.flush("logs").await;
    let replay = async || {
        let page = client.read_page("delivery-streams/logs/dead-letters").await;
        let letters = page["deadLetters"].as_array().unwrap();
        let open = letters.iter().find(|it| it["state"] == "open").unwrap();
        let order = json!({"letter": open["object"]});
        let page = "delivery-streams/logs/dead-letters/replay";
        let (status, answer) = client.post_page(page, &order).await;
        assert_eq!((status, &answer["now"]), (200, &json!(1)), "{answer}");
        client.flush("logs").await;
    };
    replay().await;
    let mut attempts: Vec<_> = failed_lines(&service)
        .iter()
        .map(|line| line["attemptsMade"].as_u64().unwrap())
        .collect();
    attempts.sort_unstable();
    assert_eq!(attempts, [1, 2]);
    updated(&client, "1", with(&[DECOMPRESSION])).await;
    replay().await;
    assert_eq!(delivered(&service), ["a line\n"]);
    let page = client.delivery("logs").await;
    assert_eq!(
        (&page["recordsIn"], &page["delivered"], &page["failed"]),
        (&json!(3), &json!(1), &json!(2))
    );
    service.stop().await;
}

#[tokio::test]
async fn what_waits_over_a_restart_is_decompressed_and_the_processors_are_described() {
    let (service, client) = started(&[EXTRACTION, ("Decompression", &[])]).await;
    client.put_delivery("logs", &[logs(&["one"])]).await;
    let service = service.restart().await;
    let client = service.client();
    client.delivery_is_active("logs").await;
    client.put_delivery("logs", &[logs(&["two"])]).await;
    client.flush("logs").await;
    assert_eq!(delivered(&service).concat(), "one\ntwo\n");
    let description = client.describe_delivery("logs").await;
    let destination = &description["Destinations"][0]["ExtendedS3DestinationDescription"];
    // A format that was not said is the only one.
    let wanted = processing(&[EXTRACTION, DECOMPRESSION]);
    assert_eq!(destination["ProcessingConfiguration"], wanted);
    // Switched off, records are what they are.
    let off = json!({"ProcessingConfiguration": {"Enabled": false}});
    updated(&client, "1", off).await;
    client.put_delivery("logs", &["as it is"]).await;
    client.flush("logs").await;
    assert_eq!(delivered(&service).concat(), "one\ntwo\nas it is");
    service.stop().await;
}
