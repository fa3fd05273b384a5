//! What streams do in states that the operations only pass through, staged below them: a stream
//! that is being created, changed or deleted, and records on their way to a shard that closes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use store::disk::simulated::SimulatedDisk;
use store::embedded::{Embedded, Options as EngineOptions};
use store::{CommitError, Engine, Position, Records, Transaction};
use types::{AccountId, Caller, HashKey, ManualClock, Region, Timestamp};
use wire::members::{Blob, Text};
use wire::{ApiError, Call, Codec};

use crate::emit::{Emission, EmitError, Emitted};
use crate::new_record::NewRecord;
use crate::put::{Outcome, PutError};
use crate::stream::{Status, Stream};
use crate::{Options, Streams, ops};

const NOON: Timestamp = Timestamp(1_700_000_000_000);

struct World {
    streams: Arc<Streams>,
    clock: Arc<ManualClock>,
    caller: Caller,
}

macro_rules! call {
    ($world:expr, $operation:ident, $body:expr) => {{
        let body = Bytes::from($body.to_string());
        let caller = $world.caller.clone();
        read(
            ops::$operation::handle(
                &$world.streams,
                Call {
                    caller: caller.into(),
                    codec: Codec::Json,
                    body,
                },
            )
            .await,
        )
    }};
}

fn read(answer: Result<wire::Answer, ApiError>) -> Result<Value, ApiError> {
    let body: Vec<u8> = answer?
        .into_chunks()
        .unwrap()
        .flat_map(|c| c.to_vec())
        .collect();
    Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
}

impl World {
    /// A stream `s` of one shard that was made at noon.
    async fn new() -> Self {
        Self::of(1, false).await
    }

    async fn of(shards: u32, throttle: bool) -> Self {
        let options = EngineOptions {
            free_bytes_min: 0,
            ballast_bytes: 0,
            ..EngineOptions::default()
        };
        let engine: Arc<dyn Engine> =
            Embedded::open(Arc::new(SimulatedDisk::new(1)), options).unwrap();
        let clock = Arc::new(ManualClock::new(NOON));
        let options = Options {
            throttle,
            ..Options::default()
        };
        let streams = Streams::open(engine, clock.clone(), options);
        let world = Self {
            streams: streams.await.unwrap(),
            clock,
            caller: Caller {
                account: AccountId::DEFAULT,
                region: Region::parse("eu-west-1").unwrap(),
            },
        };
        call!(
            world,
            create_stream,
            json!({"StreamName": "s", "ShardCount": shards})
        )
        .unwrap();
        while world.stream().status != Status::Active {
            tokio::task::yield_now().await;
        }
        world
    }

    fn stream(&self) -> Arc<Stream> {
        self.streams.directory.find(&self.caller, "s").unwrap()
    }

    /// Splits the first shard in two.
    async fn split(&self) {
        let half = (1_u128 << 127).to_string();
        let input = json!({
            "StreamName": "s", "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": half,
        });
        call!(self, split_shard, input).unwrap();
        while self.stream().status != Status::Active {
            tokio::task::yield_now().await;
        }
    }

    async fn shard_ids(&self, filter: Value) -> Vec<u64> {
        let body = json!({"StreamName": "s", "ShardFilter": filter});
        let listed = call!(self, list_shards, body).unwrap();
        let shards = listed["Shards"].as_array().unwrap().iter();
        let id = |shard: &Value| shard["ShardId"].as_str().unwrap()[8..].parse().unwrap();
        shards.map(id).collect()
    }
}

#[tokio::test]
async fn a_stream_that_is_not_active_is_in_use_before_its_arguments_are_looked_at() {
    let world = World::new().await;
    for status in [Status::Creating, Status::Deleting] {
        let mut stream = Stream::clone(&world.stream());
        stream.status = status;
        world.streams.directory.put(stream);
        let name = status.as_str();
        let wanted =
            format!("Stream s under account 000000000000 not ACTIVE, instead in state {name}");
        let wrong_hours = json!({"StreamName": "s", "RetentionPeriodHours": 1});
        let wrong_tags = json!({"StreamName": "s", "Tags": {"a;b": ""}});
        let wrong_keys = json!({"StreamName": "s", "TagKeys": ["a;b"]});
        let arn = "arn:aws:kinesis:eu-west-1:000000000000:stream/s";
        let wrong_tags_by_arn = json!({"ResourceARN": arn, "Tags": {"a;b": ""}});
        let wrong_keys_by_arn = json!({"ResourceARN": arn, "TagKeys": ["a;b"]});
        let size = json!({"StreamARN": arn, "MaxRecordSizeInKiB": 2_048});
        let metrics = json!({"StreamName": "s", "ShardLevelMetrics": ["ALL"]});
        let provisioned = json!({"StreamMode": "PROVISIONED"});
        let warm = json!({"StreamName": "s", "WarmThroughputMiBps": 5});
        let wrong_mode = json!({
            "StreamARN": arn, "StreamModeDetails": provisioned, "WarmThroughputMiBps": 5,
        });
        let auto = json!({"StreamARN": arn, "RecordDistributionStrategy": "AUTO"});
        for error in [
            call!(world, increase_stream_retention_period, wrong_hours).unwrap_err(),
            call!(world, decrease_stream_retention_period, wrong_hours).unwrap_err(),
            call!(world, add_tags_to_stream, wrong_tags).unwrap_err(),
            call!(world, remove_tags_from_stream, wrong_keys).unwrap_err(),
            call!(world, tag_resource, wrong_tags_by_arn).unwrap_err(),
            call!(world, untag_resource, wrong_keys_by_arn).unwrap_err(),
            call!(world, update_max_record_size, size).unwrap_err(),
            call!(world, enable_enhanced_monitoring, metrics).unwrap_err(),
            call!(world, disable_enhanced_monitoring, metrics).unwrap_err(),
            call!(world, update_stream_mode, wrong_mode).unwrap_err(),
            call!(world, update_stream_warm_throughput, warm).unwrap_err(),
            call!(world, update_stream_record_distribution_strategy, auto).unwrap_err(),
        ] {
            assert_eq!(error.code(), "ResourceInUseException");
            assert_eq!(error.message(), wanted);
        }
        let wrong_filter = json!({"StreamName": "s", "ShardFilter": {"Type": "AT_TIMESTAMP"}});
        let error = call!(world, list_shards, wrong_filter).unwrap_err();
        assert_eq!(error.code(), "ResourceInUseException");
        let wanted = wanted.replace("ACTIVE,", "ACTIVE or UPDATING,");
        assert_eq!(error.message(), wanted);
    }
}

#[tokio::test]
async fn a_stream_whose_shards_are_changed_takes_and_gives_records_and_is_not_changed_otherwise() {
    let world = World::new().await;
    let mut stream = Stream::clone(&world.stream());
    stream.status = Status::Updating;
    world.streams.directory.put(stream);
    let put = json!({"StreamName": "s", "PartitionKey": "k", "Data": "AA=="});
    call!(world, put_record, put).unwrap();
    let first = json!({
        "StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON",
    });
    let iterator = call!(world, get_shard_iterator, first).unwrap()["ShardIterator"].clone();
    let read = call!(world, get_records, json!({"ShardIterator": iterator})).unwrap();
    assert_eq!(read["Records"].as_array().unwrap().len(), 1);
    call!(world, list_shards, json!({"StreamName": "s"})).unwrap();
    let shown = call!(world, describe_stream_summary, json!({"StreamName": "s"})).unwrap();
    assert_eq!(
        shown["StreamDescriptionSummary"]["StreamStatus"],
        "UPDATING"
    );

    let shard = "shardId-000000000000";
    let split = json!({"StreamName": "s", "ShardToSplit": shard, "NewStartingHashKey": "9"});
    let merge = json!({
        "StreamName": "s", "ShardToMerge": shard, "AdjacentShardToMerge": shard,
    });
    let scale = json!({
        "StreamName": "s", "TargetShardCount": 2, "ScalingType": "UNIFORM_SCALING",
    });
    for error in [
        call!(world, split_shard, split).unwrap_err(),
        call!(world, merge_shards, merge).unwrap_err(),
        call!(world, update_shard_count, scale).unwrap_err(),
    ] {
        assert_eq!(error.code(), "ResourceInUseException");
        let wanted = "Stream s under account 000000000000 not ACTIVE, instead in state UPDATING";
        assert_eq!(error.message(), wanted);
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
    let described = call!(world, list_shards, json!({"StreamName": "s"})).unwrap();
    let range = |shard: usize| &described["Shards"][shard]["SequenceNumberRange"];
    let ending = range(0)["EndingSequenceNumber"].as_str().unwrap();
    let child_starts = range(1)["StartingSequenceNumber"].as_str().unwrap();
    assert!(last["Records"][0]["SequenceNumber"].as_str().unwrap() < ending);
    // The parent was closed, and the child made, in the second in which the parent was made.
    assert!(ending < child_starts && child_starts < number);
    let body = json!({
        "StreamName": "s", "ShardId": "shardId-000000000000",
        "ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": ending,
    });
    let iterator = call!(world, get_shard_iterator, body).unwrap()["ShardIterator"].clone();
    let end = call!(world, get_records, json!({"ShardIterator": iterator})).unwrap();
    assert_eq!(end["Records"], json!([]));
    assert!(end.get("NextShardIterator").is_none());
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

/// The records of the call are charged once to the shard that did not change.
#[tokio::test]
async fn records_that_wait_for_another_shard_are_charged_once() {
    let world = World::of(2, true).await;
    let before = world.stream();
    let split = json!({
        "StreamName": "s", "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": "9",
    });
    call!(world, split_shard, split).unwrap();
    while world.stream().status != Status::Active {
        tokio::task::yield_now().await;
    }
    let text = format!("\"{}\"", "AAAA".repeat(200 * 1024));
    let large: Blob<'_> = serde_json::from_str(&text).unwrap();
    let (key, small) = (Text("k".into()), blob());
    let (low, high) = (Text("0".into()), Text(HashKey::MAX.to_string().into()));
    let records = [
        NewRecord::parse(&key, &small, Some(&low)).unwrap(),
        // 600 KiB, and a shard takes 1 MiB in a second.
        NewRecord::parse(&key, &large, Some(&high)).unwrap(),
    ];
    let Ok(put) = world.streams.put(before, &records).await else {
        panic!("placed anew");
    };
    let landed = put
        .outcomes()
        .filter(|outcome| matches!(outcome, Outcome::Landed { .. }));
    assert_eq!(
        landed.count(),
        2,
        "a record is refused though its shard has room"
    );
}

/// Records that an application puts to the stream.
fn prepared(world: &World, records: &[(&str, &[u8])]) -> Result<Emission, EmitError> {
    let records = records.iter();
    let records: Vec<_> = records
        .map(|(partition_key, data)| Emitted {
            partition_key,
            data,
        })
        .collect();
    world.streams.prepare(&world.stream().arn, &records)
}

async fn commit(world: &World, emission: &Emission) -> Result<(), CommitError> {
    let transaction = Transaction {
        appends: emission.appends().to_vec(),
        ..Transaction::default()
    };
    world.streams.engine.commit(transaction).await.map(drop)
}

/// The data of all records, shard by shard.
async fn data(world: &World) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for shard in world.stream().shards.all() {
        let log = shard.facts().log;
        let read = world.streams.engine.read(log, Position::FIRST, 1 << 20);
        let mut of_shard = Vec::new();
        for frame in read.await.unwrap().frames {
            let records = Records::new(&frame.body);
            of_shard.extend(records.map(|it| String::from_utf8(it.data.to_vec()).unwrap()));
        }
        all.push(of_shard);
    }
    all
}

#[tokio::test]
async fn what_is_emitted_lies_where_a_put_would_have_put_it_and_is_counted_once() {
    let world = World::of(2, true).await;
    // MD5 of "a" begins with 0c, of "b" with 92.
    let emission = prepared(&world, &[("a", b"1"), ("b", b"2"), ("a", b"3")]).unwrap();
    assert_eq!(emission.bytes(), 6);
    commit(&world, &emission).await.unwrap();
    assert_eq!(world.streams.metrics().incoming_records.value(), 0);
    emission.committed();
    assert_eq!(data(&world).await, [vec!["1", "3"], vec!["2"]]);
    assert_eq!(world.streams.metrics().incoming_records.value(), 3);
    assert_eq!(world.streams.metrics().incoming_bytes.value(), 6);
}

#[tokio::test]
async fn what_was_prepared_for_a_shard_that_closes_is_refused_and_goes_to_its_children() {
    let world = World::of(1, true).await;
    let emission = prepared(&world, &[("a", b"1"), ("b", b"2")]).unwrap();
    world.split().await;
    let refused = commit(&world, &emission).await;
    assert!(matches!(refused, Err(CommitError::Sealed(log)) if emission.is_for(log)));
    emission.resharded().await;
    let emission = prepared(&world, &[("a", b"1"), ("b", b"2")]).unwrap();
    commit(&world, &emission).await.unwrap();
    assert_eq!(data(&world).await, [vec![], vec!["1"], vec!["2"]]);
}

#[tokio::test]
async fn what_is_over_the_rate_waits_and_what_is_dropped_costs_nothing() {
    let world = World::of(1, true).await;
    let many: Vec<(&str, &[u8])> = vec![("a", b"x"); 3_000];
    // More than a second allows goes through at once, and is owed.
    drop(prepared(&world, &many).unwrap());
    let emission = prepared(&world, &many).unwrap();
    let wait = |of: Result<Emission, EmitError>| match of {
        Err(EmitError::OverRate(wait)) => wait,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("nothing is owed"),
    };
    let owed = wait(prepared(&world, &[("a", b"x")]));
    assert_eq!(owed, Duration::from_secs(3));
    world.clock.advance(owed - Duration::from_millis(1));
    wait(prepared(&world, &[("a", b"x")]));
    world.clock.advance(Duration::from_millis(1));
    assert!(prepared(&world, &[("a", b"x")]).is_ok());
    drop(emission);
}

#[tokio::test]
async fn what_no_stream_takes_is_refused_by_the_place_of_the_record() {
    let world = World::of(1, true).await;
    let large = vec![0; (1 << 20) + 1];
    for (record, text) in [
        (("", &b"x"[..]), "0 characters"),
        (("a", &large[..]), "not at most 1048576"),
    ] {
        match prepared(&world, &[("a", b"x"), record]).map(drop) {
            Err(EmitError::Refused { index: 1, why }) => assert!(why.contains(text), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    let other = types::StreamArn {
        name: types::StreamName::parse("other").unwrap(),
        ..world.stream().arn.clone()
    };
    let absent = world.streams.prepare(&other, &[]).map(drop);
    assert_eq!(absent, Err(EmitError::NotActive));
}
