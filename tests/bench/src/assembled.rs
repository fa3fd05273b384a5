//! Streams and deliveries put together in this process as the server does it, without its HTTP.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use delivery::endpoints::NoEndpoints;
use delivery::glue::Glue;
use delivery::objects::LocalObjects;
use delivery::{Delivery, DeliveryStatus, Foundations, WorkLimits};
use serde_json::{Value, json};
use store::disk::real::RealDisk;
use store::embedded::{Embedded, Options};
use store::{Engine, LogId};
use streams::Streams;
use types::{AccountId, Caller, Region, StreamArn, StreamName, SystemClock};
use wasm::{GuestThreadLimits, GuestThreads, Plugins};
use wire::{Call, Codec};

use crate::Failure;
use crate::components;
use crate::destination::{self, Destination, NAME, STREAM};
use crate::engine::append;
use crate::events::Frames;
use crate::requests::{ACCOUNT, REGION};

/// How long a stream or a delivery stream may take to become ACTIVE, and between two looks.
const ACTIVE_MAX: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(2);
const DELIVERED_MAX: Duration = Duration::from_secs(300);
/// Frames that are appended at the same time.
const APPENDS: usize = 4;
/// The key that names of objects are made with.
const NAMING_KEY: [u8; 32] = [9; 32];

/// Everything below deliveries, in one directory.
pub struct Assembled {
    engine: Arc<Embedded>,
    streams: Arc<Streams>,
    plugins: Arc<Plugins>,
    objects: Arc<LocalObjects>,
    /// Where tables lie that records become rows of.
    glue: PathBuf,
}

impl Assembled {
    /// Opens what the directory keeps.
    pub async fn open(dir: &Path, plugins: Option<&Path>) -> Result<Self, Failure> {
        let disk = RealDisk::new(dir.join("data"))?;
        let engine = Embedded::open(Arc::new(disk), Options::default())?;
        let options = streams::Options {
            throttle: false,
            ..streams::Options::default()
        };
        let streams = Streams::open(engine.clone(), Arc::new(SystemClock), options);
        let streams = streams.await.map_err(|error| format!("{error:?}"))?;
        let plugins = components::open(plugins.map(Path::to_owned), &dir.join("keep"))?;
        let glue = dir.join("glue");
        destination::write_table(&glue)?;
        Ok(Self {
            glue,
            engine,
            streams,
            plugins: Arc::new(plugins),
            objects: Arc::new(LocalObjects::open(&dir.join("s3"))?),
        })
    }

    /// Makes a stream of one shard, and a delivery stream that reads it and does not begin yet.
    pub async fn make(&self, destination: &Destination<'_>) -> Result<(), Failure> {
        let made = streams::ops::create_stream::handle(
            &self.streams,
            call(&json!({"StreamName": STREAM, "ShardCount": 1}))?,
        );
        made.await.map_err(|error| format!("{error:?}"))?;
        until(ACTIVE_MAX, || Ok(self.log()?.is_some())).await?;
        let delivery = self.deliver().await?;
        let input = call(&destination.input())?;
        let made = delivery::ops::create_delivery_stream::handle(&delivery, input).await;
        made.map_err(|error| format!("{error:?}"))?;
        until(ACTIVE_MAX, || Ok(status(&delivery)?.status == "ACTIVE")).await?;
        delivery.close().await;
        Ok(())
    }

    /// Appends records to the stream's shard. Returns how many.
    pub async fn fill(&self, frames: &Frames, bytes: usize) -> Result<u64, Failure> {
        let log = self.log()?.ok_or("the stream is not ACTIVE")?;
        let (mut records, mut appending) = (0, tokio::task::JoinSet::new());
        for frame in frames.up_to(bytes) {
            while APPENDS <= appending.len() {
                if let Some(appended) = appending.join_next().await {
                    appended??;
                }
            }
            let (engine, frame) = (Arc::clone(&self.engine), frame.clone());
            records += u64::from(frame.1);
            appending.spawn(async move { append(&engine, log, &frame).await });
        }
        while let Some(appended) = appending.join_next().await {
            appended??;
        }
        Ok(records)
    }

    /// Lets deliveries begin.
    pub async fn deliver(&self) -> Result<Arc<Delivery>, Failure> {
        let foundations = Foundations {
            engine: Arc::clone(&self.engine) as Arc<dyn Engine>,
            clock: Arc::new(SystemClock),
            streams: Arc::clone(&self.streams),
            plugins: Arc::clone(&self.plugins),
            threads: Arc::new(GuestThreads::start(GuestThreadLimits::default())?),
            work_limits: WorkLimits::default(),
            lanes_per_account_max: types::limits::LANES_PER_ACCOUNT_MAX,
            objects: Arc::clone(&self.objects) as _,
            endpoints: Arc::new(NoEndpoints),
            glue: Glue::Directory(self.glue.clone()),
            secrets: Arc::default(),
            throttle: false,
            naming_key: NAMING_KEY,
        };
        Ok(Delivery::open(foundations).await?)
    }

    /// Ends it. All records are in segments after that.
    pub async fn close(self) -> Result<(), Failure> {
        self.streams.close().await;
        self.engine.close().await?;
        Ok(())
    }

    fn log(&self) -> Result<Option<LogId>, Failure> {
        let Caller { account, region } = caller()?;
        let name = StreamName::parse(STREAM).map_err(|error| error.to_string())?;
        let source = self.streams.source(&StreamArn {
            region,
            account,
            name,
        });
        Ok(source.and_then(|source| source.shards.first().map(|shard| shard.log)))
    }
}

/// Waits until so many records are delivered.
pub async fn delivered(delivery: &Delivery, records: u64) -> Result<DeliveryStatus, Failure> {
    until(DELIVERED_MAX, || {
        let status = status(delivery)?;
        match status.trouble {
            Some(why) => Err(why.into()),
            None => Ok(status.records_in - status.waiting_records >= records),
        }
    })
    .await?;
    let status = status(delivery)?;
    if status.delivered != records {
        return Err(format!("{} of {records} delivered", status.delivered).into());
    }
    Ok(status)
}

fn status(delivery: &Delivery) -> Result<DeliveryStatus, Failure> {
    let status = delivery.status(&caller()?, NAME);
    Ok(status.ok_or("the delivery stream is not there")?)
}

async fn until(
    max: Duration,
    mut is_so: impl FnMut() -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let begin = Instant::now();
    while !is_so()? {
        if max < begin.elapsed() {
            return Err(format!("waited for more than {max:?}").into());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

fn call(input: &Value) -> Result<Call, Failure> {
    Ok(Call {
        caller: caller()?.into(),
        codec: Codec::Json,
        body: Bytes::from(serde_json::to_vec(input)?),
    })
}

fn caller() -> Result<Caller, Failure> {
    Ok(Caller {
        account: AccountId::parse(ACCOUNT).map_err(|error| error.to_string())?,
        region: Region::parse(REGION).map_err(|error| error.to_string())?,
    })
}
