//! A server whose standard error or standard output takes nothing: a log on a disk that is full, a
//! pipe whose reader has gone. Nothing but lines may be lost.

use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::tempdir;

use crate::fixture::{Server, call, metrics, millrace, printed};

/// How long something may take that happens by itself.
const PATIENCE_SECONDS: u64 = 60;

fn disk_that_is_full() -> Stdio {
    File::create("/dev/full").unwrap().into()
}

fn pipe_that_nobody_reads() -> Stdio {
    let (_, writer) = std::io::pipe().unwrap();
    writer.into()
}

/// All that logs: streams are made and deleted, a delivery's destination fails and comes back.
fn work_goes_on(log: Stdio) {
    let dir = tempdir().unwrap();
    let mut command = millrace(&["serve", "--listen", "127.0.0.1:0"]);
    let server = Server::logging_to(&mut command, dir.path(), log);
    for stream in ["one", "two", "three"] {
        printed(server.stream(&["create", stream]));
    }
    let put = r#"{"StreamName": "two", "PartitionKey": "a", "Data": "eA=="}"#;
    call(&server.endpoint, "Kinesis_20131202.PutRecord", put);
    for stream in ["one", "two"] {
        let body = format!(r#"{{"StreamName": "{stream}"}}"#);
        call(&server.endpoint, "Kinesis_20131202.DeleteStream", &body);
    }
    let begun = Instant::now();
    while printed(server.stream(&["list"])) != "three\n" {
        assert!(begun.elapsed().as_secs() < PATIENCE_SECONDS);
    }
    a_destination_fails_and_comes_back(&server, dir.path());
    let metrics = metrics(&server.endpoint);
    let lost = metrics
        .lines()
        .find_map(|line| line.strip_prefix("millrace_log_lines_lost_total "));
    let lost: u64 = lost.unwrap().parse().unwrap();
    assert!(lost > 0, "{metrics}");
    assert_eq!(server.terminate().0, Some(0));
}

fn a_destination_fails_and_comes_back(server: &Server, data: &Path) {
    let firehose = |operation: &str, body: &str| {
        let target = format!("Firehose_20150804.{operation}");
        call(&server.endpoint, &target, body)
    };
    firehose(
        "CreateDeliveryStream",
        r#"{"DeliveryStreamName": "logs", "ExtendedS3DestinationConfiguration": {
            "RoleARN": "arn:aws:iam::000000000000:role/any", "BucketARN": "arn:aws:s3:::logs",
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}}}"#,
    );
    let delivery = |arguments: &[&str]| {
        let mut command = millrace(&["delivery"]);
        command
            .args(arguments)
            .args(["--endpoint", &server.endpoint]);
        printed(command.output().unwrap())
    };
    let until_described = |text: &str| {
        let begun = Instant::now();
        loop {
            let described = delivery(&["describe", "logs"]);
            if described.contains(text) {
                return;
            }
            assert!(begun.elapsed().as_secs() < PATIENCE_SECONDS, "{described}");
        }
    };
    until_described("ACTIVE");
    // A file lies where the bucket should be.
    std::fs::write(data.join("s3/logs"), "").unwrap();
    let put = r#"{"DeliveryStreamName": "logs", "Record": {"Data": "eA=="}}"#;
    firehose("PutRecord", put);
    until_described("lane direct does not get on: put ");
    std::fs::remove_file(data.join("s3/logs")).unwrap();
    delivery(&["retry", "logs"]);
    until_described("lane direct: in 1, delivered 1");
}

/// The line that could not be written panicked, and the task that had logged it was gone: the
/// first stream was made, and no call that makes or deletes one was ever answered again.
#[test]
fn a_server_whose_log_is_on_a_full_disk_loses_nothing_but_lines() {
    work_goes_on(disk_that_is_full());
}

#[test]
fn a_server_whose_log_nobody_reads_any_more_loses_nothing_but_lines() {
    work_goes_on(pipe_that_nobody_reads());
}

/// It began to serve and ended at once, because it could not say so.
#[test]
fn a_server_that_cannot_print_that_it_is_ready_serves() {
    for output in [disk_that_is_full(), pipe_that_nobody_reads()] {
        let dir = tempdir().unwrap();
        // The address cannot be read from what is printed, so it is chosen here.
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
        let address = free.unwrap().to_string();
        let mut server = millrace(&["serve", "--listen", &address, "--data"])
            .arg(dir.path())
            .stdout(output)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let endpoint = format!("http://{address}");
        let begun = Instant::now();
        loop {
            let listed = millrace(&["stream", "list", "--endpoint", &endpoint]).output();
            if listed.unwrap().status.success() {
                break;
            }
            assert_eq!(server.try_wait().unwrap(), None, "it has ended");
            assert!(begun.elapsed().as_secs() < PATIENCE_SECONDS);
        }
        printed(
            millrace(&["stream", "create", "one", "--endpoint", &endpoint])
                .output()
                .unwrap(),
        );
        kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
        assert_eq!(server.wait().unwrap().code(), Some(0));
    }
}
