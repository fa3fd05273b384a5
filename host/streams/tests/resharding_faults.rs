//! What goes wrong while shards are split, merged and scaled.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod support;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use store::LogId;
use store::disk::simulated::{Call, Failure, Fault, SimulatedDisk};
use support::{NOON, UNTHROTTLED, World};
use types::Timestamp;

const DAY_SECONDS: u64 = 24 * 3_600;
const TIME_MAX: Duration = Duration::from_secs(20);

fn scale(target: u32) -> Value {
    json!({"StreamName": "s", "TargetShardCount": target, "ScalingType": "UNIFORM_SCALING"})
}

fn failing_sync(nth: u64) -> Fault {
    Fault {
        call: Some(Call::Sync),
        under: PathBuf::from("wal"),
        nth,
        times: 1,
        failure: Failure::Io,
    }
}

async fn until_active(world: &World) {
    let active = tokio::time::timeout(TIME_MAX, world.until_active("s")).await;
    assert!(active.is_ok(), "the stream stays UPDATING");
}

/// A stream that is scaled from 2 shards to 3, which takes two rounds, and the sync of the first
/// round fails once. The store goes on; nothing of that round is there.
async fn first_round_fails() -> World {
    let world = World::new().await;
    world.stream("s", 2).await;
    world.put("s", "a", "AA==").await;
    world.disk.plan(failing_sync(2));
    ok!(world, update_shard_count, scale(3));
    while world.disk.faults_hit() == 0 {
        tokio::task::yield_now().await;
    }
    world
}

#[tokio::test]
async fn a_scaling_whose_round_was_not_kept_goes_on_to_its_end() {
    let world = first_round_fails().await;
    until_active(&world).await;
    world.put("s", "a", "AQ==").await;
}

/// Each of many keys, once the catalog has shown what came of the round.
#[tokio::test]
async fn records_are_put_while_a_round_of_a_scaling_was_not_kept() {
    let world = first_round_fails().await;
    // It comes after the round in the catalog's queue.
    let (code, _) = err!(
        world,
        add_tags_to_stream,
        json!({"StreamName": "s", "Tags": {"a": "b"}})
    );
    assert_eq!(code, "ResourceInUseException");
    for key in 0..20 {
        let body = json!({
            "StreamName": "s", "PartitionKey": format!("key-{key}"), "Data": "AQ==",
        });
        let put = streams::ops::put_record::handle(&world.streams, world.call(&body)).await;
        if let Err(error) = put {
            panic!("key-{key} is refused: {error:?}");
        }
    }
}

#[tokio::test]
async fn streams_are_made_after_a_round_of_a_scaling_was_not_kept() {
    let world = first_round_fails().await;
    ok!(
        world,
        create_stream,
        json!({"StreamName": "t", "ShardCount": 1})
    );
}

fn listed(answer: &Value) -> Vec<String> {
    let shards = answer["Shards"].as_array().unwrap().iter();
    shards
        .map(|shard| shard["ShardId"].as_str().unwrap()[19..].to_owned())
        .collect()
}

async fn list(world: &World, filter: Value) -> Vec<String> {
    let mut body = json!({"StreamName": "s"});
    if !filter.is_null() {
        body["ShardFilter"] = filter;
    }
    listed(&ok!(world, list_shards, body))
}

/// Which commit it is that fails does not matter: once all is said and done, the log is gone.
#[tokio::test]
async fn the_log_of_an_expired_shard_goes_though_the_disk_failed_once() {
    for nth in 1..=3 {
        let world = World::new().await;
        world.stream("s", 1).await;
        ok!(world, update_shard_count, scale(2));
        until_active(&world).await;
        world.advance(DAY_SECONDS + 1);
        world.disk.plan(failing_sync(nth));
        world.streams.trim_expired().await;
        world.disk.forget_faults();
        // The children are scaled meanwhile.
        ok!(world, update_shard_count, scale(1));
        until_active(&world).await;
        world.streams.trim_expired().await;
        assert_eq!(list(&world, Value::Null).await, ["1", "2", "3"]);
        assert!(
            world.engine.tip(LogId(0)).is_err(),
            "the log of a shard that is listed nowhere is there for ever; sync {nth} failed"
        );
    }
}

#[tokio::test]
async fn a_shard_that_was_forgotten_does_not_come_back_with_the_next_process() {
    for nth in 1..=3 {
        let world = World::new().await;
        world.stream("s", 1).await;
        ok!(world, update_shard_count, scale(2));
        until_active(&world).await;
        world.advance(DAY_SECONDS + 1);
        world.disk.plan(failing_sync(nth));
        world.streams.trim_expired().await;
        world.disk.forget_faults();
        world.streams.trim_expired().await;
        let body = json!({
            "StreamName": "s", "ShardId": "shardId-000000000000",
            "ShardIteratorType": "TRIM_HORIZON",
        });
        let before =
            streams::ops::get_shard_iterator::handle(&world.streams, world.call(&body)).await;
        let world = world.reopened().await;
        let after =
            streams::ops::get_shard_iterator::handle(&world.streams, world.call(&body)).await;
        assert_eq!(before.is_ok(), after.is_ok(), "sync {nth} failed");
    }
}

fn seconds(at: Timestamp) -> u64 {
    at.0 / 1_000
}

/// A clock was set back between two splits. At no moment a hash key is in two shards.
#[tokio::test]
async fn at_every_moment_each_hash_key_is_in_one_shard_though_the_clock_was_set_back() {
    let world = World::new().await;
    world.stream("s", 1).await;
    world.advance(1_000);
    ok!(world, update_shard_count, scale(2));
    until_active(&world).await;
    world.clock.set(Timestamp(NOON.0 + 500_000));
    let split = json!({
        "StreamName": "s", "ShardToSplit": "shardId-000000000001",
        "NewStartingHashKey": (1_u128 << 126).to_string(),
    });
    ok!(world, split_shard, split);
    until_active(&world).await;
    world.clock.set(Timestamp(NOON.0 + 2_000_000));
    for second in [100, 600, 1_100] {
        let filter = json!({"Type": "AT_TIMESTAMP", "Timestamp": seconds(NOON) + second});
        let body = json!({"StreamName": "s", "ShardFilter": filter});
        let answer = ok!(world, list_shards, body);
        let mut ranges: Vec<(u128, u128)> = answer["Shards"]
            .as_array()
            .unwrap()
            .iter()
            .map(|shard| {
                let key = |member: &str| {
                    let text = shard["HashKeyRange"][member].as_str().unwrap();
                    text.parse().unwrap()
                };
                (key("StartingHashKey"), key("EndingHashKey"))
            })
            .collect();
        ranges.sort_unstable();
        let mut next = Some(0);
        for (first, last) in &ranges {
            assert_eq!(Some(*first), next, "at {second}: {ranges:?}");
            next = last.checked_add(1);
        }
        assert_eq!(next, None, "at {second}: {ranges:?}");
    }
}

/// The clock was ahead when the records came, and was set right before the split.
#[tokio::test]
async fn a_closed_shard_is_listed_as_long_as_its_records_are_kept() {
    let world = World::new().await;
    world.stream("s", 1).await;
    world.advance(7_200);
    world.put("s", "a", "AA==").await;
    world.clock.set(Timestamp(NOON.0 + 1_000));
    ok!(world, update_shard_count, scale(2));
    until_active(&world).await;
    world.advance(DAY_SECONDS + 10);
    world.streams.trim_expired().await;
    let iterator = world
        .iterator("s", 0, json!({"ShardIteratorType": "TRIM_HORIZON"}))
        .await;
    let read = world.read(&iterator).await;
    assert_eq!(read["Records"].as_array().unwrap().len(), 1, "it is kept");
    assert_eq!(list(&world, Value::Null).await, ["0", "1", "2"]);
}

/// The clock was ahead when the stream was made, and was set right before the split.
#[tokio::test]
async fn who_reads_from_the_trim_horizon_is_shown_the_shard_that_holds_the_records() {
    let world = World::new().await;
    world.advance(7_200);
    world.stream("s", 1).await;
    world.put("s", "a", "AA==").await;
    world.clock.set(Timestamp(NOON.0 + 1_000));
    ok!(world, update_shard_count, scale(2));
    until_active(&world).await;
    assert_eq!(
        list(&world, json!({"Type": "FROM_TRIM_HORIZON"})).await,
        ["0", "1", "2"]
    );
    assert_eq!(
        list(&world, json!({"Type": "AT_TRIM_HORIZON"})).await,
        ["0"]
    );
}

/// The same clock all the time: a stream is made, put to and split within a millisecond.
#[tokio::test]
async fn who_reads_at_the_trim_horizon_misses_no_record_of_a_young_stream() {
    let world = World::new().await;
    world.stream("s", 1).await;
    world.put("s", "a", "AA==").await;
    ok!(world, update_shard_count, scale(2));
    until_active(&world).await;
    assert_eq!(
        list(&world, json!({"Type": "AT_TRIM_HORIZON"})).await,
        ["0"]
    );
}

/// Which shard's records are still there, with the shard closed at the very moment of the horizon.
#[tokio::test]
async fn who_reads_at_the_trim_horizon_misses_no_record_that_is_kept() {
    let world = World::new().await;
    world.stream("s", 1).await;
    world.advance(100);
    world.put("s", "a", "AA==").await;
    ok!(world, update_shard_count, scale(2));
    until_active(&world).await;
    world.advance(DAY_SECONDS);
    let iterator = world
        .iterator("s", 0, json!({"ShardIteratorType": "TRIM_HORIZON"}))
        .await;
    let read = world.read(&iterator).await;
    assert_eq!(read["Records"].as_array().unwrap().len(), 1, "it is kept");
    let at = list(&world, json!({"Type": "AT_TRIM_HORIZON"})).await;
    assert_eq!(at, ["0"]);
}

/// Ten scalings a day, whatever the clock does.
#[tokio::test]
async fn a_clock_that_is_set_back_and_right_again_allows_no_more_scalings() {
    let world = World::new().await;
    world.stream("s", 1).await;
    world.advance(3_600);
    for round in 0..10 {
        ok!(world, update_shard_count, scale(2 - round % 2));
        until_active(&world).await;
    }
    let eleventh = streams::ops::update_shard_count::handle(&world.streams, world.call(&scale(2)));
    assert!(eleventh.await.is_err());
    // A second back, as a time service does it.
    world.clock.set(Timestamp(NOON.0 + 3_599_000));
    let eleventh = streams::ops::update_shard_count::handle(&world.streams, world.call(&scale(2)));
    assert!(eleventh.await.is_err(), "an eleventh scaling within a day");
}

/// 300 shards are in two rows. What the second says must not outlive what the first says.
#[tokio::test]
async fn no_shard_is_listed_twice_after_a_failed_sync_and_a_restart() {
    let world = World::new().await;
    world.stream("s", 200).await;
    ok!(world, update_shard_count, scale(100));
    until_active(&world).await;
    world.advance(DAY_SECONDS + 1);
    // The first is the time that is noted, the second what takes the closed shards away.
    world.disk.plan(failing_sync(2));
    world.streams.trim_expired().await;
    assert_eq!(world.disk.faults_hit(), 1);
    let merge = json!({
        "StreamName": "s", "ShardToMerge": "shardId-000000000298",
        "AdjacentShardToMerge": "shardId-000000000299",
    });
    ok!(world, merge_shards, merge);
    until_active(&world).await;
    let put = json!({
        "StreamName": "s", "PartitionKey": "a", "Data": "AA==",
        "ExplicitHashKey": u128::MAX.to_string(),
    });
    let shard = ok!(world, put_record, put)["ShardId"].clone();
    assert_eq!(shard, "shardId-000000000300");
    let world = world.reopened().await;
    let again = streams::ops::put_record::handle(&world.streams, world.call(&put)).await;
    let answer = ok!(world, list_shards, json!({"StreamName": "s"}));
    let mut names: Vec<_> = answer["Shards"]
        .as_array()
        .unwrap()
        .iter()
        .map(|shard| shard["ShardId"].as_str().unwrap())
        .collect();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "shards are listed twice");
    assert!(again.is_ok(), "{:?}", again.err());
}

/// The catalog's one task takes its turns.
#[tokio::test]
async fn another_account_makes_a_stream_while_the_shards_of_a_large_one_are_changed() {
    let world = World::new().await;
    world.stream("s", 4_000).await;
    ok!(world, update_shard_count, scale(3_999));
    let mut call = world.call(&json!({"StreamName": "t", "ShardCount": 1}));
    call.caller = support::caller("000000000001", "eu-west-1").into();
    streams::ops::create_stream::handle(&world.streams, call)
        .await
        .unwrap();
    let summary = ok!(world, describe_stream_summary, json!({"StreamName": "s"}));
    assert_eq!(
        summary["StreamDescriptionSummary"]["StreamStatus"], "UPDATING",
        "all rounds of one account come before a change of another"
    );
}

/// Scaling by one passes through nearly twice as many open shards.
#[tokio::test]
async fn an_account_has_no_more_open_shards_than_it_may_while_it_is_scaled() {
    let options = streams::Options {
        limits: streams::AccountLimits {
            shards_max: 2_100,
            ..streams::AccountLimits::DEFAULT
        },
        ..UNTHROTTLED
    };
    let clock = std::sync::Arc::new(types::ManualClock::new(NOON));
    let world = World::on(SimulatedDisk::new(1), clock, options).await;
    world.stream("s", 2_000).await;
    let scaled =
        streams::ops::update_shard_count::handle(&world.streams, world.call(&scale(1_999))).await;
    let mut most = 0;
    while scaled.is_ok() {
        let summary = ok!(world, describe_stream_summary, json!({"StreamName": "s"}));
        let summary = &summary["StreamDescriptionSummary"];
        most = most.max(summary["OpenShardCount"].as_u64().unwrap());
        if summary["StreamStatus"] == "ACTIVE" {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(most <= 2_100, "{most} open shards");
}

/// One call of the disk fails while shards are changed in a single round, and records are put.
#[tokio::test]
async fn one_failing_call_of_the_disk_does_no_harm_to_a_split_a_merge_or_a_doubling() {
    let split = json!({
        "StreamName": "s", "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": "9",
    });
    let merge = json!({
        "StreamName": "s", "ShardToMerge": "shardId-000000000000",
        "AdjacentShardToMerge": "shardId-000000000001",
    });
    for (kind, change) in [("split", split), ("merge", merge), ("scale", scale(4))] {
        for call in [Call::Sync, Call::WriteAt] {
            for nth in 1..=5 {
                one_failing_call(kind, &change, call, nth).await;
            }
        }
    }
}

async fn one_failing_call(kind: &str, change: &Value, call: Call, nth: u64) {
    let what = format!("{kind}: {call:?} {nth}");
    let world = World::new().await;
    world.stream("s", 2).await;
    world.disk.plan(Fault {
        call: Some(call),
        ..failing_sync(nth)
    });
    let changing = async {
        let (streams, call) = (&world.streams, world.call(change));
        match kind {
            "split" => streams::ops::split_shard::handle(streams, call).await,
            "merge" => streams::ops::merge_shards::handle(streams, call).await,
            _ => streams::ops::update_shard_count::handle(streams, call).await,
        }
        .is_ok()
    };
    let putting = async {
        let mut kept = Vec::new();
        for key in 0..10 {
            let body = json!({
                "StreamName": "s", "PartitionKey": format!("key-{key}"), "Data": "AQ==",
            });
            let put = streams::ops::put_record::handle(&world.streams, world.call(&body)).await;
            match put {
                Ok(_) => kept.push(format!("key-{key}")),
                Err(error) => assert_eq!(error.code(), "InternalFailure", "{what}"),
            }
        }
        kept
    };
    let (_, mut kept) = tokio::join!(changing, putting);
    world.disk.forget_faults();
    until_active(&world).await;
    for key in 10..20 {
        world.put("s", &format!("key-{key}"), "AQ==").await;
        kept.push(format!("key-{key}"));
    }
    world.stream("t", 1).await;
    let before = list(&world, Value::Null).await;
    let world = world.reopened().await;
    assert_eq!(list(&world, Value::Null).await, before, "{what}");
    let mut found = Vec::new();
    for shard in &before {
        let shard = shard.parse().unwrap();
        let iterator = world
            .iterator("s", shard, json!({"ShardIteratorType": "TRIM_HORIZON"}))
            .await;
        let read = world.read(&iterator).await;
        found.extend(support::keys(&read).into_iter().map(str::to_owned));
    }
    found.sort_unstable();
    kept.sort_unstable();
    assert_eq!(found, kept, "{what}");
}

/// A machine that began at a wrong time, as one without a battery does, and was set right.
#[tokio::test]
async fn a_shard_that_was_closed_by_a_wrong_clock_is_listed_while_its_records_are_kept() {
    let world = World::new().await;
    world.stream("s", 1).await;
    world.advance(60);
    world.put("s", "a", "AA==").await;
    world.clock.set(Timestamp(NOON.0 - 3 * DAY_SECONDS * 1_000));
    ok!(world, update_shard_count, scale(2));
    until_active(&world).await;
    world.clock.set(Timestamp(NOON.0 + 120_000));
    world.streams.trim_expired().await;
    let iterator = world
        .iterator("s", 0, json!({"ShardIteratorType": "TRIM_HORIZON"}))
        .await;
    let read = world.read(&iterator).await;
    assert_eq!(read["Records"].as_array().unwrap().len(), 1, "it is kept");
    assert_eq!(list(&world, Value::Null).await, ["0", "1", "2"]);
}

/// The children were closed by a clock that was set back, and go before their parent.
#[tokio::test]
async fn who_comes_to_the_end_of_a_shard_is_told_who_has_its_hash_keys() {
    let world = World::new().await;
    world.stream("s", 1).await;
    world.advance(7_200);
    world.put("s", "a", "AA==").await;
    ok!(world, update_shard_count, scale(2));
    until_active(&world).await;
    world.clock.set(Timestamp(NOON.0 + 1_000));
    ok!(world, update_shard_count, scale(1));
    until_active(&world).await;
    world.advance(DAY_SECONDS + 10);
    world.streams.trim_expired().await;
    assert_eq!(list(&world, Value::Null).await, ["0", "1", "2", "3"]);
    let iterator = world
        .iterator("s", 0, json!({"ShardIteratorType": "TRIM_HORIZON"}))
        .await;
    let read = world.read(&iterator).await;
    assert_eq!(read["Records"].as_array().unwrap().len(), 1);
    if read.get("NextShardIterator").is_none() {
        assert_ne!(read["ChildShards"], json!([]), "a dead end");
    }
}

/// Clocks that jump, restarts, and streams that are made anew under one name.
#[tokio::test]
async fn no_number_is_given_twice_and_those_of_a_key_rise_wherever_the_clock_goes() {
    use store::disk::simulated::Random;
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let mut world = World::new().await;
        world.stream("s", 2).await;
        let mut given = std::collections::BTreeSet::new();
        let mut last = std::collections::BTreeMap::new();
        for _ in 0..30 {
            match random.below(10) {
                0..=3 => {
                    for key in 0..6 {
                        let put = world.put("s", &format!("key-{key}"), "AA==").await;
                        let number = put["SequenceNumber"].as_str().unwrap().to_owned();
                        assert!(given.insert(number.clone()), "seed {seed}: {number} twice");
                        let before = last.insert(key, number.clone());
                        assert!(before < Some(number), "seed {seed}");
                    }
                }
                4..=6 => {
                    let target = 1 + u32::try_from(random.below(5)).unwrap();
                    let call = world.call(&scale(target));
                    let _ = streams::ops::update_shard_count::handle(&world.streams, call).await;
                    until_active(&world).await;
                }
                7 => {
                    let jump = random.below(4_000) * 100;
                    world.clock.set(Timestamp(NOON.0 - 200_000 + jump));
                }
                8 => world = world.reopened().await,
                _ => {
                    ok!(world, delete_stream, json!({"StreamName": "s"}));
                    let body = json!({"StreamName": "s"});
                    while streams::ops::describe_stream_summary::handle(
                        &world.streams,
                        world.call(&body),
                    )
                    .await
                    .is_ok()
                    {
                        tokio::task::yield_now().await;
                    }
                    world.stream("s", 2).await;
                }
            }
        }
        world.streams.close().await;
    }
}

/// A split may be asked for by several at once: one of them has it.
#[tokio::test]
async fn of_many_changes_at_once_one_is_made_and_the_others_are_refused() {
    let world = World::new().await;
    world.stream("s", 2).await;
    let split = json!({
        "StreamName": "s", "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": "9",
    });
    let split = || streams::ops::split_shard::handle(&world.streams, world.call(&split));
    let (a, b, c) = tokio::join!(split(), split(), split());
    let made = [a, b, c].into_iter().filter(Result::is_ok).count();
    assert_eq!(made, 1);
    until_active(&world).await;
    assert_eq!(list(&world, Value::Null).await, ["0", "1", "2", "3"]);
}

/// Records for all shards in one call, again and again, while each shard is closed twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_reach_many_shards_are_kept_whole_during_a_scaling_of_many_rounds() {
    let world = World::new().await;
    world.stream("s", 3_000).await;
    ok!(world, update_shard_count, scale(2_999));
    let mut number = 0_u64;
    loop {
        let records: Vec<Value> = (0..500)
            .map(|_| {
                number += 1;
                json!({"PartitionKey": format!("key-{number}"), "Data": "AA=="})
            })
            .collect();
        let body = json!({"StreamName": "s", "Records": records});
        let put = ok!(world, put_records, body);
        assert_eq!(put["FailedRecordCount"], 0);
        let summary = ok!(world, describe_stream_summary, json!({"StreamName": "s"}));
        if summary["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE" {
            break;
        }
    }
    // The lowest number of all is in a shard that is listed, and all are there once.
    let (mut found, mut body) = (
        std::collections::BTreeSet::new(),
        json!({"StreamName": "s"}),
    );
    loop {
        let answer = ok!(world, list_shards, body);
        for shard in answer["Shards"].as_array().unwrap() {
            let shard = shard["ShardId"].as_str().unwrap()[8..].parse().unwrap();
            let rest = json!({"ShardIteratorType": "TRIM_HORIZON"});
            let iterator = world.iterator("s", shard, rest).await;
            let read = world.read(&iterator).await;
            for key in support::keys(&read) {
                assert!(found.insert(key.to_owned()), "{key} twice");
            }
        }
        match answer.get("NextToken") {
            Some(token) => body = json!({"NextToken": token}),
            None => break,
        }
    }
    assert_eq!(found.len() as u64, number);
}
