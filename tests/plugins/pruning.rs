//! How long versions are kept: what is in use for ever, and of the rest the last hundred.

use std::fs;
use std::path::Path;
use std::time::Duration;

use http::Method;
use millrace_tests::{ACCOUNT, base64, through};
use serde_json::{Value, json};
use wasm::ContentHash;

use crate::consumer_guest::ConsumerGuest;
use crate::ground::Ground;
use crate::guest::Guest;

/// Versions that are deployed: more than those that have a number and those that are spare
/// together, so that some are deleted.
const DEPLOYMENTS: u64 = 150;
/// The oldest of them that has a number at the end, where two older ones are in use.
const OLDEST: u64 = DEPLOYMENTS - 97;

/// Puts a version of `own` in force, or lets a share go by it; what it has for a number.
async fn deploy(ground: &Ground, manifest: &str, component: &[u8]) {
    let body = [manifest.as_bytes(), component].concat();
    let (status, answer) = ground
        .client
        .send_page(Method::PUT, "plugins/own", body)
        .await;
    assert_eq!(status, 200, "{answer}");
}

async fn order(ground: &Ground, order: &str) -> (u16, Value) {
    let page = format!("plugins/own/{order}");
    ground.client.post_page(&page, &Value::Null).await
}

fn guest(number: u64) -> Vec<u8> {
    Guest::numbered(u32::try_from(number).unwrap()).component()
}

fn is_kept(ground: &Ground, hash: ContentHash) -> bool {
    let folder = ground.service.kept_plugins().join("versions");
    folder.join(format!("{hash}.wasm")).exists()
}

/// Waits until fewer versions are kept than were deployed: what is not needed is being deleted.
async fn until_some_are_deleted(ground: &Ground, deployed: usize) {
    let folder = ground.service.kept_plugins().join("versions");
    let is_component = |path: &Path| path.extension().is_some_and(|ending| ending == "wasm");
    for _ in 0..3_000 {
        let kept = fs::read_dir(&folder).unwrap();
        let kept = kept.filter(|entry| is_component(&entry.as_ref().unwrap().path()));
        if kept.count() < deployed {
            return;
        }
        ground.victim_works().await;
    }
    panic!("no version is deleted");
}

#[tokio::test]
async fn an_open_cut_an_alias_and_the_last_hundred_versions_outlive_many_deployments() {
    let ground = Ground::start(tempfile::tempdir().unwrap()).await;
    let first = Guest::attacking("(unreachable)").component();
    deploy(&ground, "", &first).await;
    // A cut of version 1 that is half put: a file lies where its failed records should be.
    let destination = through("open", ACCOUNT, "own");
    ground.client.create_delivery("open", destination).await;
    let bucket = ground.service.buckets().join("open");
    fs::create_dir_all(&bucket).unwrap();
    fs::write(bucket.join("failed"), "").unwrap();
    ground.client.put_delivery("open", &["good", "!"]).await;
    ground.service.pass(Duration::from_secs(1_000));
    let is_half = |page: &Value| page["lastObject"].is_string() && page["trouble"].is_string();
    ground.client.delivery_until("open", is_half).await;
    deploy(&ground, "", &guest(2)).await;
    assert_eq!(order(&ground, "aliases/live/2").await.0, 200);
    let destination = through("alias", ACCOUNT, "own:live");
    ground.client.create_delivery("alias", destination).await;
    for number in 3..=DEPLOYMENTS {
        deploy(&ground, "", &guest(number)).await;
    }
    until_some_are_deleted(&ground, usize::try_from(DEPLOYMENTS).unwrap()).await;
    let ground = ground.restart().await;
    let hash = |number: u64| match number {
        1 => ContentHash::of(None, &first),
        number => ContentHash::of(None, &guest(number)),
    };
    for number in [1, 2].into_iter().chain(OLDEST..=DEPLOYMENTS) {
        assert!(is_kept(&ground, hash(number)), "version {number}");
    }
    assert!(!is_kept(&ground, hash(3)), "nobody needs it");
    ground.client.put_delivery("alias", &["by an alias"]).await;
    ground.client.flush("alias").await;
    let page = ground.client.delivery("alias").await;
    assert_eq!(page["versions"][0]["hash"], hash(2).to_string(), "{page}");
    fs::remove_file(ground.service.buckets().join("open/failed")).unwrap();
    let is_done = |page: &Value| page["delivered"] == 1 && page["failed"] == 1;
    let page = ground.client.delivery_until("open", is_done).await;
    assert_eq!(page["versions"][0]["hash"], hash(1).to_string(), "{page}");
    let (status, answer) = order(&ground, &format!("rollback/{OLDEST}")).await;
    assert_eq!(
        (status, &answer["version"]["number"]),
        (200, &json!(OLDEST)),
        "{answer}"
    );
    let (status, answer) = order(&ground, "rollback/3").await;
    assert_eq!(status, 400, "{answer}");
    ground.victim_works().await;
}

#[tokio::test]
async fn the_version_in_force_outlives_many_canaries_and_so_does_the_last_of_these() {
    let ground = Ground::start(tempfile::tempdir().unwrap()).await;
    let manifest = |number: u64| {
        format!("name = 'own'\nversion = '{number}'\n[rollout]\ncanary_percent = 50\n")
    };
    for number in 1..=DEPLOYMENTS {
        deploy(&ground, &manifest(number), &guest(number)).await;
    }
    until_some_are_deleted(&ground, usize::try_from(DEPLOYMENTS).unwrap()).await;
    let ground = ground.restart().await;
    let hash = |number: u64| ContentHash::of(Some(&manifest(number)), &guest(number));
    let page = ground.plugin("own").await;
    assert_eq!(
        (&page["number"], &page["canary"]["number"]),
        (&json!(1), &json!(DEPLOYMENTS))
    );
    for number in [1, DEPLOYMENTS] {
        assert!(is_kept(&ground, hash(number)), "version {number}");
    }
    let (status, answer) = order(&ground, "canary/promote").await;
    assert_eq!(status, 200, "{answer}");
    let (_, answer) = order(&ground, "rollback").await;
    assert_eq!(answer["version"]["number"], 1, "{answer}");
}

#[tokio::test]
async fn the_version_that_an_application_is_pinned_to_outlives_many_deployments() {
    let ground = Ground::start(tempfile::tempdir().unwrap()).await;
    let component = |number: u64| {
        let guest = ConsumerGuest {
            fields: format!("(data (i32.const 3000) \"{number}\")"),
            ..ConsumerGuest::default()
        };
        guest.component()
    };
    deploy(&ground, "", &component(1)).await;
    ground.client.create("words", 1).await;
    let first = ContentHash::of(None, &component(1));
    let body = json!({"stream": "words", "plugin": "own", "version": first.to_string()});
    let (status, answer) = ground.client.post_page("apps/app/create", &body).await;
    assert_eq!(status, 200, "{answer}");
    for number in 2..=DEPLOYMENTS {
        deploy(&ground, "", &component(number)).await;
    }
    until_some_are_deleted(&ground, usize::try_from(DEPLOYMENTS).unwrap()).await;
    let ground = ground.restart().await;
    assert!(is_kept(&ground, first));
    ground.client.put("words", &base64("after")).await;
    for _ in 0..3_000 {
        let answer = ground.client.page(Method::GET, "apps/app").await;
        let page: Value = serde_json::from_slice(answer.body()).unwrap();
        if page["shards"][0]["processed"] == 1 {
            assert_eq!(page["shards"][0]["version"], first.to_string());
            return;
        }
        ground.victim_works().await;
    }
    panic!("the application does not get on");
}
