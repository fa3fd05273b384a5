//! `millrace stream tail`: where it begins, what it takes, and what a record looks like.

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::fixture::{Server, call, complaint, feed, printed};

/// Data that would colour a terminal, if it came there.
const RED: &str = "\u{1b}[31mred";

/// What the Kinesis Producer Library makes of three records, `one` of alice's, `two` of bob's and
/// `three` of alice's.
const AGGREGATE: &str =
    "84mawgoFYWxpY2UKA2JvYhoHCAAaA29uZRoHCAEaA3R3bxoJCAAaBXRocmVl9zpDgFB0+FRGqGlFggFkIw==";

/// A server with the stream `clicks` of two shards and four records, put one after the other.
fn with_records() -> (TempDir, Server) {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    printed(server.stream(&["create", "clicks", "--shards", "2"]));
    for (key, data) in [
        ("alice", "an error"),
        ("bob", "{\"ok\": true}"),
        ("alice", RED),
        ("bob", "an error again"),
    ] {
        printed(server.stream(&["put", "clicks", "--partition-key", key, data]));
    }
    (dir, server)
}

fn tail(server: &Server, arguments: &[&str]) -> String {
    let all = [&["tail", "clicks", "--format", "raw"], arguments].concat();
    printed(server.stream(&all))
}

#[test]
fn a_tail_begins_some_time_ago_at_a_time_or_with_the_oldest_record() {
    let (_dir, server) = with_records();
    for since in [
        ["--since", "1h"],
        ["--since", "1d12h"],
        ["--since", "2020-02-29"],
        ["--since", "2020-02-29T12:00:00+01:00"],
        ["--since", "TRIM_HORIZON"],
        ["--from", "trim-horizon"],
    ] {
        let all = tail(&server, &[&since[..], &["-n", "4"]].concat());
        let expected = format!("an error\n{{\"ok\": true}}\n{RED}\nan error again\n");
        assert_eq!(all, expected, "{since:?}");
    }
}

#[test]
fn a_beginning_that_cannot_be_is_refused_in_words() {
    let (_dir, server) = with_records();
    let refused = complaint(server.stream(&["tail", "clicks", "--since", "soon"]), 2);
    assert!(refused.contains("'soon'"), "{refused}");
    assert!(refused.contains("15m"), "{refused}");
    let to_come = ["tail", "clicks", "--since", "2999-01-01"];
    let refused = complaint(server.stream(&to_come), 1);
    assert!(
        refused.contains("2999-01-01T00:00:00Z lies in the future"),
        "{refused}"
    );
    complaint(server.stream(&["tail", "clicks", "-n", "-1"]), 2);
    complaint(server.stream(&["tail", "clicks", "--format", "xml"]), 2);
}

#[test]
fn only_records_of_a_key_and_with_a_text_are_printed_and_counted() {
    let (_dir, server) = with_records();
    let oldest = ["--since", "trim-horizon"];
    let of_key = tail(
        &server,
        &[&oldest[..], &["--key", "bob", "-n", "2"]].concat(),
    );
    assert_eq!(of_key, "{\"ok\": true}\nan error again\n");
    let errors = tail(
        &server,
        &[&oldest[..], &["--grep", "error", "-n", "2"]].concat(),
    );
    assert_eq!(errors, "an error\nan error again\n");
    let both = ["--key", "bob", "--grep", "error", "-n", "1"];
    let both = tail(&server, &[&oldest[..], &both].concat());
    assert_eq!(both, "an error again\n");
    let none = tail(&server, &[&oldest[..], &["-n", "0"]].concat());
    assert_eq!(none, "");
}

#[test]
fn a_record_is_its_data_an_object_or_a_line_for_people() {
    let (_dir, server) = with_records();
    let oldest = ["tail", "clicks", "--since", "oldest", "-n", "3", "--format"];
    let json = printed(server.stream(&[&oldest[..], &["json"]].concat()));
    let third: Value = serde_json::from_str(json.lines().nth(2).unwrap()).unwrap();
    assert_eq!(
        (&third["partition_key"], &third["data"]),
        (&"alice".into(), &RED.into())
    );
    let pretty = printed(server.stream(&[&oldest[..], &["pretty"]].concat()));
    assert!(
        !pretty.contains('\u{1b}'),
        "a pipe gets no colours: {pretty}"
    );
    let third = pretty.lines().nth(2).unwrap();
    let shard = json.lines().nth(2).and_then(|line| {
        let object: Value = serde_json::from_str(line).ok()?;
        object["shard"].as_str().map(str::to_owned)
    });
    let expected = format!("Z  {}  alice  \\x1b[31mred", shard.unwrap());
    assert!(third.ends_with(&expected), "{third}");
}

#[test]
fn the_user_records_within_an_aggregate_are_printed_and_chosen_among() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    printed(server.stream(&["create", "clicks"]));
    let put = format!(r#"{{"StreamName": "clicks", "PartitionKey": "a", "Data": "{AGGREGATE}"}}"#);
    call(&server.endpoint, "Kinesis_20131202.PutRecord", &put);
    let oldest = ["--since", "oldest", "-n"];
    let all = tail(&server, &[&oldest[..], &["3"]].concat());
    assert_eq!(all, "one\ntwo\nthree\n");
    let of_alice = ["1", "--key", "alice", "--grep", "ee", "--format", "json"];
    let arguments = [&["tail", "clicks"], &oldest[..], &of_alice].concat();
    let object: Value = serde_json::from_str(&printed(server.stream(&arguments))).unwrap();
    assert_eq!(
        (&object["partition_key"], &object["data"]),
        (&"alice".into(), &"three".into())
    );
    assert_eq!(object["sub_sequence_number"], 2);
}

/// Whatever the server lets through in a second, nothing is lost of it.
#[test]
fn a_backlog_is_read_whole_within_the_limits_of_its_shard() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    printed(server.stream(&["create", "clicks"]));
    let lines: Vec<String> = (0..900).map(|n| format!("{n:01000}")).collect();
    let text = lines.join("\n") + "\n";
    let put = ["put", "clicks", "--partition-key", "k"];
    for _ in 0..3 {
        printed(feed(server.stream_command(&put), text.as_bytes()));
    }
    let all = tail(&server, &["--since", "1h", "-n", "2700"]);
    assert_eq!(all, text.repeat(3));
}
