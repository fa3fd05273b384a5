//! The service on a real engine over a disk in memory, driven as the server drives it. What is
//! below it outlives it: the disk, the plugins and the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base64_simd::STANDARD;
use bytes::Bytes;
use consumers::status::ApplicationDescription;
use consumers::{
    ApplicationName, Consumers, Foundations, Grants, NewApplication, Options, Start, Versions,
};
use serde_json::{Value, json};
use store::disk::simulated::SimulatedDisk;
use store::embedded::{Embedded, Options as EngineOptions};
use store::{Engine, LogId, Position, Records};
use streams::{Options as StreamsOptions, Streams};
use tables::Tables;
use tempfile::TempDir;
use types::{AccountId, Caller, ManualClock, Region, StreamArn, StreamName, Timestamp};
use wasm::{ContentHash, GuestThreadLimits, GuestThreads, PluginName, Plugins};
use wire::{Answer, ApiError, Call, Codec};

const NOON: Timestamp = Timestamp(1_700_000_000_000);
/// Questions whether something has come to be, at most.
const QUESTIONS_MAX: usize = 1_000_000;
/// How long anything may take that is waited for.
const TIME_MAX: Duration = Duration::from_secs(120);
/// The stream that is read, and the one that alerts go to.
pub const TEXT: &str = "text";
pub const ALERTS: &str = "alerts";

/// What outlives the process.
#[derive(Clone)]
pub struct Ground {
    pub disk: SimulatedDisk,
    pub plugins: Arc<Plugins>,
    pub clock: Arc<ManualClock>,
    /// Where the plugins lie, until the last process is gone.
    pub directory: Arc<TempDir>,
}

impl Ground {
    /// An empty disk, with this component as the plugin `counter`.
    pub fn with(component: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let plugins = directory.path().join("plugins");
        std::fs::create_dir(&plugins).unwrap();
        std::fs::write(plugins.join("counter.wasm"), component).unwrap();
        let clock = Arc::new(ManualClock::new(NOON));
        let options = wasm::Options {
            directory: Some(plugins),
            keep: directory.path().join("keep"),
            limits: wasm::Limits::default(),
            cache_key: [7; 32],
            compiler: None,
            rollout: wasm::RolloutRules::default(),
            signatures: wasm::SignatureRules::default(),
            grants: Arc::default(),
        };
        let plugins = Plugins::open(options, clock.clone()).unwrap();
        Self {
            disk: SimulatedDisk::new(1),
            plugins: Arc::new(plugins),
            clock,
            directory: Arc::new(directory),
        }
    }

    /// Puts another component in the place of the plugin.
    pub fn put(&self, component: &[u8]) {
        let beside = self.directory.path().join("plugins/.file");
        std::fs::write(&beside, component).unwrap();
        std::fs::rename(beside, self.directory.path().join("plugins/counter.wasm")).unwrap();
    }

    /// The version of the plugin that is in force.
    pub fn in_force(&self) -> ContentHash {
        let name = PluginName::parse("counter").unwrap();
        self.plugins.current(&name).unwrap().hash()
    }
}

/// The process.
pub struct World {
    pub ground: Ground,
    pub engine: Arc<dyn Engine>,
    pub streams: Arc<Streams>,
    pub tables: Arc<Tables>,
    pub consumers: Arc<Consumers>,
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

pub fn name() -> ApplicationName {
    ApplicationName::parse("counts").unwrap()
}

fn arn(stream: &str) -> StreamArn {
    StreamArn {
        region: caller().region,
        account: caller().account,
        name: StreamName::parse(stream).unwrap(),
    }
}

/// What `wait` comes to; fails if that takes too long.
pub async fn in_time<T>(what: &str, wait: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(TIME_MAX, wait).await;
    waited.unwrap_or_else(|_| panic!("{what} takes too long"))
}

fn call(input: &Value) -> Call {
    Call {
        caller: caller().into(),
        codec: Codec::Json,
        body: Bytes::from(input.to_string()),
    }
}

fn read(answer: Result<Answer, ApiError>) -> Value {
    let chunks = answer.unwrap().into_chunks().unwrap();
    let body: Vec<u8> = chunks.flat_map(|chunk| chunk.to_vec()).collect();
    serde_json::from_slice(&body).unwrap_or(Value::Null)
}

impl World {
    pub async fn open(ground: Ground) -> Self {
        Self::open_within(ground, consumers::WORK_BYTES).await
    }

    /// With so much memory for all batches.
    pub async fn open_within(ground: Ground, work_bytes: u64) -> Self {
        let disk = Arc::new(ground.disk.clone());
        let opening = tokio::task::spawn_blocking(move || Embedded::open(disk, small()));
        let engine: Arc<dyn Engine> = opening.await.unwrap().unwrap();
        let options = StreamsOptions {
            throttle: false,
            ..StreamsOptions::default()
        };
        let opened = Streams::open(engine.clone(), ground.clock.clone(), options).await;
        let streams = opened.unwrap();
        let tables = Tables::open(engine.clone(), ground.clock.clone()).await;
        let tables = tables.unwrap();
        Self {
            consumers: worker(&ground, (&engine, &streams), &tables, work_bytes).await,
            tables,
            ground,
            engine,
            streams,
        }
    }

    /// Another worker over the same store.
    pub async fn another_worker(&self) -> Arc<Consumers> {
        let on = (&self.engine, &self.streams);
        worker(&self.ground, on, &self.tables, consumers::WORK_BYTES).await
    }

    /// Ends as a server that is told to.
    pub async fn close(self) -> Ground {
        in_time("to close", self.consumers.close()).await;
        self.tables.close().await;
        self.streams.close().await;
        self.engine.close().await.unwrap();
        self.ground
    }

    /// Makes both streams, if they are not there.
    pub async fn make_streams(&self, shards: u32) {
        for (name, shards) in [(TEXT, shards), (ALERTS, 1)] {
            if self.streams.source(&arn(name)).is_none() {
                let input = json!({"StreamName": name, "ShardCount": shards});
                // One that is being made was asked for before the crash.
                let _ = streams::ops::create_stream::handle(&self.streams, call(&input)).await;
            }
            self.until_active(name).await;
        }
    }

    async fn until_active(&self, name: &str) {
        for _ in 0..QUESTIONS_MAX {
            let asked = call(&json!({ "StreamName": name }));
            let summary = streams::ops::describe_stream_summary::handle(&self.streams, asked).await;
            if read(summary)["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE" {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("{name} does not become ACTIVE");
    }

    /// Makes the application, if it is not there.
    pub async fn make_application(&self) {
        let new = NewApplication {
            owner: caller(),
            name: name(),
            stream: StreamName::parse(TEXT).unwrap(),
            plugin: PluginName::parse("counter").unwrap(),
            start: Start::TrimHorizon,
            versions: Versions::Latest,
        };
        match self.consumers.create(new).await {
            Ok(_) | Err(consumers::ChangeError::Exists) => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// Puts records, each with its number as partition key.
    pub async fn put(&self, records: &[(usize, String)]) {
        let records = records.iter().map(|(number, text)| {
            let data = STANDARD.encode_to_string(text);
            json!({"Data": data, "PartitionKey": number.to_string()})
        });
        let records: Vec<_> = records.collect();
        if records.is_empty() {
            return;
        }
        let input = json!({"StreamName": TEXT, "Records": records});
        let answer = streams::ops::put_records::handle(&self.streams, call(&input)).await;
        assert_eq!(read(answer)["FailedRecordCount"], 0);
    }

    /// Splits the first shard in two, if it was not.
    pub async fn split(&self) {
        let source = self.streams.source(&arn(TEXT)).unwrap();
        if source.shards[0].is_closed {
            return;
        }
        let range = source.shards[0].range;
        let middle = range.first.0 + (range.last.0 - range.first.0) / 2;
        let input = json!({
            "StreamName": TEXT, "ShardToSplit": "shardId-000000000000",
            "NewStartingHashKey": middle.to_string(),
        });
        read(streams::ops::split_shard::handle(&self.streams, call(&input)).await);
        self.until_active(TEXT).await;
    }

    /// The logs of a stream's shards.
    pub fn logs(&self, stream: &str) -> Vec<LogId> {
        let source = self.streams.source(&arn(stream)).unwrap();
        source.shards.iter().map(|shard| shard.log).collect()
    }

    /// The records of a stream: partition keys and data.
    pub async fn records(&self, stream: &str) -> Vec<(String, String)> {
        let mut all = Vec::new();
        let Some(source) = self.streams.source(&arn(stream)) else {
            return all;
        };
        for shard in &source.shards {
            let mut from = Position::FIRST;
            loop {
                let read = self.engine.read(shard.log, from, 1 << 20).await.unwrap();
                if read.frames.is_empty() {
                    break;
                }
                for frame in &read.frames {
                    all.extend(Records::new(&frame.body).map(|record| {
                        let text = String::from_utf8(record.data.to_vec()).unwrap();
                        (record.partition_key.to_owned(), text)
                    }));
                }
                from = read.next;
            }
        }
        all
    }

    /// The numbers of the records that the stream has.
    pub async fn numbers_there(&self) -> BTreeSet<usize> {
        let there = self.records(TEXT).await;
        there.iter().map(|(key, _)| key.parse().unwrap()).collect()
    }

    /// Waits until all shards work with this version.
    pub async fn until_all_work_with(&self, version: ContentHash) {
        let version = Some(version.to_string());
        in_time("to swap", async {
            loop {
                let app = self.describe().await.unwrap();
                if app.shards.iter().all(|shard| shard.version == version) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    pub async fn describe(&self) -> Option<ApplicationDescription> {
        self.consumers.describe(&caller(), &name()).await.unwrap()
    }

    /// Waits until so many records are done, and none waits.
    pub async fn until_done(&self, records: u64) {
        let done = async {
            loop {
                if let Some(app) = self.describe().await {
                    let counts = app.summary.counts;
                    assert!(counts.processed <= records, "{counts:?} of {records}");
                    if counts.processed == records && app.summary.waiting == 0 {
                        return;
                    }
                }
                tokio::task::yield_now().await;
            }
        };
        let done = tokio::time::timeout(TIME_MAX, done).await;
        if done.is_err() {
            panic!(
                "{records} records take too long: {:?}",
                self.describe().await
            );
        }
    }

    /// What the table `words` says.
    pub async fn words(&self) -> BTreeMap<String, u64> {
        let owner = caller();
        let table = self.tables.ensure_application_table(&owner, "words");
        let table = table.await.unwrap();
        let scanned = self.tables.scan(&table, b"", None, 100_000).await.unwrap();
        assert!(scanned.is_at_end);
        let rows = scanned.rows.into_iter().map(|row| {
            let count = u64::from_le_bytes(row.value[..].try_into().unwrap());
            (String::from_utf8(row.key.to_vec()).unwrap(), count)
        });
        rows.collect()
    }

    /// How often each alert came.
    pub async fn alerts(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for (_, text) in self.records(ALERTS).await {
            *all.entry(text).or_default() += 1;
        }
        all
    }
}

async fn worker(
    ground: &Ground,
    (engine, streams): (&Arc<dyn Engine>, &Arc<Streams>),
    tables: &Arc<Tables>,
    work_bytes: u64,
) -> Arc<Consumers> {
    let grants = Grants {
        tables: BTreeSet::from(["words".to_owned()]),
        emit: BTreeSet::from([ALERTS.to_owned()]),
    };
    let threads = GuestThreads::start(GuestThreadLimits::default()).unwrap();
    let foundations = Foundations {
        engine: Arc::clone(engine),
        clock: ground.clock.clone(),
        streams: Arc::clone(streams),
        tables: Arc::clone(tables),
        plugins: Arc::clone(&ground.plugins),
        threads: Arc::new(threads),
    };
    let options = Options {
        grants: BTreeMap::from([(PluginName::parse("counter").unwrap(), grants)]),
        work_bytes,
    };
    Consumers::open(foundations, options).await.unwrap()
}

/// The records of a run: some words come often, some rarely.
pub fn input(records: usize) -> Vec<(usize, String)> {
    let text = |number: usize| format!("w{}", number * number % 23);
    (0..records).map(|number| (number, text(number))).collect()
}

/// What a run without any trouble comes to: how often each word is there, and its alerts.
pub fn counted(input: &[(usize, String)]) -> (BTreeMap<String, u64>, BTreeMap<String, u64>) {
    let mut words: BTreeMap<String, u64> = BTreeMap::new();
    for (_, text) in input {
        *words.entry(text.clone()).or_default() += 1;
    }
    let alerts = words.iter().map(|(word, count)| (word.clone(), count / 10));
    let alerts = alerts.filter(|(_, alerts)| *alerts > 0).collect();
    (words, alerts)
}
