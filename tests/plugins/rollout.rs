//! `[rollout]`: a version that fails on too many records makes room for the one before.

use std::fs;
use std::path::Path;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::ground::{Ground, accounts_for};
use crate::guest::Guest;

/// A tenth may fail, once the outcome of ten records is known.
const CAREFUL: &str = "[rollout]\nfailed_percent_max = 10\nrecords_min = 10\n";
/// Ten records, of which one is marked, and ten of which two are.
const ONE_IN_TEN: [&str; 10] = ["a", "a", "a", "a", "!", "a", "a", "a", "a", "a"];
const TWO_IN_TEN: [&str; 10] = ["a", "!", "a", "a", "!", "a", "a", "a", "a", "a"];

/// A guest that traps on marked records, and is another one for each number.
fn trapping(number: u32) -> Guest {
    let numbered = Guest::numbered(number);
    Guest {
        fields: numbered.fields,
        ..Guest::attacking("(unreachable)")
    }
}

/// Puts a version of the plugin `own` into a directory, whole at once.
fn put(directory: &Path, number: u32, rollout: &str, guest: &Guest) {
    let staged = directory.join(".staged");
    fs::create_dir(&staged).unwrap();
    let manifest = format!("name = 'own'\nversion = '{number}'\n{rollout}");
    fs::write(staged.join("plugin.toml"), manifest).unwrap();
    fs::write(staged.join("own.wasm"), guest.component()).unwrap();
    let folder = directory.join("own");
    if folder.exists() {
        fs::rename(&folder, directory.join(".old")).unwrap();
    }
    fs::rename(staged, folder).unwrap();
    fs::remove_dir_all(directory.join(".old")).unwrap_or_default();
}

/// A server with version 1, which nothing is asked of, and a delivery stream through it.
async fn ground_with(first: &Guest) -> Ground {
    let directory = tempfile::tempdir().unwrap();
    put(directory.path(), 1, "", first);
    let ground = Ground::start(directory).await;
    ground.stream_that_retries("own", 0).await;
    ground
}

/// Puts version 2 there and waits until it is in force.
async fn swap(ground: &Ground, rollout: &str, second: &Guest) {
    put(ground.directory.path(), 2, rollout, second);
    ground
        .plugin_when("own", |page| page["version"] == "2")
        .await;
}

async fn order(ground: &Ground, order: &str) {
    let answer = ground
        .client
        .page(Method::POST, &format!("plugins/own/{order}"))
        .await;
    assert_eq!(answer.status(), 200, "{order}");
}

fn is_failing(page: &Value) -> bool {
    page["failing"].is_string()
}

#[tokio::test]
async fn a_version_that_fails_on_too_many_records_makes_room_for_the_one_before() {
    let ground = ground_with(&Guest::default()).await;
    swap(&ground, CAREFUL, &trapping(2)).await;
    ground.deliver("own", &ONE_IN_TEN).await;
    ground.deliver("own", &ONE_IN_TEN[..4]).await;
    let page = ground.plugin("own").await;
    assert_eq!(
        (&page["number"], &page["failing"]),
        (&json!(2), &Value::Null)
    );
    let failed = page["versions"][0]["failed"].clone();
    assert_eq!(
        (&page["versions"][0]["ended"], failed),
        (&json!(14), json!(1))
    );
    ground.deliver("own", &TWO_IN_TEN).await;
    let page = ground.plugin_when("own", is_failing).await;
    let hash = page["setAside"]["hash"].as_str().unwrap();
    let told = format!(
        "of version {} failed, more than 10 %: version 1 is in force again",
        &hash[..12]
    );
    let failing = page["failing"].as_str().unwrap();
    assert!(failing.ends_with(&told), "{failing}");
    assert_eq!(page["number"], 1);
    assert_eq!(page["automaticRollbacks"], 1);
    assert_eq!(page["setAside"]["why"], "rolled-back-automatically");
    let metrics = ground.client.metrics_of_all().await;
    let counted = "plugin_automatic_rollbacks_total{plugin=\"own\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
    let told = "degraded: 1 plugins were rolled back for the records that they failed on\n";
    assert_eq!(ground.client.health().await.1, told);
    // What it failed on stays failed; what comes goes through the version before.
    assert_eq!(ground.failed("own").len(), 3);
    ground.deliver("own", &["!"]).await;
    assert_eq!(ground.delivered("own").last().unwrap(), "!");
    accounts_for(&ground.client.delivery("own").await, 25);

    let ground = ground.restart().await;
    let page = ground.plugin("own").await;
    assert_eq!(
        (&page["number"], &page["refused"]),
        (&json!(1), &Value::Null)
    );
    assert_eq!(
        ground.client.health().await.1,
        told,
        "until somebody looked"
    );
    order(&ground, "rollback/1").await;
    assert_eq!(ground.client.health().await.1, "ok\n");
    let page = ground.plugin("own").await;
    assert_eq!(
        (&page["number"], &page["setAside"]["why"]),
        (&json!(1), &json!("rolled-back"))
    );
}

#[tokio::test]
async fn the_version_before_stays_in_force_though_it_fails_as_well() {
    let directory = tempfile::tempdir().unwrap();
    put(directory.path(), 1, CAREFUL, &trapping(1));
    let ground = Ground::start(directory).await;
    ground.stream_that_retries("own", 0).await;
    swap(&ground, CAREFUL, &trapping(2)).await;
    for _ in 0..4 {
        ground.deliver("own", &TWO_IN_TEN).await;
        ground.plugin_when("own", is_failing).await;
    }
    let page = ground.plugin("own").await;
    assert_eq!((&page["number"], &page["swaps"]), (&json!(1), &json!(2)));
    assert_eq!(page["automaticRollbacks"], 1);
}

#[tokio::test]
async fn a_version_with_none_before_it_stays_in_force_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    put(directory.path(), 1, CAREFUL, &trapping(1));
    let ground = Ground::start(directory).await;
    ground.stream_that_retries("own", 0).await;
    ground.deliver("own", &TWO_IN_TEN).await;
    let page = ground.plugin_when("own", is_failing).await;
    let failing = page["failing"].as_str().unwrap();
    let told = "failed, more than 10 %: there is no version before it, and it stays in force";
    assert!(failing.ends_with(told), "{failing}");
    assert_eq!(
        (&page["number"], &page["setAside"]),
        (&json!(1), &Value::Null)
    );
}

#[tokio::test]
async fn a_version_that_an_operator_put_back_is_not_on_trial() {
    let ground = ground_with(&Guest::default()).await;
    swap(&ground, CAREFUL, &trapping(2)).await;
    order(&ground, "rollback").await;
    order(&ground, "rollback/2").await;
    ground.deliver("own", &TWO_IN_TEN).await;
    let page = ground.plugin("own").await;
    assert_eq!(
        (&page["number"], &page["failing"]),
        (&json!(2), &Value::Null)
    );
}

#[tokio::test]
async fn a_trial_goes_on_after_a_restart_and_ends_after_an_hour() {
    let ground = ground_with(&Guest::default()).await;
    swap(&ground, CAREFUL, &trapping(2)).await;
    let ground = ground.restart().await;
    ground.service.pass(Duration::from_secs(3_000));
    ground.deliver("own", &TWO_IN_TEN).await;
    ground.plugin_when("own", is_failing).await;
    order(&ground, "resume").await;
    ground.service.pass(Duration::from_secs(3_601));
    ground.deliver("own", &TWO_IN_TEN).await;
    let page = ground.plugin("own").await;
    assert_eq!(
        (&page["number"], &page["failing"]),
        (&json!(2), &Value::Null)
    );
    let ground = ground.restart().await;
    ground.deliver("own", &TWO_IN_TEN).await;
    assert_eq!(ground.plugin("own").await["number"], 2);
}

#[tokio::test]
async fn a_canary_that_fails_on_too_many_records_is_ended() {
    let ground = ground_with(&Guest::default()).await;
    let careful = format!("{CAREFUL}canary_percent = 99\n");
    put(ground.directory.path(), 2, &careful, &trapping(2));
    ground
        .plugin_when("own", |page| page["canary"]["number"] == 2)
        .await;
    ground.deliver("own", &TWO_IN_TEN).await;
    let page = ground.plugin_when("own", is_failing).await;
    let failing = page["failing"].as_str().unwrap();
    assert!(failing.ends_with("it is no canary any more"), "{failing}");
    assert_eq!(
        (&page["number"], &page["canary"]),
        (&json!(1), &Value::Null)
    );
    assert_eq!(page["setAside"]["why"], "rolled-back-automatically");
    ground.deliver("own", &["!"]).await;
    assert_eq!(ground.failed("own").len(), 2);
}
