//! A server that starts beside plugins that are broken, gone or take long: it answers at once, and
//! goes on with what was in force.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use http::Method;
use millrace_tests::{BUCKET, Client, Service, Setting};
use serde_json::{Value, json};

use crate::plugin_files::PluginFiles;
use crate::through;

const PLUGIN: &str = "redact-card-numbers";
const PAGE: &str = "plugins/redact-card-numbers";
const CARD: &str = "4111 1111 1111 1111";
const MASKED: &str = "**** **** **** 1111";

async fn with_transform(files: &PluginFiles) -> (Service, Client) {
    let service = files.start().await;
    let client = service.client();
    let more = json!({"ProcessingConfiguration": through(PLUGIN)});
    client.create_delivery("clicks", more).await;
    (service, client)
}

/// Puts a record and finds it delivered.
async fn delivers(service: &Service, client: &Client) {
    let before = service.delivered().len();
    client.put_delivery("clicks", &[CARD]).await;
    client.flush("clicks").await;
    assert_eq!(service.delivered()[before..], [MASKED]);
}

/// The first bytes of the built component: a copy that was cut off.
fn cut_off() -> Vec<u8> {
    let built = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins"));
    let component = fs::read(built.join(PLUGIN).join(format!("{PLUGIN}.wasm"))).unwrap();
    component[..30_000].to_owned()
}

/// The good version lay among the kept ones, and all deliveries stood still.
#[tokio::test]
async fn a_bad_deploy_and_a_restart_leave_the_version_that_was_in_force_last() {
    let files = PluginFiles::with(&[PLUGIN]);
    let (service, client) = with_transform(&files).await;
    let good = client.read_page(PAGE).await;
    files.write(PLUGIN, &format!("{PLUGIN}.wasm"), cut_off());
    let is_refused = |page: &Value| page["refused"].is_string();
    let refused = client.page_until(PAGE, is_refused).await;
    // Twice: the version that went on is noted as before.
    let mut service = service;
    for _ in 0..2 {
        service = service.restart().await;
        let client = service.client();
        let page = client.read_page(PAGE).await;
        assert_eq!(
            (&page["state"], &page["hash"]),
            (&json!("running"), &good["hash"])
        );
        assert_eq!(page["refused"], refused["refused"]);
        assert_eq!(
            (&page["fromCache"], &page["swaps"]),
            (&json!(true), &json!(0))
        );
        delivers(&service, &client).await;
    }
    let client = service.client();
    files.write_variant(PLUGIN, "mended");
    let page = client.page_until(PAGE, |page| page["swaps"] == 1).await;
    assert_eq!(page["refused"], Value::Null);
    delivers(&service, &client).await;
    service.stop().await;
}

#[tokio::test]
async fn a_bad_deploy_while_the_server_was_down_leaves_the_version_that_was_in_force_last() {
    let files = PluginFiles::with(&[PLUGIN]);
    let (service, client) = with_transform(&files).await;
    let good = client.read_page(PAGE).await;
    let deploy = || files.write(PLUGIN, &format!("{PLUGIN}.wasm"), cut_off());
    let service = service.restart_after(deploy).await;
    let client = service.client();
    let page = client.read_page(PAGE).await;
    assert_eq!(
        (&page["state"], &page["hash"]),
        (&json!("running"), &good["hash"])
    );
    assert!(page["refused"].is_string(), "{page}");
    let metrics = client.metrics_of_all().await;
    let refused = format!("millrace_plugin_refused{{plugin=\"{PLUGIN}\"}} 1\n");
    assert!(metrics.contains(&refused), "{metrics}");
    delivers(&service, &client).await;
    service.stop().await;
}

#[tokio::test]
async fn a_plugin_that_was_taken_away_while_the_server_was_down_is_gone() {
    let files = PluginFiles::with(&[PLUGIN]);
    let (service, client) = with_transform(&files).await;
    client.put_delivery("clicks", &[CARD]).await;
    let service = service.restart_after(|| files.remove(PLUGIN)).await;
    let client = service.client();
    assert_eq!(client.read_page("plugins").await, json!({"plugins": []}));
    let in_trouble = |page: &Value| page["trouble"].is_string();
    let page = client.delivery_until("clicks", in_trouble).await;
    assert_eq!(page["trouble"], format!("the plugin {PLUGIN} is not there"));
    // It is not in force again by what was kept of it.
    let service = service.restart().await;
    let client = service.client();
    assert_eq!(client.read_page("plugins").await, json!({"plugins": []}));
    files.add(PLUGIN);
    client
        .page_until("plugins", |page| *page != json!({"plugins": []}))
        .await;
    client.flush("clicks").await;
    assert_eq!(service.delivered(), [MASKED]);
    service.stop().await;
}

/// The cut was half put when the server stopped; only what was kept of its version can finish it.
#[tokio::test]
async fn an_open_cut_is_finished_by_its_version_though_that_was_taken_away_while_the_server_was_down()
 {
    const PARSER: &str = "parse-access-log";
    let line = |path: &str| {
        let time = "17/May/2024:10:05:03 +0000";
        format!("203.0.113.5 - - [{time}] \"GET {path} HTTP/1.1\" 200 5120 \"-\" \"curl\"")
    };
    let files = PluginFiles::with(&[PARSER]);
    let service = files.start().await;
    let client = service.client();
    let more = json!({
        "Prefix": "good/", "ErrorOutputPrefix": "bad/",
        "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
        "ProcessingConfiguration": through(PARSER),
    });
    client.create_delivery("clicks", more).await;
    // A file lies where the failed records should.
    let in_the_way = service.buckets().join(BUCKET).join("bad");
    fs::create_dir_all(in_the_way.parent().unwrap()).unwrap();
    fs::write(&in_the_way, "").unwrap();
    let records = [line("/1"), "no line".to_owned(), line("/2")];
    client.put_delivery("clicks", &records).await;
    let page = client
        .delivery_until("clicks", |page| page["trouble"].is_string())
        .await;
    assert_eq!(page["stuck"][0]["records"], 3, "{page}");
    let below = |service: &Service, prefix: &str| -> Vec<String> {
        let objects = service.objects(BUCKET).into_iter();
        let objects = objects.filter(|object| object.key.starts_with(prefix));
        objects.map(|object| object.text().to_owned()).collect()
    };
    let half = below(&service, "good/");
    assert_eq!((half.len(), half[0].lines().count()), (1, 2));

    let meanwhile = || {
        files.remove(PARSER);
        fs::remove_file(&in_the_way).unwrap();
    };
    let service = service.restart_after(meanwhile).await;
    let client = service.client();
    let is_done = |page: &Value| page["waitingRecords"] == 0;
    let page = client.delivery_until("clicks", is_done).await;
    for (member, wanted) in [
        ("recordsIn", 3),
        ("delivered", 2),
        ("failed", 1),
        ("objects", 1),
        ("failedObjects", 1),
    ] {
        assert_eq!(page[member], wanted, "{member}: {page}");
    }
    assert_eq!(below(&service, "good/"), half);
    let failed = below(&service, "bad/");
    assert_eq!((failed.len(), failed[0].lines().count()), (1, 1));

    // What comes later has no plugin.
    client.put_delivery("clicks", &[line("/3")]).await;
    let why = format!("the plugin {PARSER} is not there");
    let page = client
        .delivery_until("clicks", |page| page["trouble"] == why.as_str())
        .await;
    assert_eq!(
        (&page["recordsIn"], &page["delivered"]),
        (&json!(4), &json!(2))
    );
    files.add(PARSER);
    client
        .delivery_until("clicks", |page| page["delivered"] == 3)
        .await;
    assert_eq!(below(&service, "good/").len(), 2);
    service.stop().await;
}

/// A compiler that says that it has begun and then waits until it is ended or let go, when it
/// fails.
fn slow_compiler(dir: &Path) -> PathBuf {
    let made = Command::new("mkfifo")
        .args([dir.join("begun"), dir.join("hang")])
        .status();
    assert!(made.unwrap().success());
    let script = format!(
        "#!/bin/sh\ncd {}\ncat > /dev/null\necho > begun\ncat hang\necho slow >&2\nexit 1\n",
        dir.display()
    );
    // By a process of its own: nothing is executed that this one, or a child that another test
    // just starts, has open for writing.
    let [text, compiler] = ["text", "compiler"].map(|name| dir.join(name));
    fs::write(&text, script).unwrap();
    let install = Command::new("install")
        .arg("-m700")
        .args([&text, &compiler])
        .status();
    assert!(install.unwrap().success());
    compiler
}

/// The server answered nothing before every component was compiled.
#[tokio::test]
async fn a_server_answers_while_a_plugin_is_compiled_and_deliveries_wait_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let files = PluginFiles::with(&[PLUGIN]);
    let setting = Setting {
        plugins: Some(files.path().to_owned()),
        compiler: Some(slow_compiler(dir.path())),
        ..Setting::default()
    };
    let service = Service::start_at_once(setting).await;
    let client = service.client();
    let begun = dir.path().join("begun");
    let begun = tokio::task::spawn_blocking(|| fs::read_to_string(begun).unwrap());
    assert_eq!(begun.await.unwrap(), "\n", "it compiles");

    client.create("events", 1).await;
    client.put("events", "YQ==").await;
    assert_eq!(client.data("events").await, ["YQ=="]);
    let page = client.read_page(PAGE).await;
    assert_eq!(
        (&page["state"], &page["refused"]),
        (&json!("loading"), &Value::Null)
    );
    assert_eq!(
        client.page(Method::GET, "delivery-streams").await.status(),
        200
    );
    // Its plugin is there, if not yet at work.
    let more = json!({"ProcessingConfiguration": through(PLUGIN)});
    client.create_delivery("clicks", more).await;
    client.put_delivery("clicks", &[CARD]).await;
    let waits = |page: &Value| page["waitingRecords"] == 1 && page["trouble"].is_string();
    let page = client.delivery_until("clicks", waits).await;
    assert_eq!(
        page["trouble"],
        format!("the plugin {PLUGIN} is being loaded")
    );

    let hang = dir.path().join("hang");
    let let_go = tokio::task::spawn_blocking(|| fs::write(hang, "").unwrap());
    let is_refused = |page: &Value| page["state"] == "refused";
    client.page_until(PAGE, is_refused).await;
    let_go.await.unwrap();
    let why = format!("the plugin {PLUGIN} was refused: compile: slow");
    client
        .delivery_until("clicks", |page| page["trouble"] == why.as_str())
        .await;
    service.stop().await;
}

#[tokio::test]
async fn a_server_stops_while_a_plugin_is_compiled() {
    let dir = tempfile::tempdir().unwrap();
    let files = PluginFiles::with(&[PLUGIN]);
    let setting = Setting {
        plugins: Some(files.path().to_owned()),
        compiler: Some(slow_compiler(dir.path())),
        ..Setting::default()
    };
    let service = Service::start_at_once(setting).await;
    let begun = dir.path().join("begun");
    let begun = tokio::task::spawn_blocking(|| fs::read_to_string(begun).unwrap());
    assert_eq!(begun.await.unwrap(), "\n", "it compiles");
    // Nobody lets the compiler go.
    service.stop().await;
}
