//! Applications take part in canaries and in the rollback of versions that fail: shard by shard,
//! with their state.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use http::Method;
use millrace_tests::{Client, Service};
use serde_json::{Value, json};

use crate::consumer_guest::ConsumerGuest;
use crate::counter::{counter, counter_that, numbered};
use crate::ground::{APP, Plugins, counted, create_app, describe, put, until, until_done, words};

const SHARDS: u32 = 16;

/// The manifest of a version, and how it comes into force.
fn manifest(version: u32, rollout: &str) -> String {
    format!("name = 'counter'\nversion = '{version}'\n{rollout}")
}

fn texts(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|number| format!("word-{number}")).collect()
}

/// A server whose application has worked on the first hundred records with version 1.
async fn served(plugins: &Plugins) -> Service {
    let service = plugins.serve(SHARDS).await;
    let client = service.client();
    create_app(&client).await;
    put(&client, &texts(0, 100)).await;
    until_done(&client, 100).await;
    service
}

fn with_first(guest: &ConsumerGuest) -> Plugins {
    Plugins::with_manifest(guest, &manifest(1, ""))
}

/// The number of the version that each shard works with, and whether that is a canary.
fn versions(app: &Value) -> BTreeMap<String, (u64, bool)> {
    let shards = app["shards"].as_array().unwrap().iter();
    let shards = shards.map(|shard| {
        let number = shard["versionNumber"].as_u64().unwrap();
        let id = shard["shard"].as_str().unwrap().to_owned();
        (id, (number, shard["isCanary"].as_bool().unwrap()))
    });
    shards.collect()
}

/// The shards that work with the canary.
fn canaries(app: &Value) -> BTreeSet<String> {
    let all = versions(app).into_iter();
    let canaries = all.filter(|(_, (_, is_canary))| *is_canary);
    canaries.map(|(shard, _)| shard).collect()
}

async fn begin_canary(client: &Client, percent: u8) {
    order(client, &format!("canary/2/{percent}")).await;
}

async fn order(client: &Client, order: &str) {
    let page = format!("plugins/counter/{order}");
    let answer = client.page(Method::POST, &page).await;
    assert_eq!(answer.status(), 200, "{order}: {:?}", answer.body());
}

/// Waits until so many shards work with the canary, as `percent` of them do by the rule.
async fn until_settled(client: &Client, expected: impl Fn(&BTreeSet<String>) -> bool) -> Value {
    until(client, |app| expected(&canaries(app))).await
}

#[tokio::test]
async fn a_share_of_the_shards_goes_by_the_canary_and_it_is_the_same_ones_after_a_restart() {
    let plugins = with_first(&counter());
    let service = served(&plugins).await;
    let client = service.client();
    let rollout = "[rollout]\ncanary_percent = 1\n";
    plugins.put_with("counter", &numbered(2, counter()), &manifest(2, rollout));
    let has_canary = |page: &Value| page["canary"]["number"] == 2;
    client.page_until("plugins/counter", has_canary).await;
    begin_canary(&client, 50).await;
    // Each shard looks before it works on a record.
    put(&client, &texts(100, 280)).await;
    let half = canaries(&until_done(&client, 280).await);
    // Fewer than four of sixteen or more than twelve are below a half once in fifty times, and the
    // numbers of the shards are always the same.
    assert!((4..=12).contains(&half.len()), "{half:?}");
    put(&client, &texts(280, 300)).await;
    let app = until_done(&client, 300).await;
    assert_eq!(canaries(&app), half, "a shard keeps its version");
    let service = service.restart().await;
    let client = service.client();
    put(&client, &texts(300, 500)).await;
    let app = until_done(&client, 500).await;
    assert_eq!(canaries(&app), half, "a restart decides the same");
    begin_canary(&client, 99).await;
    let app = until_settled(&client, |canaries| canaries.len() >= 14).await;
    assert!(half.is_subset(&canaries(&app)), "who has it keeps it");
    order(&client, "canary/end").await;
    until(&client, |app| {
        versions(app).values().all(|it| *it == (1, false))
    })
    .await;
    put(&client, &texts(500, 600)).await;
    until_done(&client, 600).await;
    assert_eq!(words(&client).await, counted(&texts(0, 600)).0);
    service.stop().await;
}

/// Deletes what a server keeps of a version.
fn forget(kept: &Path, hash: &str) {
    for entry in std::fs::read_dir(kept).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().contains(hash) {
            match path.is_dir() {
                true => std::fs::remove_dir_all(path).unwrap(),
                false => std::fs::remove_file(path).unwrap(),
            }
        } else if path.is_dir() {
            forget(&path, hash);
        }
    }
}

/// It held its shards for as long as nobody ended it.
#[tokio::test]
async fn a_canary_that_cannot_be_loaded_after_a_restart_is_ended_and_its_shards_go_on() {
    let plugins = with_first(&counter());
    let service = served(&plugins).await;
    let client = service.client();
    let rollout = "[rollout]\ncanary_percent = 99\n";
    plugins.put_with("counter", &numbered(2, counter()), &manifest(2, rollout));
    until_settled(&client, |canaries| canaries.len() >= 14).await;
    put(&client, &texts(100, 200)).await;
    let app = until_done(&client, 200).await;
    let of_canary = app["shards"].as_array().unwrap().iter();
    let mut of_canary = of_canary.filter(|shard| shard["isCanary"] == true);
    let canary = of_canary.next().unwrap()["version"].as_str().unwrap();
    let kept = service.kept_plugins();
    let service = service.restart_after(|| forget(&kept, canary)).await;
    let client = service.client();
    put(&client, &texts(200, 300)).await;
    let waits = |shard: &Value| {
        let stuck = shard["stuck"].as_str().unwrap_or_default();
        stuck.contains("cannot be had")
    };
    until(&client, |app| {
        app["shards"].as_array().unwrap().iter().any(waits)
    })
    .await;
    let page = client.page_until("plugins/counter", |_| true).await;
    assert_eq!(page["canary"]["number"], 2, "that may pass");
    service.pass(Duration::from_secs(31));
    let page = client
        .page_until("plugins/counter", |page| page["failing"].is_string())
        .await;
    let failing = page["failing"].as_str().unwrap();
    assert!(
        failing.contains("was a canary and could not be loaded: "),
        "{failing}"
    );
    assert!(
        failing.ends_with("; all go by the version in force"),
        "{failing}"
    );
    assert_eq!(page["canary"], Value::Null);
    let app = until_done(&client, 300).await;
    put(&client, &texts(300, 400)).await;
    let last = until_done(&client, 400).await;
    assert!(
        versions(&last).values().all(|it| *it == (1, false)),
        "{app}"
    );
    assert_eq!(words(&client).await, counted(&texts(0, 400)).0);
    assert_eq!(last["deadLetters"], 0);
    service.stop().await;
}

/// Version 2 traps on every record; the state that it took over goes back to version 1, which
/// would trap without it.
#[tokio::test]
async fn a_canary_that_fails_is_rolled_back_by_itself_and_nothing_is_lost() {
    let plugins = with_first(&counter());
    let service = served(&plugins).await;
    let client = service.client();
    let rollout = "[rollout]\ncanary_percent = 99\nfailed_percent_max = 10\nrecords_min = 5\n";
    let bad = numbered(2, counter_that("(unreachable)"));
    plugins.put_with("counter", &bad, &manifest(2, rollout));
    until_settled(&client, |canaries| canaries.len() >= 14).await;
    put(&client, &texts(100, 400)).await;
    let page = client
        .page_until("plugins/counter", |page| page["failing"].is_string())
        .await;
    let failing = page["failing"].as_str().unwrap();
    assert!(failing.ends_with("it is no canary any more"), "{failing}");
    assert_eq!(
        (&page["number"], &page["canary"]),
        (&json!(1), &Value::Null)
    );
    assert_eq!(page["setAside"]["why"], "rolled-back-automatically");
    let sum =
        |app: &Value| app["processed"].as_u64().unwrap() + app["deadLetters"].as_u64().unwrap();
    let app = until(&client, |app| sum(app) == 400 && app["waiting"] == 0).await;
    assert!(versions(&app).values().all(|it| *it == (1, false)), "{app}");
    let letters = app["deadLetters"].as_u64().unwrap();
    assert!(
        (5..100).contains(&letters),
        "{letters} of 300 became dead letters"
    );
    // What it failed on goes well with the version that its shard works with now.
    let page = format!("apps/{APP}/dead-letters");
    let answer = client.read_page(&page).await;
    for letter in answer["deadLetters"].as_array().unwrap() {
        let replay = format!("{page}/{}/replay", letter["id"].as_str().unwrap());
        let (status, answer) = client.post_page(&replay, &json!({})).await;
        assert_eq!(status, 200, "{answer}");
    }
    assert_eq!(words(&client).await, counted(&texts(0, 400)).0);
    assert_eq!(describe(&client).await["replayed"], letters);
    service.stop().await;
}

/// No canary, but a version in force for all; it does not fail, it never gets on.
#[tokio::test]
async fn a_version_that_stands_still_makes_room_for_the_one_before_with_its_state() {
    // What is kept says how many records a shard has seen: the version that comes back traps on
    // one if it has seen none before.
    let first = counter_that(
        "(if (i64.eqz (i64.load (i32.const 336)))
           (then (if (call $begins (local.get $at) (local.get $length) (i32.const 63))
             (then (unreachable)))))",
    );
    let plugins = with_first(&first);
    let service = plugins.serve(1).await;
    let client = service.client();
    create_app(&client).await;
    put(&client, &texts(0, 100)).await;
    until_done(&client, 100).await;
    let later = ConsumerGuest {
        process: "(return (call $fault (i32.const 0) (i32.const 360) (i32.const 7)))".to_owned(),
        ..counter()
    };
    let rollout = "[rollout]\nfailed_percent_max = 10\nrecords_min = 20\n";
    plugins.put_with("counter", &later, &manifest(2, rollout));
    until(&client, |app| app["shards"][0]["versionNumber"] == 2).await;
    let all: Vec<_> = texts(0, 100)
        .into_iter()
        .chain((0..20).map(|it| format!("?{it}")))
        .collect();
    put(&client, &all[100..]).await;
    client
        .page_until("plugins/counter", |page| page["failing"].is_string())
        .await;
    let app = until_done(&client, 120).await;
    assert_eq!(
        versions(&app).into_values().collect::<Vec<_>>(),
        [(1, false)]
    );
    assert_eq!(app["deadLetters"], 0);
    assert_eq!(words(&client).await, counted(&all).0);
    service.stop().await;
}

#[tokio::test]
async fn what_a_version_has_worked_on_and_failed_on_is_in_its_counts() {
    let plugins = with_first(&counter());
    let service = plugins.serve(2).await;
    let client = service.client();
    create_app(&client).await;
    let mut all = texts(0, 60);
    all.extend(["!one".to_owned(), "!two".to_owned()]);
    put(&client, &all).await;
    until(&client, |app| {
        app["processed"] == 60 && app["deadLetters"] == 2
    })
    .await;
    let page = client.read_page("plugins/counter").await;
    let version = &page["versions"][0];
    assert_eq!(
        (&version["ended"], &version["failed"]),
        (&json!(62), &json!(2))
    );
    service.stop().await;
}

/// A paused plugin swaps nothing and works on nothing; taken away in the middle of a canary it
/// leaves the shards where they are, and they go on when it comes back.
#[tokio::test]
async fn a_plugin_that_is_paused_or_taken_away_in_the_middle_of_a_canary_leaves_nothing_stuck() {
    let plugins = with_first(&counter());
    let service = served(&plugins).await;
    let client = service.client();
    let rollout = "[rollout]\ncanary_percent = 99\n";
    plugins.put_with("counter", &numbered(2, counter()), &manifest(2, rollout));
    until_settled(&client, |canaries| canaries.len() >= 14).await;
    order(&client, "pause").await;
    put(&client, &texts(100, 200)).await;
    until(&client, |app| {
        app["shards"][0]["stuck"].is_string() || app["trouble"].is_string()
    })
    .await;
    assert_eq!(describe(&client).await["processed"], 100);
    order(&client, "resume").await;
    until_done(&client, 200).await;
    plugins.remove_folder("counter");
    client
        .page_until("plugins", |page| page["plugins"] == json!([]))
        .await;
    put(&client, &texts(200, 300)).await;
    let (status, _) = client
        .post_page(&format!("apps/{APP}/pause"), &json!({}))
        .await;
    assert_eq!(status, 200);
    until(&client, |app| {
        let mut shards = app["shards"].as_array().unwrap().iter();
        shards.all(|shard| shard["state"] != "here")
    })
    .await;
    client
        .post_page(&format!("apps/{APP}/resume"), &json!({}))
        .await;
    plugins.put_with("counter", &numbered(3, counter()), &manifest(3, ""));
    until_done(&client, 300).await;
    assert_eq!(words(&client).await, counted(&texts(0, 300)).0);
    service.stop().await;
}
