//! An engine in memory and the streams on it, driven as the server drives them.

#![allow(dead_code, unused_macros, reason = "each test file uses its part")]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

/// Calls an operation that succeeds and gives its answer.
macro_rules! ok {
    ($world:expr, $operation:ident, $body:expr) => {
        $crate::support::json(
            streams::ops::$operation::handle(&$world.streams, $world.call(&$body))
                .await
                .unwrap(),
        )
    };
}

/// Calls an operation that is refused and gives the error's code and text.
macro_rules! err {
    ($world:expr, $operation:ident, $body:expr) => {
        $crate::support::refused(
            streams::ops::$operation::handle(&$world.streams, $world.call(&$body)).await,
        )
    };
}

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use store::Engine;
use store::disk::simulated::SimulatedDisk;
use store::embedded::{Embedded, Options as EngineOptions};
use streams::{AccountLimits, Options, Streams};
use types::{AccountId, Caller, ManualClock, Region, Timestamp};
use wire::{Answer, ApiError, Call, Codec};

pub const NOON: Timestamp = Timestamp(1_700_000_000_000);

/// An engine of small sizes on `disk`.
pub fn engine(disk: &SimulatedDisk) -> Arc<dyn Engine> {
    let options = EngineOptions {
        free_bytes_min: 0,
        ballast_bytes: 0,
        wal_files_ahead: 0,
        ..EngineOptions::default()
    };
    Embedded::open(Arc::new(disk.clone()), options).unwrap()
}

/// No limits per shard.
pub const UNTHROTTLED: Options = Options {
    throttle: false,
    limits: AccountLimits::DEFAULT,
    answer_bytes_max: usize::MAX,
};

pub struct World {
    pub streams: Arc<Streams>,
    pub engine: Arc<dyn Engine>,
    pub clock: Arc<ManualClock>,
    pub disk: SimulatedDisk,
    pub caller: Caller,
}

pub fn caller(account: &str, region: &str) -> Caller {
    Caller {
        account: AccountId::parse(account).unwrap(),
        region: Region::parse(region).unwrap(),
    }
}

impl World {
    pub async fn new() -> Self {
        Self::with_options(UNTHROTTLED).await
    }

    pub async fn throttled() -> Self {
        Self::with_options(Options::default()).await
    }

    async fn with_options(options: Options) -> Self {
        let clock = Arc::new(ManualClock::new(NOON));
        Self::on(SimulatedDisk::new(1), clock, options).await
    }

    pub async fn on(disk: SimulatedDisk, clock: Arc<ManualClock>, options: Options) -> Self {
        let engine = engine(&disk);
        let streams = Streams::open(engine.clone(), clock.clone(), options);
        Self {
            streams: streams.await.unwrap(),
            engine,
            clock,
            disk,
            caller: caller("000000000000", "eu-west-1"),
        }
    }

    /// The same world after its server was shut down and started again.
    pub async fn reopened(self) -> Self {
        self.streams.close().await;
        self.engine.close().await.unwrap();
        let caller = self.caller;
        let world = Self::on(self.disk.after_kill(), self.clock, UNTHROTTLED);
        Self {
            caller,
            ..world.await
        }
    }

    pub fn call(&self, body: &Value) -> Call {
        Call {
            caller: self.caller.clone().into(),
            codec: Codec::Json,
            body: Bytes::from(body.to_string()),
        }
    }

    /// Makes a stream and waits until it is ACTIVE.
    pub async fn stream(&self, name: &str, shards: u32) {
        let body = serde_json::json!({"StreamName": name, "ShardCount": shards});
        ok!(self, create_stream, body);
        self.until_active(name).await;
    }

    pub async fn until_active(&self, name: &str) {
        loop {
            let body = serde_json::json!({"StreamName": name});
            let summary = ok!(self, describe_stream_summary, body);
            if summary["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE" {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    pub async fn put(&self, name: &str, key: &str, data: &str) -> Value {
        let body = serde_json::json!({"StreamName": name, "PartitionKey": key, "Data": data});
        ok!(self, put_record, body)
    }

    pub async fn iterator(&self, name: &str, shard: u32, rest: Value) -> String {
        let mut body = serde_json::json!({
            "StreamName": name, "ShardId": format!("shardId-{shard:012}"),
        });
        for (member, value) in rest.as_object().unwrap() {
            body[member] = value.clone();
        }
        let answer = ok!(self, get_shard_iterator, body);
        answer["ShardIterator"].as_str().unwrap().to_owned()
    }

    pub async fn read(&self, iterator: &str) -> Value {
        ok!(
            self,
            get_records,
            serde_json::json!({"ShardIterator": iterator})
        )
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

/// The answer as JSON; its length is what it promised.
pub fn json(answer: Answer) -> Value {
    let promised = answer.length();
    let body: Vec<u8> = answer
        .into_chunks()
        .unwrap()
        .flat_map(|c| c.to_vec())
        .collect();
    assert_eq!(Some(body.len() as u64), promised);
    if body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&body).unwrap()
    }
}

/// Code and text of an error.
pub fn refused(answer: Result<Answer, ApiError>) -> (String, String) {
    let error = answer.map(json).unwrap_err();
    (error.code().to_owned(), error.message().to_owned())
}

/// The partition keys of records that were read.
pub fn keys(read: &Value) -> Vec<&str> {
    let records = read["Records"].as_array().unwrap().iter();
    records
        .map(|record| record["PartitionKey"].as_str().unwrap())
        .collect()
}

/// What is read of the first shard of `s` from where an iterator begins.
pub async fn from(world: &World, rest: Value) -> Value {
    let iterator = world.iterator("s", 0, rest).await;
    world.read(&iterator).await
}
