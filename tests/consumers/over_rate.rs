//! Streams that have taken more than their shards take in a second, and applications that put
//! records to them. The clock stands still, so that nothing of what is owed is ever paid.

use std::time::{Duration, Instant};

use millrace_tests::{Client, Service, Setting};
use serde_json::{Value, json};

use crate::consumer_guest::ConsumerGuest;
use crate::counter::{counter_that, numbered, that_says_when_it_ends};
use crate::ground::{APP, Plugins, TEXT, create_app, describe, put, until, until_done, words};

/// Looks at an application that waits, until it is certain that it does.
const LOOKS: usize = 200;
/// Longer than two tries take.
const TRIES_TIME: Duration = Duration::from_secs(15);
/// Longer than it takes to pay what is owed.
const LONG: Duration = Duration::from_secs(60);

/// Puts each record twenty times to `alerts`.
fn that_puts_much() -> ConsumerGuest {
    counter_that(
        "(local $left i32)
         (local.set $left (i32.const 20))
         (i32.store (i32.const 328) (local.get $length))
         (loop $again
           (call $emit (i32.const 264) (i32.const 6)
             (local.get $at) (local.get $length) (i32.const 328) (i32.const 1)
             (local.get $at) (local.get $length) (i32.const 328) (i32.const 1)
             (i32.const 96))
           (local.set $left (i32.sub (local.get $left) (i32.const 1)))
           (br_if $again (local.get $left)))",
    )
}

fn texts(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|number| format!("word-{number}")).collect()
}

/// A server whose stream `alerts` owes two seconds, by the application itself.
async fn serve(plugins: &Plugins) -> Service {
    let service = Service::start_with(Setting {
        throttle: true,
        ..plugins.setting()
    })
    .await;
    let client = service.client();
    client.create(TEXT, 1).await;
    client.create("alerts", 1).await;
    create_app(&client).await;
    put(&client, &texts(0, 100)).await;
    until_done(&client, 100).await;
    service
}

async fn work_bytes(client: &Client) -> u64 {
    let metrics = client.metrics_of_all().await;
    let line = metrics
        .lines()
        .find(|line| line.starts_with("millrace_application_work_bytes "))
        .unwrap_or_else(|| panic!("{metrics}"));
    line.split(' ').nth(1).unwrap().parse().unwrap()
}

async fn order(client: &Client, order: &str) {
    let page = format!("apps/{APP}/{order}");
    let (status, answer) = client.post_page(&page, &json!({})).await;
    assert_eq!(status, 200, "{answer}");
}

async fn until_at_rest(client: &Client) -> Value {
    until(client, |app| app["shards"][0]["state"] != "here").await
}

/// It held them for ten seconds, and after a moment for another ten.
#[tokio::test]
async fn a_batch_holds_no_memory_while_the_stream_that_it_puts_to_takes_nothing() {
    let plugins = Plugins::with(&that_puts_much());
    let service = serve(&plugins).await;
    let client = service.client();
    put(&client, &texts(100, 110)).await;
    let (begun, mut looks, mut held) = (Instant::now(), 0, 0);
    loop {
        looks += 1;
        held += usize::from(work_bytes(&client).await > 0);
        // It is tried again and again, as soon as it could go.
        let app = describe(&client).await;
        if app["shards"][0]["redone"].as_u64() >= Some(2) || begun.elapsed() > TRIES_TIME {
            break;
        }
    }
    assert!(held < looks / 2, "at {held} of {looks} looks");
    service.pass(LONG);
    let app = until_done(&client, 110).await;
    assert_eq!(app["shards"][0]["stuck"], Value::Null);
    service.stop().await;
}

/// The stop was taken for what stood in the way, and counted for the trial of the next version.
#[tokio::test]
async fn a_stop_while_a_swap_waits_for_a_stream_is_no_trouble_and_the_swap_comes_later() {
    let version = |number| numbered(number, that_says_when_it_ends(that_puts_much()));
    let plugins = Plugins::with(&version(1));
    let service = serve(&plugins).await;
    let client = service.client();
    plugins.put("counter", &version(2));
    client
        .page_until("plugins/counter", |page| page["swaps"] == 1)
        .await;
    for _ in 0..LOOKS {
        let app = describe(&client).await;
        assert_eq!(app["shards"][0]["versionNumber"], 1);
    }
    order(&client, "pause").await;
    let app = until_at_rest(&client).await;
    assert_eq!(app["shards"][0]["stuck"], Value::Null, "{app}");
    assert_eq!(words(&client).await.get("ends"), None);
    service.pass(LONG);
    order(&client, "resume").await;
    let app = until(&client, |app| app["shards"][0]["versionNumber"] == 2).await;
    assert_eq!(app["shards"][0]["unheard"], 0);
    assert_eq!(words(&client).await["ends"], 1);
    service.stop().await;
}

/// The same in the middle of a batch.
#[tokio::test]
async fn a_stop_while_a_batch_waits_for_a_stream_is_no_trouble() {
    let plugins = Plugins::with(&that_puts_much());
    let service = serve(&plugins).await;
    let client = service.client();
    put(&client, &texts(100, 110)).await;
    for _ in 0..LOOKS {
        describe(&client).await;
    }
    order(&client, "pause").await;
    let app = until_at_rest(&client).await;
    assert_eq!(app["shards"][0]["stuck"], Value::Null, "{app}");
    service.pass(LONG);
    order(&client, "resume").await;
    until_done(&client, 110).await;
    service.stop().await;
}
