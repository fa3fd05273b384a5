//! What is refused, and what pages and metrics say.

use std::fs;
use std::path::Path;
use std::time::Duration;

use millrace_tests::{Service, Setting};
use serde_json::{Value, json};

use crate::counter::counter;
use crate::ground::{
    APP, Plugins, TEXT, alerts, counted, create_app, put, until, until_done, words,
};

#[tokio::test]
async fn what_cannot_be_an_application_is_refused_with_the_reason() {
    let plugins = Plugins::with(&counter());
    let service = plugins.serve(1).await;
    let client = service.client();
    create_app(&client).await;
    for (name, body, status, code) in [
        (
            APP,
            json!({"stream": TEXT, "plugin": "counter"}),
            400,
            "ResourceInUseException",
        ),
        (
            "a",
            json!({"stream": "none", "plugin": "counter"}),
            400,
            "ResourceNotFoundException",
        ),
        (
            "a",
            json!({"stream": TEXT, "plugin": "none"}),
            400,
            "InvalidArgumentException",
        ),
        ("a", json!({"stream": TEXT}), 400, "SerializationException"),
        (
            "-a",
            json!({"stream": TEXT, "plugin": "counter"}),
            400,
            "ValidationException",
        ),
        (
            "a",
            json!({"stream": TEXT, "plugin": "counter", "start": "NOW"}),
            400,
            "ValidationException",
        ),
        (
            "a",
            json!({"stream": TEXT, "plugin": "counter", "version": "12"}),
            400,
            "ValidationException",
        ),
    ] {
        let page = format!("apps/{name}/create");
        let (was, answer) = client.post_page(&page, &body).await;
        assert_eq!(
            (was, answer["__type"].as_str()),
            (status, Some(code)),
            "{answer}"
        );
    }
    for (page, body, status) in [
        ("version", json!({}), 400),
        ("version", json!({"version": null}), 400),
        ("version", json!({"version": "latest"}), 200),
        ("skip", json!({}), 200),
        ("skip/shardId-000000000000", json!({}), 200),
        ("skip/shardId-000000000009", json!({}), 404),
        ("retry/nonsense", json!({}), 404),
    ] {
        let (was, answer) = client.post_page(&format!("apps/{APP}/{page}"), &body).await;
        assert_eq!(was, status, "{page}: {answer}");
    }
    let other = service.other_client();
    let (status, _) = other
        .post_page(&format!("apps/{APP}/pause"), &json!({}))
        .await;
    assert_eq!(status, 404, "another account's");
    service.stop().await;
}

#[tokio::test]
async fn metrics_say_of_each_shard_what_became_of_its_records() {
    let plugins = Plugins::with(&counter());
    let service = plugins.serve(1).await;
    let client = service.client();
    create_app(&client).await;
    put(&client, &["a".to_owned(), "!b".to_owned()]).await;
    until_done(&client, 1).await;
    let metrics = client.metrics_of_all().await;
    let labels = "application=\"arn:aws:millrace:eu-central-1:000000000000:application/counts\",\
                  shard=\"shardId-000000000000\"";
    for line in [
        format!("application_records_total{{{labels},outcome=\"processed\"}} 1"),
        format!("application_records_total{{{labels},outcome=\"dead_letter\"}} 1"),
        format!("application_waiting_records{{{labels}}} 0"),
        format!("application_table_rows_total{{{labels}}} 1"),
    ] {
        assert!(metrics.contains(&line), "{line} is not in {metrics}");
    }
    assert!(
        !service
            .other_client()
            .metrics()
            .await
            .contains("application_records_total")
    );
    service.stop().await;
}

/// What was granted when an application began may be taken away before the next start.
#[tokio::test]
async fn an_application_whose_grants_were_taken_away_waits_and_has_no_dead_letters() {
    let manifest = "name = 'counter'\nversion = '1'\n\
                    [grants]\ntables = ['words']\nemit = ['alerts']\n";
    let plugins = Plugins::with_manifest(&counter(), manifest);
    let service = plugins.serve(1).await;
    let client = service.client();
    create_app(&client).await;
    put(&client, &["a".to_owned()]).await;
    until_done(&client, 1).await;
    let granted = plugins.setting().plugin_grants;
    let service = service.restart_granting(Default::default()).await;
    let client = service.client();
    put(&client, &vec!["b".to_owned(); 20]).await;
    let app = until(&client, |app| app["trouble"].is_string()).await;
    let trouble = app["trouble"].as_str().unwrap();
    assert!(
        trouble.contains("[[plugin_grants]] name = \"counter\""),
        "{trouble}"
    );
    assert_eq!(
        (&app["waiting"], &app["deadLetters"]),
        (&json!(20), &json!(0))
    );
    let service = service.restart_granting(granted).await;
    let app = until_done(&service.client(), 21).await;
    assert_eq!(app["deadLetters"], 0);
    service.stop().await;
}

const GRANTED: &str =
    "[[plugin_grants]]\nname = 'counter'\ntables = ['words']\nemit = ['alerts']\n";

/// Writes a configuration file as a careful operator does: nobody sees half of it.
fn write(file: &Path, text: &str) {
    let staged = file.with_extension("staged");
    fs::write(&staged, text).unwrap();
    fs::rename(staged, file).unwrap();
}

#[tokio::test]
async fn what_the_configuration_file_grants_or_takes_holds_without_a_restart() {
    let manifest = "name = 'counter'\nversion = '1'\n\
                    [grants]\ntables = ['words']\nemit = ['alerts']\n";
    let plugins = Plugins::with_manifest(&counter(), manifest);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("millrace.toml");
    write(&file, GRANTED);
    let mut setting = plugins.setting();
    setting.grants_file = Some(file.clone());
    setting.limits.certificate_period = Duration::from_millis(1);
    let service = plugins.serve_as(setting, 1).await;
    let client = service.client();
    create_app(&client).await;
    write(&file, "");
    let grants = |app: &Value| app["tables"].as_array().unwrap().len();
    until(&client, |app| grants(app) == 0).await;
    put(&client, &vec!["a".to_owned(); 20]).await;
    let app = until(&client, |app| app["trouble"].is_string()).await;
    assert_eq!(
        (&app["waiting"], &app["processed"]),
        (&json!(20), &json!(0))
    );
    write(&file, GRANTED);
    until_done(&client, 20).await;
    // What cannot be read grants and takes nothing.
    write(&file, "[[plugin_grants]]\nname = 'counter'\ntables = ");
    put(&client, &["b".to_owned()]).await;
    let app = until_done(&client, 21).await;
    assert_eq!((&app["deadLetters"], grants(&app)), (&json!(0), 1));
    service.stop().await;
}

/// The manifest of `other`, which is an application by itself.
const DECLARES: &str = "name = 'other'\nversion = '1'\n\
                        [grants]\ntables = ['words']\nemit = ['alerts']\n\
                        [application]\nstream = 'text'\nregion = 'eu-central-1'\n";

#[tokio::test]
async fn a_plugin_whose_manifest_declares_it_is_an_application_by_itself() {
    let plugins = Plugins::with(&counter());
    plugins.put_with("other", &counter(), DECLARES);
    let service = Service::start_with(plugins.setting()).await;
    let client = service.client();
    let refused = client
        .page_until("apps", |page| page["refused"][0]["why"].is_string())
        .await;
    let why = refused["refused"][0]["why"].as_str().unwrap();
    assert!(why.contains("stream text is not there"), "{why}");
    client.create(TEXT, 1).await;
    client.create("alerts", 1).await;
    let all = vec!["a".to_owned(); 25];
    put(&client, &all).await;
    client
        .page_until("apps", |page| page["apps"][0]["processed"] == 25)
        .await;
    assert_eq!(words(&client).await, counted(&all).0);
    assert_eq!(alerts(&client).await["a"], 2);
    let (status, answer) = client.post_page("apps/other/delete", &json!({})).await;
    assert_eq!(status, 400, "{answer}");
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .contains("[application]"),
        "{answer}"
    );
    service.stop().await;
}

#[tokio::test]
async fn what_is_not_granted_is_refused_with_the_lines_to_add() {
    let plugins = Plugins::with(&counter());
    plugins.put_with("other", &counter(), DECLARES);
    let service = Service::start_with(Setting {
        plugin_grants: Default::default(),
        ..plugins.setting()
    })
    .await;
    let client = service.client();
    client.create(TEXT, 1).await;
    let lines = "[[plugin_grants]] name = \"other\" tables = [\"words\"] emit = [\"alerts\"]";
    let refused = client
        .page_until("apps", |page| page["refused"][0]["why"].is_string())
        .await;
    let why = refused["refused"][0]["why"].as_str().unwrap();
    assert!(why.contains(lines), "{why}");
    let body = json!({"stream": TEXT, "plugin": "other"});
    let (status, answer) = client.post_page("apps/a/create", &body).await;
    assert_eq!(status, 400);
    assert!(
        answer["message"].as_str().unwrap().contains(lines),
        "{answer}"
    );
    // A plugin that asks in no manifest is told when it calls.
    create_app(&client).await;
    put(&client, &["a".to_owned()]).await;
    let page = format!("apps/{APP}/dead-letters");
    let letters = client
        .page_until(&page, |page| page["deadLetters"][0]["reason"].is_string())
        .await;
    let why = letters["deadLetters"][0]["reason"].as_str().unwrap();
    assert!(
        why.contains("[[plugin_grants]] name = \"counter\" tables = [\"words\"]"),
        "{why}"
    );
    service.stop().await;
}

#[tokio::test]
async fn records_for_a_stream_that_is_not_there_wait_for_it() {
    let plugins = Plugins::with(&counter());
    let service = Service::start_with(plugins.setting()).await;
    let client = service.client();
    client.create(TEXT, 1).await;
    create_app(&client).await;
    let all = vec!["a".to_owned(); 10];
    put(&client, &all).await;
    let stuck = until(&client, |app| app["shards"][0]["stuck"].is_string()).await;
    let why = stuck["shards"][0]["stuck"].as_str().unwrap();
    assert!(why.contains("the stream alerts"), "{why}");
    assert_eq!(stuck["processed"], 0);
    client.create("alerts", 1).await;
    let (_, heard) = client
        .post_page(&format!("apps/{APP}/retry"), &json!({}))
        .await;
    assert!(heard["shards"].is_u64());
    until_done(&client, 10).await;
    assert_eq!(alerts(&client).await["a"], 1);
    service.stop().await;
}

#[tokio::test]
async fn what_is_deleted_with_its_stream_is_counted_as_lost() {
    let plugins = Plugins::with(&counter());
    let service = plugins.serve(2).await;
    let client = service.client();
    create_app(&client).await;
    put(&client, &["a".to_owned(), "b".to_owned()]).await;
    until_done(&client, 2).await;
    let order = async |order: &str| {
        client
            .post_page(&format!("apps/{APP}/{order}"), &json!({}))
            .await
    };
    order("pause").await;
    until(&client, |app| {
        let mut shards = app["shards"].as_array().unwrap().iter();
        shards.all(|shard| shard["state"] != "here")
    })
    .await;
    put(&client, &["c".to_owned(), "d".to_owned(), "e".to_owned()]).await;
    client.delete(TEXT).await;
    client.until_gone(TEXT).await;
    order("resume").await;
    let app = until(&client, |app| app["lost"] == 3).await;
    assert_eq!((&app["processed"], &app["shards"]), (&json!(2), &json!([])));
    assert!(
        app["trouble"]
            .as_str()
            .unwrap()
            .contains("text is not there"),
        "{app}"
    );
    // Another one of that name is worked on from its first record.
    client.create(TEXT, 1).await;
    put(&client, &["a".to_owned()]).await;
    let app = until_done(&client, 3).await;
    assert_eq!((&app["lost"], &app["trouble"]), (&json!(3), &Value::Null));
    assert_eq!(words(&client).await["a"], 2);
    service.stop().await;
}
