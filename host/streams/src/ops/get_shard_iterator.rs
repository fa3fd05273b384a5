//! GetShardIterator.

use serde::{Deserialize, Serialize};
use store::Position;
use types::{SequenceNumber, ShardId, Timestamp};
use wire::json::{self, Boolean, EpochSeconds, Text};
use wire::shape::{Check, Shape, TextRule};
use wire::{Answer, ApiError, Call};

use super::error;
use super::shapes::{SEQUENCE_NUMBER, SHARD_ID, StreamMembers};
use crate::Streams;
use crate::iterator::{ShardIterator, Start};
use crate::shard::Shard;
use crate::stream::{Status, Stream};

const ITERATOR_TYPE: TextRule = TextRule::one_of(&[
    "AT_SEQUENCE_NUMBER",
    "AFTER_SEQUENCE_NUMBER",
    "TRIM_HORIZON",
    "LATEST",
    "AT_TIMESTAMP",
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
    timestamp: Option<EpochSeconds>,
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
    let input: Input<'_> = json::parse(&call.body)?;
    let stream = input.stream().find(streams, &call.caller)?;
    let shard_text = input.shard_id.as_ref().map_or("", Text::as_str);
    let id =
        ShardId::parse(shard_text).map_err(|_| error::no_shard_named(&stream.arn, shard_text))?;
    let shard = stream
        .shards
        .find(id)
        .filter(|_| stream.status == Status::Active);
    let shard = shard.ok_or_else(|| error::shard_not_found(&stream.arn, id))?;
    if matches!(input.dry_run, Some(Boolean(true))) {
        return Err(error::dry_run());
    }
    let start = start(streams, &input, &stream, shard)?;
    let now = streams.now();
    if streams.options.throttle && !shard.rates().iterator(now) {
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
        issued_at: now,
    };
    json::answer(&Output {
        shard_iterator: iterator.seal(&streams.sealing_key),
    })
}

fn start(
    streams: &Streams,
    input: &Input<'_>,
    stream: &Stream,
    shard: &Shard,
) -> Result<Start, ApiError> {
    let kind = input.shard_iterator_type.as_ref().map_or("", Text::as_str);
    let tip = || {
        let tip = streams.engine.tip(shard.facts().log);
        tip.map_err(|e| error::store("find the tip of", &stream.arn, shard, &e))
    };
    match (kind, &input.starting_sequence_number, input.timestamp) {
        ("TRIM_HORIZON", None, _) => Ok(Start::TRIM_HORIZON),
        // Decided now: what is put between this call and the first read is read.
        ("LATEST", None, _) => Ok(Start::Place {
            position: tip()?,
            index: 0,
        }),
        ("AT_TIMESTAMP", _, Some(EpochSeconds(at))) => at_timestamp(at, streams.now()),
        ("AT_TIMESTAMP", _, None) => Err(error::invalid_argument(
            "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current \
             request has no timestamp parameter.",
        )),
        ("AT_SEQUENCE_NUMBER", Some(number), _) => {
            let number = parse_number(number, stream, shard, tip()?)?;
            Ok(Start::Place {
                position: Position(number.position()),
                index: number.index(),
            })
        }
        ("AFTER_SEQUENCE_NUMBER", Some(number), _) => {
            let number = parse_number(number, stream, shard, tip()?)?;
            Ok(Start::after(Position(number.position()), number.index()))
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
    if now < at {
        return Err(error::invalid_argument(format!(
            "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. \
             timestampInMillis: {}, currentTimestampInMillis: {}",
            at.0, now.0
        )));
    }
    Ok(Start::Time(at))
}

/// Takes only numbers that this shard has given, or begins with.
fn parse_number(
    text: &Text<'_>,
    stream: &Stream,
    shard: &Shard,
    tip: Position,
) -> Result<SequenceNumber, ApiError> {
    let refused = |reason: &str| {
        error::invalid_argument(format!(
            "StartingSequenceNumber {} used in GetShardIterator on shard {} in stream {} under \
             account {} is invalid{reason}.",
            text.as_str(),
            shard.id_text(),
            stream.arn.name,
            stream.arn.account
        ))
    };
    let number = SequenceNumber::parse(text).map_err(|_| refused(""))?;
    // The number that an empty shard begins with is known from its description.
    let given = number.position() < tip.0 || number == shard.starting_number();
    match given && number.generation() == shard.facts().generation {
        true => Ok(number),
        false => Err(refused(" because it did not come from this stream")),
    }
}
