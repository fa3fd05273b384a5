//! Another version of a plugin takes the place of the one at work, with its state, or does not.

use serde_json::json;

use crate::counter::{counter, counter_that};
use crate::ground::{APP, Plugins, counted, create_app, put, until, until_done, words};

fn texts(from: usize, to: usize) -> Vec<String> {
    (from..to)
        .map(|number| format!("word-{}", number % 7))
        .collect()
}

/// Counts by two, and puts how many records all instances have seen under the key `seen`.
fn by_two() -> crate::consumer_guest::ConsumerGuest {
    let mut guest = counter_that("");
    guest.fields = guest.fields.replace(
        "(i64.add (local.get $n) (i64.const 1))",
        "(i64.add (local.get $n) (i64.const 2))",
    );
    guest
}

#[tokio::test]
async fn another_version_goes_on_where_the_one_before_was_with_what_it_kept() {
    let plugins = Plugins::with(&counter());
    let service = plugins.serve(2).await;
    let client = service.client();
    create_app(&client).await;
    let all = texts(0, 200);
    put(&client, &all[..100]).await;
    let before = until_done(&client, 100).await;
    let version = before["shards"][0]["version"].clone();
    plugins.put("counter", &by_two());
    client
        .page_until("plugins/counter", |page| page["swaps"] == 1)
        .await;
    put(&client, &all[100..]).await;
    let after = until_done(&client, 200).await;
    assert_ne!(after["shards"][0]["version"], version);
    let mut counts = counted(&all[..100]).0;
    for (word, count) in counted(&all[100..]).0 {
        *counts.entry(word).or_default() += 2 * count;
    }
    assert_eq!(words(&client).await, counts);
    service.stop().await;
}

#[tokio::test]
async fn a_version_that_does_not_take_over_is_shown_and_the_one_before_goes_on() {
    let plugins = Plugins::with(&counter());
    let service = plugins.serve(1).await;
    let client = service.client();
    create_app(&client).await;
    let all = texts(0, 100);
    put(&client, &all[..50]).await;
    until_done(&client, 50).await;
    let mut refuses = counter();
    let state = refuses.state.as_mut().unwrap();
    state[2] = "(return (call $error (i32.const 372) (i32.const 6)))".to_owned();
    plugins.put("counter", &refuses);
    client
        .page_until("plugins/counter", |page| page["swaps"] == 1)
        .await;
    put(&client, &all[50..]).await;
    until_done(&client, 100).await;
    let app = until(&client, |app| app["shards"][0]["swapRefused"].is_string()).await;
    let why = app["shards"][0]["swapRefused"].as_str().unwrap();
    assert!(why.contains("restore"), "{why}");
    assert_eq!(words(&client).await, counted(&all).0);
    service.stop().await;
}

#[tokio::test]
async fn one_that_is_pinned_stays_with_its_version() {
    let plugins = Plugins::with(&counter());
    let service = plugins.serve(1).await;
    let client = service.client();
    create_app(&client).await;
    let all = texts(0, 60);
    put(&client, &all[..20]).await;
    let app = until_done(&client, 20).await;
    let version = app["shards"][0]["version"].clone();
    let pin = json!({ "version": version });
    let (status, answer) = client.post_page(&format!("apps/{APP}/version"), &pin).await;
    assert_eq!(status, 200, "{answer}");
    plugins.put("counter", &by_two());
    client
        .page_until("plugins/counter", |page| page["swaps"] == 1)
        .await;
    put(&client, &all[20..40]).await;
    let app = until_done(&client, 40).await;
    assert_eq!(app["shards"][0]["version"], version);
    assert_eq!(app["pinned"], version);
    let (status, _) = client
        .post_page(
            &format!("apps/{APP}/version"),
            &json!({"version": "latest"}),
        )
        .await;
    assert_eq!(status, 200);
    put(&client, &all[40..]).await;
    until_done(&client, 60).await;
    let mut counts = counted(&all[..40]).0;
    for (word, count) in counted(&all[40..]).0 {
        *counts.entry(word).or_default() += 2 * count;
    }
    assert_eq!(words(&client).await, counts);
    service.stop().await;
}

/// The next version would trap on a record before it has seen sixty: what it goes on with says so.
#[tokio::test]
async fn a_version_is_swapped_in_with_its_state_where_no_records_come() {
    let plugins = Plugins::with(&counter());
    let service = plugins.serve(1).await;
    let client = service.client();
    create_app(&client).await;
    let all = texts(0, 70);
    put(&client, &all[..60]).await;
    until_done(&client, 60).await;
    let goes_on = counter_that(
        "(if (i64.lt_u (i64.load (i32.const 336)) (i64.const 60)) (then (unreachable)))",
    );
    plugins.put("counter", &goes_on);
    client
        .page_until("plugins/counter", |page| page["swaps"] == 1)
        .await;
    let begun = std::time::Instant::now();
    until(&client, |app| app["shards"][0]["versionNumber"] == 2).await;
    let took = begun.elapsed();
    assert!(
        took < std::time::Duration::from_secs(10),
        "it took {took:?}"
    );
    put(&client, &all[60..]).await;
    let app = until_done(&client, 70).await;
    assert_eq!(app["deadLetters"], 0);
    assert_eq!(words(&client).await, counted(&all).0);
    service.stop().await;
}
