//! A subscription as its connection sees it: asked for events, with room for them or without.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod support;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use streams::ops;
use support::World;
use tokio::sync::watch;
use types::{AccountId, Timestamp};
use wire::event_stream::BESIDES_PAYLOAD_BYTES_MAX;
use wire::iam::Principal;
use wire::{Action, Body, Call, EventSource, Identity, Origin, Requester, Room};

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

/// Room for a little, and for more once it is given: how often it was refused is told.
struct Growing {
    bytes_max: AtomicUsize,
    taken: AtomicUsize,
    refusals: watch::Sender<usize>,
}

impl Room for Growing {
    fn take(&self, bytes: usize) -> bool {
        let most = self.bytes_max.load(Ordering::Relaxed);
        let fits = self.taken.load(Ordering::Relaxed) + bytes <= most;
        if fits {
            self.taken.fetch_add(bytes, Ordering::Relaxed);
        } else {
            self.refusals.send_modify(|refusals| *refusals += 1);
        }
        fits
    }

    fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Room for everything.
struct Wide;

impl Room for Wide {
    fn take(&self, _: usize) -> bool {
        true
    }

    fn give_back(&self, _: usize) {}
}

/// Calls an operation that succeeds and says nothing.
macro_rules! done {
    ($world:expr, $operation:ident, $body:expr) => {
        ops::$operation::handle(&$world.streams, $world.call(&$body))
            .await
            .unwrap()
    };
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
    subscribed_by(world, consumer, world.caller.clone().into()).await
}

async fn subscribed_by(world: &World, consumer: &Value, caller: Requester) -> Box<dyn EventSource> {
    let input = json!({
        "ConsumerARN": consumer,
        "ShardId": "shardId-000000000000",
        "StartingPosition": {"Type": "TRIM_HORIZON"},
    });
    let call = Call {
        caller,
        ..world.call(&input)
    };
    let answer = ops::subscribe_to_shard::handle(&world.streams, call).await;
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

/// What had room for a little was read whole ten times a second, only to find that there was no
/// room for it.
#[tokio::test]
async fn a_record_for_which_there_is_no_room_is_read_once_to_learn_its_size_and_once_to_push_it() {
    const DATA_BYTES: usize = 750_000;
    let world = World::new().await;
    world.stream("s", 1).await;
    world.put("s", "k", &"AAAA".repeat(DATA_BYTES / 3)).await;
    let consumer = registered(&world).await;
    let world = world.reopened().await;
    let mut subscription = subscribed(&world, &consumer).await;
    let (refusals, mut told) = watch::channel(0);
    let room = Growing {
        bytes_max: AtomicUsize::new(100_000),
        taken: AtomicUsize::new(0),
        refusals,
    };
    assert!(subscription.next(&room).await.is_some(), "it begins");
    let taken_before = room.taken.load(Ordering::Relaxed);
    let before = world.disk.bytes_read();
    let (event, once) = {
        let mut next = subscription.next(&room);
        let mut read = Vec::new();
        for most in [1, REFUSALS + 1] {
            tokio::select! {
                _ = &mut next => panic!("there is room for an event"),
                refused = told.wait_for(|refusals| *refusals >= most) => drop(refused),
            }
            read.push(world.disk.bytes_read() - before);
            assert_eq!(room.taken.load(Ordering::Relaxed), taken_before);
        }
        assert!(read[0] > DATA_BYTES as u64);
        assert_eq!(read[0], read[1]);
        room.bytes_max.store(10_000_000, Ordering::Relaxed);
        (next.await.unwrap(), read[0])
    };
    assert!(world.disk.bytes_read() - before <= 2 * once);
    let event: usize = event.iter().map(bytes::Bytes::len).sum();
    assert!(event > DATA_BYTES);
    assert_eq!(room.taken.load(Ordering::Relaxed), taken_before + event);
}

/// Another account, until a moment.
fn neighbour(until: Option<Timestamp>) -> Requester {
    let account = "222222222222";
    let identity = Identity {
        principal: Principal {
            account: AccountId::parse(account).unwrap(),
            user: None,
        },
        policy: None,
    };
    let origin = Origin {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        is_encrypted: false,
        now: support::NOON,
    };
    let action = Action {
        service: "kinesis",
        operation: "SubscribeToShard",
    };
    let caller = support::caller(account, "eu-west-1");
    Requester::new(caller, Arc::new(identity), origin, action).until(until)
}

fn policy(consumer: &Value, effect: &str) -> Value {
    let statement = json!({
        "Effect": effect, "Principal": {"AWS": "222222222222"},
        "Action": "kinesis:SubscribeToShard", "Resource": consumer,
    });
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
    json!({"ResourceARN": consumer, "Policy": policy.to_string()})
}

/// The stream of another account went on being pushed to whom its policy let read it once, and to
/// temporary credentials after their end.
#[tokio::test]
async fn what_its_caller_may_no_longer_have_ends_a_subscription_before_what_is_put_later() {
    let soon = Duration::from_secs(1);
    for change in ["none", "deleted", "replaced", "expired"] {
        let world = World::new().await;
        world.stream("s", 1).await;
        let consumer = registered(&world).await;
        done!(world, put_resource_policy, policy(&consumer, "Allow"));
        let until = Timestamp(support::NOON.0 + 1_000);
        let caller = neighbour((change == "expired").then_some(until));
        let mut subscription = subscribed_by(&world, &consumer, caller).await;
        assert!(subscription.next(&Wide).await.is_some(), "it begins");
        world.put("s", "k", "MQ==").await;
        assert!(subscription.next(&Wide).await.is_some(), "it is pushed");
        world.clock.advance(soon);
        match change {
            "deleted" => {
                let named = json!({"ResourceARN": consumer});
                done!(world, delete_resource_policy, named);
            }
            "replaced" => {
                done!(world, put_resource_policy, policy(&consumer, "Deny"));
            }
            _ => {}
        }
        world.put("s", "k", "c2VjcmV0").await;
        let event = subscription.next(&Wide).await;
        assert_eq!(event.is_some(), change == "none", "{change}");
    }
}

/// Clients look an exception up in the model of the events, and found none of the name it had.
#[tokio::test]
async fn a_record_that_cannot_be_read_ends_the_events_with_an_exception_of_their_model() {
    let world = World::new().await;
    world.stream("s", 1).await;
    world.put("s", "first", "").await;
    let consumer = registered(&world).await;
    let world = world.reopened().await;
    let mut files = world.disk.files().into_iter().map(|(path, _)| path);
    let segment = files.find(|path| path.starts_with("logs")).unwrap();
    world.disk.spoil(&segment, 0..u64::MAX);
    let mut subscription = subscribed(&world, &consumer).await;
    assert!(subscription.next(&Wide).await.is_some(), "it begins");
    let told = subscription.next(&Wide).await.unwrap().concat();
    // The type of a header's value that is text, its length, the value.
    let name = b":exception-type\x07\x00\x18InternalFailureException";
    assert!(told.windows(name.len()).any(|part| part == name));
    assert!(subscription.next(&Wide).await.is_none());
}
