//! Shards of the stream that a delivery stream reads are closed, and go: how many lanes that takes,
//! and in which counts their records are.

use std::time::Duration;

use serde_json::{Value, json};

use crate::buckets::Does;
use crate::world::{Components, Ground, Origin, SOURCE, World, call, destination, json};

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
