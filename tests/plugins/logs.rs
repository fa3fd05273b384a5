//! What plugins log: for whom, by which version, and to be read on across a swap and a restart.

use std::fs;

use http::Method;
use millrace_tests::ACCOUNT;
use serde_json::{Value, json};

use crate::ground::Ground;
use crate::guest::Guest;

/// A guest that logs a word of its own, as a warning, for each batch that holds a marked record,
/// and says that it begins.
fn saying(word: &str) -> Guest {
    let begins = "(call $log (i32.const 2) (i32.const 300) (i32.const 6))";
    let length = word.len();
    Guest {
        fields: format!("(data (i32.const 256) \"{word}\") (data (i32.const 300) \"begins\")"),
        init: begins.to_owned(),
        ..Guest::attacking(&format!(
            "(call $log (i32.const 3) (i32.const 256) (i32.const {length}))"
        ))
    }
}

async fn ground_with(guest: &Guest) -> Ground {
    let directory = tempfile::tempdir().unwrap();
    put(directory.path(), guest);
    let ground = Ground::start(directory).await;
    ground.stream("own").await;
    ground
}

fn put(directory: &std::path::Path, guest: &Guest) {
    fs::write(directory.join(".next"), guest.component()).unwrap();
    fs::rename(directory.join(".next"), directory.join("own.wasm")).unwrap();
}

async fn logs(ground: &Ground, query: &str) -> Value {
    let page = format!("plugins/own/logs?{query}");
    ground.client.read_page(&page).await
}

fn texts(page: &Value) -> Vec<&str> {
    let lines = page["lines"].as_array().unwrap().iter();
    lines.map(|line| line["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_line_says_for_which_delivery_stream_and_shard_it_is() {
    let directory = tempfile::tempdir().unwrap();
    put(directory.path(), &saying("heard"));
    let ground = Ground::start(directory).await;
    ground.stream_of("own").await;
    ground.client.put("own", &millrace_tests::base64("!")).await;
    ground.client.flush("own").await;
    let page = logs(&ground, "level=warn").await;
    let line = &page["lines"][0];
    let hash = ground.plugin("own").await["hash"]
        .as_str()
        .unwrap()
        .to_owned();
    let expected = json!({
        "level": "WARN", "text": "heard", "version": hash[..12],
        "account": ACCOUNT, "deliveryStream": "own", "shard": "shardId-000000000000",
        "number": line["number"], "atMs": line["atMs"],
    });
    assert_eq!(*line, expected);
    assert_eq!(texts(&page).len(), 1, "{page}");
    assert_eq!(
        texts(&logs(&ground, "shard=shardId-000000000001").await).len(),
        0
    );
    let of_shard = logs(&ground, "shard=shardId-000000000000").await;
    assert_eq!(texts(&of_shard), ["begins", "heard"]);
}

#[tokio::test]
async fn lines_of_one_version_can_be_told_from_those_of_another() {
    let ground = ground_with(&saying("one")).await;
    ground.deliver("own", &["!"]).await;
    let first = ground.plugin("own").await["hash"]
        .as_str()
        .unwrap()
        .to_owned();
    put(ground.directory.path(), &saying("two"));
    ground.plugin_when("own", |page| page["swaps"] == 1).await;
    ground.deliver("own", &["!"]).await;
    assert_eq!(texts(&logs(&ground, "level=warn").await), ["one", "two"]);
    let of_first = logs(&ground, &format!("level=warn&version={}", &first[..12])).await;
    assert_eq!(texts(&of_first), ["one"]);
    // The whole hash names it, too.
    let of_first = logs(&ground, &format!("level=warn&version={first}")).await;
    assert_eq!(texts(&of_first), ["one"]);
}

#[tokio::test]
async fn who_follows_a_log_gets_each_line_once_across_a_swap_and_a_restart() {
    let ground = ground_with(&saying("one")).await;
    ground.deliver("own", &["!"]).await;
    let follow = async |ground: &Ground, run: &str, after: u64| {
        let query = format!("level=warn&run={run}&after={after}");
        let page = logs(ground, &query).await;
        assert_eq!(page["missed"], 0, "{page}");
        let next = page["next"].as_u64().unwrap();
        let texts: Vec<_> = texts(&page).iter().map(ToString::to_string).collect();
        (texts, page["run"].as_str().unwrap().to_owned(), next)
    };
    let (told, run, next) = follow(&ground, "", 0).await;
    assert_eq!(told, ["one"]);
    put(ground.directory.path(), &saying("two"));
    ground.plugin_when("own", |page| page["swaps"] == 1).await;
    ground.deliver("own", &["!", "!"]).await;
    let (told, run, next) = follow(&ground, &run, next).await;
    assert_eq!(told, ["two"]);
    assert_eq!(follow(&ground, &run, next).await.0, Vec::<String>::new());
    // The server after it has said as much again before anybody asks.
    let ground = ground.restart().await;
    for _ in 0..4 {
        ground.deliver("own", &["!"]).await;
    }
    let (told, run_after, _) = follow(&ground, &run, next).await;
    assert_eq!(told, ["two"; 4]);
    assert_ne!(run, run_after);
}

#[tokio::test]
async fn a_level_or_a_number_that_is_none_is_refused() {
    let ground = ground_with(&Guest::default()).await;
    for bad in ["level=loud", "after=one", "after=-1"] {
        let page = format!("plugins/own/logs?{bad}");
        let answer = ground.client.page(Method::GET, &page).await;
        assert_eq!(answer.status(), 400, "{bad}");
    }
}
