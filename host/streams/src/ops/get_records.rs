//! GetRecords.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use store::StoreError;
use types::limits::{GET_RECORDS_BYTES_MAX, GET_RECORDS_COUNT_MAX};
use wire::members::{Boolean, Integer, Text};
use wire::shape::{Check, NumberRule, Shape};
use wire::{Answer, ApiError, Call, Writer};

use super::describe::ChildShard;
use super::shapes::{SHARD_ITERATOR, STREAM_ARN, STREAM_ID};
use super::{address, error, page_size, required};
use crate::Streams;
use crate::directory::owner;
use crate::iterator::{ShardIterator, Start};
use crate::reader::{Selection, Wanted};
use crate::shard::Shard;
use crate::stream::Stream;

/// How far behind a reader is that has read everything.
const AT_TIP_MS: u128 = 0;
/// How far behind a reader is at least that has not: it would take 0 for the tip, though the next
/// record may have arrived in this very millisecond.
const BEHIND_MS_MIN: u128 = 1;
/// Bytes of an answer besides its records, at most: an iterator, or two children.
const HEAD_BYTES_MAX: usize = 4 * 1024;
const LIMIT: NumberRule = NumberRule::within(1, 10_000);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    shard_iterator: Option<Text<'a>>,
    limit: Option<Integer>,
    dry_run: Option<Boolean>,
    #[serde(borrow, rename = "StreamARN")]
    stream_arn: Option<Text<'a>>,
    #[serde(borrow)]
    stream_id: Option<Text<'a>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("Limit", &self.limit, LIMIT);
        check.required("ShardIterator", &self.shard_iterator, SHARD_ITERATOR);
        check.optional("StreamARN", &self.stream_arn, STREAM_ARN);
        check.optional("StreamId", &self.stream_id, STREAM_ID);
    }
}

/// Gives the records of a shard from an iterator on: up to 10,000 of up to 10 MiB together, or
/// fewer where memory is short.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let begun = streams.clock.uptime();
    let input: Input<'_> = call.parse()?;
    let (stream, iterator) = open(streams, &call, &input)?;
    let shard = stream.shards.find(iterator.shard);
    let shard = shard.ok_or_else(|| error::shard_not_found(&stream.arn, iterator.shard))?;
    if matches!(input.dry_run, Some(Boolean(true))) {
        return Err(error::dry_run());
    }
    let wanted = Wanted {
        start: iterator.start,
        limit: page_size(input.limit, GET_RECORDS_COUNT_MAX),
        bytes_max: GET_RECORDS_BYTES_MAX,
        text_bytes_max: streams
            .options
            .answer_bytes_max
            .saturating_sub(HEAD_BYTES_MAX),
        codec: call.codec,
        reader: call.caller.account,
        room: None,
    };
    let selection = select(streams, &stream, shard, &wanted).await;
    let answer =
        selection.and_then(|selection| answer(streams, iterator, &stream, shard, selection));
    let took = streams.clock.uptime().saturating_sub(begun);
    stream.counts.get_records.ended(took, answer.is_ok());
    answer
}

/// The records, if the shard may be read now.
async fn select<'r>(
    streams: &Streams,
    stream: &Stream,
    shard: &Shard,
    wanted: &Wanted<'r>,
) -> Result<Selection<'r>, ApiError> {
    let is_throttled = streams.options.throttle;
    if is_throttled && !shard.rates().begin_read(streams.clock.uptime()) {
        streams.count_read_exceeded(stream, shard);
        return Err(error::over_rate(&stream.arn, shard));
    }
    let selection = match streams.select(stream, shard, wanted).await {
        Err(StoreError::Corrupt { .. }) => {
            let next = streams.readable_from(shard, wanted.start).await;
            let next = next.map_err(|e| error::store("read", &stream.arn, shard, &e))?;
            return Err(error::unreadable(shard, next));
        }
        Err(StoreError::Key { key, why }) => {
            let refusal = streams.kms().refusal(key, why, &owner(&stream.arn));
            return Err(error::kms::refused(refusal));
        }
        selection => selection.map_err(|e| error::store("read", &stream.arn, shard, &e))?,
    };
    if is_throttled {
        shard.rates().end_read(selection.bytes);
    }
    // Where there was no record everything was read.
    let age = selection
        .last_arrival
        .map_or(Duration::ZERO, |arrival| streams.now().since(arrival));
    let read = (selection.count as u64, selection.bytes as u64);
    streams.count_read((stream, shard), read, age);
    Ok(selection)
}

/// The iterator, if it is still good, and its stream.
fn open(
    streams: &Streams,
    call: &Call,
    input: &Input<'_>,
) -> Result<(Arc<Stream>, ShardIterator), ApiError> {
    let token = required("ShardIterator", &input.shard_iterator)?;
    let iterator =
        ShardIterator::open(&streams.sealing_key, token).ok_or_else(error::invalid_iterator)?;
    let now = streams.now();
    if iterator.is_expired(now) {
        streams.metrics().expired_iterators.add(1);
        return Err(error::expired_iterator(iterator.issued_at, now));
    }
    let stream = address::of_iterator(streams, &call.caller, &iterator)?;
    match &input.stream_arn {
        Some(arn) if arn.as_str() != stream.arn.to_string() => {
            Err(error::invalid_argument(format!(
                "StreamARN {} is not the stream of the ShardIterator.",
                arn.as_str()
            )))
        }
        _ => Ok((stream, iterator)),
    }
}

/// What comes before and after the records is made here.
fn answer(
    streams: &Streams,
    iterator: ShardIterator,
    stream: &Stream,
    shard: &Shard,
    selection: Selection<'_>,
) -> Result<Answer, ApiError> {
    let now = streams.now();
    let behind = selection.next_arrival.map_or(AT_TIP_MS, |arrival| {
        now.since(arrival).as_millis().max(BEHIND_MS_MIN)
    });
    let behind = u64::try_from(behind).map_err(|e| error::internal("tell how far behind", &e))?;
    let mut out = Writer::with_capacity(selection.codec(), 1024);
    out.structure(3);
    out.member("MillisBehindLatest");
    out.number(behind);
    // A shard that was closed has no more to come; one whose log was sealed a moment ago will be
    // closed before its reader comes back.
    if selection.at_end && shard.facts().closed_at.is_some() {
        out.member("ChildShards");
        out.value(&ChildShard::all(stream, shard))?;
    } else {
        let next = ShardIterator {
            start: Start::Record(selection.next),
            issued_at: now,
            ..iterator
        };
        out.member("NextShardIterator");
        out.text(&next.seal(&streams.sealing_key));
    }
    out.member("Records");
    out.list(selection.count);
    let head = out.take();
    out.end_list();
    out.end_structure();
    let tail = out.take();
    let length = head.len() + selection.text_bytes() + tail.len();
    let chunks = std::iter::once(Bytes::from(head))
        .chain(selection.into_text())
        .chain(std::iter::once(Bytes::from(tail)))
        .filter(|chunk| !chunk.is_empty());
    Ok(Answer::chunks(length as u64, Box::new(chunks)))
}
