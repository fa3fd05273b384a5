//! PutRecord.

use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use types::{GivenNumber, SequenceNumber, StreamArn, Timestamp};
use wire::members::{Blob, Boolean, Text};
use wire::shape::{self, Check, Shape};
use wire::{Answer, ApiError, Call, Codec, Requester, Writer};

use super::shapes::{DATA, HASH_KEY, PARTITION_KEY, SEQUENCE_NUMBER, StreamMembers};
use super::{error, required};
use crate::Streams;
use crate::counts::Counted;
use crate::encryption::KMS;
use crate::mode::Distribution;
use crate::new_record::NewRecord;
use crate::put::Outcome;
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
        check.optional("PartitionKey", &self.partition_key, PARTITION_KEY);
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
    let begun = streams.clock.uptime();
    let input: Input<'_> = call.parse()?;
    let checked = check(streams, &call.caller, &input);
    let (stream, record) = checked.map_err(|error| shape::refusal(&input, error))?;
    let (arn, counts) = (stream.arn.clone(), Arc::clone(&stream.counts));
    let put = streams.put(stream, &[record]).await;
    let took = streams.clock.uptime().saturating_sub(begun);
    // Where nothing was tried nothing has landed.
    let counted = put.as_ref().map_or(Counted::default(), |put| put.counted);
    let (records, bytes) = (counted.landed, counted.landed_bytes);
    counts.put_record.put(took, records, bytes);
    let put = put.map_err(|error| error::put(error, &arn))?;
    if let Some(error) = put.error() {
        error::log_not_kept(&arn, error);
    }
    match put.outcomes().next() {
        Some(Outcome::Landed { shard, number }) => {
            let place = (shard.id_text(), number);
            Ok(landed(call.codec, place, put.is_sealed()))
        }
        Some(Outcome::OverRate(shard)) => Err(error::over_rate(&arn, shard)),
        Some(Outcome::Failed) | None => Err(error::not_kept()),
    }
}

/// What can be refused without knowing whether there is room: constraints, then existence, then
/// arguments, as the service does it.
fn check<'a>(
    streams: &Streams,
    by: &Requester,
    input: &'a Input<'_>,
) -> Result<(Arc<Stream>, NewRecord<'a>), ApiError> {
    let stream = input.stream().find_active(streams, by)?;
    let data = required("Data", &input.data)?;
    let key = input.partition_key.as_ref();
    if NewRecord::bytes_of(key, data) > stream.record_bytes_max {
        return Err(error::record_too_large(&stream, "data"));
    }
    let record = match (stream.distribution(), key) {
        (Distribution::Auto, key) => NewRecord::distributed(&stream, key, data),
        (Distribution::UserPartitionKey, Some(key)) => {
            NewRecord::parse(key, data, input.explicit_hash_key.as_ref())?
        }
        (Distribution::UserPartitionKey, None) => {
            return Err(error::no_partition_key("partitionKey"));
        }
    };
    if let Some(number) = &input.sequence_number_for_ordering {
        check_order(number, &stream, streams.now())?;
    }
    if matches!(input.dry_run, Some(Boolean(true))) {
        return Err(error::dry_run());
    }
    Ok((stream, record))
}

/// A record that is put after another was acknowledged comes after it by itself, so the number
/// only has to be one that the service can have made by now.
fn check_order(text: &Text<'_>, stream: &Stream, now: Timestamp) -> Result<(), ApiError> {
    let number = GivenNumber::parse(text).ok();
    let is_made = number.is_some_and(|number| {
        // The clock may have been set back since a number of this stream was given.
        number.arrival().is_none_or(|arrival| arrival <= now) || stream.has_numbered(&number)
    });
    if is_made {
        return Ok(());
    }
    let StreamArn { account, name, .. } = &stream.arn;
    Err(error::invalid_argument(format!(
        "ExclusiveMinimumSequenceNumber {} used in PutRecord on stream {name} under account \
         {account} is invalid.",
        text.as_str(),
    )))
}

fn landed(codec: Codec, (shard, number): (&str, SequenceNumber), is_sealed: bool) -> Answer {
    let mut out = Writer::with_capacity(codec, 160);
    out.structure(if is_sealed { 3 } else { 2 });
    out.member("ShardId");
    out.word(shard.as_bytes());
    out.member("SequenceNumber");
    out.word(&number.digits());
    if is_sealed {
        out.member("EncryptionType");
        out.word(KMS.as_bytes());
    }
    out.end_structure();
    Answer::whole(Bytes::from(out.take()))
}
