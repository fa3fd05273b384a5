//! SubscribeToShard.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use types::limits::TAKE_OVER_AFTER;
use types::{ConsumerArn, ShardId};
use wire::members::{Boolean, Structure, Text, Time};
use wire::shape::{Check, Fields, Shape};
use wire::{Answer, ApiError, Call};

use super::shapes::{CONSUMER_ARN, SEQUENCE_NUMBER, SHARD_ID, STREAM_ID};
use super::starting_position::{STARTING_POSITION, StartingPosition};
use super::{address, error, required};
use crate::Streams;
use crate::fanout::{Subscribed, Subscription, SubscriptionKey};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow, rename = "ConsumerARN")]
    consumer_arn: Option<Text<'a>>,
    #[serde(borrow)]
    stream_id: Option<Text<'a>>,
    #[serde(borrow)]
    shard_id: Option<Text<'a>>,
    #[serde(borrow)]
    starting_position: Option<Structure<Position<'a>>>,
    dry_run: Option<Boolean>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Position<'a> {
    #[serde(borrow)]
    r#type: Option<Text<'a>>,
    #[serde(borrow)]
    sequence_number: Option<Text<'a>>,
    timestamp: Option<Time>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("ConsumerARN", &self.consumer_arn, CONSUMER_ARN);
        check.optional("StreamId", &self.stream_id, STREAM_ID);
        check.required("ShardId", &self.shard_id, SHARD_ID);
        check.required("StartingPosition", &self.starting_position, Fields);
    }
}

impl Shape for Position<'_> {
    fn check(&self, check: &mut Check) {
        check.required("Type", &self.r#type, STARTING_POSITION);
        check.optional("SequenceNumber", &self.sequence_number, SEQUENCE_NUMBER);
    }
}

/// Pushes the records of a shard to a consumer, as events, for five minutes.
pub async fn handle(streams: &Arc<Streams>, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let text = required("ConsumerARN", &input.consumer_arn)?;
    let consumer = ConsumerArn::parse(text).map_err(|_| error::consumers::bad_arn(text))?;
    let (stream, registered) = address::consumer(streams, &call.caller, &consumer)?;
    let arn = &stream.arn;
    if !stream.status.is_in_service() {
        return Err(error::no_stream(arn));
    }
    let text = required("ShardId", &input.shard_id)?;
    let id = ShardId::parse(text).map_err(|_| error::no_shard_named(arn, text))?;
    let shard = stream.shards.find(id);
    let shard = shard.ok_or_else(|| error::shard_not_found(arn, id))?;
    let Structure(position) = required("StartingPosition", &input.starting_position)?;
    let position = StartingPosition {
        operation: "SubscribeToShard",
        kind: required("Type", &position.r#type)?,
        sequence_number: &position.sequence_number,
        timestamp: position.timestamp,
    };
    let start = position.find(streams, &stream, shard)?;
    if matches!(input.dry_run, Some(Boolean(true))) {
        return Err(error::dry_run());
    }
    let key = SubscriptionKey {
        stream: stream.id,
        shard: id,
        consumer: consumer.name.clone(),
        registered_at: registered.created_at,
    };
    let after = if streams.options.throttle {
        TAKE_OVER_AFTER
    } else {
        Duration::ZERO
    };
    let lease = streams
        .fanout
        .leases
        .begin(key, streams.clock.uptime(), after);
    let lease = lease.ok_or_else(|| {
        stream.counts.subscribe_exceeded.add(1);
        registered.counts.exceeded.add(1);
        error::consumers::subscribed(&consumer, shard)
    })?;
    stream.counts.subscribed.add(1);
    registered.counts.subscribed.add(1);
    let subscribed = Subscribed {
        caller: call.caller.clone(),
        consumer,
        registered_at: registered.created_at,
        counts: Arc::clone(&registered.counts),
        stream: Arc::clone(&stream),
        shard: id,
        start,
        lease,
    };
    let subscription = Subscription::new(streams, subscribed, call.codec);
    Ok(Answer::events(Box::new(subscription)))
}
