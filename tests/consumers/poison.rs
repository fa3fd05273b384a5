//! Records, plugins and instances that go wrong: what comes of them, and that others do not suffer.

use std::collections::BTreeMap;

use base64_simd::STANDARD;
use http::Method;
use millrace_tests::Client;
use serde_json::{Value, json};

use crate::consumer_guest::ConsumerGuest;
use crate::counter::{counter, counter_that};
use crate::ground::{
    APP, Plugins, TEXT, alerts, counted, create_app, describe, put, until, until_done, words,
};

/// Words among which some are poison.
fn texts(from: usize, to: usize, poison: &[(usize, &str)]) -> Vec<String> {
    let poison: BTreeMap<_, _> = poison.iter().copied().collect();
    let text = |number| match poison.get(&number) {
        Some(poison) => (*poison).to_owned(),
        None => format!("word-{}", number % 13),
    };
    (from..to).map(text).collect()
}

fn without_poison(all: &[String]) -> Vec<String> {
    let good = all.iter().filter(|text| !text.starts_with(['!', '@']));
    good.cloned().collect()
}

async fn letters(client: &Client) -> Vec<Value> {
    let page = format!("apps/{APP}/dead-letters");
    let answer = client.page(Method::GET, &page).await;
    let answer: Value = serde_json::from_slice(answer.body()).unwrap();
    answer["deadLetters"].as_array().unwrap().clone()
}

#[tokio::test]
async fn records_that_always_trap_become_dead_letters_and_all_others_are_counted_once() {
    let plugins = Plugins::with(&counter());
    let service = plugins.serve(2).await;
    let client = service.client();
    let all = texts(0, 500, &[(7, "!one"), (250, "!two"), (251, "!three")]);
    put(&client, &all).await;
    create_app(&client).await;
    let app = until_done(&client, 497).await;
    assert_eq!(app["deadLetters"], 3);
    assert_eq!(app["letters"], 3);
    let (counts, alerted) = counted(&without_poison(&all));
    assert_eq!(words(&client).await, counts);
    assert_eq!(alerts(&client).await, alerted);
    let letters = letters(&client).await;
    let mut kept = Vec::new();
    for letter in &letters {
        assert_eq!(letter["tries"], 3);
        assert!(
            letter["reason"].as_str().unwrap().contains("trapped"),
            "{letter}"
        );
        let page = format!("apps/{APP}/dead-letters/{}", letter["id"].as_str().unwrap());
        let answer = client.page(Method::GET, &page).await;
        let whole: Value = serde_json::from_slice(answer.body()).unwrap();
        let data = STANDARD
            .decode_to_vec(whole["data"].as_str().unwrap())
            .unwrap();
        let text = String::from_utf8(data).unwrap();
        assert_eq!(whole["partitionKey"], json!(text));
        kept.push(text);
    }
    kept.sort();
    assert_eq!(kept, ["!one", "!three", "!two"]);
    service.stop().await;
}

#[tokio::test]
async fn a_letter_is_replayed_once_through_a_version_that_takes_it_or_discarded() {
    let plugins = Plugins::with(&counter());
    let service = plugins.serve(1).await;
    let client = service.client();
    put(&client, &texts(0, 30, &[(3, "!one"), (4, "!two")])).await;
    create_app(&client).await;
    until_done(&client, 28).await;
    let letters = letters(&client).await;
    let ids: Vec<_> = letters
        .iter()
        .map(|letter| letter["id"].as_str().unwrap())
        .collect();
    let order = async |id: &str, order: &str| {
        let page = format!("apps/{APP}/dead-letters/{id}/{order}");
        client.post_page(&page, &json!({})).await
    };
    // The version in force still fails it: it stays.
    let (status, answer) = order(ids[0], "replay").await;
    assert_eq!(status, 400, "{answer}");
    assert!(
        answer["message"].as_str().unwrap().contains("failed again"),
        "{answer}"
    );
    plugins.put("counter", &counter_that(""));
    client
        .page_until("plugins/counter", |page| page["swaps"] == 1)
        .await;
    let (status, answer) = order(ids[0], "replay").await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(words(&client).await["!one"], 1);
    let (status, _) = order(ids[0], "replay").await;
    assert_eq!(status, 404);
    assert_eq!(words(&client).await["!one"], 1);
    let (status, _) = order(ids[1], "discard").await;
    assert_eq!(status, 200);
    let app = describe(&client).await;
    assert_eq!((&app["letters"], &app["replayed"]), (&json!(0), &json!(1)));
    assert_eq!(app["discarded"], 1);
    assert_eq!(words(&client).await.get("!two"), None);
    // The replay has changed the state that the shard's own instance began with.
    put(&client, &texts(30, 31, &[])).await;
    until_done(&client, 29).await;
    service.stop().await;
}

#[tokio::test]
async fn what_a_plugin_calls_retryable_stands_still_and_shows_until_it_is_skipped() {
    let later = ConsumerGuest::processing(
        "(if (i32.eq (i32.load8_u (local.get $bytes)) (i32.const 63))
           (then (return (call $fault (i32.const 0) (i32.const 300) (i32.const 7)))))",
    );
    let later = ConsumerGuest {
        fields: r#"(data (i32.const 300) "not now")"#.to_owned(),
        ..later
    };
    let plugins = Plugins::with(&later);
    let service = plugins.serve(1).await;
    let client = service.client();
    put(&client, &["?wait".to_owned(), "next".to_owned()]).await;
    create_app(&client).await;
    let stuck = until(&client, |app| app["shards"][0]["stuck"].is_string()).await;
    let why = stuck["shards"][0]["stuck"].as_str().unwrap();
    assert!(why.contains("not now"), "{why}");
    let (_, health) = client.health().await;
    assert!(health.contains("1 applications do not get on"), "{health}");
    loop {
        let (_, heard) = client
            .post_page(&format!("apps/{APP}/skip"), &json!({}))
            .await;
        let app = describe(&client).await;
        if app["processed"] == 1 && app["deadLetters"] == 1 {
            break;
        }
        assert!(heard["shards"].is_u64(), "{heard}");
        tokio::task::yield_now().await;
    }
    let app = until(&client, |app| app["shards"][0]["stuck"].is_null()).await;
    assert_eq!(app["trouble"], Value::Null);
    service.stop().await;
}

#[tokio::test]
async fn a_plugin_that_hangs_or_does_not_begin_hurts_its_own_application_alone() {
    let plugins = Plugins::with(&counter());
    let hangs = ConsumerGuest {
        initialize: "(loop $for_ever (br $for_ever))".to_owned(),
        ..ConsumerGuest::default()
    };
    plugins.put("other", &hangs);
    let service = plugins.serve(1).await;
    let client = service.client();
    let body = json!({"stream": TEXT, "plugin": "other"});
    let (status, _) = client.post_page("apps/hangs/create", &body).await;
    assert_eq!(status, 200);
    create_app(&client).await;
    let all = texts(0, 200, &[]);
    put(&client, &all).await;
    until_done(&client, 200).await;
    assert_eq!(words(&client).await, counted(&all).0);
    let hung = client
        .page_until("apps/hangs", |app| app["shards"][0]["stuck"].is_string())
        .await;
    assert!(
        hung["trouble"].is_string() && hung["processed"] == 0,
        "{hung}"
    );
    service.stop().await;
}

#[tokio::test]
async fn an_application_whose_plugin_goes_stands_still_until_it_comes_back() {
    let plugins = Plugins::with(&counter());
    let service = plugins.serve(1).await;
    let client = service.client();
    create_app(&client).await;
    let all = texts(0, 60, &[]);
    put(&client, &all[..30]).await;
    until_done(&client, 30).await;
    let (status, _) = client
        .post_page(&format!("apps/{APP}/pause"), &json!({}))
        .await;
    assert_eq!(status, 200);
    until(&client, |app| app["shards"][0]["state"] != "here").await;
    plugins.remove("counter");
    client
        .page_until("plugins", |page| page["plugins"] == json!([]))
        .await;
    client
        .post_page(&format!("apps/{APP}/resume"), &json!({}))
        .await;
    put(&client, &all[30..]).await;
    plugins.put("counter", &counter());
    until_done(&client, 60).await;
    assert_eq!(words(&client).await, counted(&all).0);
    service.stop().await;
}

#[tokio::test]
async fn a_dead_letter_of_an_encrypted_stream_is_sealed_and_shown_and_replayed_all_the_same() {
    let plugins = Plugins::with(&counter());
    let service = plugins.serve(1).await;
    let client = service.client();
    let encryption = json!({
        "StreamName": TEXT, "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis",
    });
    client.call("StartStreamEncryption", encryption).await;
    client.until_active(TEXT).await;
    let secret = "!what nobody else may know".to_owned();
    put(&client, &[secret.clone(), "word".to_owned()]).await;
    create_app(&client).await;
    until_done(&client, 1).await;
    let letters = letters(&client).await;
    let id = letters[0]["id"].as_str().unwrap();
    let encoded = STANDARD.encode_to_string(&secret);
    let found = service.files_with(&[&secret, &encoded]);
    assert!(found.is_empty(), "{found:?}");
    let answer = client
        .page(Method::GET, &format!("apps/{APP}/dead-letters/{id}"))
        .await;
    let whole: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(whole["data"], json!(encoded));
    let service = service.restart().await;
    let client = service.client();
    plugins.put("counter", &counter_that(""));
    client
        .page_until("plugins/counter", |page| page["swaps"] == 1)
        .await;
    let page = format!("apps/{APP}/dead-letters/{id}/replay");
    let (status, answer) = client.post_page(&page, &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(words(&client).await[&secret], 1);
    service.stop().await;
}

/// What it emits contradicts itself: more ends than bytes.
#[tokio::test]
async fn a_plugin_that_lies_loses_its_records_to_the_dead_letters_and_nothing_else() {
    let lies = counter_that(
        "(if (call $begins (local.get $at) (local.get $length) (i32.const 33))
           (then
             (i32.store (i32.const 328) (i32.const 1000000))
             (call $emit (i32.const 264) (i32.const 6)
               (local.get $at) (local.get $length) (i32.const 328) (i32.const 1)
               (local.get $at) (local.get $length) (i32.const 328) (i32.const 1)
               (i32.const 96))
             (if (i32.load8_u (i32.const 96)) (then (unreachable)))))",
    );
    let plugins = Plugins::with(&lies);
    let service = plugins.serve(2).await;
    let client = service.client();
    create_app(&client).await;
    let all = texts(0, 300, &[(20, "!lie"), (170, "!another")]);
    put(&client, &all).await;
    let app = until_done(&client, 298).await;
    assert_eq!(app["deadLetters"], 2);
    let (counts, alerted) = counted(&without_poison(&all));
    assert_eq!(words(&client).await, counts);
    assert_eq!(alerts(&client).await, alerted);
    service.stop().await;
}
