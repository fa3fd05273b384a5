//! A server with the counter as an application.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use base64_simd::STANDARD;
use consumers::Grants;
use http::Method;
use millrace_tests::{Client, Service, Setting};
use serde_json::{Value, json};
use tempfile::TempDir;
use wasm::PluginName;

use crate::consumer_guest::ConsumerGuest;

/// The application, and its plugin.
pub const APP: &str = "counts";
pub const PLUGIN: &str = "counter";
/// The stream that it reads.
pub const TEXT: &str = "text";

/// A plugins directory with one consumer in it.
pub struct Plugins(TempDir);

impl Plugins {
    /// With this one.
    pub fn with(guest: &ConsumerGuest) -> Self {
        let plugins = Self(tempfile::tempdir().unwrap());
        plugins.put(PLUGIN, guest);
        plugins
    }

    /// Puts a consumer there in the place of the one before.
    pub fn put(&self, name: &str, guest: &ConsumerGuest) {
        let beside = self.0.path().join(".file");
        fs::write(&beside, guest.component()).unwrap();
        fs::rename(beside, self.0.path().join(format!("{name}.wasm"))).unwrap();
    }

    /// With this one and its manifest.
    pub fn with_manifest(guest: &ConsumerGuest, manifest: &str) -> Self {
        let plugins = Self(tempfile::tempdir().unwrap());
        plugins.put_with(PLUGIN, guest, manifest);
        plugins
    }

    /// Puts a consumer there with a manifest, in the place of such a one.
    pub fn put_with(&self, name: &str, guest: &ConsumerGuest, manifest: &str) {
        let beside = self.0.path().join(".folder");
        fs::create_dir(&beside).unwrap();
        fs::write(beside.join("plugin.toml"), manifest).unwrap();
        fs::write(beside.join(format!("{name}.wasm")), guest.component()).unwrap();
        let (folder, before) = (self.0.path().join(name), self.0.path().join(".before"));
        if folder.exists() {
            fs::rename(&folder, &before).unwrap();
        }
        fs::rename(beside, folder).unwrap();
        fs::remove_dir_all(before).unwrap_or_default();
    }

    /// Takes it away.
    pub fn remove(&self, name: &str) {
        fs::remove_file(self.0.path().join(format!("{name}.wasm"))).unwrap();
    }

    /// Takes one away that was put there with a manifest.
    pub fn remove_folder(&self, name: &str) {
        let aside = self.0.path().join(".gone");
        fs::rename(self.0.path().join(name), &aside).unwrap();
        fs::remove_dir_all(aside).unwrap();
    }

    /// How a server with this directory is set up, where plugins may use `words` and `alerts`.
    pub fn setting(&self) -> Setting {
        Setting {
            plugins: Some(self.0.path().to_owned()),
            plugin_grants: granted(&[PLUGIN, "other"]),
            ..Setting::default()
        }
    }

    /// A server with this directory and the streams `text`, of so many shards, and `alerts`.
    pub async fn serve(&self, shards: u32) -> Service {
        self.serve_as(self.setting(), shards).await
    }

    /// The same with a server that is set up otherwise.
    pub async fn serve_as(&self, setting: Setting, shards: u32) -> Service {
        let service = Service::start_with(setting).await;
        let client = service.client();
        client.create(TEXT, shards).await;
        client.create("alerts", 1).await;
        service
    }
}

/// What each of some plugins may do.
pub fn granted(plugins: &[&str]) -> BTreeMap<PluginName, Grants> {
    let grants = Grants {
        tables: BTreeSet::from(["words".to_owned()]),
        emit: BTreeSet::from(["alerts".to_owned()]),
    };
    let plugins = plugins.iter().map(|name| PluginName::parse(name).unwrap());
    plugins.map(|name| (name, grants.clone())).collect()
}

/// Makes the application, which begins with the oldest records.
pub async fn create_app(client: &Client) {
    let body = json!({"stream": TEXT, "plugin": PLUGIN});
    let (status, answer) = client.post_page(&format!("apps/{APP}/create"), &body).await;
    assert_eq!(status, 200, "{answer}");
}

/// The application with its shards.
pub async fn describe(client: &Client) -> Value {
    let answer = client.page(Method::GET, &format!("apps/{APP}")).await;
    serde_json::from_slice(answer.body()).unwrap()
}

/// Waits until the application is as wanted.
pub async fn until(client: &Client, is: impl Fn(&Value) -> bool) -> Value {
    client.page_until(&format!("apps/{APP}"), is).await
}

/// Waits until so many records are done, and none waits.
pub async fn until_done(client: &Client, records: u64) -> Value {
    until(client, |app| {
        let is = |member: &str, wanted: u64| app[member] == json!(wanted);
        is("processed", records) && is("waiting", 0)
    })
    .await
}

/// Puts records, each with its text as partition key.
pub async fn put(client: &Client, texts: &[String]) {
    for texts in texts.chunks(500) {
        let records = texts.iter().map(|text| {
            let data = STANDARD.encode_to_string(text);
            json!({"Data": data, "PartitionKey": text})
        });
        let records: Vec<_> = records.collect();
        let answer = client
            .call(
                "PutRecords",
                json!({"StreamName": TEXT, "Records": records}),
            )
            .await;
        assert_eq!(answer["FailedRecordCount"], 0, "{answer}");
    }
}

/// What the table `words` says.
pub async fn words(client: &Client) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    let mut input = json!({"TableName": "words"});
    loop {
        let page = client.call("DynamoDb.Scan", input.clone()).await;
        for item in page["Items"].as_array().unwrap() {
            let bytes = |name: &str| {
                let text = item[name]["B"].as_str().unwrap();
                STANDARD.decode_to_vec(text).unwrap()
            };
            let count = bytes("value").try_into().map(u64::from_le_bytes).unwrap();
            all.insert(String::from_utf8(bytes("key")).unwrap(), count);
        }
        if page["LastEvaluatedKey"].is_null() {
            return all;
        }
        input["ExclusiveStartKey"] = page["LastEvaluatedKey"].clone();
    }
}

/// The records of `alerts`, how often each came.
pub async fn alerts(client: &Client) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for data in client.data("alerts").await {
        let text = STANDARD.decode_to_vec(data).unwrap();
        *all.entry(String::from_utf8(text).unwrap()).or_default() += 1;
    }
    all
}

/// How often each text is there, and how many alerts it gives.
pub fn counted(texts: &[String]) -> (BTreeMap<String, u64>, BTreeMap<String, u64>) {
    let mut words: BTreeMap<String, u64> = BTreeMap::new();
    for text in texts {
        *words.entry(text.clone()).or_default() += 1;
    }
    let alerts = words.iter().map(|(word, count)| (word.clone(), count / 10));
    let alerts = alerts.filter(|(_, alerts)| *alerts > 0).collect();
    (words, alerts)
}
