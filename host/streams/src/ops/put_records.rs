//! PutRecords.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use types::StreamArn;
use types::limits::{PUT_RECORDS_BYTES_MAX, PUT_RECORDS_COUNT_MAX};
use wire::members::{Blob, Boolean, List, Structure, Text};
use wire::shape::{self, Check, Fields, ListRule, Shape};
use wire::{Answer, ApiError, Call, Codec, Requester, Writer};

use super::shapes::{DATA, HASH_KEY, PARTITION_KEY, StreamMembers};
use super::{error, required};
use crate::Streams;
use crate::counts::Counted;
use crate::encryption::KMS;
use crate::mode::Distribution;
use crate::new_record::NewRecord;
use crate::put::{Outcome, Put};
use crate::stream::Stream;

const RECORDS: ListRule<Fields> = ListRule::of(1, PUT_RECORDS_COUNT_MAX, Fields);
/// Bytes of a record's part of the answer, when it landed.
const LANDED_BYTES: usize = 96;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    records: Option<List<Structure<Entry<'a>>>>,
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

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    #[serde(borrow)]
    data: Option<Blob<'a>>,
    #[serde(borrow)]
    explicit_hash_key: Option<Text<'a>>,
    #[serde(borrow)]
    partition_key: Option<Text<'a>>,
}

impl<'a> Entry<'a> {
    /// The record; its size was looked at, and whether it has the key that it needs.
    fn record(&'a self, stream: &Stream) -> Result<NewRecord<'a>, ApiError> {
        let data = required("Data", &self.data)?;
        match (stream.distribution(), self.partition_key.as_ref()) {
            (Distribution::Auto, key) => Ok(NewRecord::distributed(stream, key, data)),
            (Distribution::UserPartitionKey, key) => {
                let key = key.ok_or_else(|| error::internal("read a checked record", &"no key"))?;
                NewRecord::parse(key, data, self.explicit_hash_key.as_ref())
            }
        }
    }
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("Records", &self.records, RECORDS);
        self.stream().check(check);
    }
}

impl Shape for Entry<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("PartitionKey", &self.partition_key, PARTITION_KEY);
        check.optional("ExplicitHashKey", &self.explicit_hash_key, HASH_KEY);
        check.required("Data", &self.data, DATA);
    }
}

/// Writes up to 500 records and answers where each landed or why it did not, after those that
/// landed are durable.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let begun = streams.clock.uptime();
    let input: Input<'_> = call.parse()?;
    let checked = check(streams, &call.caller, &input);
    let (stream, records) = checked.map_err(|error| shape::refusal(&input, error))?;
    let (arn, counts) = (stream.arn.clone(), Arc::clone(&stream.counts));
    let put = streams.put(stream, &records).await;
    let took = streams.clock.uptime().saturating_sub(begun);
    // Where nothing was tried nothing has landed, and no record failed by itself.
    let counted = put.as_ref().map_or(Counted::default(), |put| put.counted);
    let (landed, bytes) = (counted.landed, counted.landed_bytes);
    counts.put_records.put(took, landed, bytes);
    counts.put_records_total.add(records.len() as u64);
    counts.put_records_failed.add(counted.failed);
    counts.put_records_throttled.add(counted.over_rate);
    let put = put.map_err(|error| error::put(error, &arn))?;
    if let Some(error) = put.error() {
        error::log_not_kept(&arn, error);
    }
    Ok(answer(call.codec, &put, &arn, records.len()))
}

/// What can be refused without knowing whether there is room: constraints, then existence, then
/// arguments, as the service does it.
fn check<'a>(
    streams: &Streams,
    by: &Requester,
    input: &'a Input<'_>,
) -> Result<(Arc<Stream>, Vec<NewRecord<'a>>), ApiError> {
    let stream = input.stream().find_active(streams, by)?;
    let entries: &[Structure<Entry<'_>>] = required("Records", &input.records)?;
    let mut bytes = 0;
    for (number, Structure(entry)) in (1..).zip(entries) {
        let key = entry.partition_key.as_ref();
        if key.is_none() && stream.distribution() == Distribution::UserPartitionKey {
            let path = format!("records.{number}.member.partitionKey");
            return Err(error::no_partition_key(&path));
        }
        let record_bytes = NewRecord::bytes_of(key, required("Data", &entry.data)?);
        if record_bytes > stream.record_bytes_max {
            let path = format!("records.{number}.member.data");
            return Err(error::record_too_large(&stream, &path));
        }
        bytes += record_bytes;
    }
    let records = entries.iter().map(|Structure(entry)| entry.record(&stream));
    let records = records.collect::<Result<Vec<_>, _>>()?;
    if bytes > PUT_RECORDS_BYTES_MAX {
        return Err(error::invalid_argument("Records size exceeds 10 MB limit"));
    }
    if matches!(input.dry_run, Some(Boolean(true))) {
        return Err(error::dry_run());
    }
    Ok((stream, records))
}

fn answer(codec: Codec, put: &Put, stream: &StreamArn, count: usize) -> Answer {
    let mut records = Writer::with_capacity(codec, count * LANDED_BYTES);
    let mut failed = 0;
    // Of hundreds of records over the rate of one shard each has the same text.
    let mut rate_texts: HashMap<&str, String> = HashMap::new();
    for outcome in put.outcomes() {
        records.element();
        match outcome {
            Outcome::Landed { shard, number } => {
                records.structure(2);
                records.member("SequenceNumber");
                records.word(&number.digits());
                records.member("ShardId");
                records.word(shard.id_text().as_bytes());
                records.end_structure();
            }
            Outcome::OverRate(shard) => {
                failed += 1;
                let text = rate_texts
                    .entry(shard.id_text())
                    .or_insert_with(|| error::rate_text(stream, shard.id_text()));
                write_failure(&mut records, "ProvisionedThroughputExceededException", text);
            }
            Outcome::Failed => {
                failed += 1;
                write_failure(
                    &mut records,
                    "InternalFailure",
                    error::INTERNAL_FAILURE_TEXT,
                );
            }
        }
    }
    let mut whole = Writer::with_capacity(codec, 64);
    let is_sealed = put.is_sealed();
    whole.structure(if is_sealed { 3 } else { 2 });
    if is_sealed {
        whole.member("EncryptionType");
        whole.word(KMS.as_bytes());
    }
    whole.member("FailedRecordCount");
    whole.number(failed);
    whole.member("Records");
    whole.list(count);
    let head = whole.take();
    whole.end_list();
    whole.end_structure();
    Answer::parts([head, records.take(), whole.take()])
}

fn write_failure(out: &mut Writer, code: &str, message: &str) {
    out.structure(2);
    out.member("ErrorCode");
    out.text(code);
    out.member("ErrorMessage");
    out.text(message);
    out.end_structure();
}
