//! `millrace delivery|stream|plugin dead-letters`.

use std::fs;

use tempfile::tempdir;

use crate::fixture::{self, Server, ask, complaint, printed, until};

/// A plugin of this repository, which fails what is no line of an access log.
const PLUGIN: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../plugins/parse-access-log"
);

#[test]
fn what_failed_is_listed_shown_replayed_and_discarded() {
    let data = tempdir().unwrap();
    let plugins = data.path().join("plugins-here");
    let folder = plugins.join("parse-access-log");
    fs::create_dir_all(&folder).unwrap();
    for file in ["plugin.toml", "parse-access-log.wasm"] {
        fs::copy(format!("{PLUGIN}/{file}"), folder.join(file)).unwrap();
    }
    let server = Server::start(data.path(), &["--plugins", plugins.to_str().unwrap()]);
    printed(server.stream(&["create", "orders"]));
    let create = [
        "delivery",
        "create",
        "logs",
        "--stream",
        "orders",
        "--plugin",
        "parse-access-log",
        "--bucket",
        "logs",
    ];
    until(&server, &["plugin", "list"], "running");
    printed(ask(&server, &create));
    until(&server, &["delivery", "describe", "logs"], "ACTIVE");
    let put = r#"{"StreamName": "orders", "Data": "bm8gbGluZQ==", "PartitionKey": "a"}"#;
    fixture::call(&server.endpoint, "Kinesis_20131202.PutRecord", put);
    printed(ask(&server, &["delivery", "flush", "logs"]));

    let letters = |more: &[&str]| {
        let mut all = vec!["delivery", "dead-letters", "logs"];
        all.extend(more);
        ask(&server, &all)
    };
    let listed = printed(letters(&["list"]));
    let line = listed.lines().nth(1).unwrap();
    let key = line.split_whitespace().next().unwrap();
    assert!(line.contains("Lambda.ProcessingFailedStatus 1"), "{listed}");
    assert!(line.contains("open"), "{listed}");
    let shown = printed(letters(&["show", key]));
    assert!(shown.ends_with("\n  no line\n"), "{shown}");
    assert!(
        shown.starts_with("1: Lambda.ProcessingFailedStatus ("),
        "{shown}"
    );
    for page in ["stream", "plugin"] {
        let name = ["orders", "parse-access-log"][usize::from(page == "plugin")];
        let all = printed(ask(&server, &[page, "dead-letters", name, "list"]));
        assert!(all.starts_with("delivery stream logs\n"), "{all}");
        assert!(all.contains(key), "{all}");
        let show = [
            page,
            "dead-letters",
            name,
            "show",
            key,
            "--delivery",
            "logs",
        ];
        assert_eq!(printed(ask(&server, &show)), shown);
    }
    let replayed = printed(letters(&["replay", key]));
    assert_eq!(replayed, format!("{key}: replayed 1 of 1 records\n"));
    let replay = [
        "stream",
        "dead-letters",
        "orders",
        "replay",
        key,
        "--delivery",
        "logs",
    ];
    let again = printed(ask(&server, &replay));
    assert_eq!(
        again,
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

    let told = complaint(letters(&["replay"]), 2);
    assert!(told.contains("<OBJECT>"), "{told}");
    let all = printed(letters(&["replay", "--all"]));
    assert!(all.ends_with("\n1 objects\n"), "{all}");
    assert_eq!(
        printed(letters(&["discard", key])),
        format!("done: discard {key}\n")
    );
    let told = complaint(letters(&["replay", "elsewhere"]), 1);
    assert!(told.contains("InvalidArgumentException"), "{told}");
    let left = printed(letters(&["list"]));
    assert!(!left.contains(key), "{left}");
    assert!(printed(letters(&["list", "--all"])).contains(key));
}
