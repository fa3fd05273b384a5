//! A server with a plugins directory and a victim: a delivery stream behind an honest plugin that
//! must not notice what goes on beside it.

use std::fs;

use http::Method;
use millrace_tests::{ACCOUNT, Client, REGION, Service, Setting};
use serde_json::{Value, json};
use tempfile::TempDir;
use wasm::Limits;

use crate::guest::Guest;

/// How often a failed call is made again unless a stream is told otherwise: as with AWS.
pub const RETRIES: u32 = 3;
/// Turns until a page has become what it should be, at most.
const TURNS_MAX: usize = 3_000;

/// A server and what lies around it.
pub struct Ground {
    pub service: Service,
    pub client: Client,
    /// The plugins directory.
    pub directory: TempDir,
}

impl Ground {
    /// A server with a plugins directory.
    pub async fn start(directory: TempDir) -> Self {
        Self::start_within(directory, Limits::default()).await
    }

    /// A server whose plugins may use this.
    pub async fn start_within(directory: TempDir, plugin_limits: Limits) -> Self {
        let setting = Setting {
            plugin_limits,
            ..Setting::default()
        };
        Self::start_with(directory, setting).await
    }

    /// A server that is set up otherwise.
    pub async fn start_with(directory: TempDir, setting: Setting) -> Self {
        let victim = Guest::default().component();
        fs::write(directory.path().join("victim.wasm"), victim).unwrap();
        let setting = Setting {
            plugins: Some(directory.path().to_owned()),
            ..setting
        };
        let service = Service::start_with(setting).await;
        let ground = Self {
            client: service.client(),
            service,
            directory,
        };
        ground.stream("victim").await;
        ground
    }

    /// The server anew, on what it kept.
    pub async fn restart(self) -> Self {
        let service = self.service.restart().await;
        Self {
            client: service.client(),
            service,
            directory: self.directory,
        }
    }

    /// Makes a delivery stream whose records go through the plugin of its name, one a line.
    pub async fn stream(&self, name: &str) {
        self.stream_that_retries(name, RETRIES).await;
    }

    /// The same, whose failed calls are made so many times again.
    pub async fn stream_that_retries(&self, name: &str, retries: u32) {
        let destination = through(name, retries);
        self.client.create_delivery(name, destination).await;
    }

    /// Makes a delivery stream that reads a stream of its name, through the plugin of its name.
    pub async fn stream_of(&self, name: &str) {
        self.client.create(name, 1).await;
        let destination = through(name, RETRIES);
        self.client
            .create_delivery_of(name, name, destination)
            .await;
    }

    /// Puts records and delivers them.
    pub async fn deliver(&self, stream: &str, records: &[&str]) {
        self.client.put_delivery(stream, records).await;
        self.client.flush(stream).await;
    }

    /// Puts and delivers records of the victim, and finds all of them delivered.
    pub async fn victim_works(&self) {
        let before = self.delivered("victim").len();
        self.deliver("victim", &["one", "two"]).await;
        let delivered = self.delivered("victim");
        assert_eq!(delivered[before..], ["one", "two"]);
        let status = self.client.delivery("victim").await;
        accounts_for(&status, delivered.len());
        assert_eq!(
            (&status["failed"], &status["trouble"]),
            (&0.into(), &Value::Null)
        );
    }

    /// The page of a plugin; `Null` while there is none.
    pub async fn plugin(&self, name: &str) -> Value {
        let page = self
            .client
            .page(Method::GET, &format!("plugins/{name}"))
            .await;
        match page.status().as_u16() {
            404 => Value::Null,
            _ => serde_json::from_slice(page.body()).unwrap(),
        }
    }

    /// The page of a plugin once it is as it should be. Meanwhile the victim works.
    pub async fn plugin_when(&self, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut page = Value::Null;
        for _ in 0..TURNS_MAX {
            page = self.plugin(name).await;
            if is_so(&page) {
                return page;
            }
            self.victim_works().await;
        }
        panic!("{name} stays as it is: {page}");
    }

    /// The page of a plugin once what lies there is refused.
    pub async fn plugin_when_refused(&self, name: &str) -> Value {
        self.plugin_when(name, |page| page["refused"].is_string())
            .await
    }

    /// What was delivered, in order.
    pub fn delivered(&self, stream: &str) -> Vec<String> {
        self.lines(stream, "delivered/")
    }

    /// The records that failed, in order, as AWS writes them.
    pub fn failed(&self, stream: &str) -> Vec<Value> {
        let lines = self.lines(stream, "failed/");
        let lines = lines.iter().map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    }

    fn lines(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let objects = self.service.objects(bucket);
        let objects = objects
            .iter()
            .filter(|object| object.key.starts_with(prefix));
        let lines = objects.flat_map(|object| object.text().lines());
        lines.map(str::to_owned).collect()
    }
}

/// Every record that came in is delivered, dropped or failed.
pub fn accounts_for(status: &Value, records: usize) {
    let count = |name: &str| usize::try_from(status[name].as_u64().unwrap()).unwrap();
    let ended = count("delivered") + count("dropped") + count("failed");
    assert_eq!((count("recordsIn"), ended), (records, records), "{status}");
    assert_eq!(count("waitingRecords"), 0, "{status}");
}

/// The destination of a delivery stream whose records go through the plugin of its name, one a
/// line.
fn through(name: &str, retries: u32) -> Value {
    let function = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}");
    let processors = json!([
        {"Type": "Lambda", "Parameters": [
            {"ParameterName": "LambdaArn", "ParameterValue": function},
            {"ParameterName": "NumberOfRetries", "ParameterValue": retries.to_string()}]},
        {"Type": "AppendDelimiterToRecord", "Parameters": [
            {"ParameterName": "Delimiter", "ParameterValue": "\\n"}]},
    ]);
    json!({
        "BucketARN": format!("arn:aws:s3:::{name}"),
        "Prefix": "delivered/",
        "ErrorOutputPrefix": "failed/",
        "ProcessingConfiguration": {"Enabled": true, "Processors": processors},
    })
}
