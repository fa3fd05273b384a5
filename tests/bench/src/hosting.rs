//! The service that hosts applications, in this process and without its HTTP: one application with
//! one plugin, one stream that it reads, one that it emits to, and a table.

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
use crate::engine::append;
use crate::requests::{ACCOUNT, REGION};

/// The plugin that the application works with.
pub const PLUGIN: &str = "counter";
/// The table that it may write.
pub const TABLE: &str = "words";
/// Shards of the stream that it reads.
pub const SHARDS: u32 = 4;
const STREAM: &str = "text";
const ALERTS: &str = "alerts";
/// How long anything may take that is waited for.
const TIME_MAX: Duration = Duration::from_secs(300);

/// The service, in one directory.
pub struct World {
    pub engine: Arc<Embedded>,
    streams: Arc<Streams>,
    tables: Arc<Tables>,
    plugins: Arc<Plugins>,
    consumers: Arc<Consumers>,
}

impl World {
    pub async fn open(dir: &Path, plugins: Plugins) -> Result<Self, Failure> {
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
            tables: BTreeSet::from([TABLE.to_owned()]),
            emit: BTreeSet::from([ALERTS.to_owned()]),
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
    pub async fn make(&self) -> Result<Vec<LogId>, Failure> {
        for (name, shards) in [(STREAM, SHARDS), (ALERTS, 1)] {
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

    /// Makes the application, which begins with what the stream holds.
    pub async fn make_application(&self) -> Result<(), Failure> {
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

    /// What is known of the application.
    pub fn status(&self) -> Result<ApplicationStatus, Failure> {
        let all = self.consumers.statuses(Owner::Anybody);
        Ok(all.into_iter().next().ok_or("there is no application")?)
    }

    /// The version in force.
    pub fn version(&self) -> Result<String, Failure> {
        let version = self.plugins.current(&plugin()?);
        Ok(version
            .ok_or("the plugin is not in force")?
            .hash()
            .to_string())
    }

    /// Waits until so many records are processed.
    pub async fn until_done(&self, records: u64) -> Result<ApplicationStatus, Failure> {
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

    /// All rows of the table, of which there are at most `limit`.
    pub async fn rows(&self, limit: usize) -> Result<Vec<(Bytes, Bytes)>, Failure> {
        let owner = caller()?;
        let table = self.tables.ensure_application_table(&owner, TABLE).await?;
        let rows = self.tables.scan(&table, &[], None, limit).await?;
        if !rows.is_at_end {
            return Err("the table has more rows than it should".into());
        }
        let rows = rows.rows.into_iter();
        Ok(rows.map(|row| (row.key, row.value)).collect())
    }

    /// How long one record more takes until its effects are durable.
    pub async fn one_more(&self, logs: &[LogId], records: u64) -> Result<Duration, Failure> {
        let mut body = BodyBuilder::default();
        body.push("key", b"one more").ok_or("a frame is full")?;
        let log = logs.first().ok_or("there is no shard")?;
        let begin = Instant::now();
        append(&self.engine, *log, &body.finish()).await?;
        self.until_done(records).await?;
        Ok(begin.elapsed())
    }

    /// Ends it.
    pub async fn close(self) -> Result<(), Failure> {
        self.consumers.close().await;
        self.tables.close().await;
        self.streams.close().await;
        self.engine.close().await?;
        Ok(())
    }
}

/// Waits until something is so.
pub async fn until(is_so: impl Fn() -> Result<bool, Failure>) -> Result<(), Failure> {
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
