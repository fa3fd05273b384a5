//! What instances want done when they end: it is kept, once for each, or waits and can be skipped.

use millrace_tests::{Client, Service, shard_id};
use serde_json::{Value, json};

use crate::consumer_guest::ConsumerGuest;
use crate::counter::{counter, counter_that, numbered, that_says_when_it_ends};
use crate::ground::{
    APP, Plugins, TEXT, alerts, counted, create_app, describe, put, until, until_done, words,
};

fn texts(records: usize) -> Vec<String> {
    (0..records)
        .map(|number| format!("word-{number}"))
        .collect()
}

async fn order(client: &Client, order: &str) -> Value {
    let page = format!("apps/{APP}/{order}");
    let (status, answer) = client.post_page(&page, &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// Waits until all shards work with the version of this number.
async fn until_all_work_with(client: &Client, number: u64) -> Value {
    until(client, |app| {
        let mut shards = app["shards"].as_array().unwrap().iter();
        shards.all(|shard| shard["versionNumber"] == number)
    })
    .await
}

async fn until_none_is_at_work(client: &Client) {
    until(client, |app| {
        let mut shards = app["shards"].as_array().unwrap().iter();
        shards.all(|shard| shard["state"] != "here")
    })
    .await;
}

/// All instances write one row when they end, so that some of their commits are refused.
#[tokio::test]
async fn what_eight_instances_want_done_when_they_end_is_done_once_for_each() {
    let version = |number| numbered(number, that_says_when_it_ends(counter()));
    let plugins = Plugins::with(&version(1));
    let service = plugins.serve(8).await;
    let client = service.client();
    create_app(&client).await;
    let all = texts(200);
    put(&client, &all).await;
    until_done(&client, 200).await;
    for number in 2..=4 {
        plugins.put("counter", &version(number));
        until_all_work_with(&client, number.into()).await;
        assert_eq!(words(&client).await["ends"], 8 * u64::from(number - 1));
    }
    order(&client, "pause").await;
    until_none_is_at_work(&client).await;
    let mut counts = counted(&all).0;
    counts.insert("ends".to_owned(), 32);
    assert_eq!(words(&client).await, counts);
    assert_eq!(alerts(&client).await["ends"], 3);
    service.stop().await;
}

/// Ten times the word: one alert, for which there is no stream at first.
#[tokio::test]
async fn a_swap_waits_until_what_the_version_before_wants_done_can_be() {
    let mut says_ten_times = that_says_when_it_ends(counter());
    says_ten_times.shutdown_requested = says_ten_times.shutdown_requested.repeat(10);
    let plugins = Plugins::with(&says_ten_times);
    let service = Service::start_with(plugins.setting()).await;
    let client = service.client();
    client.create(TEXT, 1).await;
    create_app(&client).await;
    put(&client, &texts(5)).await;
    let before = until_done(&client, 5).await;
    let version = before["shards"][0]["version"].clone();
    plugins.put("counter", &numbered(2, counter()));
    let stuck = until(&client, |app| app["shards"][0]["stuck"].is_string()).await;
    let why = stuck["shards"][0]["stuck"].as_str().unwrap();
    assert!(why.contains("the stream alerts"), "{why}");
    assert_eq!(stuck["shards"][0]["version"], version);
    assert_eq!(
        words(&client).await.get("ends"),
        None,
        "nothing of a swap is done alone"
    );
    client.create("alerts", 1).await;
    order(&client, "retry").await;
    until_all_work_with(&client, 2).await;
    assert_eq!(words(&client).await["ends"], 10);
    assert_eq!(alerts(&client).await["ends"], 1);
    service.stop().await;
}

#[tokio::test]
async fn a_version_that_does_not_end_holds_up_no_other() {
    let never_ends = ConsumerGuest {
        shutdown_requested: "(unreachable)".to_owned(),
        ..counter()
    };
    let plugins = Plugins::with(&never_ends);
    let service = plugins.serve(1).await;
    let client = service.client();
    create_app(&client).await;
    let all = texts(40);
    put(&client, &all[..20]).await;
    until_done(&client, 20).await;
    // With the state of the one before: it would trap on a record before it has seen twenty.
    let goes_on = counter_that(
        "(if (i64.lt_u (i64.load (i32.const 336)) (i64.const 20)) (then (unreachable)))",
    );
    plugins.put("counter", &goes_on);
    until_all_work_with(&client, 2).await;
    put(&client, &all[20..]).await;
    let app = until_done(&client, 40).await;
    assert_eq!(
        (&app["deadLetters"], &app["shards"][0]["unheard"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(words(&client).await, counted(&all).0);
    service.stop().await;
}

#[tokio::test]
async fn a_shard_that_its_plugin_does_not_let_end_ends_when_that_is_skipped() {
    let not_yet = ConsumerGuest {
        shard_ended: "(return (call $error (i32.const 360) (i32.const 7)))".to_owned(),
        ..counter()
    };
    let plugins = Plugins::with(&not_yet);
    let service = plugins.serve(1).await;
    let client = service.client();
    create_app(&client).await;
    let all = texts(60);
    put(&client, &all[..30]).await;
    until_done(&client, 30).await;
    let split = json!({
        "StreamName": TEXT, "ShardToSplit": shard_id(0),
        "NewStartingHashKey": (1_u128 << 127).to_string(),
    });
    client.call("SplitShard", split).await;
    client.until_active(TEXT).await;
    put(&client, &all[30..]).await;
    let stuck = until(&client, |app| app["shards"][0]["stuck"].is_string()).await;
    let why = stuck["shards"][0]["stuck"].as_str().unwrap();
    assert!(why.contains("not now"), "{why}");
    assert_eq!(stuck["processed"], 30, "the children wait for it");
    order(&client, "skip").await;
    let app = until_done(&client, 60).await;
    let parent = &app["shards"][0];
    assert_eq!(
        (&parent["state"], &parent["unheard"]),
        (&json!("done"), &json!(1))
    );
    assert_eq!(words(&client).await, counted(&all).0);
    service.stop().await;
}

#[tokio::test]
async fn a_record_for_a_stream_that_is_not_there_can_be_skipped() {
    let plugins = Plugins::with(&counter_that(
        "(if (call $begins (local.get $at) (local.get $length) (i32.const 63))
           (then
             (i32.store (i32.const 328) (local.get $length))
             (call $emit (i32.const 264) (i32.const 6)
               (local.get $at) (local.get $length) (i32.const 328) (i32.const 1)
               (local.get $at) (local.get $length) (i32.const 328) (i32.const 1)
               (i32.const 96))))",
    ));
    let service = Service::start_with(plugins.setting()).await;
    let client = service.client();
    client.create(TEXT, 1).await;
    create_app(&client).await;
    let all = ["a", "?b", "c"].map(str::to_owned);
    put(&client, &all).await;
    until(&client, |app| app["shards"][0]["stuck"].is_string()).await;
    loop {
        order(&client, "skip").await;
        let app = describe(&client).await;
        if app["deadLetters"] == 1 && app["processed"] == 2 {
            break;
        }
    }
    assert_eq!(
        words(&client).await,
        counted(&["a", "c"].map(str::to_owned)).0
    );
    service.stop().await;
}
