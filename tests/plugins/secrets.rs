//! `secrets`: values that a plugin asks for by name and an operator grants with a file each, and
//! that are in nothing which the plugin says.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Method;
use millrace_tests::Setting;
use wasm::{GrantSettings, PluginName, SecretName};

use crate::consumer_guest::ConsumerGuest;
use crate::ground::Ground;
use crate::guest::Guest;
use crate::shard::Shard;

const VALUE: &str = "hush-hush-0123456789";
const ASKING: &str = "name = 'own'\nversion = '1'\n[grants]\nsecrets = ['key']\n";
const IMPORT: &str =
    r#"(import "millrace:plugin/secrets@0.1.0" "get" (func $secret (param i32 i32 i32)))"#;
/// Asks for the secret `key`; the value, or the words of the error, are at 304 and 308.
const ASK: &str = "(call $secret (i32.const 256) (i32.const 3) (i32.const 300))";
/// Answers a marked record with that.
const ANSWER: &str = "
    (i32.store offset=12 (local.get $answer) (i32.load (i32.const 304)))
    (i32.store offset=16 (local.get $answer) (i32.load (i32.const 308)))
    (i32.store (i32.load offset=20 (local.get $answer)) (i32.load (i32.const 308)))";
/// Says that the record failed, with the bytes of the answer as its reason.
const FAIL: &str = "(call $put_head (i32.load offset=4 (local.get $answer)) (i32.const 0)
    (i32.const 0) (i32.const 2))";

fn guest(attack: &str) -> Guest {
    Guest {
        imports: IMPORT.to_owned(),
        fields: r#"(data (i32.const 256) "key")"#.to_owned(),
        ..Guest::attacking(&format!("{ASK} {attack}"))
    }
}

fn write(path: &Path, value: &str) {
    fs::write(path, value).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// What the operator grants, if this is the file of the secret `key`.
fn granting(file: Option<PathBuf>) -> BTreeMap<PluginName, GrantSettings> {
    let secrets = file.map(|file| (SecretName::parse("key").unwrap(), file));
    let settings = GrantSettings {
        secrets: secrets.into_iter().collect(),
        ..GrantSettings::default()
    };
    BTreeMap::from([(PluginName::parse("own").unwrap(), settings)])
}

/// A server with the guest, this manifest, and this file of the secret. Files of secrets are looked
/// at all the time.
async fn ground_with(guest: &Guest, manifest: &str, file: Option<PathBuf>) -> Ground {
    let setting = Setting {
        plugin_access: granting(file),
        ..Setting::default()
    };
    ground_as(guest, manifest, setting).await
}

/// The same with a server that is set up so.
async fn ground_as(guest: &Guest, manifest: &str, setting: Setting) -> Ground {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("own");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("own.wasm"), guest.component()).unwrap();
    fs::write(folder.join("plugin.toml"), manifest).unwrap();
    let limits = server::Limits {
        certificate_period: Duration::from_millis(1),
        ..server::Limits::default()
    };
    let setting = Setting { limits, ..setting };
    let ground = Ground::start_with(directory, setting).await;
    ground.stream("own").await;
    ground
}

#[tokio::test]
async fn a_secret_that_is_granted_is_what_the_plugin_gets() {
    let secrets = tempfile::tempdir().unwrap();
    let file = secrets.path().join("key");
    write(&file, &format!("{VALUE}\n"));
    let ground = ground_with(&guest(ANSWER), ASKING, Some(file)).await;
    ground.deliver("own", &["!"]).await;
    assert_eq!(ground.delivered("own"), [VALUE]);
    let page = ground.plugin("own").await;
    assert_eq!(page["secrets"], serde_json::json!(["key"]));
    assert!(page["lacks"].is_null(), "{page}");
}

#[tokio::test]
async fn a_secret_that_changes_is_another_one_from_the_next_call_on() {
    let secrets = tempfile::tempdir().unwrap();
    let file = secrets.path().join("key");
    write(&file, "the-first-value");
    let ground = ground_with(&guest(ANSWER), ASKING, Some(file.clone())).await;
    ground.deliver("own", &["!"]).await;
    let staged = secrets.path().join("staged");
    write(&staged, "the-second-value");
    fs::rename(&staged, &file).unwrap();
    while ground.delivered("own").last().unwrap() != "the-second-value" {
        ground.deliver("own", &["!"]).await;
    }
}

#[tokio::test]
async fn a_secret_that_the_configuration_file_grants_is_had_without_a_restart() {
    let secrets = tempfile::tempdir().unwrap();
    let (file, configuration) = (secrets.path().join("key"), secrets.path().join("toml"));
    write(&file, VALUE);
    fs::write(&configuration, "").unwrap();
    let setting = Setting {
        grants_file: Some(configuration.clone()),
        ..Setting::default()
    };
    let ground = ground_as(&guest(ANSWER), ASKING, setting).await;
    let lacks = ground.plugin("own").await["lacks"].clone();
    assert!(
        lacks.as_str().unwrap().contains("key = \"FILE\""),
        "{lacks}"
    );
    let granted = format!("[[plugin_grants]]\nname = 'own'\nsecrets = {{ key = {file:?} }}\n");
    let staged = secrets.path().join("staged");
    fs::write(&staged, granted).unwrap();
    fs::rename(&staged, &configuration).unwrap();
    while !ground.plugin("own").await["lacks"].is_null() {}
    ground.deliver("own", &["!"]).await;
    assert_eq!(ground.delivered("own"), [VALUE]);
}

#[tokio::test]
async fn a_secret_that_is_not_asked_for_or_not_granted_is_refused_with_what_to_write() {
    for (manifest, file, told) in [
        (
            "name = 'own'\nversion = '1'\n",
            Some(PathBuf::from("/dev/null")),
            "plugin.toml would say [grants] secrets = [\"key\"]",
        ),
        (
            ASKING,
            None,
            "the operator would write [[plugin_grants]] name = \"own\" secrets = { key = \
             \"FILE\" }",
        ),
    ] {
        let is_granted = file.is_some();
        let ground = ground_with(&guest(ANSWER), manifest, file).await;
        ground.deliver("own", &["!"]).await;
        let delivered = ground.delivered("own");
        assert!(delivered[0].contains(told), "{delivered:?}");
        let page = ground.plugin("own").await;
        assert_eq!(page["lacks"].is_string(), !is_granted, "{page}");
    }
}

/// What fails for the operator's file and not for the record is tried again.
#[tokio::test]
async fn records_wait_for_a_secret_whose_file_is_not_as_it_must_be() {
    let secrets = tempfile::tempdir().unwrap();
    let file = secrets.path().join("key");
    write(&file, VALUE);
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let ground = ground_with(&guest(ANSWER), ASKING, Some(file.clone())).await;
    ground.client.put_delivery("own", &["!"]).await;
    ground.victim_works().await;
    assert!(ground.failed("own").is_empty());
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    ground.client.flush("own").await;
    assert_eq!(ground.delivered("own"), [VALUE]);
}

#[tokio::test]
async fn nothing_that_a_plugin_says_has_its_secrets_in_it() {
    let secrets = tempfile::tempdir().unwrap();
    let file = secrets.path().join("key");
    write(&file, VALUE);
    let say = "(call $log (i32.const 3) (i32.load (i32.const 304)) (i32.load (i32.const 308)))
        (call $counter (i32.load (i32.const 304)) (i32.load (i32.const 308)) (i64.const 1))";
    let failing = guest(&format!("{say} {ANSWER} {FAIL}"));
    let ground = ground_with(&failing, ASKING, Some(file)).await;
    ground.deliver("own", &["!"]).await;
    let failed = ground.failed("own");
    assert_eq!(failed[0]["reason"], "[secret key]", "{failed:?}");
    for page in ["plugins", "plugins/own", "plugins/own/logs"] {
        let page = ground.client.page(Method::GET, page).await;
        let text = String::from_utf8_lossy(page.body()).into_owned();
        assert!(page.status() == 200 && !text.contains(VALUE), "{text}");
    }
    let logs = ground.client.page(Method::GET, "plugins/own/logs").await;
    let logs = String::from_utf8_lossy(logs.body()).into_owned();
    assert!(logs.contains("[secret key]"), "{logs}");
    assert!(!ground.client.metrics_of_all().await.contains(VALUE));
}

#[test]
fn a_consumer_has_its_secrets_too_and_fails_without_their_values() {
    let secrets = tempfile::tempdir().unwrap();
    let file = secrets.path().join("key");
    write(&file, VALUE);
    let fault = "(return (call $fault (i32.const 1) (i32.load (i32.const 304))
        (i32.load (i32.const 308))))";
    let guest = ConsumerGuest {
        imports: IMPORT.to_owned(),
        fields: r#"(data (i32.const 256) "key")"#.to_owned(),
        ..ConsumerGuest::processing(&format!("{ASK} {fault}"))
    };
    let component = guest.component();
    let shard = Shard::granted(&component, ASKING, granting(Some(file)));
    let fault = shard.process(&["a"]).unwrap_err();
    assert_eq!(fault.to_string(), "[secret key]");
    let shard = Shard::granted(&component, ASKING, BTreeMap::new());
    let fault = shard.process(&["a"]).unwrap_err().to_string();
    assert!(fault.contains("the secret key is not granted"), "{fault}");
}
