//! Versions that are handed to a running server, and what is left of those that fail.

use std::fs;

use http::Method;
use millrace_tests::{OTHER_ACCOUNT, destination, through};
use serde_json::{Value, json};

use crate::ground::Ground;
use crate::guest::Guest;

/// Hands a bare component of `own` in.
async fn deploy(ground: &Ground, guest: &Guest) -> (u16, Value) {
    let body = guest.component();
    ground
        .client
        .send_page(Method::PUT, "plugins/own", body)
        .await
}

/// Waits until the directory was looked at, long after what was written before.
async fn until_looked_at(ground: &Ground, name: &str) {
    let file = ground.directory.path().join(format!("{name}.wasm"));
    fs::write(file, Guest::default().component()).unwrap();
    ground
        .plugin_when(name, |page| page["state"] == "running")
        .await;
}

/// The files were there, and came into force by themselves a moment after the failure was told.
#[tokio::test]
async fn a_version_that_cannot_be_noted_is_taken_out_of_the_directory_again() {
    let ground = Ground::start(tempfile::tempdir().unwrap()).await;
    let file = ground.directory.path().join("own.wasm");
    let lives = ground.service.kept_plugins().join("lives");
    let kept_lives = lives.with_file_name("kept-lives");
    let away = || fs::rename(&lives, &kept_lives).unwrap();
    let back = || fs::rename(&kept_lives, &lives).unwrap();
    let is_refused = |(status, answer): (u16, Value)| {
        let told = answer["message"].as_str().unwrap_or_default();
        assert!(
            status == 503 && told.starts_with("keep what is in force: "),
            "{answer}"
        );
        assert!(!told.contains("tried again"), "{told}");
    };
    away();
    is_refused(deploy(&ground, &Guest::numbered(1)).await);
    back();
    assert!(!file.exists(), "there was none before");
    until_looked_at(&ground, "first").await;
    ground.plugin_when("own", Value::is_null).await;

    let (status, answer) = deploy(&ground, &Guest::numbered(1)).await;
    assert_eq!(
        (status, &answer["state"]),
        (200, &json!("in-force")),
        "{answer}"
    );
    away();
    is_refused(deploy(&ground, &Guest::numbered(2)).await);
    back();
    assert_eq!(fs::read(&file).unwrap(), Guest::numbered(1).component());
    until_looked_at(&ground, "second").await;
    let page = ground.plugin("own").await;
    assert_eq!(
        (&page["number"], &page["refused"], &page["swaps"]),
        (&json!(1), &Value::Null, &json!(0))
    );
    let ground = ground.restart().await;
    assert_eq!(ground.plugin("own").await["number"], 1);
    let (status, answer) = deploy(&ground, &Guest::numbered(2)).await;
    assert_eq!(
        (status, &answer["state"]),
        (200, &json!("in-force")),
        "{answer}"
    );
}

/// What was set aside was forgotten before the deployment had come into force: once that failed,
/// the version that had been rolled back was taken again.
#[tokio::test]
async fn a_deployment_that_fails_leaves_what_was_set_aside_as_it_was() {
    let ground = Ground::start(tempfile::tempdir().unwrap()).await;
    for number in [1, 2] {
        let (status, answer) = deploy(&ground, &Guest::numbered(number)).await;
        assert_eq!(status, 200, "{answer}");
    }
    let (status, _) = ground
        .client
        .post_page("plugins/own/rollback", &Value::Null)
        .await;
    assert_eq!(status, 200);
    let aside = ground.plugin("own").await["setAside"].clone();
    assert_eq!(aside["number"], 2);
    let lives = ground.service.kept_plugins().join("lives");
    let kept_lives = lives.with_file_name("kept-lives");
    fs::rename(&lives, &kept_lives).unwrap();
    let (status, answer) = deploy(&ground, &Guest::numbered(3)).await;
    assert_eq!(status, 503, "{answer}");
    fs::rename(&kept_lives, &lives).unwrap();
    until_looked_at(&ground, "other").await;
    let page = ground.plugin("own").await;
    assert_eq!((&page["number"], &page["setAside"]), (&json!(1), &aside));
    // Deployed anew, it is wanted.
    let (status, answer) = deploy(&ground, &Guest::numbered(2)).await;
    assert_eq!(
        (status, &answer["state"]),
        (200, &json!("in-force")),
        "{answer}"
    );
    assert_eq!(ground.plugin("own").await["setAside"], Value::Null);
}

/// A folder that is put in the place of a bare component lay beside it after a crash: that was
/// neither.
#[tokio::test]
async fn a_version_that_was_placed_when_the_server_crashed_is_in_force_after_the_next_start() {
    let ground = Ground::start(tempfile::tempdir().unwrap()).await;
    let (status, _) = deploy(&ground, &Guest::numbered(1)).await;
    assert_eq!(status, 200);
    let root = ground.directory.path().to_owned();
    let folders = [".placed-own", "own"].map(|folder| root.join(folder));
    let service = ground
        .service
        .restart_after(|| {
            for folder in &folders {
                fs::create_dir(folder).unwrap();
                let manifest = "name = 'own'\nversion = 'two'\n";
                fs::write(folder.join("plugin.toml"), manifest).unwrap();
                fs::write(folder.join("own.wasm"), Guest::numbered(2).component()).unwrap();
            }
        })
        .await;
    let ground = Ground {
        client: service.client(),
        service,
        directory: ground.directory,
    };
    let page = ground.plugin("own").await;
    assert_eq!(
        (&page["number"], &page["version"], &page["refused"]),
        (&json!(2), &json!("two"), &Value::Null)
    );
    assert!(!root.join("own.wasm").exists() && !folders[0].exists());
}

/// Why something was refused may hold what another account wrote.
#[tokio::test]
async fn why_something_was_refused_is_for_those_who_deploy_and_those_whom_it_serves() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(
        directory.path().join("own.wasm"),
        Guest::default().component(),
    )
    .unwrap();
    fs::write(directory.path().join("a b.wasm"), "no plugin").unwrap();
    let ground = Ground::start(directory).await;
    let failing = Guest {
        init: "(unreachable)".to_owned(),
        ..Guest::default()
    };
    fs::write(
        ground.directory.path().join("own.wasm"),
        failing.component(),
    )
    .unwrap();
    fs::write(
        ground.directory.path().join("new.wasm"),
        failing.component(),
    )
    .unwrap();
    let why = ground.plugin_when_refused("own").await["refused"].clone();
    ground.plugin_when_refused("new").await;
    assert!(why.as_str().unwrap().contains("unreachable"), "{why}");
    let mine = ground.client.read_page("plugins").await;
    assert_eq!(mine["ignored"][0]["file"], "a b.wasm");

    let other = ground.service.other_client();
    let hidden = "the reason is for those who deploy plugins, and for accounts that it serves";
    let page = other.read_page("plugins/own").await;
    assert_eq!(
        (&page["state"], &page["refused"]),
        (&json!("running"), &json!(hidden))
    );
    let list = other.read_page("plugins").await;
    assert!(!list.to_string().contains("unreachable"), "{list}");
    assert_eq!(list["ignored"], Value::Null);
    let input = json!({
        "DeliveryStreamName": "new",
        "ExtendedS3DestinationConfiguration":
            destination(through("new", OTHER_ACCOUNT, "new")),
    });
    let told = other.refusal("Firehose.CreateDeliveryStream", input).await;
    assert!(told.message.contains(hidden), "{told:?}");
    let body = json!({"stream": "none", "plugin": "new"});
    let (_, told) = other.post_page("apps/app/create", &body).await;
    assert!(told["message"].as_str().unwrap().contains(hidden), "{told}");
    // An account whose records go through it is told.
    let destination = through("own", OTHER_ACCOUNT, "own");
    other.create_delivery("own", destination).await;
    let page = other.read_page("plugins/own").await;
    assert_eq!(page["refused"], why);
    let page = other.read_page("plugins/new").await;
    assert_eq!(page["refused"], hidden);
    let health = other.health().await.1;
    assert!(!health.contains("unreachable"), "{health}");
}
