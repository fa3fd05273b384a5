//! Signatures: whose plugins an operator takes.

use std::fs;
use std::path::Path;

use http::Method;
use millrace_tests::{ACCOUNT, Setting, base64, through};
use serde_json::{Value, json};
use wasm::{ContentHash, PluginName, SignatureMode, SignatureRules, SigningKey, TrustedKey};

use crate::consumer_guest::ConsumerGuest;
use crate::ground::Ground;
use crate::guest::Guest;

/// What is said of `own` where a signature is required that it does not have.
const UNSIGNED: &str = "it has no signature: own.wasm.sig, or plugin.sig in its folder, and \
                        signatures = \"require\" is configured: `millrace plugin sign --key FILE \
                        own` makes one, and `millrace plugin deploy` hands it in";
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
    put_component(directory, name, &guest.component(), key);
}

fn put_component(directory: &Path, name: &str, component: &[u8], key: Option<&SigningKey>) {
    let signature = directory.join(format!("{name}.wasm.sig"));
    match key {
        Some(key) => {
            let plugin = PluginName::parse(name).unwrap();
            let text = key.sign(&plugin, ContentHash::of(None, component));
            fs::write(signature, text).unwrap();
        }
        None => fs::remove_file(signature).unwrap_or_default(),
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
    assert_eq!(
        (status, &answer["message"]),
        (409, &json!(format!("{UNSIGNED}.")))
    );
    let (status, answer) = order(&ground, "rollback").await;
    assert_eq!((status, &answer["version"]["number"]), (200, &json!(2)));
    let (status, _) = order(&ground, "rollback").await;
    assert_eq!(status, 409, "what is before that is not signed");
    assert_eq!(ground.plugin("own").await["number"], 2);
    // It is kept with its signature.
    let ground = ground.restart().await;
    assert_eq!(ground.plugin("own").await["number"], 2);
}

/// A server with version 1 of `own` unsigned and version 2 signed, which is in force.
async fn ground_of_two(key: &SigningKey, versions: [&[u8]; 2]) -> Ground {
    let directory = tempfile::tempdir().unwrap();
    put_component(directory.path(), "own", versions[0], None);
    let ground = ground_with(SignatureRules::default(), key, directory).await;
    put_component(ground.directory.path(), "own", versions[1], Some(key));
    ground.plugin_when("own", |page| page["number"] == 2).await;
    ground
}

/// The server anew, which takes what this key signed.
async fn restart_requiring(ground: Ground, key: &SigningKey) -> Ground {
    let rules = trusting(SignatureMode::Require, &[key]);
    let service = ground.service.restart_trusting(rules).await;
    Ground {
        client: service.client(),
        service,
        directory: ground.directory,
    }
}

/// The order for an alias asked for a signature, and after a restart nobody did: not for a number,
/// nor for an alias or a canary of before.
#[tokio::test]
async fn no_number_alias_or_canary_of_before_leads_to_a_version_that_is_not_signed() {
    let key = SigningKey::generate().unwrap();
    let [first, second] = [1, 2].map(|number| Guest::numbered(number).component());
    let ground = ground_of_two(&key, [&first, &second]).await;
    for (name, qualifier) in [("number", ":1"), ("alias", ":live"), ("canary", "")] {
        if name == "alias" {
            assert_eq!(order(&ground, "aliases/live/1").await.0, 200);
        }
        let destination = through(name, ACCOUNT, &format!("own{qualifier}"));
        ground.client.create_delivery(name, destination).await;
    }
    assert_eq!(order(&ground, "canary/1/99").await.0, 200);
    let ground = restart_requiring(ground, &key).await;
    let (status, answer) = order(&ground, "aliases/other/1").await;
    assert_eq!(
        (status, &answer["message"]),
        (409, &json!(format!("{UNSIGNED}.")))
    );
    let is_told = |page: &Value| {
        page["trouble"]
            .as_str()
            .is_some_and(|it| it.contains(UNSIGNED))
    };
    for name in ["number", "alias", "canary"] {
        ground.client.put_delivery(name, &["a"]).await;
        let page = ground.client.delivery_until(name, is_told).await;
        assert_eq!(page["waitingRecords"], 1, "{page}");
    }
    // The signature comes with the same files, and is kept with the version.
    put_component(ground.directory.path(), "own", &first, Some(&key));
    let is_delivered = |page: &Value| page["trouble"].is_null();
    for name in ["number", "alias", "canary"] {
        ground.client.delivery_until(name, is_delivered).await;
        ground.client.flush(name).await;
        assert_eq!(ground.client.delivery(name).await["delivered"], 1);
    }
    ground.victim_works().await;
}

#[tokio::test]
async fn an_application_that_is_pinned_to_a_version_that_is_not_signed_waits() {
    let key = SigningKey::generate().unwrap();
    let versions = [1, 2].map(|number| {
        let fields = format!("(data (i32.const 3000) \"{number}\")");
        ConsumerGuest {
            fields,
            ..ConsumerGuest::default()
        }
        .component()
    });
    let ground = ground_of_two(&key, [&versions[0], &versions[1]]).await;
    let client = &ground.client;
    client.create("words", 1).await;
    let first = ContentHash::of(None, &versions[0]).to_string();
    let body = json!({"stream": "words", "plugin": "own", "version": first});
    let (status, answer) = client.post_page("apps/app/create", &body).await;
    assert_eq!(status, 200, "{answer}");
    client.put("words", &base64("before")).await;
    let processed = |count: u64| move |page: &Value| page["shards"][0]["processed"] == count;
    app_until(&ground, processed(1)).await;
    let ground = restart_requiring(ground, &key).await;
    ground.client.put("words", &base64("after")).await;
    let is_told = |page: &Value| page.to_string().contains("it has no signature");
    let page = app_until(&ground, is_told).await;
    assert_eq!(page["shards"][0]["processed"], 1, "{page}");
    let body = json!({"stream": "words", "plugin": "own", "version": first});
    let (status, answer) = ground.client.post_page("apps/other/create", &body).await;
    let told = answer["message"].as_str().unwrap();
    assert!(status == 400 && told.contains(UNSIGNED), "{answer}");
    put_component(ground.directory.path(), "own", &versions[0], Some(&key));
    app_until(&ground, processed(2)).await;
}

/// The page of the application `app` once it is as it should be. Meanwhile the victim works.
async fn app_until(ground: &Ground, is_so: impl Fn(&Value) -> bool) -> Value {
    let mut page = Value::Null;
    for _ in 0..3_000 {
        let answer = ground.client.page(Method::GET, "apps/app").await;
        page = serde_json::from_slice(answer.body()).unwrap();
        if is_so(&page) {
            return page;
        }
        ground.victim_works().await;
    }
    panic!("the application stays as it is: {page}");
}

/// Both signatures lay under the content: that of the other plugin was none of this one.
#[tokio::test]
async fn plugins_of_one_content_are_gone_back_to_by_their_own_signatures() {
    let key = SigningKey::generate().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let same = Guest::numbered(1);
    for name in ["own", "other"] {
        put(directory.path(), name, &same, Some(&key));
    }
    let rules = trusting(SignatureMode::Require, &[&key]);
    let ground = ground_with(rules, &key, directory).await;
    for name in ["own", "other"] {
        put(
            ground.directory.path(),
            name,
            &Guest::numbered(2),
            Some(&key),
        );
        ground.plugin_when(name, |page| page["number"] == 2).await;
    }
    let ground = ground.restart().await;
    for name in ["own", "other"] {
        let page = format!("plugins/{name}/rollback");
        let (status, answer) = ground.client.post_page(&page, &Value::Null).await;
        assert_eq!(
            (status, &answer["version"]["number"]),
            (200, &json!(1)),
            "{answer}"
        );
    }
}

/// The body had no place for one: where signatures are required nothing could be deployed.
#[tokio::test]
async fn a_signature_is_handed_in_with_a_deployment_and_lies_beside_its_files() {
    let key = SigningKey::generate().unwrap();
    let rules = trusting(SignatureMode::Require, &[&key]);
    let ground = ground_with(rules, &key, tempfile::tempdir().unwrap()).await;
    let component = Guest::numbered(1).component();
    let client = &ground.client;
    let deploy = |body: Vec<u8>| client.send_page(Method::PUT, "plugins/own", body);
    let (status, answer) = deploy(component.clone()).await;
    assert_eq!((status, &answer["message"]), (400, &json!(UNSIGNED)));
    let name = PluginName::parse("own").unwrap();
    let own = "name = 'own'\nversion = '1'\n";
    for (number, manifest) in [(1, None), (2, Some(own))] {
        let signature = key.sign(&name, ContentHash::of(manifest, &component));
        let text = format!(
            "millrace-signature {signature}\n{}",
            manifest.unwrap_or_default()
        );
        let body = [text.as_bytes(), &component].concat();
        let (status, answer) = deploy(body).await;
        assert_eq!(
            (status, &answer["state"]),
            (200, &json!("in-force")),
            "{answer}"
        );
        assert_eq!(ground.plugin("own").await["number"], number);
    }
    let ground = ground.restart().await;
    let page = ground.plugin("own").await;
    let by = format!("by {}", &key.public()[..12]);
    assert_eq!(
        (&page["number"], &page["refused"]),
        (&json!(2), &Value::Null)
    );
    assert_eq!(page["versions"][0]["signed"], by);
    let (status, _) = order(&ground, "rollback").await;
    assert_eq!(status, 200, "the one before was signed, too");
}
