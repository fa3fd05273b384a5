//! `millrace delivery|stream|plugin dead-letters`.

use std::process::Output;

use tempfile::{TempDir, tempdir};

use crate::fixture::{self, Server, ask, complaint, plugins_with, printed, until};

/// A server whose delivery stream `logs` has failed one record of the stream `orders`.
fn start(data: &TempDir) -> Server {
    // It fails what is no line of an access log.
    let plugins = plugins_with(data.path(), "parse-access-log");
    let server = Server::start(data.path(), &["--plugins", plugins.to_str().unwrap()]);
    printed(server.stream(&["create", "orders"]));
    let create = ["delivery", "create", "logs", "--stream", "orders"];
    let through = ["--plugin", "parse-access-log", "--bucket", "logs"];
    until(&server, &["plugin", "list"], "running");
    printed(ask(&server, &[&create[..], &through].concat()));
    until(&server, &["delivery", "describe", "logs"], "ACTIVE");
    let put = r#"{"StreamName": "orders", "Data": "bm8gbGluZQ==", "PartitionKey": "a"}"#;
    fixture::call(&server.endpoint, "Kinesis_20131202.PutRecord", put);
    printed(ask(&server, &["delivery", "flush", "logs"]));
    server
}

fn letters(server: &Server, more: &[&str]) -> Output {
    ask(
        server,
        &[&["delivery", "dead-letters", "logs"], more].concat(),
    )
}

/// The only letter that is listed.
fn listed(server: &Server) -> String {
    let listed = printed(letters(server, &["list"]));
    let line = listed.lines().nth(1).unwrap();
    assert!(line.contains("Lambda.ProcessingFailedStatus 1"), "{listed}");
    assert!(line.contains("open"), "{listed}");
    line.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn what_failed_is_in_the_log_of_the_delivery_stream() {
    let data = tempdir().unwrap();
    let server = start(&data);
    let printed = printed(ask(&server, &["delivery", "logs", "logs"]));
    let mut lines = printed.lines();
    let line = lines.next().unwrap();
    let said = "shardId-000000000000 arn:aws:s3:::logs 1 of 1 records failed and are in the error \
                output";
    assert!(line.ends_with(said), "{printed}");
    assert_eq!(lines.next(), None, "{printed}");
    let told = complaint(ask(&server, &["delivery", "logs", "none"]), 1);
    assert!(told.contains("no such delivery stream none"), "{told}");
}

#[test]
fn what_failed_is_shown_to_those_who_ask_the_delivery_stream_its_stream_or_its_plugin() {
    let data = tempdir().unwrap();
    let server = start(&data);
    let key = listed(&server);
    let shown = printed(letters(&server, &["show", &key]));
    assert!(shown.ends_with("\n  no line\n"), "{shown}");
    assert!(
        shown.starts_with("1: Lambda.ProcessingFailedStatus ("),
        "{shown}"
    );
    for (page, none) in [
        ("stream", "no such stream none"),
        ("plugin", "no such plugin none"),
    ] {
        let told = complaint(ask(&server, &[page, "dead-letters", "none", "list"]), 1);
        assert!(told.contains(none), "{told}");
    }
    let told = complaint(letters(&server, &["list", "-n", "0"]), 2);
    assert!(told.contains("'-n <N>'"), "{told}");
    let told = complaint(letters(&server, &["replay"]), 2);
    assert!(told.contains("<OBJECT|--all>"), "{told}");
    for (page, name) in [("stream", "orders"), ("plugin", "parse-access-log")] {
        let all = printed(ask(&server, &[page, "dead-letters", name, "list"]));
        assert!(all.starts_with("delivery stream logs\n"), "{all}");
        assert!(all.contains(&key), "{all}");
        let show = [page, "dead-letters", name, "show", &key];
        let show = [&show[..], &["--delivery", "logs"]].concat();
        assert_eq!(printed(ask(&server, &show)), shown);
    }
}

#[test]
fn what_failed_is_replayed_once_and_discarded() {
    let data = tempdir().unwrap();
    let server = start(&data);
    let key = listed(&server);
    let replayed = printed(letters(&server, &["replay", &key]));
    assert_eq!(replayed, format!("{key}: replayed 1 of 1 records\n"));
    let replay = ["stream", "dead-letters", "orders", "replay", &key];
    let replay = [&replay[..], &["--delivery", "logs"]].concat();
    assert_eq!(
        printed(ask(&server, &replay)),
        format!("{key}: all of its 1 records were replayed before\n")
    );
    printed(ask(&server, &["delivery", "flush", "logs"]));
    let described = printed(ask(&server, &["delivery", "describe", "logs"]));
    for said in [
        "in               2",
        "replayed         1",
        "lane replays: in 1,",
    ] {
        assert!(described.contains(said), "{described}");
    }

    let told = complaint(letters(&server, &["replay"]), 2);
    assert!(told.contains("<OBJECT|--all>"), "{told}");
    let all = printed(letters(&server, &["replay", "--all"]));
    assert!(all.ends_with("\n1 objects\n"), "{all}");
    assert_eq!(
        printed(letters(&server, &["discard", &key])),
        format!("done: discard {key}\n")
    );
    let told = complaint(letters(&server, &["replay", "elsewhere"]), 1);
    assert!(told.contains("InvalidArgumentException"), "{told}");
    let left = printed(letters(&server, &["list"]));
    assert!(!left.contains(&key), "{left}");
    assert!(printed(letters(&server, &["list", "--all"])).contains(&key));
}
