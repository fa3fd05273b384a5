//! What becomes of records that are put to a delivery stream without a transform.

use std::io::Read;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use millrace_tests::{BUCKET, Client, Object, Service};
use serde_json::{Value, json};

use crate::processing;

async fn with_delivery_stream(more: Value) -> (Service, Client) {
    let service = Service::start().await;
    let client = service.client();
    client.create_delivery("clicks", more).await;
    (service, client)
}

fn keys(service: &Service) -> Vec<String> {
    let objects = service.objects(BUCKET).into_iter();
    objects.map(|object| object.key).collect()
}

/// Whether a name is `start`, a UUID and `end`.
#[track_caller]
fn assert_is_named(key: &str, start: &str, end: &str) {
    let id = key
        .strip_prefix(start)
        .and_then(|rest| rest.strip_suffix(end));
    let parts: Vec<usize> = id.unwrap_or("").split('-').map(str::len).collect();
    assert_eq!(parts, [8, 4, 4, 4, 12], "{key}");
}

#[tokio::test]
async fn objects_in_the_order_of_their_names_hold_each_record_once_in_order() {
    let (service, client) = with_delivery_stream(json!({})).await;
    let mut wanted = Vec::new();
    for round in 0..12 {
        let numbers = round * 40..(round + 1) * 40;
        let lines: Vec<String> = numbers.map(|number| format!("{number}\n")).collect();
        client.put_delivery("clicks", &lines[..15]).await;
        client.put_delivery("clicks", &lines[15..]).await;
        client.flush("clicks").await;
        wanted.push(lines.concat());
    }
    assert_eq!(service.delivered(), wanted);
    client.flush("clicks").await;
    assert_eq!(service.delivered().len(), 12, "nothing waited");
    let page = client.delivery("clicks").await;
    assert_eq!(
        (&page["recordsIn"], &page["delivered"]),
        (&json!(480), &json!(480))
    );
    assert_eq!(
        (&page["objects"], &page["failedObjects"]),
        (&json!(12), &json!(0))
    );
    service.stop().await;
}

#[tokio::test]
async fn gzip_packs_what_is_delivered_and_says_so_in_the_name() {
    let (service, client) = with_delivery_stream(json!({"CompressionFormat": "GZIP"})).await;
    let lines: Vec<String> = (0..400).map(|number| format!("line {number}\n")).collect();
    client.put_delivery("clicks", &lines).await;
    client.flush("clicks").await;
    let Object { key, content } = service.objects(BUCKET).remove(0);
    let start = "2023/11/14/22/clicks-1-2023-11-14-22-13-20-";
    assert_is_named(&key, start, ".gz");
    let mut unpacked = String::new();
    MultiGzDecoder::new(&content[..])
        .read_to_string(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, lines.concat());
    assert!(content.len() < unpacked.len() / 2, "{}", content.len());
    service.stop().await;
}

/// What each format begins with, by its own description, and that it packs. Other people's code
/// reads all of it in the conformance tests.
#[tokio::test]
async fn every_format_packs_what_is_delivered_and_describes_itself() {
    let beginnings: [(&str, &[u8]); 4] = [
        ("ZIP", b"PK\x03\x04"),
        ("Snappy", b"\xff\x06\0\0sNaPpY"),
        // The length of the content.
        ("HADOOP_SNAPPY", &2_200_u32.to_be_bytes()),
        ("ZSTD", b"\x28\xb5\x2f\xfd"),
    ];
    for (compression, beginning) in beginnings {
        let more = json!({"CompressionFormat": compression});
        let (service, client) = with_delivery_stream(more).await;
        let description = client.describe_delivery("clicks").await;
        let description = &description["Destinations"][0]["ExtendedS3DestinationDescription"];
        assert_eq!(description["CompressionFormat"], compression);
        let lines: Vec<String> = (0..200)
            .map(|number| format!("line {number:>5}\n"))
            .collect();
        client.put_delivery("clicks", &lines).await;
        client.flush("clicks").await;
        let Object { content, .. } = service.objects(BUCKET).remove(0);
        assert!(
            content.starts_with(beginning),
            "{compression}: {:?}",
            &content[..12]
        );
        assert!(content.len() < 1_700, "{compression}: {}", content.len());
        service.stop().await;
    }
}

#[tokio::test]
async fn names_end_as_the_configuration_says() {
    for (compression, extension, end) in [
        ("UNCOMPRESSED", "", ""),
        ("UNCOMPRESSED", ".json", ".json"),
        ("GZIP", ".json.gz", ".json.gz"),
        ("ZIP", "", ".zip"),
        ("Snappy", "", ".snappy"),
        ("HADOOP_SNAPPY", "", ".hsnappy"),
        ("ZSTD", "", ".zst"),
        ("ZSTD", ".zstd", ".zstd"),
    ] {
        let more = json!({"CompressionFormat": compression, "FileExtension": extension});
        let (service, client) = with_delivery_stream(more).await;
        client.put_delivery("clicks", &["x"]).await;
        client.flush("clicks").await;
        let start = "2023/11/14/22/clicks-1-2023-11-14-22-13-20-";
        assert_is_named(&keys(&service)[0], start, end);
        service.stop().await;
    }
}

#[tokio::test]
async fn prefixes_are_evaluated_for_each_object_by_its_oldest_record() {
    let (service, client) = with_delivery_stream(json!({
        "Prefix": "a/!{timestamp:'day='dd'/'HH-mm-ss}/!{firehose:random-string}/",
        "ErrorOutputPrefix": "bad/!{firehose:error-output-type}/",
    }))
    .await;
    for _ in 0..2 {
        client.put_delivery("clicks", &["old "]).await;
        service.pass(Duration::from_secs(75));
        client.put_delivery("clicks", &["new"]).await;
        client.flush("clicks").await;
    }
    let mut randoms = Vec::new();
    for (key, time) in keys(&service).iter().zip(["22-13-20", "22-14-35"]) {
        let rest = key.strip_prefix(&format!("a/day=14/{time}/")).unwrap();
        let (random, name) = rest.split_once('/').unwrap();
        assert_is_named(name, &format!("clicks-1-2023-11-14-{time}-"), "");
        assert_eq!(random.len(), 11, "{key}");
        randoms.push(random.to_owned());
    }
    assert_ne!(randoms[0], randoms[1]);
    assert_eq!(service.delivered(), ["old new", "old new"]);
    service.stop().await;
}

#[tokio::test]
async fn a_prefix_without_a_time_gets_the_hour_behind_it() {
    for (prefix, start) in [
        ("logs/", "logs/2023/11/14/22/clicks-1-"),
        ("logs-", "logs-2023/11/14/22/clicks-1-"),
        ("", "2023/11/14/22/clicks-1-"),
    ] {
        let (service, client) = with_delivery_stream(json!({"Prefix": prefix})).await;
        client.put_delivery("clicks", &["x"]).await;
        client.flush("clicks").await;
        let keys = keys(&service);
        assert!(keys[0].starts_with(start), "{keys:?}");
        service.stop().await;
    }
}

#[tokio::test]
async fn a_delimiter_ends_each_record_that_does_not_bring_it_along() {
    let default: &[(&str, &str)] = &[];
    for (parameters, wanted) in [
        (default, "a\nb\n\nc|\n"),
        (&[("Delimiter", "\\n")], "a\nb\n\nc|\n"),
        (&[("Delimiter", "|")], "a|b\n||c|"),
        (&[("Delimiter", "\\r\\n")], "a\r\nb\n\r\n\r\nc|\r\n"),
    ] {
        let delimited = processing(&[("AppendDelimiterToRecord", parameters)]);
        let more = json!({"ProcessingConfiguration": delimited});
        let (service, client) = with_delivery_stream(more).await;
        client.put_delivery("clicks", &["a", "b\n", "", "c|"]).await;
        client.flush("clicks").await;
        assert_eq!(service.delivered(), [wanted], "{parameters:?}");
        service.stop().await;
    }
}

#[tokio::test]
async fn records_that_reach_the_size_together_go_at_once() {
    let hints = json!({"SizeInMBs": 1, "IntervalInSeconds": 900});
    let (service, client) = with_delivery_stream(json!({"BufferingHints": hints})).await;
    for letter in ["a", "b", "c", "d", "e"] {
        client
            .put_delivery("clicks", &[letter.repeat(600_000)])
            .await;
    }
    client
        .delivery_until("clicks", |page| {
            page["delivered"] == 4 && page["waitingRecords"] == 1
        })
        .await;
    let cut = |first: &str, second: &str| first.repeat(600_000) + &second.repeat(600_000);
    assert_eq!(service.delivered(), [cut("a", "b"), cut("c", "d")]);
    client.flush("clicks").await;
    assert_eq!(service.delivered()[2], "e".repeat(600_000));
    service.stop().await;
}

#[tokio::test]
async fn a_record_that_may_not_wait_goes_at_once() {
    let hints = json!({"SizeInMBs": 128, "IntervalInSeconds": 0});
    let (service, client) = with_delivery_stream(json!({"BufferingHints": hints})).await;
    for (count, text) in [(1, "one"), (2, "two")] {
        client.put_delivery("clicks", &[text]).await;
        client
            .delivery_until("clicks", |page| page["delivered"] == count)
            .await;
    }
    assert_eq!(service.delivered(), ["one", "two"]);
    service.stop().await;
}

#[tokio::test]
async fn records_go_when_the_oldest_has_waited_for_the_interval() {
    let hints = json!({"SizeInMBs": 128, "IntervalInSeconds": 60});
    let (service, client) = with_delivery_stream(json!({"BufferingHints": hints})).await;
    client.put_delivery("clicks", &["first "]).await;
    let page = client
        .delivery_until("clicks", |page| page["waitingBytes"] != 0)
        .await;
    let bytes_of_first = page["waitingBytes"].as_u64();
    service.pass(Duration::from_secs(59));
    client.put_delivery("clicks", &["second "]).await;
    // The lane has looked at the clock and at both records, and lets them wait.
    let page = client
        .delivery_until("clicks", |page| {
            page["waitingBytes"].as_u64() > bytes_of_first
        })
        .await;
    assert_eq!(page["waitingSinceMs"], 1_700_000_000_000_u64);
    assert!(service.delivered().is_empty());
    service.pass(Duration::from_secs(1));
    client
        .delivery_until("clicks", |page| page["delivered"] == 2)
        .await;
    assert_eq!(service.delivered(), ["first second "]);
    service.stop().await;
}

#[tokio::test]
async fn what_waits_is_delivered_after_a_restart_and_what_was_delivered_is_not() {
    let (mut service, mut client) = with_delivery_stream(json!({})).await;
    for (round, delivered) in [2, 4, 6].into_iter().enumerate() {
        client
            .put_delivery("clicks", &[format!("before {round}, ")])
            .await;
        service = service.restart().await;
        client = service.client();
        client
            .put_delivery("clicks", &[format!("after {round}")])
            .await;
        client.flush("clicks").await;
        service = service.restart().await;
        client = service.client();
        let page = client.delivery("clicks").await;
        assert_eq!(
            (&page["recordsIn"], &page["delivered"]),
            (&json!(delivered), &json!(delivered))
        );
    }
    let wanted = [0, 1, 2].map(|round| format!("before {round}, after {round}"));
    assert_eq!(service.delivered(), wanted);
    service.stop().await;
}

#[tokio::test]
async fn the_interval_goes_on_over_a_restart() {
    let hints = json!({"SizeInMBs": 128, "IntervalInSeconds": 60});
    let (service, client) = with_delivery_stream(json!({"BufferingHints": hints})).await;
    client.put_delivery("clicks", &["waits"]).await;
    service.pass(Duration::from_secs(60));
    let service = service.restart().await;
    service
        .client()
        .delivery_until("clicks", |page| page["delivered"] == 1)
        .await;
    assert_eq!(service.delivered(), ["waits"]);
    service.stop().await;
}

#[tokio::test]
async fn a_bucket_that_cannot_be_written_to_is_tried_until_it_can() {
    let (service, client) = with_delivery_stream(json!({})).await;
    // A file stands where the bucket should be.
    let obstacle = service.buckets().join(BUCKET);
    std::fs::write(&obstacle, "").unwrap();
    let at_once = json!({"SizeInMBs": 128, "IntervalInSeconds": 0});
    let update = json!({
        "DeliveryStreamName": "clicks",
        "CurrentDeliveryStreamVersionId": "1",
        "DestinationId": "destinationId-000000000001",
        "ExtendedS3DestinationUpdate": {"BufferingHints": at_once},
    });
    client.call("Firehose.UpdateDestination", update).await;
    client.put_delivery("clicks", &["kept"]).await;
    let page = client
        .delivery_until("clicks", |page| 2 <= page["retries"].as_u64().unwrap())
        .await;
    assert!(
        page["trouble"].as_str().unwrap().starts_with("put "),
        "{page}"
    );
    assert_eq!(page["delivered"], 0);
    client.put_delivery("clicks", &["and more"]).await;
    let service = service.restart().await;
    let client = service.client();
    let page = client
        .delivery_until("clicks", |page| page["trouble"].is_string())
        .await;
    assert_eq!(page["waitingRecords"], 2);
    std::fs::remove_file(&obstacle).unwrap();
    client.flush("clicks").await;
    let page = client.delivery("clicks").await;
    assert_eq!(
        (&page["delivered"], &page["trouble"]),
        (&json!(2), &Value::Null)
    );
    // Nothing had left of the first, so that it waited with the second.
    assert_eq!(service.delivered(), ["keptand more"]);
    service.stop().await;
}

#[tokio::test]
async fn delivery_streams_do_not_touch_each_other() {
    let service = Service::start().await;
    let client = service.client();
    for name in ["a", "b", "c"] {
        let more = json!({"Prefix": format!("{name}/")});
        client.create_delivery(name, more).await;
        client.put_delivery(name, &[format!("of {name}")]).await;
    }
    client.flush("b").await;
    assert_eq!(service.delivered(), ["of b"]);
    client.flush("a").await;
    client.flush("c").await;
    assert_eq!(service.delivered(), ["of a", "of b", "of c"]);
    service.stop().await;
}

#[tokio::test]
async fn an_object_has_the_name_that_its_prefix_says_letter_by_letter() {
    let prefix = r#"a~b #c*d|e%20f[g]h<i>j^k?l`m\n"o'p{q}r=s&t+u/日é/"#;
    let more = json!({"Prefix": prefix, "ErrorOutputPrefix": "bad/"});
    let (service, client) = with_delivery_stream(more).await;
    client.put_delivery("clicks", &["x"]).await;
    client.flush("clicks").await;
    let keys = keys(&service);
    assert!(keys[0].starts_with(prefix), "{keys:?}");
    assert_eq!(client.delivery("clicks").await["lastObject"], keys[0]);
    service.stop().await;
}

#[tokio::test]
async fn a_flush_that_finds_nothing_does_not_concern_what_comes_later() {
    let (service, client) = with_delivery_stream(json!({})).await;
    client.flush("clicks").await;
    client.put_delivery("clicks", &["one "]).await;
    let is_known = |page: &Value| page["waitingRecords"] == 1 || page["recordsIn"] == 1;
    client.delivery_until("clicks", is_known).await;
    client.put_delivery("clicks", &["two"]).await;
    client.flush("clicks").await;
    assert_eq!(service.delivered(), ["one two"]);
    service.stop().await;
}

#[tokio::test]
async fn cuts_of_a_backlog_follow_each_other_however_large_they_are() {
    const CALLS: usize = 11;
    const RECORDS_PER_CALL: usize = 8;
    const MIB: usize = 1024 * 1024;
    let hints = json!({"SizeInMBs": 17, "IntervalInSeconds": 900});
    let (service, client) = with_delivery_stream(json!({"BufferingHints": hints})).await;
    // A file stands where the bucket should be.
    let obstacle = service.buckets().join(BUCKET);
    std::fs::write(&obstacle, "").unwrap();
    let mut wanted = String::new();
    for call in 0..CALLS {
        let records: Vec<String> = (0..RECORDS_PER_CALL)
            .map(|record| format!("{:08}", call * RECORDS_PER_CALL + record).repeat(62_500))
            .collect();
        client.put_delivery("clicks", &records).await;
        wanted.extend(records);
    }
    std::fs::remove_file(&obstacle).unwrap();
    client.flush("clicks").await;
    let delivered = service.delivered();
    let sizes: Vec<usize> = delivered.iter().map(|object| object.len() / MIB).collect();
    assert_eq!(sizes, [19, 19, 3]);
    assert!(
        delivered.concat() == wanted,
        "other records, or in another order"
    );
    service.stop().await;
}
