//! GetShardIterator.

use serde::{Deserialize, Serialize};
use types::ShardId;
use wire::members::{Boolean, Text, Time};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::shapes::{SEQUENCE_NUMBER, SHARD_ID, StreamMembers};
use super::starting_position::{STARTING_POSITION, StartingPosition};
use super::{error, required};
use crate::Streams;
use crate::iterator::ShardIterator;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    shard_id: Option<Text<'a>>,
    #[serde(borrow)]
    shard_iterator_type: Option<Text<'a>>,
    #[serde(borrow)]
    starting_sequence_number: Option<Text<'a>>,
    timestamp: Option<Time>,
    dry_run: Option<Boolean>,
    #[serde(borrow, rename = "StreamARN")]
    stream_arn: Option<Text<'a>>,
    #[serde(borrow)]
    stream_id: Option<Text<'a>>,
}

impl Input<'_> {
    fn stream(&self) -> StreamMembers<'_> {
        StreamMembers {
            name: &self.stream_name,
            arn: &self.stream_arn,
            id: &self.stream_id,
        }
    }
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("ShardId", &self.shard_id, SHARD_ID);
        check.required(
            "ShardIteratorType",
            &self.shard_iterator_type,
            STARTING_POSITION,
        );
        check.optional(
            "StartingSequenceNumber",
            &self.starting_sequence_number,
            SEQUENCE_NUMBER,
        );
        self.stream().check(check);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    shard_iterator: String,
}

/// Gives a token for a place in a shard, good for 300 seconds.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let (arn, stream) = input.stream().look_at(streams, &call.caller)?;
    let shard_text = required("ShardId", &input.shard_id)?;
    let id = ShardId::parse(shard_text).map_err(|_| error::no_shard_named(&arn, shard_text))?;
    // Without its stream, too, it is the shard that is missed.
    let stream = stream.filter(|stream| stream.status.is_in_service());
    let stream = stream.ok_or_else(|| error::shard_not_found(&arn, id))?;
    let shard = stream.shards.find(id);
    let shard = shard.ok_or_else(|| error::shard_not_found(&arn, id))?;
    let position = StartingPosition {
        operation: "GetShardIterator",
        kind: required("ShardIteratorType", &input.shard_iterator_type)?,
        sequence_number: &input.starting_sequence_number,
        timestamp: input.timestamp,
    };
    let start = position.find(streams, &stream, shard)?;
    if matches!(input.dry_run, Some(Boolean(true))) {
        return Err(error::dry_run());
    }
    if streams.options.throttle && !shard.rates().iterator(streams.clock.uptime()) {
        streams.count_read_exceeded(&stream, shard);
        return Err(error::over_rate(&stream.arn, shard));
    }
    let iterator = ShardIterator {
        account: stream.arn.account,
        stream: stream.id,
        name: stream.arn.name.clone(),
        shard: id,
        start,
        issued_at: streams.now(),
    };
    call.answer(&Output {
        shard_iterator: iterator.seal(&streams.sealing_key),
    })
}
