//! GetShardIterator.

use serde::{Deserialize, Serialize};
use store::Position;
use types::{GivenNumber, InShard, ShardId, StreamArn, Timestamp};
use wire::members::{Boolean, Text, Time};
use wire::shape::{Check, Shape, TextRule};
use wire::{Answer, ApiError, Call};

use super::shapes::{SEQUENCE_NUMBER, SHARD_ID, StreamMembers};
use super::{error, required};
use crate::Streams;
use crate::iterator::{ShardIterator, Start};
use crate::shard::Shard;
use crate::stream::Stream;

/// In the order in which the service names them.
const ITERATOR_TYPE: TextRule = TextRule::one_of(&[
    "AFTER_SEQUENCE_NUMBER",
    "LATEST",
    "AT_TIMESTAMP",
    "AT_SEQUENCE_NUMBER",
    "TRIM_HORIZON",
]);

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
            ITERATOR_TYPE,
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
    let start = start(streams, &input, &stream, shard)?;
    if matches!(input.dry_run, Some(Boolean(true))) {
        return Err(error::dry_run());
    }
    if streams.options.throttle && !shard.rates().iterator(streams.clock.uptime()) {
        streams
            .metrics()
            .read_provisioned_throughput_exceeded
            .add(1);
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

fn start(
    streams: &Streams,
    input: &Input<'_>,
    stream: &Stream,
    shard: &Shard,
) -> Result<Start, ApiError> {
    let kind = required("ShardIteratorType", &input.shard_iterator_type)?;
    let tip = || {
        let tip = streams.engine.tip(shard.facts().log);
        tip.map_err(|e| error::store("find the tip of", &stream.arn, shard, &e))
    };
    match (
        kind.as_str(),
        &input.starting_sequence_number,
        input.timestamp,
    ) {
        ("TRIM_HORIZON", None, _) => Ok(Start::TRIM_HORIZON),
        // Decided now: what is put between this call and the first read is read.
        ("LATEST", None, _) => Ok(Start::Record(tip()?)),
        ("AT_TIMESTAMP", _, Some(Time(at))) => at_timestamp(at, streams.now()),
        ("AT_TIMESTAMP", _, None) => Err(error::invalid_argument(
            "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current \
             request has no timestamp parameter.",
        )),
        ("AT_SEQUENCE_NUMBER", Some(number), _) => {
            let place = find(number, stream, shard, tip()?)?;
            Ok(Start::Record(place.record))
        }
        ("AFTER_SEQUENCE_NUMBER", Some(number), _) => {
            let place = find(number, stream, shard, tip()?)?;
            Ok(Start::Record(place.after))
        }
        (kind, number, _) => {
            let number = number.as_ref().map_or("no", |_| "also a");
            Err(error::invalid_argument(format!(
                "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and \
                 StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no \
                 StartingSequenceNumber. Request specified {kind} and {number} \
                 StartingSequenceNumber."
            )))
        }
    }
}

fn at_timestamp(at: Timestamp, now: Timestamp) -> Result<Start, ApiError> {
    if at > now {
        return Err(error::invalid_argument(format!(
            "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. \
             timestampInMillis: {}, currentTimestampInMillis: {}",
            at.0, now.0
        )));
    }
    Ok(Start::Time(at))
}

/// What a sequence number points to.
struct Found {
    /// The record itself; if there is none, the one that comes next.
    record: Position,
    /// The record after it.
    after: Position,
}

/// Takes only numbers that this shard has given, or begins or ends with.
fn find(text: &Text<'_>, stream: &Stream, shard: &Shard, tip: Position) -> Result<Found, ApiError> {
    let StreamArn { account, name, .. } = &stream.arn;
    let refused = |reason: &str| {
        error::invalid_argument(format!(
            "StartingSequenceNumber {} used in GetShardIterator on shard {} in stream {name} under \
             account {account} is invalid{reason}.",
            text.as_str(),
            shard.id_text(),
        ))
    };
    let number = GivenNumber::parse(text).map_err(|_| refused(""))?;
    if !number.is_of(shard.facts().id) {
        return Err(error::invalid_argument(format!(
            "Invalid StartingSequenceNumber. It encodes {}, while it was used in a call to a shard \
             with {}",
            number.shard_text(),
            shard.id_text()
        )));
    }
    let (record, after) = match shard.numbering().find(&number) {
        Some(InShard::Start) => (Position::FIRST, Position::FIRST),
        Some(InShard::Record(before)) if before < tip.0 => {
            (Position(before), Position(before).after(1))
        }
        Some(InShard::End) if shard.facts().closed_at.is_some() => (tip, tip),
        Some(InShard::Record(_) | InShard::End) | None => {
            return Err(refused(" because it did not come from this stream"));
        }
    };
    Ok(Found { record, after })
}
