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
