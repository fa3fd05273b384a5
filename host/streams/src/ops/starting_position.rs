//! Where a reader begins: what GetShardIterator and SubscribeToShard are asked for alike.

use store::Position;
use types::{GivenNumber, InShard, StreamArn, Timestamp};
use wire::ApiError;
use wire::members::{Text, Time};
use wire::shape::TextRule;

use super::error;
use crate::Streams;
use crate::iterator::Start;
use crate::shard::Shard;
use crate::stream::Stream;

/// In the order in which the service names them.
pub const STARTING_POSITION: TextRule = TextRule::one_of(&[
    "AFTER_SEQUENCE_NUMBER",
    "LATEST",
    "AT_TIMESTAMP",
    "AT_SEQUENCE_NUMBER",
    "TRIM_HORIZON",
]);

/// What a reader asks for.
pub struct StartingPosition<'a> {
    /// The operation that it asks.
    pub operation: &'static str,
    /// One of [`STARTING_POSITION`].
    pub kind: &'a Text<'a>,
    pub sequence_number: &'a Option<Text<'a>>,
    pub timestamp: Option<Time>,
}

impl StartingPosition<'_> {
    /// The place in the shard.
    pub fn find(
        &self,
        streams: &Streams,
        stream: &Stream,
        shard: &Shard,
    ) -> Result<Start, ApiError> {
        let tip = || {
            let tip = streams.engine.tip(shard.facts().log);
            tip.map_err(|e| error::store("find the tip of", &stream.arn, shard, &e))
        };
        match (self.kind.as_str(), self.sequence_number, self.timestamp) {
            ("TRIM_HORIZON", None, _) => Ok(Start::TRIM_HORIZON),
            // Decided now: what is put between this call and the first read is read.
            ("LATEST", None, _) => Ok(Start::Record(tip()?)),
            ("AT_TIMESTAMP", _, Some(Time(at))) => at_timestamp(at, streams.now()),
            ("AT_TIMESTAMP", _, None) => Err(error::invalid_argument(
                "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. \
                 Current request has no timestamp parameter.",
            )),
            ("AT_SEQUENCE_NUMBER", Some(number), _) => {
                let place = self.find_number(number, stream, shard, tip()?)?;
                Ok(Start::Record(place.record))
            }
            ("AFTER_SEQUENCE_NUMBER", Some(number), _) => {
                let place = self.find_number(number, stream, shard, tip()?)?;
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

    /// Takes only numbers that this shard has given, or begins or ends with.
    fn find_number(
        &self,
        text: &Text<'_>,
        stream: &Stream,
        shard: &Shard,
        tip: Position,
    ) -> Result<Found, ApiError> {
        let StreamArn { account, name, .. } = &stream.arn;
        let operation = self.operation;
        let refused = |reason: &str| {
            error::invalid_argument(format!(
                "StartingSequenceNumber {} used in {operation} on shard {} in stream {name} under \
                 account {account} is invalid{reason}.",
                text.as_str(),
                shard.id_text(),
            ))
        };
        let number = GivenNumber::parse(text).map_err(|_| refused(""))?;
        if !number.is_of(shard.facts().id) {
            return Err(error::invalid_argument(format!(
                "Invalid StartingSequenceNumber. It encodes {}, while it was used in a call to a \
                 shard with {}",
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
