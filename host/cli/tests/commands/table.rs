//! `millrace table …`, against a server.

use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::fixture::{Server, call, complaint, millrace, printed};

fn table(server: &Server, arguments: &[&str]) -> Output {
    let mut command = millrace(&["table"]);
    command
        .args(arguments)
        .args(["--endpoint", &server.endpoint]);
    command.output().unwrap()
}

fn dynamodb(server: &Server, operation: &str, input: &Value) {
    let target = format!("DynamoDB_20120810.{operation}");
    call(&server.endpoint, &target, &input.to_string());
}

fn put(server: &Server, key: &str, value: &str) {
    let item = json!({"key": {"B": key}, "value": {"B": value}});
    dynamodb(
        server,
        "PutItem",
        &json!({"TableName": "counts", "Item": item}),
    );
}

/// A server with a table of an application: the keys `a1`, `a2` and two bytes that are no text.
fn with_table(data: &std::path::Path) -> Server {
    let server = Server::start(data, &[]);
    let definition = json!({
        "TableName": "counts",
        "KeySchema": [{"AttributeName": "key", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "key", "AttributeType": "B"}],
        "BillingMode": "PAY_PER_REQUEST",
    });
    dynamodb(&server, "CreateTable", &definition);
    for (key, value) in [("YTE=", "b25l"), ("YTI=", "dHdv"), ("/wA=", "AAE=")] {
        put(&server, key, value);
    }
    server
}

#[test]
fn tables_are_listed_and_items_shown_by_key_and_by_prefix() {
    let data = tempfile::tempdir().unwrap();
    let server = with_table(data.path());
    let listed = printed(table(&server, &["list"]));
    assert!(listed.contains("counts  ACTIVE  key"), "{listed}");
    assert_eq!(
        printed(table(&server, &["get", "counts", "a2"])),
        "a2  value=two\n"
    );
    let bytes = printed(table(&server, &["get", "counts", "base64:/wA="]));
    assert_eq!(bytes, "base64:/wA=  value=base64:AAE=\n");
    let all = "a1  value=one\na2  value=two\nbase64:/wA=  value=base64:AAE=\n";
    assert_eq!(printed(table(&server, &["scan", "counts"])), all);
    let some = printed(table(
        &server,
        &["scan", "counts", "--prefix", "a", "-n", "1"],
    ));
    assert_eq!(some, "a1  value=one\n");
    let shown = printed(table(&server, &["get", "counts", "a1", "--format", "json"]));
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        shown["item"],
        json!({"key": {"B": "YTE="}, "value": {"B": "b25l"}})
    );
    for (arguments, why) in [
        (&["get", "counts", "a3"][..], "no such item"),
        (&["scan", "none"], "no such table none"),
        (&["get", "counts", "base64:!"], "base64:! is not base64"),
    ] {
        let complaint = complaint(table(&server, arguments), 1);
        assert!(complaint.contains(why), "{complaint}");
    }
}

#[test]
fn watching_tells_what_is_new_changed_and_gone() {
    let data = tempfile::tempdir().unwrap();
    let server = with_table(data.path());
    let mut command = millrace(&["table", "watch", "counts", "-n", "3", "--every-ms", "5"]);
    command
        .args(["--endpoint", &server.endpoint])
        .stdout(Stdio::piped());
    let mut watching = command.spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    // It may not have looked yet, so that one item is changed until it is seen.
    let first = std::thread::scope(|scope| {
        let reader = scope.spawn(|| lines.next().unwrap().unwrap());
        let mut value = 0;
        while !reader.is_finished() {
            value += 1;
            put(
                &server,
                "YTE=",
                if value % 2 == 0 { "b25l" } else { "dHdv" },
            );
        }
        reader.join().unwrap()
    });
    assert!(first.starts_with("changed a1  value="), "{first}");
    let key = json!({"key": {"B": "YTI="}});
    dynamodb(
        &server,
        "DeleteItem",
        &json!({"TableName": "counts", "Key": key}),
    );
    put(&server, "YTM=", "dGhyZWU=");
    let mut rest: Vec<String> = lines.map(Result::unwrap).collect();
    rest.retain(|line| !line.starts_with("changed a1"));
    rest.sort();
    let all = ["gone    a2  value=two", "new     a3  value=three"];
    assert!(
        rest.iter().all(|line| all.contains(&line.as_str())),
        "{rest:?}"
    );
    assert!(watching.wait().unwrap().success());
}
