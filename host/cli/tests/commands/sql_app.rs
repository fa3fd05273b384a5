//! `millrace sql app …`, against a server.

use std::process::Output;

use serde_json::json;

use crate::fixture::{Server, complaint, millrace, printed};

const CODE: &str = r#"
CREATE OR REPLACE STREAM "OUT" ("TICKER" VARCHAR(8), "PRICE" DOUBLE);
CREATE OR REPLACE PUMP "PUMP" AS INSERT INTO "OUT"
SELECT STREAM "TICKER", "PRICE" FROM "SOURCE_SQL_STREAM_001";
"#;

fn run(server: &Server, arguments: &[&str]) -> Output {
    let mut command = millrace(&[]);
    command
        .args(arguments)
        .args(["--endpoint", &server.endpoint]);
    command.output().unwrap()
}

fn app(server: &Server, arguments: &[&str]) -> Output {
    run(server, &[&["sql", "app"][..], arguments].concat())
}

#[test]
fn an_application_is_made_started_changed_stopped_and_deleted() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    for stream in ["ticks", "prices"] {
        printed(run(&server, &["stream", "create", stream]));
    }
    let files = tempfile::tempdir().unwrap();
    let (code, schema) = (files.path().join("a.sql"), files.path().join("a.json"));
    std::fs::write(&code, CODE).unwrap();
    let columns = json!([
        {"Name": "TICKER", "Mapping": "$.ticker", "SqlType": "VARCHAR(8)"},
        {"Name": "PRICE", "Mapping": "$.price", "SqlType": "DOUBLE"},
    ]);
    let format = json!({"RecordFormatType": "JSON"});
    let whole = json!({"InputSchema": {"RecordFormat": format, "RecordColumns": columns}});
    std::fs::write(&schema, whole.to_string()).unwrap();
    let (code, schema) = (code.to_str().unwrap(), schema.to_str().unwrap());
    let create = ["create", "p", "--stream", "ticks", "--code", code];
    let rest = ["--schema", schema, "--to", "OUT=stream/prices"];
    let arn = printed(app(&server, &[&create[..], &rest].concat()));
    assert!(arn.ends_with(":application/p\n"), "{arn}");
    assert_eq!(printed(app(&server, &["start", "p"])), "p is RUNNING\n");
    let updated = printed(app(&server, &["update", "p", "--code", code]));
    assert_eq!(updated, "p is at version 2\n");
    let described = printed(app(&server, &["describe", "p"]));
    for text in [
        "stream/ticks as SOURCE_SQL_STREAM_001",
        "OUT to arn:",
        CODE.trim(),
    ] {
        assert!(described.contains(text), "{described}");
    }
    let listed = printed(app(&server, &["list"]));
    assert!(listed.contains("p "), "{listed}");
    assert_eq!(printed(app(&server, &["stop", "p"])), "p is READY\n");
    let deleted = printed(app(&server, &["delete", "p"]));
    assert_eq!(deleted, "p is being deleted\n");
}

#[test]
fn what_cannot_be_made_is_told() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    printed(run(&server, &["stream", "create", "ticks"]));
    let files = tempfile::tempdir().unwrap();
    let code = files.path().join("a.sql");
    std::fs::write(&code, CODE).unwrap();
    let code = code.to_str().unwrap();
    let create = ["create", "p", "--stream", "ticks", "--code", code];
    let told = complaint(app(&server, &create), 1);
    assert!(told.contains("no records to infer a schema from"), "{told}");
    let wrong = ["--to", "OUT=bucket/b"];
    let told = complaint(app(&server, &[&create[..], &wrong].concat()), 1);
    assert!(told.contains("NAME=stream/NAME"), "{told}");
    let told = complaint(app(&server, &["describe", "p"]), 1);
    assert!(told.contains("not found"), "{told}");
}
