//! A server in the process.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use consumers::Grants;
use delivery::glue::Glue;
use serde_json::{Value, json};
use server::{Config, Credential, DeliveryLimits, Running};
use store::disk::Disk;
use store::disk::real::RealDisk;
use store::disk::simulated::SimulatedDisk;
use store::embedded::{Embedded, Options};
use streams::kms::KmsSettings;
use tempfile::TempDir;
use types::{AccountId, Clock, ManualClock, Timestamp};
use wasm::PluginName;
use wire::sigv4::SecretKey;

use crate::Client;
use crate::client::{METRICS_TOKEN, refusal_of};

/// The account of [`Service::client`].
pub const ACCOUNT: &str = "000000000000";
/// The account of [`Service::other_client`].
pub const OTHER_ACCOUNT: &str = "111111111111";
/// The region of the clients.
pub const REGION: &str = "eu-central-1";

const KEYS: [(&str, &str, &str); 2] = [
    ("AKIDEXAMPLE", "secret", ACCOUNT),
    ("AKIDOTHER", "other secret", OTHER_ACCOUNT),
];

/// When every test begins.
const START: Timestamp = Timestamp(1_700_000_000_000);
/// Questions whether a stream has changed its status, at most.
const QUESTIONS_MAX: usize = 10_000;

/// What the data lies on.
enum Ground {
    Directory(TempDir),
    Simulated(SimulatedDisk),
}

/// A server with its disk and its clock.
pub struct Service {
    running: Running,
    clock: Arc<ManualClock>,
    ground: Ground,
    setting: Setting,
    /// Where versions of plugins and buckets lie.
    data: TempDir,
}

/// How a server is set up; the default is one without limits per shard and without plugins.
#[derive(Clone, Default)]
pub struct Setting {
    /// The file that grants to plugins are read from while the server runs, if it is not this that
    /// says them.
    pub grants_file: Option<PathBuf>,
    /// Enforce AWS's limits per shard.
    pub throttle: bool,
    /// The plugins directory.
    pub plugins: Option<PathBuf>,
    /// What every plugin may use.
    pub plugin_limits: wasm::Limits,
    /// What plugins may do besides.
    pub plugin_grants: BTreeMap<PluginName, Grants>,
    /// The same of what is no matter of applications alone.
    pub plugin_access: BTreeMap<PluginName, wasm::GrantSettings>,
    /// How carefully versions of plugins take the place of others.
    pub plugin_rollout: wasm::RolloutRules,
    /// Whose plugins are taken.
    pub plugin_signatures: wasm::SignatureRules,
    /// The program that compiles plugins; `None`: the server itself.
    pub compiler: Option<PathBuf>,
    /// What deliveries share.
    pub delivery_limits: DeliveryLimits,
    /// The endpoint that objects go to; `None`: a directory, see [`Service::buckets`].
    pub s3: Option<delivery::objects::S3Config>,
    /// Sizes, counts and deadlines of the server.
    pub limits: server::Limits,
    /// Master keys.
    pub kms: KmsSettings,
    /// Secrets that destinations may name.
    pub secrets: Vec<delivery::SecretSetting>,
    /// Whom delivery streams may call besides the internet at large.
    pub egress_allow: Vec<wasm::HostPattern>,
    /// Where tables of conversions are, if not where [`Service::write_table`] writes them.
    pub glue: Glue,
    /// Who may call beside [`Service::client`] and [`Service::other_client`].
    pub credentials: Vec<Credential>,
}

impl Service {
    /// A server that enforces no limits per shard.
    pub async fn start() -> Self {
        Self::start_with(Setting::default()).await
    }

    /// A server that enforces AWS's limits per shard.
    pub async fn start_throttled() -> Self {
        Self::start_with(Setting {
            throttle: true,
            ..Setting::default()
        })
        .await
    }

    /// A server that is set up otherwise.
    pub async fn start_with(setting: Setting) -> Self {
        let service = Self::start_at_once(setting).await;
        service.running.plugins_started().await;
        service
    }

    /// The same, as soon as it answers: its plugins may be being loaded.
    pub async fn start_at_once(setting: Setting) -> Self {
        Self::open(directory(), clock(), setting, tempfile::tempdir().unwrap()).await
    }

    /// A server on what a simulated disk holds, without limits per shard.
    pub async fn start_on(disk: SimulatedDisk) -> Self {
        let data = tempfile::tempdir().unwrap();
        Self::open(Ground::Simulated(disk), clock(), Setting::default(), data).await
    }

    /// A server on a directory that is there already, at a time after it was written, without
    /// limits per shard.
    pub async fn start_in(directory: TempDir, at: Timestamp) -> Self {
        let (ground, clock) = (Ground::Directory(directory), clock());
        clock.set(at);
        let data = tempfile::tempdir().unwrap();
        Self::open(ground, clock, Setting::default(), data).await
    }

    /// Stops the server and starts another on what it kept.
    pub async fn restart(self) -> Self {
        self.restart_after(|| {}).await
    }

    /// The same after something was done while there was none.
    pub async fn restart_after(self, meanwhile: impl FnOnce()) -> Self {
        self.running.shut_down().await.unwrap();
        meanwhile();
        let service = Self::open(self.ground, self.clock, self.setting, self.data).await;
        service.running.plugins_started().await;
        service
    }

    /// The same with another limit of what every plugin may use.
    pub async fn restart_within(mut self, plugin_limits: wasm::Limits) -> Self {
        self.setting.plugin_limits = plugin_limits;
        self.restart().await
    }

    /// The same with other grants to plugins.
    pub async fn restart_granting(mut self, grants: BTreeMap<PluginName, Grants>) -> Self {
        self.setting.plugin_grants = grants;
        self.restart().await
    }

    /// The same with plugins of others taken.
    pub async fn restart_trusting(mut self, signatures: wasm::SignatureRules) -> Self {
        self.setting.plugin_signatures = signatures;
        self.restart().await
    }

    /// The same with other master keys, after something was done while there was no server.
    pub async fn restart_with_keys(mut self, kms: KmsSettings, meanwhile: impl FnOnce()) -> Self {
        self.setting.kms = kms;
        self.restart_after(meanwhile).await
    }

    /// Every directory in which the server keeps something.
    pub fn kept(&self) -> Vec<PathBuf> {
        let own = match &self.ground {
            Ground::Directory(directory) => Some(directory.path().to_owned()),
            Ground::Simulated(_) => None,
        };
        own.into_iter()
            .chain([self.data.path().to_owned()])
            .collect()
    }

    /// The directory of what the server keeps of plugins.
    pub fn kept_plugins(&self) -> PathBuf {
        self.data.path().join("plugins")
    }

    /// The directory of buckets, where no S3 endpoint was named.
    pub fn buckets(&self) -> PathBuf {
        self.data.path().join("s3")
    }

    /// Makes or changes the newest version of a table that records can become rows of, with these
    /// names and types of columns.
    pub fn write_table(&self, database: &str, table: &str, columns: &[(&str, &str)]) {
        let directory = self.data.path().join("glue").join(database);
        std::fs::create_dir_all(&directory).unwrap();
        let columns = columns.iter();
        let columns = columns.map(|(name, kind)| json!({"Name": name, "Type": kind}));
        let columns: Vec<Value> = columns.collect();
        let answer = json!({"Table": {
            "Name": table,
            "DatabaseName": database,
            "StorageDescriptor": {"Columns": columns},
        }});
        std::fs::write(directory.join(format!("{table}.json")), answer.to_string()).unwrap();
    }

    /// Takes a table away.
    pub fn remove_table(&self, database: &str, table: &str) {
        let directory = self.data.path().join("glue").join(database);
        std::fs::remove_file(directory.join(format!("{table}.json"))).unwrap();
    }

    /// Stops the server; fails when it does not stop well.
    pub async fn stop(self) {
        self.running.shut_down().await.unwrap();
    }

    async fn open(
        ground: Ground,
        clock: Arc<ManualClock>,
        setting: Setting,
        data: TempDir,
    ) -> Self {
        let disk: Arc<dyn Disk> = match &ground {
            Ground::Directory(path) => Arc::new(RealDisk::new(path.path().to_owned()).unwrap()),
            Ground::Simulated(disk) => Arc::new(disk.clone()),
        };
        let opened = tokio::task::spawn_blocking(move || Embedded::open(disk, small()).unwrap());
        let credentials = KEYS.iter().map(|(key_id, secret, account)| {
            let account = AccountId::parse(account).unwrap();
            Credential::of_account(key_id, SecretKey::new(*secret), account)
        });
        let credentials = credentials.chain(setting.credentials.iter().cloned());
        let config = Config {
            file: setting.grants_file.clone(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data: data.path().to_owned(),
            throttle: setting.throttle,
            plugins: setting.plugins.clone(),
            plugin_accounts: vec![AccountId::parse(ACCOUNT).unwrap()],
            plugin_limits: setting.plugin_limits,
            plugin_grants: setting.plugin_grants.clone(),
            plugin_access: setting.plugin_access.clone(),
            plugin_rollout: setting.plugin_rollout,
            plugin_signatures: setting.plugin_signatures.clone(),
            compiler: setting.compiler.clone(),
            delivery_limits: setting.delivery_limits,
            metrics_token: Some(SecretKey::new(METRICS_TOKEN)),
            s3: setting.s3.clone(),
            kms: setting.kms.clone(),
            egress_allow: setting.egress_allow.clone(),
            glue: match setting.glue.clone() {
                Glue::None => Glue::Directory(data.path().join("glue")),
                glue => glue,
            },
            secrets: setting.secrets.clone(),
            limits: setting.limits.clone(),
            credentials: credentials.collect(),
            ..Config::default()
        };
        let engine = opened.await.unwrap();
        let running = server::start(config, engine, clock.clone()).await.unwrap();
        Self {
            running,
            clock,
            ground,
            setting,
            data,
        }
    }

    /// The caller of most tests.
    pub fn client(&self) -> Client {
        self.client_of(KEYS[0])
    }

    /// A caller of another account.
    pub fn other_client(&self) -> Client {
        self.client_of(KEYS[1])
    }

    fn client_of(&self, (key_id, secret, _): (&str, &str, &str)) -> Client {
        self.client_with(key_id, SecretKey::new(secret))
    }

    /// The caller that has one of [`Setting::credentials`], without its session token.
    pub fn client_with(&self, key_id: &str, secret: SecretKey) -> Client {
        Client {
            address: self.running.address(),
            clock: self.clock.clone(),
            key_id: key_id.to_owned(),
            secret,
            session_token: None,
            region: REGION,
        }
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// Sets the server's clock back or forward, while no time passes.
    pub fn set_clock(&self, to: Timestamp) {
        self.clock.set(to);
    }

    /// What the server's clock shows.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Client {
    /// Creates a stream and waits until it is ACTIVE.
    pub async fn create(&self, name: &str, shards: u32) {
        self.call(
            "CreateStream",
            json!({"StreamName": name, "ShardCount": shards}),
        )
        .await;
        self.until_active(name).await;
    }

    /// Waits until a stream is ACTIVE.
    pub async fn until_active(&self, name: &str) {
        let input = json!({"StreamName": name});
        for _ in 0..QUESTIONS_MAX {
            let answer = self.ask_slowly("DescribeStreamSummary", &input).await;
            if answer["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE" {
                return;
            }
        }
        panic!("{name} does not become ACTIVE");
    }

    /// Deletes a stream and waits until it is gone.
    pub async fn delete(&self, name: &str) {
        let input = json!({"StreamName": name, "EnforceConsumerDeletion": true});
        self.call("DeleteStream", input).await;
        self.until_gone(name).await;
    }

    /// Waits until a stream that was deleted is gone.
    pub async fn until_gone(&self, name: &str) {
        for _ in 0..QUESTIONS_MAX {
            let names = self.ask_slowly("ListStreams", &json!({})).await;
            if !names["StreamNames"]
                .as_array()
                .unwrap()
                .contains(&json!(name))
            {
                return;
            }
        }
        panic!("{name} does not go");
    }

    /// Calls an operation that is asked again and again, as clients do: who has asked too often
    /// lets a second of the server's time pass.
    async fn ask_slowly(&self, operation: &str, input: &Value) -> Value {
        let response = self.send(operation, input.to_string().into()).await;
        if response.status() == 200 {
            return serde_json::from_slice(response.body()).unwrap();
        }
        let refusal = refusal_of(response);
        assert_eq!(refusal.code, "LimitExceededException", "{refusal:?}");
        self.clock.advance(Duration::from_secs(1));
        self.call(operation, input.clone()).await
    }

    /// Registers a consumer; its ARN.
    pub async fn register(&self, stream: &str, consumer: &str) -> String {
        let input = json!({"StreamARN": self.arn(stream), "ConsumerName": consumer});
        let answer = self.call("RegisterStreamConsumer", input).await;
        answer["Consumer"]["ConsumerARN"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// The ARN of a stream of [`ACCOUNT`].
    pub fn arn(&self, stream: &str) -> String {
        format!("arn:aws:kinesis:{}:{ACCOUNT}:stream/{stream}", self.region)
    }

    /// DescribeStreamSummary's description.
    pub async fn summary(&self, name: &str) -> Value {
        let answer = self
            .call("DescribeStreamSummary", json!({"StreamName": name}))
            .await;
        answer["StreamDescriptionSummary"].clone()
    }

    /// Puts one record of this data (base64) with the partition key `a`; where it landed.
    pub async fn put(&self, name: &str, data: &str) -> Value {
        let input = json!({"StreamName": name, "Data": data, "PartitionKey": "a"});
        self.call("PutRecord", input).await
    }

    /// An iterator of the stream's first shard; `start` holds the members that say where.
    pub async fn iterator(&self, name: &str, start: Value) -> String {
        let mut input = json!({"StreamName": name, "ShardId": shard_id(0)});
        input
            .as_object_mut()
            .unwrap()
            .extend(start.as_object().unwrap().clone());
        let answer = self.call("GetShardIterator", input).await;
        answer["ShardIterator"].as_str().unwrap().to_owned()
    }

    /// GetRecords of the stream's first shard from its oldest record on.
    pub async fn read(&self, name: &str) -> Value {
        let oldest = json!({"ShardIteratorType": "TRIM_HORIZON"});
        let iterator = self.iterator(name, oldest).await;
        self.call("GetRecords", json!({"ShardIterator": iterator}))
            .await
    }

    /// The data (base64) of the records that [`Client::read`] gives.
    pub async fn data(&self, name: &str) -> Vec<String> {
        let answer = self.read(name).await;
        let records = answer["Records"].as_array().unwrap();
        let data = records
            .iter()
            .map(|record| record["Data"].as_str().unwrap().to_owned());
        data.collect()
    }
}

/// The id of the stream's shard number `index`.
pub fn shard_id(index: u32) -> String {
    format!("shardId-{index:012}")
}

fn directory() -> Ground {
    Ground::Directory(tempfile::tempdir().unwrap())
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(START))
}

/// Small files, so that a server starts at once and a few megabytes reach the segments.
fn small() -> Options {
    Options {
        // Failures that a test plans are meant for the writer's syncs, not for another thread's.
        wal_files_ahead: 0,
        wal_file_bytes: 8 * 1024 * 1024,
        flush_bytes: 4 * 1024 * 1024,
        free_bytes_min: 1024 * 1024,
        ballast_bytes: 0,
        ..Options::default()
    }
}
