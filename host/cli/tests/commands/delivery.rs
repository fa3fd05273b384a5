//! `millrace delivery`: what to do about a delivery that is stuck.

use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};
use std::time::Instant;

use tempfile::tempdir;

use crate::fixture::{self, Server, complaint, millrace, printed};

/// Calls an operation of Data Firehose.
fn call(server: &Server, operation: &str, body: &str) -> String {
    let target = format!("Firehose_20150804.{operation}");
    fixture::call(&server.endpoint, &target, body)
}

fn delivery(server: &Server, arguments: &[&str]) -> Output {
    let mut command = millrace(&["delivery"]);
    command
        .args(arguments)
        .args(["--endpoint", &server.endpoint]);
    command.output().unwrap()
}

const PUT: &str = r#"{"DeliveryStreamName": "logs", "Record": {"Data": "eA=="}}"#;

fn create(server: &Server) {
    call(
        server,
        "CreateDeliveryStream",
        r#"{"DeliveryStreamName": "logs", "ExtendedS3DestinationConfiguration": {
            "RoleARN": "arn:aws:iam::000000000000:role/any", "BucketARN": "arn:aws:s3:::logs",
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}}}"#,
    );
    until_described(server, "ACTIVE");
}

/// Describes the delivery stream until its description has this text.
fn until_described(server: &Server, text: &str) -> String {
    let begun = Instant::now();
    loop {
        let described = printed(delivery(server, &["describe", "logs"]));
        if described.contains(text) {
            return described;
        }
        assert!(begun.elapsed().as_secs() < 60, "{described}");
    }
}

#[test]
fn a_delivery_to_an_http_endpoint_is_created_described_and_listed() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let mut stream = millrace(&["stream", "create", "clicks", "--endpoint", &server.endpoint]);
    printed(stream.output().unwrap());
    let key = dir.path().join("key.txt");
    std::fs::write(&key, "open sesame\n").unwrap();
    let create = |url: &str| {
        let key = key.to_str().unwrap();
        let create = ["create", "logs", "--stream", "clicks", "--to", url];
        delivery(
            &server,
            &[&create[..], &["--access-key-file", key]].concat(),
        )
    };
    let refused = complaint(create("http://127.0.0.1:9/"), 1);
    assert!(
        refused.contains("[egress] allow = [\"127.0.0.1:9\"]"),
        "{refused}"
    );
    printed(create("https://collector.example.com/take"));
    let described = printed(delivery(&server, &["describe", "logs"]));
    let told = "  endpoint         https://collector.example.com/take\n";
    assert!(described.contains(told), "{described}");
    assert!(!described.contains("sesame"), "{described}");
    let listed = printed(delivery(&server, &["list"]));
    let told = "  logs goes to https://collector.example.com/take\n";
    assert!(listed.contains(told), "{listed}");
}

#[test]
fn a_delivery_that_is_stuck_is_described_tried_again_and_skipped() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    create(&server);
    assert_eq!(
        printed(delivery(&server, &["retry", "logs"])),
        "every lane gets on\n"
    );
    // A file lies where the bucket should be.
    std::fs::write(dir.path().join("s3/logs"), "").unwrap();
    call(&server, "PutRecord", PUT);
    let described = until_described(&server, "lane direct does not get on: put ");
    assert!(described.contains("is refused for good"), "{described}");
    assert!(
        described.contains("1 records are on their way, and 0 objects"),
        "{described}"
    );
    for line in [
        "  source           direct puts",
        "  bucket           logs",
        "  lane direct: in 1, delivered 0, dropped 0, failed 0, lost 0, waiting 1",
        "    `millrace delivery retry logs --lane direct` tries them again at once",
        "    `millrace delivery skip logs --lane direct` puts them below the error prefix",
    ] {
        assert!(described.lines().any(|said| said == line), "{described}");
    }

    let retried = printed(delivery(&server, &["retry", "logs", "--lane", "direct"]));
    assert_eq!(retried, "direct: tries 1 records again\n");
    let nowhere = delivery(&server, &["move", "logs", "--lane", "shardId-000000000000"]);
    let told = complaint(nowhere, 1);
    assert!(
        told.contains("no such delivery stream logs with a lane"),
        "{told}"
    );

    until_described(&server, "lane direct does not get on: put ");
    let skipped = printed(delivery(&server, &["skip", "logs"]));
    assert_eq!(
        skipped,
        "direct: skip 1 records; objects of them that may exist already: 0\n"
    );
    // As the description says.
    let told = "these records are skipped; `millrace delivery skip logs --lane direct`";
    let described = until_described(&server, told);
    assert!(described.contains("lost             0"), "{described}");
    let order = ["skip", "logs", "--lane", "direct", "--leave-out"];
    let skipped = printed(delivery(&server, &order));
    assert_eq!(
        skipped,
        "direct: leave-out 1 records; objects of them that may exist already: 0\n"
    );
    let described = until_described(
        &server,
        "lost             1, of which an operator left out 1",
    );
    assert!(!described.contains("does not get on"), "{described}");
    std::fs::remove_file(dir.path().join("s3/logs")).unwrap();
    call(&server, "PutRecord", PUT);
    assert_eq!(
        printed(delivery(&server, &["flush", "logs"])),
        "delivered\n"
    );
    until_described(&server, "in               2");
}

/// It said `delivered` and ended well.
#[test]
fn a_flush_whose_records_are_left_out_says_so_and_fails() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    create(&server);
    // A file lies where the bucket should be.
    std::fs::write(dir.path().join("s3/logs"), "").unwrap();
    call(&server, "PutRecord", PUT);
    until_described(&server, "lane direct does not get on: put ");
    let mut flush = millrace(&["delivery", "flush", "logs"]);
    flush.args(["--endpoint", &server.endpoint]);
    flush.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut flushing = flush.spawn().unwrap();
    let mut says = String::new();
    let out = flushing.stdout.take().unwrap();
    BufReader::new(out).read_line(&mut says).unwrap();
    assert!(says.starts_with("1 records wait: put "), "{says}");
    printed(delivery(&server, &["skip", "logs", "--leave-out"]));
    let told = complaint(flushing.wait_with_output().unwrap(), 1);
    let lost = "not delivered: 1 of the records that waited are lost, and 0 still wait";
    assert!(told.contains(lost), "{told}");
}

#[test]
fn a_delivery_stream_is_changed_in_part_and_deleted_once_nothing_waits() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let mut stream = millrace(&["stream", "create", "clicks", "--endpoint", &server.endpoint]);
    printed(stream.output().unwrap());
    printed(delivery(&server, &["create", "logs", "--stream", "clicks"]));
    let nothing = complaint(delivery(&server, &["update", "logs"]), 2);
    assert!(nothing.contains("--prefix"), "{nothing}");
    let update = [
        "update",
        "logs",
        "--prefix",
        "new/",
        "--compression",
        "GZIP",
    ];
    let told = printed(delivery(&server, &update));
    assert_eq!(told, "logs goes by version 2 of its configuration\n");
    let told = printed(delivery(&server, &update));
    assert_eq!(told, "logs is so already, since version 2\n");
    let told = complaint(
        delivery(&server, &["update", "logs", "--to", "https://a.b/"]),
        1,
    );
    assert!(told.contains("it delivers to S3"), "{told}");
    let put = r#"{"StreamName": "clicks", "Data": "eA==", "PartitionKey": "a"}"#;
    fixture::call(&server.endpoint, "Kinesis_20131202.PutRecord", put);
    let told = complaint(delivery(&server, &["delete", "logs"]), 1);
    assert!(
        told.contains("records wait that logs has not delivered (1)"),
        "{told}"
    );
    printed(delivery(&server, &["flush", "logs"]));
    let described = until_described(&server, "new/");
    assert!(described.contains(".gz"), "{described}");
    let told = printed(delivery(&server, &["delete", "logs"]));
    assert_eq!(told, "logs is being deleted\n");
    let told = complaint(delivery(&server, &["delete", "none"]), 1);
    assert!(told.contains("no such delivery stream none"), "{told}");
}

/// What is said of an endpoint, of its requests or of processing replaces all of it, so that the
/// command says again what is to stay.
#[test]
fn an_update_of_an_endpoint_leaves_what_it_does_not_name() {
    let dir = tempdir().unwrap();
    let plugins = fixture::plugins_with(dir.path(), "parse-access-log");
    let server = Server::start(dir.path(), &["--plugins", plugins.to_str().unwrap()]);
    fixture::until(&server, &["plugin", "list"], "running");
    let mut stream = millrace(&["stream", "create", "clicks", "--endpoint", &server.endpoint]);
    printed(stream.output().unwrap());
    let url = "https://collector.example.com/take";
    let create = ["create", "logs", "--stream", "clicks", "--to", url];
    printed(delivery(&server, &create));
    let processing = r#"{"DeliveryStreamName": "logs", "CurrentDeliveryStreamVersionId": "1",
        "DestinationId": "destinationId-000000000001", "HttpEndpointDestinationUpdate": {
            "EndpointConfiguration": {
                "Url": "https://collector.example.com/take", "Name": "my collector"},
            "RequestConfiguration": {"CommonAttributes": [
                {"AttributeName": "team", "AttributeValue": "a"}]},
            "ProcessingConfiguration": {"Enabled": true, "Processors": [
                {"Type": "AppendDelimiterToRecord", "Parameters": []}]}}}"#;
    call(&server, "UpdateDestination", processing);
    for update in [
        &["--plugin", "parse-access-log"][..],
        &["--compression", "GZIP"],
        &["--size", "2", "--interval", "30", "--error-prefix", "bad/"],
    ] {
        printed(delivery(&server, &[&["update", "logs"], update].concat()));
    }
    let name = r#"{"DeliveryStreamName": "logs"}"#;
    let described = call(&server, "DescribeDeliveryStream", name);
    for told in [
        "AppendDelimiterToRecord",
        "function:parse-access-log",
        r#""AttributeName":"team""#,
        r#""ContentEncoding":"GZIP""#,
        r#""SizeInMBs":2"#,
        "bad/",
        url,
        r#""VersionId":"5""#,
    ] {
        assert!(described.contains(told), "{told}: {described}");
    }
    printed(delivery(&server, &["update", "logs", "--no-plugin"]));
    let described = call(&server, "DescribeDeliveryStream", name);
    assert!(
        !described.contains("function:parse-access-log"),
        "{described}"
    );
    assert!(described.contains("AppendDelimiterToRecord"), "{described}");
    let other = "https://collector.example.com/other";
    printed(delivery(&server, &["update", "logs", "--to", other]));
    let described = call(&server, "DescribeDeliveryStream", name);
    for told in [other, r#""Name":"my collector""#] {
        assert!(described.contains(told), "{told}: {described}");
    }
    complaint(
        delivery(&server, &["update", "logs", "--compression", "ZIP"]),
        1,
    );
}

/// What was switched off was on again without its plugin.
#[test]
fn processing_that_is_switched_off_stays_off_whatever_plugin_it_has() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let mut stream = millrace(&["stream", "create", "clicks", "--endpoint", &server.endpoint]);
    printed(stream.output().unwrap());
    let create = ["create", "logs", "--stream", "clicks", "--bucket", "logs"];
    printed(delivery(&server, &create));
    let processing = r#"{"DeliveryStreamName": "logs", "CurrentDeliveryStreamVersionId": "1",
        "DestinationId": "destinationId-000000000001", "ExtendedS3DestinationUpdate": {
            "ProcessingConfiguration": {"Enabled": false, "Processors": [
                {"Type": "AppendDelimiterToRecord", "Parameters": []}]}}}"#;
    call(&server, "UpdateDestination", processing);
    printed(delivery(&server, &["update", "logs", "--no-plugin"]));
    let name = r#"{"DeliveryStreamName": "logs"}"#;
    let described = call(&server, "DescribeDeliveryStream", name);
    let is_off = r#""ProcessingConfiguration":{"Enabled":false"#;
    assert!(described.contains(is_off), "{described}");
}

#[test]
fn what_is_delivered_is_followed_and_what_is_retained_is_delivered_once_more() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let endpoint = ["--endpoint", &server.endpoint];
    let run = |arguments: &[&str]| millrace(arguments).args(endpoint).output().unwrap();
    printed(run(&["stream", "create", "clicks"]));
    printed(run(&[
        "delivery", "create", "logs", "--stream", "clicks", "--bucket", "logs",
    ]));
    fixture::call(
        &server.endpoint,
        "Kinesis_20131202.PutRecord",
        r#"{"StreamName": "clicks", "Data": "eA==", "PartitionKey": "a"}"#,
    );
    printed(delivery(&server, &["flush", "logs"]));
    let told = printed(delivery(&server, &["tail", "logs", "--no-follow"]));
    assert!(told.contains(" shardId-000000000000 "), "{told}");
    assert!(told.contains(": 1 records, "), "{told}");
    let order = ["redeliver", "logs", "--from", "1h", "--prefix", "again/"];
    let ordered = printed(delivery(&server, &order));
    assert!(ordered.starts_with("again/ "), "{ordered}");
    let begun = Instant::now();
    loop {
        let listed = printed(delivery(&server, &["redeliveries", "logs"]));
        if listed.starts_with("again/ DONE to again/ at ") {
            assert!(listed.contains("1 of 1 records: delivered 1,"), "{listed}");
            break;
        }
        assert!(begun.elapsed().as_secs() < 60, "{listed}");
    }
    assert!(dir.path().join("s3/logs/again").is_dir());
    // Who orders the same is told that it is done.
    let ended = printed(delivery(
        &server,
        &["redeliveries", "logs", "--cancel", "again/"],
    ));
    assert!(ended.starts_with("again/ DONE"), "{ended}");
    let refused = delivery(
        &server,
        &[&order[..3], &["soon", "--prefix", "x/"]].concat(),
    );
    let refused = complaint(refused, 1);
    assert!(
        refused.contains("--from: it is neither how long ago"),
        "{refused}"
    );
}
