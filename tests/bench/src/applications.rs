//! A backlog of a stream through an application that reads and writes a row for each record, as the
//! server does it, without its HTTP; and how long a swap of its plugin keeps a record waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use consumers::status::ApplicationStatus;
use consumers::{
    ApplicationName, Consumers, Foundations, Grants, NewApplication, Options, Owner, Start,
    Versions,
};
use serde_json::json;
use store::disk::real::RealDisk;
use store::embedded::{Embedded, Options as StoreOptions};
use store::{BodyBuilder, Engine, LogId};
use streams::Streams;
use tables::Tables;
use types::{AccountId, Caller, Region, StreamArn, StreamName, SystemClock};
use wasm::{GuestThreadLimits, GuestThreads, PluginName, Plugins};
use wire::{Call, Codec};

use crate::Failure;
use crate::bench::Bench;
use crate::components::Folder;
use crate::counter::counter;
use crate::engine::append;
use crate::report::Line;
use crate::requests::{ACCOUNT, REGION};

const STREAM: &str = "text";
const PLUGIN: &str = "counter";
const SHARDS: u32 = 4;
/// Records of the backlog, and bytes of each.
const RECORDS: usize = 200_000;
const RECORD_BYTES: usize = 100;
/// Different ones among them: rows of the table.
const WORDS: usize = 10_000;
const RECORDS_PER_FRAME: usize = 500;
/// How long anything may take that is waited for.
const TIME_MAX: Duration = Duration::from_secs(300);

/// Works on the backlog, then swaps.
pub fn run(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let folder = Folder::with(bench, PLUGIN, &counter().component())?;
    let dir = bench.fresh_dir()?;
    bench.runtime()?.block_on(async {
        let world = World::open(dir.path(), folder.open()?).await?;
        let logs = world.make().await?;
        for (shard, log) in logs.iter().enumerate() {
            for frame in 0..RECORDS / RECORDS_PER_FRAME / logs.len() {
                append(&world.engine, *log, &frame_of(shard, frame)?).await?;
            }
        }
        let begin = Instant::now();
        world.make_application().await?;
        let status = world.until_done(RECORDS as u64).await?;
        let time = begin.elapsed();
        let mut lines = throughput(&status, time);
        // The same with nothing in between, and with another version in between.
        let alone = world.one_more(&logs, RECORDS as u64 + 1).await?;
        let mut other = counter();
        other.fields.push_str("(global $other i32 (i32.const 1))");
        let before = world.version()?;
        folder.replace(PLUGIN, &other.component())?;
        until(|| Ok(world.version()? != before)).await?;
        let swapped = world.one_more(&logs, RECORDS as u64 + 2).await?;
        lines.push(Line {
            note: format!(
                "from a put until its effects are durable, where a version came into force before; \
                 without one {:.1} ms",
                alone.as_secs_f64() * 1e3
            ),
            ..Line::new("application/swap", swapped.as_secs_f64() * 1e3, "ms")
        });
        world.close().await?;
        Ok(lines)
    })
}

fn throughput(status: &ApplicationStatus, time: Duration) -> Vec<Line> {
    let seconds = time.as_secs_f64();
    let shown = || status.shards.iter().map(|shard| &shard.shown);
    let batches: u64 = shown().map(|shown| shown.batches).sum();
    let commits: Duration = shown().map(|shown| shown.commit_time).sum();
    let longest = shown().map(|shown| shown.commit_time_max).max();
    let redone: u64 = shown().map(|shown| shown.redone).sum();
    let mean = commits.as_secs_f64() * 1e3 / batches.max(1) as f64;
    vec![
        Line {
            note: format!(
                "{SHARDS} shards, a read and a write of one of {WORDS} rows for each record of \
                 {RECORD_BYTES} B, durable; {batches} batches, {redone} done again"
            ),
            ..Line::new("application/records", RECORDS as f64 / seconds, "records/s")
        },
        Line::new(
            "application/bytes",
            (RECORDS * RECORD_BYTES) as f64 / 1e6 / seconds,
            "MB/s",
        ),
        Line {
            note: format!(
                "mean of a batch's commit; the longest {:.1} ms",
                longest.unwrap_or_default().as_secs_f64() * 1e3
            ),
            ..Line::new("application/commit", mean, "ms")
        },
    ]
}

/// Records of one frame, each as long as all others.
fn frame_of(shard: usize, frame: usize) -> Result<(Bytes, u16), Failure> {
    let mut body =
        BodyBuilder::with_capacity(RECORDS_PER_FRAME, RECORDS_PER_FRAME * (RECORD_BYTES + 8));
    for record in 0..RECORDS_PER_FRAME {
        let word = (frame * RECORDS_PER_FRAME + record) * 7 + shard;
        let text = format!("{:0width$}", word % WORDS, width = RECORD_BYTES);
        body.push("key", text.as_bytes()).ok_or("a frame is full")?;
    }
    Ok(body.finish())
}

/// The service, in one directory.
struct World {
    engine: Arc<Embedded>,
    streams: Arc<Streams>,
    tables: Arc<Tables>,
    plugins: Arc<Plugins>,
    consumers: Arc<Consumers>,
}

impl World {
    async fn open(dir: &Path, plugins: Plugins) -> Result<Self, Failure> {
        let disk = RealDisk::new(dir.join("data"))?;
        let engine = Embedded::open(Arc::new(disk), StoreOptions::default())?;
        let options = streams::Options {
            throttle: false,
            ..streams::Options::default()
        };
        let streams = Streams::open(engine.clone(), Arc::new(SystemClock), options);
        let streams = streams.await.map_err(|error| format!("{error:?}"))?;
        let tables = Tables::open(engine.clone(), Arc::new(SystemClock)).await?;
        let plugins = Arc::new(plugins);
        let grants = Grants {
            tables: BTreeSet::from(["words".to_owned()]),
            emit: BTreeSet::from(["alerts".to_owned()]),
        };
        let foundations = Foundations {
            engine: engine.clone(),
            clock: Arc::new(SystemClock),
            streams: Arc::clone(&streams),
            tables: Arc::clone(&tables),
            plugins: Arc::clone(&plugins),
            threads: Arc::new(GuestThreads::start(GuestThreadLimits::default())?),
        };
        let options = Options {
            grants: BTreeMap::from([(plugin()?, grants)]),
            work_bytes: consumers::WORK_BYTES,
        };
        let consumers = Consumers::open(foundations, options).await?;
        Ok(Self {
            engine,
            streams,
            tables,
            plugins,
            consumers,
        })
    }

    /// Makes the streams; the logs of the one that is read.
    async fn make(&self) -> Result<Vec<LogId>, Failure> {
        for (name, shards) in [(STREAM, SHARDS), ("alerts", 1)] {
            let input = json!({"StreamName": name, "ShardCount": shards});
            let call = Call {
                caller: caller()?.into(),
                codec: Codec::Json,
                body: Bytes::from(input.to_string()),
            };
            let made = streams::ops::create_stream::handle(&self.streams, call).await;
            made.map_err(|error| format!("{error:?}"))?;
            let arn = arn(name)?;
            until(|| Ok(self.streams.source(&arn).is_some())).await?;
        }
        let source = self.streams.source(&arn(STREAM)?);
        let source = source.ok_or("the stream is not ACTIVE")?;
        Ok(source.shards.iter().map(|shard| shard.log).collect())
    }

    async fn make_application(&self) -> Result<(), Failure> {
        let made = self.consumers.create(NewApplication {
            owner: caller()?,
            name: ApplicationName::parse("counts").map_err(|error| error.to_string())?,
            stream: arn(STREAM)?.name,
            plugin: plugin()?,
            start: Start::TrimHorizon,
            versions: Versions::Latest,
        });
        made.await.map_err(|error| error.to_string())?;
        Ok(())
    }

    fn status(&self) -> Result<ApplicationStatus, Failure> {
        let all = self.consumers.statuses(Owner::Anybody);
        Ok(all.into_iter().next().ok_or("there is no application")?)
    }

    /// The version in force.
    fn version(&self) -> Result<String, Failure> {
        let version = self.plugins.current(&plugin()?);
        Ok(version
            .ok_or("the plugin is not in force")?
            .hash()
            .to_string())
    }

    async fn until_done(&self, records: u64) -> Result<ApplicationStatus, Failure> {
        until(|| {
            let status = self.status()?;
            match status.told_trouble() {
                Some(why) => Err(why.into()),
                None => Ok(status.summary().counts.processed >= records),
            }
        })
        .await?;
        self.status()
    }

    /// How long one record more takes until its effects are durable.
    async fn one_more(&self, logs: &[LogId], records: u64) -> Result<Duration, Failure> {
        let mut body = BodyBuilder::default();
        body.push("key", b"one more").ok_or("a frame is full")?;
        let log = logs.first().ok_or("there is no shard")?;
        let begin = Instant::now();
        append(&self.engine, *log, &body.finish()).await?;
        self.until_done(records).await?;
        Ok(begin.elapsed())
    }

    async fn close(self) -> Result<(), Failure> {
        self.consumers.close().await;
        self.tables.close().await;
        self.streams.close().await;
        self.engine.close().await?;
        Ok(())
    }
}

async fn until(is_so: impl Fn() -> Result<bool, Failure>) -> Result<(), Failure> {
    let begin = Instant::now();
    while !is_so()? {
        if begin.elapsed() > TIME_MAX {
            return Err("it takes too long".into());
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    Ok(())
}

fn caller() -> Result<Caller, Failure> {
    Ok(Caller {
        account: AccountId::parse(ACCOUNT).map_err(|error| error.to_string())?,
        region: Region::parse(REGION).map_err(|error| error.to_string())?,
    })
}

fn arn(stream: &str) -> Result<StreamArn, Failure> {
    let Caller { account, region } = caller()?;
    Ok(StreamArn {
        region,
        account,
        name: StreamName::parse(stream).map_err(|error| error.to_string())?,
    })
}

fn plugin() -> Result<PluginName, Failure> {
    Ok(PluginName::parse(PLUGIN).map_err(|error| error.to_string())?)
}
