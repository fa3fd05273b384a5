//! Shadow runs: retained records go through a new version beside the one in force before it takes
//! its place.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use http::Method;
use millrace_tests::{ACCOUNT, REGION, Setting, base64};
use serde_json::{Value, json};
use wasm::RolloutRules;

use crate::ground::Ground;
use crate::guest::Guest;

/// A run over ten records, a tenth of which may fail.
const SHADOW: &str = "[rollout]\nshadow_records = 10\nshadow_failed_percent_max = 10\n";

/// A guest that traps on marked records.
fn trapping() -> Guest {
    Guest::attacking("(unreachable)")
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

/// A server with version 1, and a delivery stream `own` of a stream `clicks` that goes through it
/// with these records, all of them delivered.
async fn ground_with(rules: RolloutRules, records: &[&str]) -> Ground {
    let setting = Setting {
        plugin_rollout: rules,
        ..Setting::default()
    };
    ground_within(setting, records).await
}

/// The same of a server that is set up otherwise.
async fn ground_within(setting: Setting, records: &[&str]) -> Ground {
    ground_after(&[], setting, records).await
}

/// The same where records go through other processors before it.
async fn ground_after(before: &[Value], setting: Setting, records: &[impl AsRef<[u8]>]) -> Ground {
    let directory = tempfile::tempdir().unwrap();
    put(directory.path(), 1, "", &Guest::default());
    let ground = Ground::start_with(directory, setting).await;
    let client = &ground.client;
    client.create("clicks", 1).await;
    let function = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:own");
    let parameters = json!([{"ParameterName": "LambdaArn", "ParameterValue": function}]);
    let own = json!({"Type": "Lambda", "Parameters": parameters});
    let processors = [before, &[own]].concat();
    let more = json!({"ProcessingConfiguration": {"Enabled": true, "Processors": processors}});
    client.create_delivery_of("own", "clicks", more).await;
    let lanes = |page: &Value| page["lanes"].as_array().is_some_and(|it| !it.is_empty());
    client.delivery_until("own", lanes).await;
    for record in records {
        client.put("clicks", &base64(record)).await;
    }
    let came = |page: &Value| page["recordsIn"] == records.len();
    client.delivery_until("own", came).await;
    client.flush("own").await;
    ground
}

async fn until_shadowed(ground: &Ground) -> Value {
    ground
        .plugin_when("own", |page| page["shadow"].is_object())
        .await
}

fn refusal(page: &Value) -> &str {
    page["refused"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_version_that_fails_on_retained_records_does_not_come_into_force() {
    let records = ["old", "a", "b", "!", "c", "d", "!!", "e", "f", "g", "h"];
    let ground = ground_with(RolloutRules::default(), &records).await;
    put(ground.directory.path(), 2, SHADOW, &trapping());
    let page = ground.plugin_when_refused("own").await;
    let arn = format!("arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/own");
    let told = "shadow run: 2 of 10 records failed in it, and 0 in the version in force; \
                shadow_failed_percent_max is 10";
    assert_eq!(refusal(&page), told);
    assert_eq!(page["number"], 1);
    let shadow = &page["shadow"];
    assert_eq!(shadow["source"], arn.as_str());
    assert_eq!(
        (&shadow["records"], &shadow["leftOut"]),
        (&json!(10), &json!(0))
    );
    let counts = |side: &str| {
        let side = &shadow[side];
        [&side["ok"], &side["dropped"], &side["failed"]].map(|it| it.as_u64().unwrap())
    };
    assert_eq!((counts("old"), counts("new")), ([10, 0, 0], [8, 0, 2]));
    let fault = shadow["new"]["fault"].as_str().unwrap();
    assert!(fault.contains("unreachable"), "{fault}");
    assert!(shadow["new"]["memoryBytes"].as_u64().unwrap() >= 64 * 1024);
    assert_eq!(shadow["differing"], 2);
    // Sizes and hashes, and no record.
    let sample = &shadow["samples"][1];
    assert_eq!(
        (&sample["record"], &sample["input"]["bytes"]),
        (&json!(5), &json!(2))
    );
    assert_eq!(
        (&sample["oldStatus"], &sample["newStatus"]),
        (&json!("ok"), &json!("failed"))
    );
    assert_eq!(
        sample["old"]["hash"], sample["input"]["hash"],
        "it was kept as it is"
    );
    assert_eq!(sample["input"]["text"], Value::Null);
    // Nothing of it was delivered, and the version in force was not counted for it.
    let status = ground.client.delivery("own").await;
    assert_eq!(
        (&status["delivered"], &status["failed"]),
        (&json!(11), &json!(0))
    );
    let version = &page["versions"][0];
    assert_eq!(
        (&version["number"], &version["ended"]),
        (&json!(1), &json!(11))
    );
}

#[tokio::test]
async fn a_version_that_does_well_comes_into_force_with_its_report() {
    let records = ["a", "b", "!", "c", "d", "e", "f", "g", "h", "i"];
    let rules = RolloutRules {
        shadow_samples: true,
        ..RolloutRules::default()
    };
    let ground = ground_with(rules, &records).await;
    put(ground.directory.path(), 2, SHADOW, &trapping());
    let page = ground.plugin_when("own", |page| page["number"] == 2).await;
    let shadow = &page["shadow"];
    assert_eq!(shadow["new"]["failed"], 1, "a tenth may");
    assert_eq!(shadow["hash"], page["hash"]);
    let sample = &shadow["samples"][0];
    assert_eq!(
        (&sample["input"]["text"], &sample["old"]["text"]),
        (&json!("!"), &json!("!"))
    );
    // Records of all accounts are for those who deploy for all.
    let other = ground.service.other_client().read_page("plugins/own").await;
    let other = &other["shadow"];
    assert_eq!(
        (&other["samples"], &other["source"]),
        (&json!([]), &Value::Null)
    );
    assert_eq!(other["new"]["failed"], 1);
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(data).unwrap();
    packed.finish().unwrap()
}

/// It saw records as they are stored: versions were refused that cannot read gzip, and any was
/// taken that fails on what it would be handed.
#[tokio::test]
async fn a_version_is_run_on_what_it_would_be_handed_of_records_that_are_compressed() {
    let plain = ["old", "a", "b", "!", "c", "d", "!!", "e", "f", "g"];
    let mut records: Vec<_> = plain.iter().map(|it| gzip(it.as_bytes())).collect();
    // It never sees what cannot be decompressed.
    records.push(b"no gzip!".to_vec());
    let decompression = json!({"Type": "Decompression"});
    let setting = Setting::default();
    let ground = ground_after(&[decompression], setting, &records).await;
    put(ground.directory.path(), 2, SHADOW, &trapping());
    let page = ground.plugin_when_refused("own").await;
    assert!(refusal(&page).contains("2 of 9 records failed"), "{page}");
    let sample = &page["shadow"]["samples"][1];
    let input = (&sample["record"], &sample["input"]["bytes"]);
    assert_eq!(input, (&json!(5), &json!(2)));
    // So it is for files that are not deployed.
    let manifest = "name = 'own'\nversion = '2'\n";
    let body = [manifest.as_bytes(), &trapping().component()].concat();
    let asked = "plugins/own/shadow?delivery=own";
    let (status, answer) = ground.client.send_page(Method::POST, asked, body).await;
    assert_eq!(status, 200, "{answer}");
    let shadow = &answer["shadow"];
    assert_eq!(
        (&shadow["records"], &shadow["new"]["failed"]),
        (&json!(10), &json!(2))
    );
    put(ground.directory.path(), 3, SHADOW, &Guest::default());
    let page = ground.plugin_when("own", |page| page["number"] == 2).await;
    assert_eq!(page["shadow"]["records"], 9);
}

/// Records of CloudWatch Logs are the lines of their messages, and one of no logs is none.
#[tokio::test]
async fn a_version_is_run_on_the_messages_of_log_records() {
    let logs = |messages: &[&str]| {
        let events = messages
            .iter()
            .map(|it| json!({"id": "1", "timestamp": 1, "message": it}));
        let record = json!({
            "messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "g", "logStream": "s",
            "subscriptionFilters": ["f"], "logEvents": events.collect::<Vec<_>>(),
        });
        gzip(record.to_string().as_bytes())
    };
    let control = json!({
        "messageType": "CONTROL_MESSAGE", "owner": "CloudwatchLogs", "logGroup": "",
        "logStream": "", "subscriptionFilters": [],
        "logEvents": [{"id": "", "timestamp": 1, "message": "CWL CONTROL MESSAGE!"}],
    });
    let records = [
        logs(&["one", "two"]),
        gzip(control.to_string().as_bytes()),
        logs(&["three!"]),
        logs(&["four"]),
    ];
    let processors = [
        json!({"Type": "Decompression"}),
        json!({"Type": "CloudWatchLogProcessing", "Parameters": [
            {"ParameterName": "DataMessageExtraction", "ParameterValue": "true"},
        ]}),
    ];
    let ground = ground_after(&processors, Setting::default(), &records).await;
    put(ground.directory.path(), 2, SHADOW, &trapping());
    let page = ground.plugin_when_refused("own").await;
    assert!(refusal(&page).contains("1 of 3 records failed"), "{page}");
    let sample = &page["shadow"]["samples"][0];
    assert_eq!(sample["input"]["bytes"], "three!\n".len());
}

#[tokio::test]
async fn an_operator_may_ask_for_a_run_where_the_manifest_does_not() {
    let rules = RolloutRules {
        shadow_records: 3,
        ..RolloutRules::default()
    };
    let ground = ground_with(rules, &["a", "b", "!", "c", "d"]).await;
    put(ground.directory.path(), 2, "", &trapping());
    let page = until_shadowed(&ground).await;
    assert_eq!(page["shadow"]["records"], 3);
    let page = ground.plugin_when("own", |page| page["number"] == 2).await;
    assert_eq!(page["shadow"]["new"]["failed"], 1);
}

#[tokio::test]
async fn a_plugin_that_nothing_goes_through_is_taken_with_an_empty_report() {
    let directory = tempfile::tempdir().unwrap();
    put(directory.path(), 1, SHADOW, &Guest::default());
    let ground = Ground::start(directory).await;
    assert_eq!(
        ground.plugin("own").await["shadow"],
        Value::Null,
        "there is none before it"
    );
    put(ground.directory.path(), 2, SHADOW, &trapping());
    let page = ground.plugin_when("own", |page| page["number"] == 2).await;
    assert_eq!(
        (&page["shadow"]["records"], &page["shadow"]["source"]),
        (&json!(0), &json!(""))
    );
}

/// A version that loops for ever would otherwise take a minute of each deployment.
#[tokio::test]
async fn a_version_that_loops_is_refused_for_the_records_that_there_was_time_for() {
    let ground = ground_with(RolloutRules::default(), &["a", "!", "!", "b"]).await;
    let looping = Guest::attacking("(loop $for_ever (br $for_ever))");
    let quick = format!("{SHADOW}[limits]\nbatch_ms = 50\n");
    put(ground.directory.path(), 2, &quick, &looping);
    let page = ground.plugin_when_refused("own").await;
    assert!(refusal(&page).contains("2 of 4 records"), "{page}");
    let fault = page["shadow"]["new"]["fault"].as_str().unwrap();
    assert!(fault.contains("it took longer than 50 ms"), "{fault}");
}

#[tokio::test]
async fn files_that_changed_while_there_was_no_server_are_run_first_when_it_starts() {
    let ground = ground_with(RolloutRules::default(), &["!"; 10]).await;
    let root = ground.directory.path().to_owned();
    let service = ground
        .service
        .restart_after(|| put(&root, 2, SHADOW, &trapping()))
        .await;
    let ground = Ground {
        client: service.client(),
        service,
        directory: ground.directory,
    };
    let page = ground.plugin("own").await;
    assert!(refusal(&page).contains("10 of 10 records"), "{page}");
    assert_eq!(page["number"], 1);
}

/// Files below a folder.
fn count(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[tokio::test]
async fn files_that_are_not_deployed_are_run_beside_what_is_in_force_and_nothing_is_kept() {
    let records = ["a", "b", "!", "c", "d"];
    let ground = ground_with(RolloutRules::default(), &records).await;
    let kept = ["versions", "compiled"].map(|it| ground.service.kept_plugins().join(it));
    let before = kept.each_ref().map(|folder| count(folder));
    let manifest = "name = 'own'\nversion = '2'\n";
    let body = [manifest.as_bytes(), &trapping().component()].concat();
    let client = &ground.client;
    let run = |query: &str| {
        let page = format!("plugins/own/shadow{query}");
        let (body, client) = (body.clone(), client.clone());
        async move { client.send_page(Method::POST, &page, body).await }
    };
    let delivery = format!("arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/own");
    let stream = client.arn("clicks");
    for (query, source, records) in [
        ("", &delivery, 5),
        ("?delivery=own", &delivery, 5),
        ("?stream=clicks", &stream, 5),
        ("?stream=clicks&records=4", &stream, 4),
    ] {
        let (status, answer) = run(query).await;
        assert_eq!(status, 200, "{query}: {answer}");
        let shadow = &answer["shadow"];
        assert_eq!(
            (&shadow["source"], &shadow["records"]),
            (&json!(source), &json!(records))
        );
        assert_eq!(
            (&shadow["old"]["failed"], &shadow["new"]["failed"]),
            (&json!(0), &json!(1))
        );
        assert_eq!(shadow["differing"], 1);
    }
    for (query, status, why) in [
        ("?stream=none", 404, "no such stream none"),
        ("?delivery=none", 404, "no such delivery stream none"),
        ("?stream=clicks&delivery=own", 400, "not of both"),
        ("?records=0", 400, "The number of records is 1 to 100000."),
    ] {
        let (was, answer) = run(query).await;
        let told = answer["message"].as_str().unwrap();
        assert!(was == status && told.contains(why), "{query}: {answer}");
    }
    let other = ground.service.other_client();
    let (status, _) = other
        .send_page(Method::POST, "plugins/own/shadow", body.clone())
        .await;
    assert_eq!(status, 400, "those who deploy may");
    let core = b"\0asm\x01\0\0\0".to_vec();
    let (status, answer) = client
        .send_page(Method::POST, "plugins/own/shadow", core)
        .await;
    let told = answer["message"].as_str().unwrap();
    assert!(status == 400 && told.contains("core module"), "{answer}");
    let (status, _) = client
        .send_page(Method::POST, "plugins/none/shadow", body.clone())
        .await;
    assert_eq!(status, 404);
    assert_eq!(kept.each_ref().map(|folder| count(folder)), before);
    let page = ground.plugin("own").await;
    assert_eq!(
        (&page["number"], &page["shadow"], &page["refused"]),
        (&json!(1), &Value::Null, &Value::Null)
    );
}

/// A run of a version that loops lasts a minute, and the server waited for it.
#[tokio::test]
async fn a_server_that_stops_does_not_wait_for_a_shadow_run() {
    let ground = ground_with(RolloutRules::default(), &["!"; 100]).await;
    let looping = Guest::attacking("(loop $for_ever (br $for_ever))");
    let rollout = "[rollout]\nshadow_records = 100\n";
    let compiled = ground.service.kept_plugins().join("compiled");
    let before = count(&compiled);
    put(ground.directory.path(), 2, rollout, &looping);
    while count(&compiled) == before {
        ground.victim_works().await;
    }
    ground.victim_works().await;
    let began = Instant::now();
    ground.service.stop().await;
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "a run takes a minute"
    );
}

/// Who waited for a run was answered first, and so the stop waited for it.
#[tokio::test]
async fn a_server_that_stops_does_not_wait_for_whoever_waits_for_a_shadow_run() {
    let mut setting = Setting::default();
    setting.limits.drain = Duration::from_secs(120);
    let ground = ground_within(setting, &["!"; 100]).await;
    let looping = Guest::attacking("(loop $for_ever (br $for_ever))").component();
    let page = "plugins/own/shadow";
    let client = ground.client.clone();
    let is_another = |answer: &Value| answer.to_string().contains("another shadow run");
    let waits = tokio::spawn(async move {
        loop {
            let answer = client.send_page(Method::POST, page, looping.clone()).await;
            if !is_another(&answer.1) {
                return answer;
            }
        }
    });
    loop {
        let quick = Guest::default().component();
        let answer = ground.client.send_page(Method::POST, page, quick).await;
        if is_another(&answer.1) {
            break;
        }
    }
    let began = Instant::now();
    ground.service.stop().await;
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "it waits for a minute"
    );
    let (status, answer) = waits.await.unwrap();
    let told = answer["message"].as_str().unwrap();
    assert!(status == 503 && told.contains("shadow run: "), "{answer}");
}
