//! The service on a real engine over a disk in memory, driven as the catalog drives it. What is
//! below it outlives it: the disk, the clock and the applications' configurations.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use analytics::application::{
    Application, ApplicationId, Configuration, Destination, Format, Input, Lineage, Output,
    OutputFormat, Phase, Schema, SourceColumn, Start, StartPosition,
};
use analytics::arn::ApplicationArn;
use analytics::{Applications, Foundations, Status, WorkLimits};
use base64_simd::STANDARD;
use bytes::Bytes;
use delivery::Delivery;
use delivery::endpoints::NoEndpoints;
use delivery::glue::Glue;
use delivery::objects::LocalObjects;
use serde_json::{Value, json};
use store::disk::simulated::SimulatedDisk;
use store::embedded::{Embedded, Options as EngineOptions};
use store::{Engine, LogId, Position, Records, Version};
use streams::{Options as StreamsOptions, Source, Streams};
use tempfile::TempDir;
use types::{AccountId, Caller, ManualClock, Region, StreamArn, StreamName, Timestamp};
use wasm::{GuestThreadLimits, GuestThreads, Plugins};
use wire::{Answer, ApiError, Call, Codec};

pub const NOON: Timestamp = Timestamp(1_700_000_000_000);
/// How long anything may take that is waited for.
const TIME_MAX: Duration = Duration::from_secs(60);
/// The stream that is read.
pub const SOURCE: &str = "source";

/// What outlives the process.
#[derive(Clone)]
pub struct Ground {
    pub disk: SimulatedDisk,
    pub clock: Arc<ManualClock>,
    pub throttle: bool,
    pub plugins: Arc<Plugins>,
    /// Where objects and plugins would lie.
    pub directory: Arc<TempDir>,
}

impl Ground {
    /// An empty disk.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(NOON));
        let options = wasm::Options {
            directory: None,
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
            clock,
            throttle: false,
            plugins: Arc::new(plugins),
            directory: Arc::new(directory),
        }
    }
}

/// The process.
pub struct World {
    pub ground: Ground,
    pub engine: Arc<dyn Engine>,
    pub streams: Arc<Streams>,
    delivery: Arc<Delivery>,
    foundations: Foundations,
    pub applications: Arc<Applications>,
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

pub fn arn(stream: &str) -> StreamArn {
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

/// An application that was started once, with these outputs: in-application streams and the streams
/// that they go to.
pub fn application(code: &str, outputs: &[(&str, &str)], at: StartPosition) -> Application {
    let column = |name: &str, sql_type: &str| SourceColumn {
        name: name.to_owned(),
        mapping: Some(format!("$.{name}")),
        sql_type: sql_type.to_owned(),
    };
    let input = Input {
        id: "1.1".to_owned(),
        prefix: "SOURCE_SQL_STREAM".to_owned(),
        stream_arn: arn(SOURCE).to_string(),
        role_arn: None,
        parallelism: 1,
        processor: None,
        schema: Schema {
            format: Format::Json {
                row_path: Some("$".to_owned()),
            },
            encoding: Some("UTF-8".to_owned()),
            columns: vec![column("n", "INTEGER"), column("w", "VARCHAR(16)")],
        },
    };
    let outputs = outputs
        .iter()
        .zip(2..)
        .map(|((name, stream), number)| Output {
            id: format!("{number}.1"),
            name: (*name).to_owned(),
            destination: Destination::Stream(arn(stream).to_string()),
            role_arn: None,
            format: OutputFormat::Json,
        });
    let name = "arn:aws:kinesisanalytics:eu-west-1:000000000000:application/counts";
    Application {
        id: ApplicationId(7),
        arn: ApplicationArn::parse(name).unwrap(),
        description: None,
        phase: Phase::Running,
        created_at: NOON,
        updated_at: NOON,
        version: 1,
        lineage: Lineage::default(),
        configuration: Configuration {
            code: code.to_owned(),
            inputs: vec![input],
            outputs: outputs.collect(),
            ..Configuration::default()
        },
        is_of_version_2: false,
        tags: BTreeMap::new(),
        start: Start {
            number: 1,
            positions: vec![("1.1".to_owned(), at)],
            asked_at_ms: NOON.0,
        },
        next_operation: 1,
        row_version: Version(1),
    }
}

impl World {
    pub async fn open(ground: Ground) -> Self {
        Self::open_within(ground, WorkLimits::default()).await
    }

    /// With so much memory.
    pub async fn open_within(ground: Ground, work_limits: WorkLimits) -> Self {
        let disk = Arc::new(ground.disk.clone());
        let opening = tokio::task::spawn_blocking(move || Embedded::open(disk, small()));
        let engine: Arc<dyn Engine> = opening.await.unwrap().unwrap();
        let options = StreamsOptions {
            throttle: ground.throttle,
            ..StreamsOptions::default()
        };
        let opened = Streams::open(engine.clone(), ground.clock.clone(), options).await;
        let streams = opened.unwrap();
        let threads = Arc::new(GuestThreads::start(GuestThreadLimits::default()).unwrap());
        let objects = Arc::new(LocalObjects::open(&ground.directory.path().join("s3")).unwrap());
        let deliveries = delivery::Foundations {
            engine: engine.clone(),
            clock: ground.clock.clone(),
            streams: streams.clone(),
            plugins: ground.plugins.clone(),
            threads: threads.clone(),
            lanes_per_account_max: 50,
            work_limits: delivery::WorkLimits::default(),
            objects: objects.clone(),
            endpoints: Arc::new(NoEndpoints),
            glue: Glue::None,
            secrets: Arc::default(),
            throttle: ground.throttle,
            naming_key: streams.derived_key("names of objects"),
        };
        let delivery = Delivery::open(deliveries).await.unwrap();
        let foundations = Foundations {
            engine: engine.clone(),
            clock: ground.clock.clone(),
            streams: streams.clone(),
            delivery: delivery.clone(),
            objects,
            threads,
        };
        let applications = Applications::new(foundations.clone(), work_limits);
        Self {
            ground,
            engine,
            streams,
            delivery,
            foundations,
            applications: Arc::new(applications),
        }
    }

    /// Others over the same store, as if this process were two.
    pub fn others(&self) -> Applications {
        Applications::new(self.foundations.clone(), WorkLimits::default())
    }

    /// Ends as a server that is told to.
    pub async fn close(self) -> Ground {
        in_time("to close", self.applications.close()).await;
        in_time("to close", self.delivery.close()).await;
        self.streams.close().await;
        self.engine.close().await.unwrap();
        self.ground
    }

    /// Makes a stream, if it is not there.
    pub async fn make_stream(&self, name: &str, shards: u32) {
        if self.streams.source(&arn(name)).is_none() {
            let input = json!({"StreamName": name, "ShardCount": shards});
            // One that is being made was asked for before the crash.
            let _ = streams::ops::create_stream::handle(&self.streams, call(&input)).await;
        }
        self.until_source(name, |_| true).await;
    }

    /// Deletes a stream.
    pub async fn delete_stream(&self, name: &str) {
        let input = json!({ "StreamName": name });
        read(streams::ops::delete_stream::handle(&self.streams, call(&input)).await);
        in_time("to be gone", async {
            while self.streams.source(&arn(name)).is_some() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Waits until a stream is there, as wanted.
    async fn until_source(&self, name: &str, is_such: impl Fn(&Source) -> bool) {
        in_time("to be as wanted", async {
            while !self
                .streams
                .source(&arn(name))
                .is_some_and(|it| is_such(&it))
            {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Puts records into the source: each a number, which is its key as well, and a word.
    pub async fn put(&self, records: &[(usize, String)]) {
        let records = records.iter().map(|(number, word)| {
            let row = json!({"n": number, "w": word}).to_string();
            let data = STANDARD.encode_to_string(row);
            json!({"Data": data, "PartitionKey": number.to_string()})
        });
        let records: Vec<_> = records.collect();
        let input = json!({"StreamName": SOURCE, "Records": records});
        let answer = streams::ops::put_records::handle(&self.streams, call(&input)).await;
        assert_eq!(read(answer)["FailedRecordCount"], 0);
    }

    /// Splits the first shard of the source in two, if it was not.
    pub async fn split(&self) {
        let source = self.streams.source(&arn(SOURCE)).unwrap();
        if source.shards[0].is_closed {
            return;
        }
        let range = source.shards[0].range;
        let middle = range.first.0 + (range.last.0 - range.first.0) / 2;
        let input = json!({
            "StreamName": SOURCE, "ShardToSplit": "shardId-000000000000",
            "NewStartingHashKey": middle.to_string(),
        });
        // One that is on its way was asked for before the crash.
        let _ = streams::ops::split_shard::handle(&self.streams, call(&input)).await;
        self.until_source(SOURCE, |source| source.shards[0].is_closed)
            .await;
    }

    /// The logs of a stream's shards.
    pub fn logs(&self, stream: &str) -> Vec<LogId> {
        let source = self.streams.source(&arn(stream)).unwrap();
        source.shards.iter().map(|shard| shard.log).collect()
    }

    /// The records of a stream, shard by shard: partition keys and data.
    pub async fn records(&self, stream: &str) -> Vec<(String, String)> {
        let mut all = Vec::new();
        if self.streams.source(&arn(stream)).is_none() {
            return all;
        }
        for log in self.logs(stream) {
            let mut from = Position::FIRST;
            loop {
                let read = self.engine.read(log, from, 1 << 20).await.unwrap();
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

    /// The rows of a stream, shard by shard.
    pub async fn rows(&self, stream: &str) -> Vec<Value> {
        let records = self.records(stream).await;
        let rows = records
            .iter()
            .map(|(_, text)| serde_json::from_str(text.trim_end()).unwrap());
        rows.collect()
    }

    /// Waits until a stream holds so many records.
    pub async fn until_records(&self, stream: &str, count: u64) {
        let tips = || -> u64 {
            let logs = self.logs(stream).into_iter();
            logs.map(|log| self.engine.tip(log).unwrap().0).sum()
        };
        let waiting = async {
            while tips() < count {
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(TIME_MAX, waiting).await.is_err() {
            panic!("{stream} has {} records: {:?}", tips(), self.status());
        }
    }

    /// Waits until the rows of a stream are such.
    pub async fn until_rows(
        &self,
        stream: &str,
        are_such: impl Fn(&[Value]) -> bool,
    ) -> Vec<Value> {
        let waiting = async {
            loop {
                let rows = self.rows(stream).await;
                if are_such(&rows) {
                    return rows;
                }
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(TIME_MAX, waiting).await;
        match waited {
            Ok(rows) => rows,
            Err(_) => panic!(
                "{stream} has {} rows: {:?}",
                self.rows(stream).await.len(),
                self.status()
            ),
        }
    }

    /// What the application shows.
    pub fn status(&self) -> Status {
        self.applications.status(ApplicationId(7))
    }

    /// Waits until what the application shows is such.
    pub async fn until_status(&self, what: &str, is_such: impl Fn(&Status) -> bool) -> Status {
        in_time(what, async {
            loop {
                let status = self.status();
                if is_such(&status) {
                    return status;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }
}

/// The sum of a whole column.
pub fn sum(rows: &[Value], column: &str) -> u64 {
    rows.iter().map(|row| row[column].as_u64().unwrap()).sum()
}

/// Records with some words often and some rarely.
pub fn input(records: usize) -> Vec<(usize, String)> {
    let word = |number: usize| format!("w{}", number * number % 7);
    (0..records).map(|number| (number, word(number))).collect()
}
