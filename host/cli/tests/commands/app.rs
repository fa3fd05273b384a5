//! `millrace app …`, against a server with the plugin `word-count`.

use std::fs;

use tempfile::TempDir;

use crate::fixture::{Server, ask, complaint, plugins_with, printed, until};

fn start(data: &TempDir) -> Server {
    let plugins = plugins_with(data.path(), "word-count");
    let grants = "[[plugin_grants]]\nname = \"word-count\"\n\
                  tables = [\"words\"]\nemit = [\"alerts\"]\n";
    let configuration = data.path().join("millrace.toml");
    fs::write(&configuration, grants).unwrap();
    let arguments = [
        "--plugins",
        plugins.to_str().unwrap(),
        "--config",
        configuration.to_str().unwrap(),
    ];
    let server = Server::start(data.path(), &arguments);
    for stream in ["text", "alerts"] {
        printed(server.stream(&["create", stream]));
    }
    server
}

#[test]
fn an_application_is_made_shown_paused_and_deleted_and_its_table_holds_what_it_counted() {
    let data = tempfile::tempdir().unwrap();
    let server = start(&data);
    let create = ["app", "create", "words", "--stream", "text"];
    let create = [&create[..], &["--plugin", "word-count"]].concat();
    until(&server, &create, "words works on text with word-count");
    printed(server.stream(&["put", "text", "--partition-key", "a", "one two two"]));
    until(&server, &["table", "get", "words", "two"], "value=2");
    assert_eq!(
        printed(ask(&server, &["table", "get", "words", "one"])),
        "one  value=1\n"
    );
    let described = until(&server, &["app", "describe", "words"], "processed");
    assert!(described.contains("word-count"), "{described}");
    assert!(printed(ask(&server, &["app", "list"])).contains("RUNNING"));
    let letters = ["app", "dead-letters", "words", "list"];
    printed(ask(&server, &letters));
    printed(ask(&server, &["app", "pause", "words"]));
    assert!(printed(ask(&server, &["app", "list"])).contains("PAUSED"));
    printed(ask(&server, &["app", "resume", "words"]));
    printed(ask(&server, &["app", "delete", "words"]));
    until(&server, &["app", "list"], "no applications");
    assert!(printed(ask(&server, &["table", "list"])).contains("words"));
}

#[test]
fn what_cannot_be_an_application_is_refused_with_the_reason() {
    let data = tempfile::tempdir().unwrap();
    let server = start(&data);
    let create = |stream: &str, plugin: &str| {
        let arguments = ["app", "create", "w", "--stream", stream, "--plugin", plugin];
        complaint(ask(&server, &arguments), 1)
    };
    let why = create("text", "nobody");
    assert!(why.contains("nobody"), "{why}");
    until(&server, &["plugin", "list"], "consumer");
    let why = create("not-there", "word-count");
    assert!(why.contains("not-there"), "{why}");
    let why = complaint(ask(&server, &["app", "describe", "w"]), 1);
    assert!(why.contains("ResourceNotFoundException"), "{why}");
}
