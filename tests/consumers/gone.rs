//! What an application had not come to when its stream was deleted is counted, also while it is
//! paused, and an application that is deleted is gone whatever its plugin does.

use std::collections::BTreeSet;
use std::time::Duration;

use millrace_tests::{Client, Service, Setting};
use serde_json::json;

use crate::counter::{counter, counter_that};
use crate::ground::{APP, Plugins, TEXT, create_app, describe, put, until, until_done};

async fn order(client: &Client, order: &str) {
    let page = format!("apps/{APP}/{order}");
    let (status, answer) = client.post_page(&page, &json!({})).await;
    assert_eq!(status, 200, "{answer}");
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("word-{number}")).collect()
}

#[tokio::test]
async fn what_is_deleted_with_its_stream_while_an_application_is_paused_is_lost_and_counted() {
    let plugins = Plugins::with(&counter());
    let service = plugins.serve(2).await;
    let client = service.client();
    create_app(&client).await;
    put(&client, &texts(10)).await;
    until_done(&client, 10).await;
    order(&client, "pause").await;
    put(&client, &texts(100)).await;
    client.delete(TEXT).await;
    let app = until(&client, |app| app["lost"] == 100).await;
    assert_eq!(
        (&app["state"], &app["waiting"]),
        (&json!("PAUSED"), &json!(0))
    );
    assert_eq!(
        app["trouble"],
        json!(null),
        "it is paused, and misses nothing"
    );
    // The next one of its name is another one, and goes as well before anybody reads it.
    client.create(TEXT, 1).await;
    until(&client, |app| app["shards"][0]["waiting"] == 0).await;
    put(&client, &texts(50)).await;
    client.delete(TEXT).await;
    until(&client, |app| app["lost"] == 150).await;
    let service = service.restart().await;
    let client = service.client();
    order(&client, "resume").await;
    let app = until(&client, |app| app["trouble"].is_string()).await;
    assert_eq!((&app["processed"], &app["lost"]), (&json!(10), &json!(150)));
    service.stop().await;
}

#[tokio::test]
async fn an_application_whose_records_never_end_is_gone_soon_after_it_is_deleted() {
    let plugins = Plugins::with(&counter());
    let setting = Setting {
        plugin_limits: wasm::Limits {
            // Nothing but the deletion ends them while the test lasts.
            batch_time_max: Duration::from_secs(3_000),
            ..wasm::Limits::default()
        },
        ..plugins.setting()
    };
    let service = Service::start_with(setting).await;
    let client = service.client();
    client.create(TEXT, 8).await;
    client.create("alerts", 1).await;
    create_app(&client).await;
    let loops: Vec<_> = (0..64).map(|number| format!("@{number}")).collect();
    put(&client, &loops).await;
    order(&client, "delete").await;
    client
        .page_until("apps", |page| page["apps"] == json!([]))
        .await;
    create_app(&client).await;
    service.stop().await;
}

#[tokio::test]
async fn what_is_done_and_what_waits_come_to_what_there_is_at_each_look() {
    /// Each time so many records are put, and it is looked at while they are worked on.
    const PUTS: u64 = 20;
    const RECORDS: usize = 50;
    // Each record takes a while, so that some are done and others wait at most of the looks.
    let plugins = Plugins::with(&counter_that(
        "(local $turns i32)
         (local.set $turns (i32.const 1000000))
         (loop $again
           (local.set $turns (i32.sub (local.get $turns) (i32.const 1)))
           (br_if $again (local.get $turns)))",
    ));
    let service = plugins.serve(4).await;
    let client = service.client();
    create_app(&client).await;
    let mut seen = BTreeSet::new();
    for round in 1..=PUTS {
        put(&client, &texts(RECORDS)).await;
        let there = round * RECORDS as u64;
        loop {
            let app = describe(&client).await;
            let count = |member: &str| app[member].as_u64().unwrap();
            let (done, waiting) = (count("processed"), count("waiting"));
            assert_eq!(done + waiting, there, "{app}");
            if done > 0 && waiting > 0 {
                seen.insert(done);
            }
            if round < PUTS || waiting == 0 {
                break;
            }
        }
    }
    assert!(
        seen.len() >= 3,
        "in the middle of the work only at {seen:?}"
    );
    service.stop().await;
}
