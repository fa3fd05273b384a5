//! The service on a real engine over a disk in memory, driven as the server drives it. What is
//! below it outlives it: the disk, the buckets, the plugins and the clock.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use delivery::glue::Glue;
use delivery::{Delivery, DeliveryStatus, Flushed, Foundations, WorkLimits};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use store::Engine;
use store::disk::simulated::SimulatedDisk;
use store::embedded::{Embedded, Options as EngineOptions};
use streams::{Options as StreamsOptions, Streams};
use tempfile::TempDir;
use types::{AccountId, Caller, ManualClock, Region, Timestamp};
use wasm::{GuestThreadLimits, GuestThreads, Plugins};
use wire::{Answer, ApiError, Call, Codec};

use crate::aggregates::{Packed, packed};
use crate::buckets::Buckets;
use crate::check::assert_everything_is_counted;
use crate::ledger::{Id, Kind, Ledger};

const NOON: Timestamp = Timestamp(1_700_000_000_000);
/// Questions whether something has come to be, at most.
const QUESTIONS_MAX: usize = 1_000_000;
/// How long anything may take that is waited for.
const TIME_MAX: Duration = Duration::from_secs(60);
/// The delivery stream and the stream that it may read.
pub const NAME: &str = "hose";
pub const SOURCE: &str = "source";
/// Shards of the stream.
pub const SHARDS: u32 = 2;

/// Lanes of an account, unless a test has others.
pub const LANES_MAX: usize = 50;

/// Where records come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Direct,
    Stream,
}

/// What outlives the process.
#[derive(Clone)]
pub struct Ground {
    pub disk: SimulatedDisk,
    pub buckets: Buckets,
    pub plugins: Arc<Plugins>,
    pub clock: Arc<ManualClock>,
    /// What the process is told about objects of skipped records.
    pub skipped_object_bytes_max: u64,
    /// What its deliveries may hold.
    pub work_limits: WorkLimits,
    /// How many lanes an account may have.
    pub lanes_max: usize,
    /// Whether producers of the stream pack some of their records into aggregates.
    pub packs: bool,
    /// Whether producers send gzip, but for records that are no line.
    pub gzips: bool,
    /// Whether producers put records into objects of JSON, and two of these into a record of the
    /// delivery stream where they can, but for those that are no line.
    pub wraps: bool,
    /// Whether that is what CloudWatch Logs sends, with one message.
    pub sends_logs: bool,
    /// The directory of tables that records become rows of.
    pub glue: Option<PathBuf>,
}

/// Plugins of a test, and where they lie.
pub struct Components {
    pub plugins: Arc<Plugins>,
    directories: Arc<TempDir>,
}

/// The process.
pub struct World {
    pub ground: Ground,
    pub engine: Arc<dyn Engine>,
    pub streams: Arc<Streams>,
    pub delivery: Arc<Delivery>,
}

impl Components {
    pub fn none() -> Self {
        Self::of(&[])
    }

    /// The plugins of these names, as `cargo xtask plugins` builds them.
    pub fn of(names: &[&str]) -> Self {
        let directories = directories();
        for name in names {
            add(name, &directories.path().join("plugins"));
        }
        Self::open(Arc::new(directories), wasm::Limits::default())
    }

    /// A component of the tests, as a plugin that may use so much.
    pub fn one(name: &str, component: &[u8], limits: wasm::Limits) -> Self {
        let directories = directories();
        let file = directories.path().join(format!("plugins/{name}.wasm"));
        std::fs::write(file, component).unwrap();
        Self::open(Arc::new(directories), limits)
    }

    /// The same plugins within other limits.
    pub fn within(&self, limits: wasm::Limits) -> Self {
        Self::open(Arc::clone(&self.directories), limits)
    }

    fn open(directories: Arc<TempDir>, limits: wasm::Limits) -> Self {
        let options = wasm::Options {
            directory: Some(directories.path().join("plugins")),
            keep: directories.path().join("keep"),
            limits,
            rollout: wasm::RolloutRules::default(),
            signatures: wasm::SignatureRules::default(),
            grants: Arc::default(),
            cache_key: [7; 32],
            compiler: None,
        };
        let plugins = Plugins::open(options, Arc::new(ManualClock::new(NOON))).unwrap();
        Self {
            plugins: Arc::new(plugins),
            directories,
        }
    }

    /// Takes the plugin out of force.
    pub async fn remove(&self, name: &str) {
        let directory = self.directories.path().join("plugins");
        std::fs::remove_file(directory.join(format!("{name}.wasm"))).unwrap();
        self.until(|plugins| plugins.list().is_empty()).await;
    }

    /// Puts the plugin in force.
    pub async fn add(&self, name: &str) {
        add(name, &self.directories.path().join("plugins"));
        self.until(|plugins| plugins.list().iter().any(|plugin| plugin.version.is_some()))
            .await;
    }

    async fn until(&self, is_so: impl Fn(&Plugins) -> bool) {
        let mut changes = self.plugins.changes();
        let changed = changes.wait_for(|_| is_so(&self.plugins));
        in_time("plugins change", changed).await.unwrap();
    }

    /// An empty disk and empty buckets, with these plugins.
    pub fn ground(&self, seed: u64) -> Ground {
        Ground {
            disk: SimulatedDisk::new(seed),
            buckets: Buckets::new(),
            plugins: Arc::clone(&self.plugins),
            clock: Arc::new(ManualClock::new(NOON)),
            skipped_object_bytes_max: WorkLimits::default().skipped_object_bytes_max(),
            work_limits: WorkLimits::default(),
            lanes_max: LANES_MAX,
            packs: false,
            gzips: false,
            wraps: false,
            sends_logs: false,
            glue: None,
        }
    }
}

fn directories() -> TempDir {
    let directories = tempfile::tempdir().unwrap();
    std::fs::create_dir(directories.path().join("plugins")).unwrap();
    directories
}

fn add(name: &str, directory: &Path) {
    let built =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../plugins/{name}/{name}.wasm"));
    let copied = std::fs::copy(built, directory.join(format!("{name}.wasm")));
    copied.expect("`cargo xtask plugins` was run");
}

/// Sizes so small that everything happens in a short run.
fn small() -> EngineOptions {
    EngineOptions {
        wal_file_bytes: 512 << 10,
        wal_files_max: 8,
        wal_files_ahead: 0,
        flush_bytes: 48 << 10,
        segment_bytes_max: 32 << 10,
        tail_cache_bytes: 16 << 10,
        free_bytes_min: 0,
        ballast_bytes: 0,
        ..EngineOptions::default()
    }
}

pub fn caller() -> Caller {
    Caller {
        account: AccountId::parse("000000000000").unwrap(),
        region: Region::parse("eu-west-1").unwrap(),
    }
}

/// The engine alone on a disk.
pub async fn engine(disk: &SimulatedDisk) -> Arc<dyn Engine> {
    let disk = Arc::new(disk.clone());
    let opening = tokio::task::spawn_blocking(move || Embedded::open(disk, small()));
    opening.await.unwrap().unwrap()
}

/// What `wait` comes to; fails if that takes too long.
pub async fn in_time<T>(what: &str, wait: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(TIME_MAX, wait).await;
    waited.unwrap_or_else(|_| panic!("{what} takes too long"))
}

/// A destination in `bucket` that waits for nobody, unless it is told to.
pub fn destination(bucket: &str, prefix: &str) -> Value {
    json!({
        "RoleARN": "arn:aws:iam::000000000000:role/any",
        "BucketARN": format!("arn:aws:s3:::{bucket}"),
        "Prefix": prefix,
        "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
        "ProcessingConfiguration": processing(None),
    })
}

/// Records become lines, after they went through a plugin if there is one.
pub fn processing(plugin: Option<&str>) -> Value {
    let mut processors = vec![json!({"Type": "AppendDelimiterToRecord"})];
    if let Some(plugin) = plugin {
        let arn = format!("arn:aws:lambda:eu-west-1:000000000000:function:{plugin}");
        // One is as good as many, and takes less time where records loop.
        let parameters = json!([
            {"ParameterName": "LambdaArn", "ParameterValue": arn},
            {"ParameterName": "NumberOfRetries", "ParameterValue": "1"},
        ]);
        processors.push(json!({"Type": "Lambda", "Parameters": parameters}));
    }
    json!({"Enabled": true, "Processors": processors})
}

impl World {
    pub async fn open(ground: Ground) -> Self {
        let engine = engine(&ground.disk).await;
        let options = StreamsOptions {
            throttle: false,
            ..StreamsOptions::default()
        };
        let opened = Streams::open(engine.clone(), ground.clock.clone(), options).await;
        let streams = opened.unwrap();
        let foundations = Foundations {
            engine: engine.clone(),
            clock: ground.clock.clone(),
            streams: streams.clone(),
            plugins: ground.plugins.clone(),
            threads: Arc::new(GuestThreads::start(GuestThreadLimits::default()).unwrap()),
            lanes_per_account_max: ground.lanes_max,
            work_limits: ground
                .work_limits
                .with_skipped_objects_of(ground.skipped_object_bytes_max),
            objects: Arc::new(ground.buckets.clone()),
            endpoints: Arc::new(ground.buckets.clone()),
            glue: ground.glue.clone().map_or(Glue::None, Glue::Directory),
            secrets: Arc::default(),
            throttle: false,
            naming_key: streams.derived_key("names of objects"),
        };
        let delivery = Delivery::open(foundations).await.unwrap();
        Self {
            ground,
            engine,
            streams,
            delivery,
        }
    }

    /// Ends as a server that is told to.
    pub async fn close(self) -> Ground {
        in_time("to close", self.delivery.close()).await;
        self.streams.close().await;
        self.engine.close().await.unwrap();
        self.ground
    }

    /// Ends while its successor lives on an image of its disk: nobody is interested any more.
    pub async fn give_up(self) {
        self.ground.disk.forget_faults();
        self.ground.buckets.release();
        self.close().await;
    }

    /// The same after the server was shut down and started again.
    pub async fn reopened(self) -> Self {
        let ground = self.close().await;
        let disk = ground.disk.after_kill();
        Self::open(Ground { disk, ..ground }).await
    }

    pub async fn source(&self) {
        self.source_of(SHARDS).await;
    }

    /// Makes the stream with so many shards.
    pub async fn source_of(&self, shards: u32) {
        let input = json!({"StreamName": SOURCE, "ShardCount": shards});
        let created = streams::ops::create_stream::handle(&self.streams, call(&input)).await;
        created.unwrap();
        let name = json!({"StreamName": SOURCE});
        for _ in 0..QUESTIONS_MAX {
            let asked =
                streams::ops::describe_stream_summary::handle(&self.streams, call(&name)).await;
            if json(asked.unwrap())["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE" {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("the source does not become ACTIVE");
    }

    /// Makes the delivery stream, and its source if it reads one, and waits until it is ACTIVE.
    pub async fn create(&self, origin: Origin, destination: &Value) {
        if origin == Origin::Stream {
            self.source().await;
        }
        self.create_beside_source(origin, destination).await;
    }

    /// Makes the delivery stream, whose source is there, and waits until it is ACTIVE.
    pub async fn create_beside_source(&self, origin: Origin, destination: &Value) {
        self.try_create(origin, destination).await.unwrap();
        self.until_status("ACTIVE").await;
    }

    /// Asks for the delivery stream. Its source is there, if it reads one.
    pub async fn try_create(&self, origin: Origin, destination: &Value) -> Result<(), ApiError> {
        let mut input = json!({"DeliveryStreamName": NAME});
        let member = if destination.get("EndpointConfiguration").is_some() {
            "HttpEndpointDestinationConfiguration"
        } else if destination.get("HECEndpoint").is_some() {
            "SplunkDestinationConfiguration"
        } else if destination.get("ClusterEndpoint").is_some() {
            "AmazonopensearchserviceDestinationConfiguration"
        } else {
            "ExtendedS3DestinationConfiguration"
        };
        input[member] = destination.clone();
        if origin == Origin::Stream {
            input["DeliveryStreamType"] = json!("KinesisStreamAsSource");
            let arn = format!("arn:aws:kinesis:eu-west-1:000000000000:stream/{SOURCE}");
            input["KinesisStreamSourceConfiguration"] = json!({
                "KinesisStreamARN": arn,
                "RoleARN": "arn:aws:iam::000000000000:role/any",
            });
        }
        let created = delivery::ops::create_delivery_stream::handle(&self.delivery, call(&input));
        created.await.map(|_| ())
    }

    /// Changes members of the destination; what is not said stays.
    pub async fn update(&self, version: u64, changes: &Value) -> Result<(), ApiError> {
        self.update_as("ExtendedS3DestinationUpdate", version, changes)
            .await
    }

    /// The same of a destination of the kind that this member changes.
    pub async fn update_as(
        &self,
        member: &str,
        version: u64,
        changes: &Value,
    ) -> Result<(), ApiError> {
        let input = json!({
            "DeliveryStreamName": NAME,
            "CurrentDeliveryStreamVersionId": version.to_string(),
            "DestinationId": "destinationId-000000000001",
            member: changes,
        });
        let updated = delivery::ops::update_destination::handle(&self.delivery, call(&input)).await;
        updated.map(|_| ())
    }

    /// Deletes the delivery stream and waits until it is gone.
    pub async fn delete(&self) {
        let input = json!({"DeliveryStreamName": NAME});
        let deleted = delivery::ops::delete_delivery_stream::handle(&self.delivery, call(&input));
        deleted.await.unwrap();
        self.until(|status| status.is_none()).await;
    }

    /// Deletes the stream and waits until it is gone.
    pub async fn delete_source(&self) {
        let input = json!({"StreamName": SOURCE});
        let deleted = streams::ops::delete_stream::handle(&self.streams, call(&input)).await;
        deleted.unwrap();
        for _ in 0..QUESTIONS_MAX {
            let asked =
                streams::ops::describe_stream_summary::handle(&self.streams, call(&input)).await;
            if asked.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("the source does not go");
    }

    /// Whether the stream is there.
    pub async fn has_source(&self) -> bool {
        let name = json!({"StreamName": SOURCE});
        let asked = streams::ops::describe_stream_summary::handle(&self.streams, call(&name)).await;
        asked.is_ok()
    }

    /// How the delivery stream is. At every moment what came in is somewhere.
    pub fn status(&self) -> Option<DeliveryStatus> {
        let status = self.delivery.status(&caller(), NAME)?;
        assert_everything_is_counted(&status);
        Some(status)
    }

    pub async fn until_status(&self, wanted: &str) {
        self.until(|status| status.is_some_and(|status| status.status == wanted))
            .await;
    }

    /// Asks until the delivery stream is as it should be.
    pub async fn until(&self, is_so: impl Fn(Option<DeliveryStatus>) -> bool) {
        let asking = async {
            while !is_so(self.status()) {
                tokio::task::yield_now().await;
            }
        };
        let asked = tokio::time::timeout(TIME_MAX, asking).await;
        assert!(asked.is_ok(), "it does not come to be: {:?}", self.status());
    }

    /// Asks until the page says this of what stands in the way.
    pub async fn until_trouble(&self, told: &str) {
        self.until(|status| {
            let trouble = status.and_then(|status| status.trouble);
            trouble.is_some_and(|trouble| trouble.contains(told))
        })
        .await;
    }

    /// Whether everything that waits is delivered.
    pub async fn flush(&self) -> bool {
        self.flushed().await.delivered
    }

    /// What becomes of everything that waits.
    pub async fn flushed(&self) -> Flushed {
        let flushed = self.delivery.flush(&caller(), NAME).await;
        flushed.expect("the delivery stream is there")
    }

    /// Puts records in one call to where the delivery stream takes them from; whether they were
    /// acknowledged.
    pub async fn put(&self, ledger: &Ledger, origin: Origin, kinds: &[Kind], lane: u32) -> bool {
        // What is put directly has one log.
        let lane = match origin {
            Origin::Direct => 0,
            Origin::Stream => lane,
        };
        // Three calls of the largest are more than goes together.
        let padding = match kinds.len() {
            11.. => 36_000,
            count => 40 * count,
        };
        let records: Vec<(Id, Vec<u8>)> = kinds
            .iter()
            .map(|kind| {
                let (id, data) = ledger.begin(*kind, lane, padding);
                let is_packed = self.ground.gzips && *kind != Kind::Bad;
                if self.ground.wraps && *kind != Kind::Bad {
                    let line = String::from_utf8(data).unwrap();
                    return (id, json!({"line": line}).to_string().into_bytes());
                }
                let data = match (is_packed, self.ground.sends_logs) {
                    (true, true) => gzip(&log_record(data)),
                    (true, false) => gzip(&data),
                    (false, _) => data,
                };
                (id, data)
            })
            .collect();
        match origin {
            Origin::Direct => self.put_directly(ledger, &records).await,
            Origin::Stream => self.put_to_source(ledger, &records, lane).await,
        }
    }

    async fn put_directly(&self, ledger: &Ledger, records: &[(Id, Vec<u8>)]) -> bool {
        let list: Vec<Value> = joined(records)
            .iter()
            .map(|data| json!({"Data": base64(data)}))
            .collect();
        let delivery = &self.delivery;
        let answer = match &list[..] {
            [record] => {
                let input = json!({"DeliveryStreamName": NAME, "Record": record});
                delivery::ops::put_record::handle(delivery, call(&input)).await
            }
            _ => {
                let input = json!({"DeliveryStreamName": NAME, "Records": list});
                delivery::ops::put_record_batch::handle(delivery, call(&input)).await
            }
        };
        if answer.is_ok() {
            let at = self.ground.disk.recorded();
            for (id, _) in records {
                ledger.acknowledge(*id, None, at);
            }
        }
        answer.is_ok()
    }

    async fn put_to_source(&self, ledger: &Ledger, records: &[(Id, Vec<u8>)], lane: u32) -> bool {
        // Lanes beyond are those of another stream of the same name.
        let shard = lane % SHARDS;
        let hash_key = (u128::MAX / u128::from(SHARDS)) * u128::from(shard) + (1 << 100);
        let packed = packed(records, self.ground.packs);
        let list: Vec<Value> = packed
            .iter()
            .map(|Packed { data, .. }| {
                json!({
                    "Data": base64(data), "PartitionKey": "a",
                    "ExplicitHashKey": hash_key.to_string(),
                })
            })
            .collect();
        let input = json!({"StreamName": SOURCE, "Records": list});
        let answer = streams::ops::put_records::handle(&self.streams, call(&input)).await;
        let Ok(answer) = answer.map(json) else {
            return false;
        };
        let at = self.ground.disk.recorded();
        let places = answer["Records"].as_array().unwrap();
        for (Packed { ids, .. }, place) in packed.iter().zip(places) {
            let Some(number) = place["SequenceNumber"].as_str() else {
                continue;
            };
            assert_eq!(place["ShardId"], format!("shardId-{shard:012}"));
            for (sub, id) in ids.iter().enumerate() {
                ledger.acknowledge(*id, Some(format!("{number}/{sub:03}")), at);
            }
        }
        answer["FailedRecordCount"] == 0
    }
}

/// Objects of JSON that follow each other, two by two.
fn joined(records: &[(Id, Vec<u8>)]) -> Vec<Vec<u8>> {
    let mut joined: Vec<Vec<u8>> = Vec::new();
    let mut is_half = false;
    for (_, data) in records {
        match joined.last_mut() {
            Some(before) if is_half && data.starts_with(b"{") => {
                before.extend_from_slice(data);
                is_half = false;
            }
            _ => {
                joined.push(data.clone());
                is_half = data.starts_with(b"{");
            }
        }
    }
    joined
}

/// What CloudWatch Logs sends of one log event.
fn log_record(message: Vec<u8>) -> Vec<u8> {
    let message = String::from_utf8(message).unwrap();
    let record = json!({
        "messageType": "DATA_MESSAGE", "owner": "000000000000", "logGroup": "group",
        "logStream": "stream", "subscriptionFilters": ["all"],
        "logEvents": [{"id": "1", "timestamp": 1, "message": message}],
    });
    record.to_string().into_bytes()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(data).unwrap();
    packed.finish().unwrap()
}

fn base64(data: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(data)
}

pub fn call(body: &Value) -> Call {
    Call {
        caller: caller().into(),
        codec: Codec::Json,
        body: Bytes::from(body.to_string()),
    }
}

pub fn json(answer: Answer) -> Value {
    let body: Vec<u8> = answer
        .into_chunks()
        .unwrap()
        .flat_map(|c| c.to_vec())
        .collect();
    if body.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(&body).unwrap()
}
