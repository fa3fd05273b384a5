//! PutRecord.

use bytes::Bytes;
use serde::Deserialize;
use types::SequenceNumber;
use wire::json::{self, Blob, Boolean, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::error;
use super::shapes::{DATA, HASH_KEY, PARTITION_KEY, SEQUENCE_NUMBER, StreamMembers};
use crate::Streams;
use crate::put::{NewRecord, Outcome};
use crate::stream::Stream;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    data: Option<Blob<'a>>,
    #[serde(borrow)]
    partition_key: Option<Text<'a>>,
    #[serde(borrow)]
    explicit_hash_key: Option<Text<'a>>,
    #[serde(borrow)]
    sequence_number_for_ordering: Option<Text<'a>>,
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
        check.required("PartitionKey", &self.partition_key, PARTITION_KEY);
        check.optional("ExplicitHashKey", &self.explicit_hash_key, HASH_KEY);
        check.optional(
            "SequenceNumberForOrdering",
            &self.sequence_number_for_ordering,
            SEQUENCE_NUMBER,
        );
        check.required("Data", &self.data, DATA);
        self.stream().check(check);
    }
}

/// Writes one record and answers where it landed, after it is durable.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = json::parse(&call.body)?;
    let stream = input.stream().find_active(streams, &call.caller)?;
    let (Some(key), Some(data)) = (&input.partition_key, &input.data) else {
        return Err(ApiError::internal(error::INTERNAL_FAILURE_TEXT));
    };
    let record = NewRecord::parse(key, data, input.explicit_hash_key.as_ref())?;
    check_order(input.sequence_number_for_ordering.as_ref(), &stream)?;
    if stream.record_bytes_max < record.bytes() {
        return Err(error::record_too_large(&stream, "data"));
    }
    if matches!(input.dry_run, Some(Boolean(true))) {
        return Err(error::dry_run());
    }
    let arn = stream.arn.clone();
    let put = streams.put(stream, &[record]).await;
    let put = put.map_err(|error| error::put(error, &arn))?;
    match put.outcomes().next() {
        Some(Outcome::Landed { shard, number }) => Ok(landed(shard.id_text(), number)),
        Some(Outcome::OverRate(shard)) => Err(error::over_rate(&arn, shard)),
        Some(Outcome::Failed) | None => Err(error::not_kept(&arn, put.error())),
    }
}

/// A record that is put after another was acknowledged comes after it by itself, so the number
/// only has to be one of ours.
fn check_order(after: Option<&Text<'_>>, stream: &Stream) -> Result<(), ApiError> {
    match after {
        Some(number) if SequenceNumber::parse(number).is_err() => {
            Err(error::invalid_argument(format!(
                "ExclusiveMinimumSequenceNumber {} used in PutRecord on stream {} under account \
                 {} is invalid.",
                number.as_str(),
                stream.arn.name,
                stream.arn.account
            )))
        }
        _ => Ok(()),
    }
}

fn landed(shard: &str, number: SequenceNumber) -> Answer {
    let mut out = Vec::with_capacity(128);
    out.extend_from_slice(b"{\"ShardId\":\"");
    out.extend_from_slice(shard.as_bytes());
    out.extend_from_slice(b"\",\"SequenceNumber\":\"");
    out.extend_from_slice(&number.digits());
    out.extend_from_slice(b"\"}");
    Answer::whole(Bytes::from(out))
}
