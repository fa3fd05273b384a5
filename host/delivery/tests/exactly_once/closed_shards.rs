//! Shards of the stream that a delivery stream reads are closed, and go: how many lanes that takes,
//! and in which counts their records are.

use std::time::Duration;

use serde_json::{Value, json};
use store::disk::simulated::{Call, Failure, Fault, Random};

use crate::buckets::Does;
use crate::world::{Components, Ground, NAME, Origin, SOURCE, World, call, caller};
use crate::world::{destination, json};

/// Longer than the stream keeps its records.
const RETENTION: Duration = Duration::from_secs(24 * 3_600 + 1);
/// The stream has two shards when it is made; those with higher numbers are their children.
const LAST_PARENT: &str = "shardId-000000000001";

async fn world(lanes_max: usize) -> World {
    let ground = Ground {
        lanes_max,
        ..Components::none().ground(1)
    };
    World::open(ground).await
}

async fn world_with_both(lanes_max: usize) -> World {
    let world = world(lanes_max).await;
    let destination = destination("first", "a/");
    world.create(Origin::Stream, &destination).await;
    world
}

/// Whether the shards will be changed.
async fn begin_to_scale(world: &World, target: u32) -> bool {
    let input = json!({
        "StreamName": SOURCE, "TargetShardCount": target, "ScalingType": "UNIFORM_SCALING",
    });
    let scaled = streams::ops::update_shard_count::handle(&world.streams, call(&input));
    scaled.await.is_ok()
}

/// Changes the shards of the stream and waits until that is done.
async fn scale(world: &World, target: u32) {
    assert!(begin_to_scale(world, target).await);
    let name = json!({"StreamName": SOURCE});
    loop {
        let asked = streams::ops::describe_stream_summary::handle(&world.streams, call(&name));
        let summary = json(asked.await.unwrap());
        if summary["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE" {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// The shard that took a record; `None` if it was not acknowledged.
async fn put_one(world: &World, key: &str) -> Option<String> {
    let input = json!({"StreamName": SOURCE, "PartitionKey": key, "Data": "QUFBQQ=="});
    let put = streams::ops::put_record::handle(&world.streams, call(&input)).await;
    let shard = json(put.ok()?)["ShardId"].take();
    match shard {
        Value::String(shard) => Some(shard),
        other => panic!("{other}"),
    }
}

/// Puts records of as many keys.
async fn put(world: &World, count: u64) {
    for number in 0..count {
        let key = format!("key-{number}");
        assert!(put_one(world, &key).await.is_some());
    }
}

async fn until_delivered(world: &World, count: u64) {
    world
        .until(|status| status.is_some_and(|status| status.delivered == count))
        .await;
}

/// Waits until so many records are in a count.
async fn until_counted(world: &World, count: u64) {
    world
        .until(|status| status.is_some_and(|status| status.delivered + status.lost >= count))
        .await;
}

fn lanes(world: &World) -> usize {
    let page = world.delivery.describe(&caller(), NAME);
    page.unwrap().lanes.len()
}

/// Lanes of closed shards were counted until their shards expired: the fourth scaling stopped the
/// delivery for a day.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lanes_of_closed_shards_that_are_delivered_leave_room_for_others() {
    let mut world = world_with_both(6).await;
    let mut total = 0;
    for (round, target) in [1, 2, 1, 2, 4, 2, 4].into_iter().enumerate() {
        put(&world, 4).await;
        total += 4;
        until_delivered(&world, total).await;
        if round == 3 {
            world = world.reopened().await;
        }
        scale(&world, target).await;
    }
    put(&world, 4).await;
    until_delivered(&world, total + 4).await;
    world.close().await;
}

/// Its closed shards hold nothing for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_stream_is_made_on_a_stream_whose_shards_were_changed_often() {
    let world = world(6).await;
    world.source().await;
    put(&world, 4).await;
    for target in [1, 2, 1, 2] {
        scale(&world, target).await;
    }
    world.ground.clock.advance(Duration::from_secs(1));
    let destination = destination("first", "a/");
    world
        .create_beside_source(Origin::Stream, &destination)
        .await;
    put(&world, 4).await;
    until_delivered(&world, 4).await;
    world.close().await;
}

/// Closed shards with records that wait need their lanes: what is new waits for room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lanes_of_closed_shards_with_records_left_to_deliver_are_counted() {
    let world = world_with_both(3).await;
    world.ground.buckets.rule(|_, _| Does::HangBefore);
    put(&world, 10).await;
    scale(&world, 4).await;
    world.until_trouble("too many shards").await;
    // Two children for two lanes that end.
    scale(&world, 2).await;
    world.until_trouble("too many shards").await;
    world.ground.buckets.release();
    put(&world, 10).await;
    until_delivered(&world, 20).await;
    world.close().await;
}

/// They began when there was room, and were nowhere if their shards had gone by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_shards_without_lanes_took_is_counted_as_lost_when_it_expires() {
    let world = world_with_both(3).await;
    put(&world, 4).await;
    until_delivered(&world, 4).await;
    scale(&world, 4).await;
    world.until_trouble("too many shards").await;
    put(&world, 4).await;
    // They are closed again before there is room for them.
    scale(&world, 2).await;
    world.ground.clock.advance(RETENTION);
    world.streams.trim_expired().await;
    until_counted(&world, 8).await;
    put(&world, 4).await;
    until_delivered(&world, 8).await;
    assert_eq!(lanes(&world), 2);
    let status = world.status().unwrap();
    assert_eq!((status.records_in, status.lost), (12, 4));
    assert_eq!((status.waiting_records, status.trouble), (0, None));
    world.close().await;
}

/// A lane that came to the end of its sealed log right before the log was deleted stayed for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_deleted_in_the_middle_of_a_scaling_is_counted() {
    let mut random = Random::new(1);
    for _ in 0..30 {
        let world = world_with_both(50).await;
        let (before, after) = (1 + random.below(20), 1 + random.below(20));
        put(&world, before).await;
        assert!(begin_to_scale(&world, 3).await);
        put(&world, after).await;
        world.delete_source().await;
        // Whatever its shards took is delivered or lost, and no lane is left.
        until_counted(&world, before + after).await;
        world.until(|_| lanes(&world) == 0).await;
        let status = world.status().unwrap();
        assert_eq!(status.delivered + status.lost, before + after);
        world.close().await;
    }
}

/// The lanes of children begin a second later, when their shards are gone.
#[tokio::test]
async fn what_children_took_is_counted_though_the_disk_failed_when_their_lanes_began() {
    for nth in (1..12).cycle().take(44) {
        let world = world_with_both(50).await;
        world.ground.disk.plan(Fault {
            call: Some(Call::Sync),
            under: "wal".into(),
            nth,
            times: 1,
            failure: Failure::Io,
        });
        let (mut tried, mut acknowledged) = (0, 0);
        let mut is_put = !begin_to_scale(&world, 4).await;
        while !is_put {
            tried += 1;
            if let Some(shard) = put_one(&world, "a").await {
                acknowledged += 1;
                is_put = shard.as_str() > LAST_PARENT;
            }
        }
        world.ground.disk.forget_faults();
        let name = json!({"StreamName": SOURCE});
        while world.has_source().await {
            // One that the disk refused is asked for again.
            let _ = streams::ops::delete_stream::handle(&world.streams, call(&name)).await;
        }
        until_counted(&world, acknowledged).await;
        world.until(|_| lanes(&world) == 0).await;
        let status = world.status().unwrap();
        assert!(status.delivered + status.lost <= tried, "sync {nth}");
        world.close().await;
    }
}
