//! A subscription as its connection sees it: asked for events, with room for them or without.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod support;

use std::time::Duration;

use serde_json::{Value, json};
use streams::ops;
use support::World;
use tokio::sync::watch;
use wire::event_stream::BESIDES_PAYLOAD_BYTES_MAX;
use wire::{Body, EventSource, Room};

/// How often a subscription asks for room until it is clear that it waits for it.
const REFUSALS: usize = 3;

/// Room for the first message, and for no event: how often it was refused is told.
struct Narrow(watch::Sender<usize>);

impl Room for Narrow {
    fn take(&self, bytes: usize) -> bool {
        let fits = bytes <= BESIDES_PAYLOAD_BYTES_MAX;
        if !fits {
            self.0.send_modify(|refusals| *refusals += 1);
        }
        fits
    }

    fn give_back(&self, _: usize) {}
}

/// Room for everything.
struct Wide;

impl Room for Wide {
    fn take(&self, _: usize) -> bool {
        true
    }

    fn give_back(&self, _: usize) {}
}

/// Registers the consumer `app`; its ARN.
async fn registered(world: &World) -> Value {
    let summary = ok!(world, describe_stream_summary, json!({"StreamName": "s"}));
    let arn = summary["StreamDescriptionSummary"]["StreamARN"].clone();
    let named = json!({"StreamARN": arn, "ConsumerName": "app"});
    let registered = ok!(world, register_stream_consumer, named);
    registered["Consumer"]["ConsumerARN"].clone()
}

async fn subscribed(world: &World, consumer: &Value) -> Box<dyn EventSource> {
    let input = json!({
        "ConsumerARN": consumer,
        "ShardId": "shardId-000000000000",
        "StartingPosition": {"Type": "TRIM_HORIZON"},
    });
    let answer = ops::subscribe_to_shard::handle(&world.streams, world.call(&input)).await;
    match answer.unwrap().into_body() {
        Body::Events(source) => source,
        Body::Known { .. } => panic!("the answer is no stream of events"),
    }
}

/// Each that waited read its records again and again, while others waited for their turns to read.
/// A read shows here by the damage that it would find.
#[tokio::test]
async fn a_subscription_for_which_there_is_no_room_does_not_read_the_log() {
    let world = World::new().await;
    world.stream("s", 1).await;
    world.put("s", "first", "").await;
    let world = world.reopened().await;
    let mut files = world.disk.files().into_iter().map(|(path, _)| path);
    let segment = files.find(|path| path.starts_with("logs")).unwrap();
    world.disk.spoil(&segment, 0..u64::MAX);
    let mut subscription = subscribed(&world, &registered(&world).await).await;
    let (refusals, mut told) = watch::channel(0);
    let room = Narrow(refusals);
    assert!(subscription.next(&room).await.is_some(), "it begins");
    tokio::select! {
        _ = subscription.next(&room) => panic!("there is room for an event"),
        refused = told.wait_for(|refusals| *refusals >= REFUSALS) => drop(refused),
    }
    assert_eq!(world.engine.unreadable(), Vec::<String>::new());
}

/// An address names the second of a registration, so that both have the same one. The connection
/// was busy with what was pushed before, and looks only when both changes are made.
#[tokio::test]
async fn a_subscription_ends_with_its_consumer_though_another_has_taken_its_name_since() {
    let world = World::new().await;
    world.stream("s", 1).await;
    let consumer = registered(&world).await;
    let mut subscription = subscribed(&world, &consumer).await;
    assert!(subscription.next(&Wide).await.is_some(), "it begins");
    let gone = json!({"ConsumerARN": consumer});
    let body = world.call(&gone);
    let handled = ops::deregister_stream_consumer::handle(&world.streams, body);
    handled.await.unwrap();
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(registered(&world).await, consumer);
    world.put("s", "of another", "").await;
    let told = subscription.next(&Wide).await.unwrap().concat();
    let told = String::from_utf8_lossy(&told);
    assert!(told.contains("ResourceNotFoundException"), "{told}");
    assert!(subscription.next(&Wide).await.is_none());
}
