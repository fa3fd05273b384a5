use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use tempfile::tempdir;

use crate::fixture::{Server, complaint, feed, millrace, printed};

#[test]
fn what_is_put_is_tailed() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let arn = printed(server.stream(&["create", "clicks", "--shards", "2"]));
    assert_eq!(
        arn,
        "arn:aws:kinesis:us-east-1:000000000000:stream/clicks\n"
    );
    let put = printed(server.stream(&["put", "clicks", "--partition-key", "k", "hello"]));
    assert!(put.starts_with("shardId-00000000000"), "{put}");
    let tail = ["tail", "clicks", "--from", "trim-horizon", "-n", "1"];
    assert_eq!(printed(server.stream(&tail)), "hello\n");
    let line = printed(server.stream(&[&tail[..], &["--format", "json"]].concat()));
    let record: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(record["data"], "hello");
    assert_eq!(record["partition_key"], "k");
    assert!(put.contains(record["shard"].as_str().unwrap()));
    assert!(put.contains(record["sequence_number"].as_str().unwrap()));
}

#[test]
fn every_line_of_the_input_becomes_a_record_of_some_shard() {
    let dir = tempdir().unwrap();
    // The limits of two shards would stretch 3,000 records over more than a second.
    let server = Server::start(dir.path(), &["--no-throttle"]);
    printed(server.stream(&["create", "lines", "--shards", "2"]));
    let lines: BTreeSet<String> = (0..3_000).map(|n| format!("line {n}")).collect();
    let text: Vec<&str> = lines.iter().map(String::as_str).collect();
    let put = feed(
        server.stream_command(&["put", "lines"]),
        text.join("\n").as_bytes(),
    );
    assert_eq!(printed(put), "3,000 records put\n");
    let tail = ["tail", "lines", "--from", "trim-horizon", "-n", "3000"];
    let tailed = printed(server.stream(&tail));
    let tailed: BTreeSet<String> = tailed.lines().map(str::to_owned).collect();
    assert_eq!(tailed, lines);
}

#[test]
fn throttled_records_are_put_again_until_they_are_in() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    printed(server.stream(&["create", "narrow"]));
    let text = "x\n".repeat(1_500);
    let put = server.stream_command(&["put", "narrow", "--partition-key", "k"]);
    assert_eq!(printed(feed(put, text.as_bytes())), "1,500 records put\n");
    let tail = ["tail", "narrow", "--from", "trim-horizon", "-n", "1500"];
    assert_eq!(printed(server.stream(&tail)), text);
}

#[test]
fn a_tail_goes_on_with_what_is_put_later() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    printed(server.stream(&["create", "clicks", "--shards", "2"]));
    printed(server.stream(&["put", "clicks", "--partition-key", "k", "one"]));
    let mut tail = server.stream_command(&["tail", "clicks", "--from", "trim-horizon", "-n", "2"]);
    let mut tail = tail.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "one");
    printed(server.stream(&["put", "clicks", "--partition-key", "k", "two"]));
    assert_eq!(lines.next().unwrap().unwrap(), "two");
    assert!(lines.next().is_none());
    assert!(tail.wait().unwrap().success());
}

#[test]
fn a_stream_is_described() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    printed(server.stream(&["create", "wide", "--shards", "3"]));
    let text = printed(server.stream(&["describe", "wide"]));
    for expected in [
        "status      ACTIVE",
        "encryption  NONE",
        "open shards 3",
        "shardId-000000000002  open",
    ] {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn a_stream_is_encrypted_and_no_longer() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    printed(server.stream(&["create", "sealed"]));
    let told = printed(server.stream(&["encrypt", "sealed"]));
    assert_eq!(told, "KMS with alias/aws/kinesis\n");
    printed(server.stream(&["put", "sealed", "hello"]));
    let described = printed(server.stream(&["describe", "sealed"]));
    assert!(described.contains("encryption  KMS with alias/aws/kinesis"));
    let told = printed(server.stream(&["encrypt", "sealed", "--stop"]));
    assert_eq!(told, "NONE\n");
    let tail = ["tail", "sealed", "--from", "trim-horizon", "-n", "1"];
    assert_eq!(printed(server.stream(&tail)), "hello\n");
    let unknown = ["encrypt", "sealed", "--key", "alias/no-such"];
    let complaint = complaint(server.stream(&unknown), 1);
    assert!(complaint.contains("KMSNotFoundException: "), "{complaint}");
}

#[test]
fn an_error_is_told_with_its_code_and_request() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    for arguments in [
        &["describe", "absent"][..],
        &["tail", "absent"],
        &["put", "absent", "x"],
    ] {
        let complaint = complaint(server.stream(arguments), 1);
        assert!(
            complaint.contains("ResourceNotFoundException: "),
            "{complaint}"
        );
        assert!(complaint.contains("(request "), "{complaint}");
    }
    complaint(server.stream(&["create"]), 2);
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let unreachable = ["stream", "list", "--endpoint", "http://127.0.0.1:1"];
    let complaint = complaint(millrace(&unreachable).output().unwrap(), 1);
    assert!(
        complaint.contains("http://127.0.0.1:1: connect: "),
        "{complaint}"
    );
}

#[test]
fn the_endpoint_comes_from_the_environment() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    for variable in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KINESIS"] {
        let mut command = millrace(&["stream", "list"]);
        printed(command.env(variable, &server.endpoint).output().unwrap());
    }
}

#[test]
fn a_tail_whose_reader_has_gone_ends_quietly_with_records_to_print_or_without() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    for stream in ["empty", "full"] {
        printed(server.stream(&["create", stream]));
    }
    printed(server.stream(&["put", "full", "hello"]));
    for stream in ["empty", "full"] {
        let mut tail = server.stream_command(&["tail", stream, "--from", "trim-horizon"]);
        let mut tail = tail
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(tail.stdout.take());
        let output = tail.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    }
}

#[test]
fn shards_are_split_merged_and_scaled() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    printed(server.stream(&["create", "clicks"]));
    let middle = (u128::MAX / 2 + 1).to_string();
    let shards = printed(server.stream(&["split", "clicks", "shardId-000000000000"]));
    let is_open = |text: &str, shard: u32| text.contains(&format!("{shard:012}  open"));
    assert!(!is_open(&shards, 0) && is_open(&shards, 1) && is_open(&shards, 2));
    assert!(shards.contains(&middle), "{shards}");
    let pair = ["shardId-000000000001", "shardId-000000000002"];
    let shards = printed(server.stream(&["merge", "clicks", pair[0], pair[1]]));
    assert!(!is_open(&shards, 1) && !is_open(&shards, 2) && is_open(&shards, 3));
    let scaled = printed(server.stream(&["scale", "clicks", "2"]));
    assert_eq!(scaled, "1 open shards became 2\n");
    let refused = complaint(server.stream(&["scale", "clicks", "9"]), 1);
    assert!(refused.contains("LimitExceededException"), "{refused}");
    let absent = complaint(
        server.stream(&["split", "clicks", "shardId-000000000099"]),
        1,
    );
    assert!(
        absent.contains("stream 'clicks' has no shardId-000000000099"),
        "{absent}"
    );
}

#[test]
fn a_shard_is_split_as_long_as_it_has_four_hash_keys() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    printed(server.stream(&["create", "clicks"]));
    let shard = |number: u32| format!("shardId-{number:012}");
    let highest = (u128::MAX - 1).to_string();
    printed(server.stream(&["split", "clicks", &shard(0), "--at", "4"]));
    printed(server.stream(&["split", "clicks", &shard(1)]));
    printed(server.stream(&["split", "clicks", &shard(2), "--at", &highest]));
    for (number, what) in [(3, "0 and 1"), (4, "2 and 3"), (6, "the two highest")] {
        let complaint = complaint(server.stream(&["split", "clicks", &shard(number)]), 1);
        let text = format!("{} has too few hash keys to be split", shard(number));
        assert!(complaint.contains(&text), "{what}: {complaint}");
    }
}

#[test]
fn retention_is_told_and_changed_both_ways() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    printed(server.stream(&["create", "clicks"]));
    for (arguments, said) in [
        (&["retention", "clicks"][..], "24 hours\n"),
        (&["retention", "clicks", "48"], "48 hours, 24 before\n"),
        (&["retention", "clicks", "30"], "30 hours, 48 before\n"),
        (&["retention", "clicks"], "30 hours\n"),
    ] {
        assert_eq!(printed(server.stream(arguments)), said);
    }
}

#[test]
fn consumers_are_registered_listed_and_deregistered() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    printed(server.stream(&["create", "clicks"]));
    let none = "clicks has no consumers\n";
    assert_eq!(printed(server.stream(&["consumers", "clicks"])), none);
    let listed = printed(server.stream(&["consumers", "clicks", "--register", "app"]));
    assert!(listed.contains("app  ACTIVE  arn:aws:kinesis:"), "{listed}");
    let listed = printed(server.stream(&["consumers", "clicks", "--deregister", "app"]));
    assert_eq!(listed, none);
}

#[test]
fn a_stream_that_nobody_reads_has_no_lag() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    printed(server.stream(&["create", "clicks"]));
    let lag = printed(server.stream(&["lag", "clicks"]));
    assert_eq!(lag, "no delivery stream reads clicks\n");
}
