//! Signatures: whose plugins an operator takes.

use std::fs;
use std::path::Path;

use http::Method;
use millrace_tests::Setting;
use serde_json::{Value, json};
use wasm::{ContentHash, PluginName, SignatureMode, SignatureRules, SigningKey, TrustedKey};

use crate::ground::Ground;
use crate::guest::Guest;

const MANIFEST: &str = "name = 'own'\nversion = '1'\n";

/// Rules that trust these keys.
fn trusting(mode: SignatureMode, keys: &[&SigningKey]) -> SignatureRules {
    let trusted = keys.iter().map(|key| TrustedKey::parse(&key.public()));
    SignatureRules {
        mode,
        trusted: trusted.map(Result::unwrap).collect(),
    }
}

/// Puts a bare component there, and its signature first if there is one.
fn put(directory: &Path, name: &str, guest: &Guest, key: Option<&SigningKey>) {
    let component = guest.component();
    if let Some(key) = key {
        let plugin = PluginName::parse(name).unwrap();
        let signature = key.sign(&plugin, ContentHash::of(None, &component));
        fs::write(directory.join(format!("{name}.wasm.sig")), signature).unwrap();
    }
    let staged = directory.join("staged");
    fs::write(&staged, component).unwrap();
    fs::rename(staged, directory.join(format!("{name}.wasm"))).unwrap();
}

/// A server with these rules. Its victim is signed by `key`.
async fn ground_with(
    rules: SignatureRules,
    key: &SigningKey,
    directory: tempfile::TempDir,
) -> Ground {
    put(directory.path(), "victim", &Guest::default(), Some(key));
    let setting = Setting {
        plugin_signatures: rules,
        ..Setting::default()
    };
    Ground::start_with(directory, setting).await
}

async fn order(ground: &Ground, order: &str) -> (u16, Value) {
    let page = format!("plugins/own/{order}");
    let answer = ground.client.page(Method::POST, &page).await;
    let body = serde_json::from_slice(answer.body()).unwrap();
    (answer.status().as_u16(), body)
}

#[tokio::test]
async fn a_plugin_without_a_signature_of_a_trusted_key_is_refused_where_one_is_required() {
    let (key, other) = (
        SigningKey::generate().unwrap(),
        SigningKey::generate().unwrap(),
    );
    let directory = tempfile::tempdir().unwrap();
    put(directory.path(), "none", &Guest::default(), None);
    put(directory.path(), "other", &Guest::default(), Some(&other));
    let folder = directory.path().join("own");
    fs::create_dir(&folder).unwrap();
    let component = Guest::default().component();
    fs::write(folder.join("plugin.toml"), MANIFEST).unwrap();
    fs::write(folder.join("own.wasm"), &component).unwrap();
    let name = PluginName::parse("own").unwrap();
    let signature = key.sign(&name, ContentHash::of(Some(MANIFEST), &component));
    fs::write(folder.join("plugin.sig"), signature).unwrap();
    let rules = trusting(SignatureMode::Require, &[&key]);
    let ground = ground_with(rules, &key, directory).await;
    let page = ground.plugin("own").await;
    let by = format!("by {}", &key.public()[..12]);
    assert_eq!(
        (&page["state"], &page["versions"][0]["signed"]),
        (&json!("running"), &json!(by))
    );
    for (name, why) in [
        (
            "none",
            "it has no signature: none.wasm.sig, or plugin.sig in its folder",
        ),
        ("other", "of another key than the trusted_keys"),
    ] {
        let page = ground.plugin(name).await;
        assert_eq!(page["state"], "refused", "{page}");
        assert!(page["refused"].as_str().unwrap().contains(why), "{page}");
    }
    // The signature comes later, and nothing else changes.
    put(
        ground.directory.path(),
        "none",
        &Guest::default(),
        Some(&key),
    );
    let is_running = |page: &Value| page["state"] == "running";
    ground.plugin_when("none", is_running).await;
    // A manifest that was changed after it was signed.
    let other = format!("{MANIFEST}[config]\na = 'b'\n");
    fs::write(ground.directory.path().join("own/plugin.toml"), other).unwrap();
    let page = ground.plugin_when_refused("own").await;
    assert!(
        page["refused"]
            .as_str()
            .unwrap()
            .contains("or of other files"),
        "{page}"
    );
    assert_eq!(page["number"], 1, "the version before goes on");
    ground.victim_works().await;
}

#[tokio::test]
async fn a_plugin_that_is_not_signed_is_taken_with_a_warning_where_that_is_enough() {
    let key = SigningKey::generate().unwrap();
    let directory = tempfile::tempdir().unwrap();
    put(directory.path(), "own", &Guest::default(), None);
    let rules = trusting(SignatureMode::Warn, &[&key]);
    let ground = ground_with(rules, &key, directory).await;
    let page = ground.plugin("own").await;
    let told = "not: it has no signature: own.wasm.sig, or plugin.sig in its folder";
    assert_eq!(
        (&page["state"], &page["versions"][0]["signed"]),
        (&json!("running"), &json!(told))
    );
}

#[tokio::test]
async fn no_rollback_leads_to_a_version_that_is_not_signed() {
    let key = SigningKey::generate().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let unsigned = Guest::numbered(1);
    put(directory.path(), "own", &unsigned, None);
    let ground = ground_with(SignatureRules::default(), &key, directory).await;
    for (number, guest) in [(2, Guest::numbered(2)), (3, Guest::numbered(3))] {
        put(ground.directory.path(), "own", &guest, Some(&key));
        ground
            .plugin_when("own", |page| page["number"] == number)
            .await;
    }
    let rules = trusting(SignatureMode::Require, &[&key]);
    let service = ground.service.restart_trusting(rules).await;
    let ground = Ground {
        client: service.client(),
        service,
        directory: ground.directory,
    };
    let (status, answer) = order(&ground, "rollback/1").await;
    let told = "it has no signature: own.wasm.sig, or plugin.sig in its folder, and signatures = \
                \"require\" is configured";
    assert_eq!((status, &answer["message"]), (503, &json!(told)));
    let (status, answer) = order(&ground, "rollback").await;
    assert_eq!((status, &answer["version"]["number"]), (200, &json!(2)));
    let (status, _) = order(&ground, "rollback").await;
    assert_eq!(status, 503, "what is before that is not signed");
    assert_eq!(ground.plugin("own").await["number"], 2);
    // It is kept with its signature.
    let ground = ground.restart().await;
    assert_eq!(ground.plugin("own").await["number"], 2);
}
