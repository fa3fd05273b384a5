//! What streams do with closed shards, staged below the operations that will close them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use store::Engine;
use store::disk::simulated::SimulatedDisk;
use store::embedded::{Embedded, Options as EngineOptions};
use types::{
    AccountId, Caller, Generation, HashKey, HashKeyRange, ManualClock, Region, SequenceNumber,
    ShardId, Timestamp,
};
use wire::json::{Blob, Text};
use wire::{ApiError, Call};

use crate::put::{NewRecord, Outcome, PutError};
use crate::shard::{Closed, ShardFacts};
use crate::stream::{ShardMap, Stream};
use crate::{Options, Streams, ops};

const NOON: Timestamp = Timestamp(1_700_000_000_000);

struct World {
    streams: Arc<Streams>,
    clock: Arc<ManualClock>,
    engine: Arc<dyn Engine>,
    caller: Caller,
}

macro_rules! call {
    ($world:expr, $operation:ident, $body:expr) => {{
        let body = Bytes::from($body.to_string());
        let caller = $world.caller.clone();
        read(ops::$operation::handle(&$world.streams, Call { caller, body }).await)
    }};
}

fn read(answer: Result<wire::Answer, ApiError>) -> Result<Value, ApiError> {
    let body: Vec<u8> = answer?.into_chunks().flat_map(|c| c.to_vec()).collect();
    Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
}

impl World {
    /// A stream `s` of one shard that was made at noon.
    async fn new() -> Self {
        let options = EngineOptions {
            free_bytes_min: 0,
            ballast_bytes: 0,
            ..EngineOptions::default()
        };
        let engine: Arc<dyn Engine> =
            Embedded::open(Arc::new(SimulatedDisk::new(1)), options).unwrap();
        let clock = Arc::new(ManualClock::new(NOON));
        let options = Options { throttle: false };
        let streams = Streams::open(engine.clone(), clock.clone(), options);
        let world = Self {
            streams: streams.await.unwrap(),
            clock,
            engine,
            caller: Caller {
                account: AccountId::DEFAULT,
                region: Region::parse("eu-west-1").unwrap(),
            },
        };
        call!(
            world,
            create_stream,
            json!({"StreamName": "s", "ShardCount": 1})
        )
        .unwrap();
        while world.stream().status != crate::stream::Status::Active {
            tokio::task::yield_now().await;
        }
        world
    }

    fn stream(&self) -> Arc<Stream> {
        self.streams.directory.find(&self.caller, "s").unwrap()
    }

    /// Splits the only shard in two, as resharding will: children in the catalog, then the seal.
    async fn split(&self) {
        let stream = self.stream();
        let parent = stream.shards.all()[0].facts().clone();
        let generation = Generation::new(1).unwrap();
        let children = (1..).zip(HashKeyRange::split_evenly(2));
        let children = children.map(|(number, range)| ShardFacts {
            id: ShardId(number),
            range,
            log: store::LogId(1_000 + u64::from(number)),
            parent: Some(parent.id),
            adjacent_parent: None,
            generation,
            opened_at: self.streams.now(),
            closed: None,
        });
        let children: Vec<_> = children.collect();
        let logs: Vec<_> = children.iter().map(|child| child.log).collect();
        self.engine.create_logs(&logs).await.unwrap();
        let mut closed = parent.clone();
        closed.closed = Some(Closed {
            at: self.streams.now(),
            ending: SequenceNumber::new(Generation::FIRST, 0, 0),
        });
        let mut split = Stream::clone(&stream);
        split.shards = Arc::new(ShardMap::of_facts(std::iter::once(closed).chain(children)));
        self.streams.directory.put(split);
        self.engine.seal(parent.log).await.unwrap();
    }

    async fn shard_ids(&self, filter: Value) -> Vec<u64> {
        let body = json!({"StreamName": "s", "ShardFilter": filter});
        let listed = call!(self, list_shards, body).unwrap();
        let shards = listed["Shards"].as_array().unwrap().iter();
        let id = |shard: &Value| shard["ShardId"].as_str().unwrap()[8..].parse().unwrap();
        shards.map(id).collect()
    }
}

fn blob() -> Blob<'static> {
    serde_json::from_str("\"AA==\"").unwrap()
}

#[tokio::test]
async fn a_closed_shard_is_read_to_its_end_and_names_its_children() {
    let world = World::new().await;
    let put = json!({"StreamName": "s", "PartitionKey": "k", "Data": ""});
    call!(world, put_record, put).unwrap();
    let body = json!({
        "StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON",
    });
    let iterator = call!(world, get_shard_iterator, body).unwrap()["ShardIterator"].clone();
    world.split().await;
    let last = call!(world, get_records, json!({"ShardIterator": iterator})).unwrap();
    assert_eq!(last["Records"].as_array().unwrap().len(), 1);
    assert!(last.get("NextShardIterator").is_none());
    let half = "170141183460469231731687303715884105728";
    assert_eq!(
        last["ChildShards"][1],
        json!({
            "ShardId": "shardId-000000000002",
            "ParentShards": ["shardId-000000000000"],
            "HashKeyRange": {
                "StartingHashKey": half, "EndingHashKey": u128::MAX.to_string(),
            },
        })
    );
    let landed = call!(world, put_record, put).unwrap();
    let number = landed["SequenceNumber"].as_str().unwrap();
    assert!(last["Records"][0]["SequenceNumber"].as_str().unwrap() < number);
}

#[tokio::test]
async fn records_on_their_way_to_a_shard_that_closes_land_in_its_children() {
    let world = World::new().await;
    let before = world.stream();
    world.split().await;
    let (key, data) = (Text("k".into()), blob());
    let (low, high) = (Text("0".into()), Text(HashKey::MAX.to_string().into()));
    let records = [&low, &high].map(|at| NewRecord::parse(&key, &data, Some(at)).unwrap());
    let put = world.streams.put(before, &records).await;
    let Ok(put) = put else {
        panic!("placed anew");
    };
    let shards: Vec<_> = put
        .outcomes()
        .map(|outcome| match outcome {
            Outcome::Landed { shard, .. } => shard.facts().id.0,
            Outcome::OverRate(_) | Outcome::Failed => panic!("not landed"),
        })
        .collect();
    assert_eq!(shards, [1, 2]);
}

#[tokio::test]
async fn records_on_their_way_to_a_stream_that_is_deleted_are_told_so() {
    let world = World::new().await;
    let before = world.stream();
    call!(world, delete_stream, json!({"StreamName": "s"})).unwrap();
    while world.streams.directory.find(&world.caller, "s").is_some() {
        tokio::task::yield_now().await;
    }
    let (key, data) = (Text("k".into()), blob());
    let records = [NewRecord::parse(&key, &data, None).unwrap()];
    let put = world.streams.put(before, &records).await;
    assert!(matches!(put, Err(PutError::StreamGone)));
}

#[tokio::test]
async fn each_filter_lists_the_shards_of_its_moment() {
    let world = World::new().await;
    world.clock.advance(Duration::from_secs(100));
    world.split().await;
    world.clock.advance(Duration::from_secs(100));
    let at =
        |kind: &str, seconds: u64| json!({"Type": kind, "Timestamp": NOON.0 / 1_000 + seconds});
    for (filter, expected) in [
        (json!({"Type": "AT_LATEST"}), &[1, 2][..]),
        (json!({"Type": "AT_TRIM_HORIZON"}), &[0]),
        (json!({"Type": "FROM_TRIM_HORIZON"}), &[0, 1, 2]),
        (
            json!({"Type": "AFTER_SHARD_ID", "ShardId": "shardId-000000000001"}),
            &[2],
        ),
        (at("AT_TIMESTAMP", 50), &[0]),
        (at("AT_TIMESTAMP", 150), &[1, 2]),
        (at("FROM_TIMESTAMP", 50), &[0, 1, 2]),
        (at("FROM_TIMESTAMP", 150), &[1, 2]),
    ] {
        assert_eq!(world.shard_ids(filter.clone()).await, expected, "{filter}");
    }
    for bad in [
        json!({"Type": "AT_TIMESTAMP"}),
        json!({"Type": "AFTER_SHARD_ID"}),
        json!({"Type": "AT_LATEST", "ShardId": "shardId-000000000001"}),
        at("AT_LATEST", 5),
        at("FROM_TIMESTAMP", 1_000),
    ] {
        let body = json!({"StreamName": "s", "ShardFilter": bad});
        let error = call!(world, list_shards, body).unwrap_err();
        assert_eq!(error.code(), "InvalidArgumentException", "{bad}");
    }
    // A closed shard is listed until its last record may have expired.
    world.clock.advance(Duration::from_secs(24 * 3_600));
    let all = json!({"Type": "FROM_TRIM_HORIZON"});
    assert_eq!(world.shard_ids(all).await, [1, 2]);
}
