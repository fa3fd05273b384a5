//! Records that are put together, again and again until all are in.

use std::time::Duration;

use tokio::time::sleep;

use crate::client::{CallError, Client};
use crate::commands::stream::shapes::{NewRecord, Placement, PutRecords, PutRecordsAnswer};
use crate::failure::Failure;

/// Records of one call (PutRecords).
const RECORDS_MAX: usize = 500;
/// Bytes of data and keys of one call; PutRecords takes 10 MiB.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// How often records that were refused for a moment are put again.
const ATTEMPTS_MAX: u32 = 30;
/// Before the first time again; it doubles up to the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_LONGEST: Duration = Duration::from_secs(1);

/// Records on their way into one stream.
pub(crate) struct Batch {
    stream: String,
    records: Vec<Waiting>,
    bytes: usize,
}

/// A record that is to be put.
pub(crate) struct Waiting {
    pub(crate) partition_key: String,
    pub(crate) data: Vec<u8>,
}

impl Batch {
    /// For a stream, empty.
    pub(crate) fn new(stream: &str) -> Self {
        Self {
            stream: stream.to_owned(),
            records: Vec::new(),
            bytes: 0,
        }
    }

    /// Takes one more; false says that it is full now.
    pub(crate) fn add(&mut self, partition_key: String, data: Vec<u8>) -> bool {
        self.bytes += data.len() + partition_key.len();
        self.records.push(Waiting {
            partition_key,
            data,
        });
        self.records.len() < RECORDS_MAX && self.bytes < BYTES_MAX
    }

    /// Puts all of it, what is throttled again and again; then it is empty. Returns every record
    /// with its placement. A record that is put again may come after one that was put later.
    pub(crate) async fn put(
        &mut self,
        client: &mut Client,
    ) -> Result<Vec<(Waiting, Placement)>, Failure> {
        self.bytes = 0;
        let mut waiting = std::mem::take(&mut self.records);
        let mut done = Vec::with_capacity(waiting.len());
        let mut pause = PAUSE_FIRST;
        for _ in 0..ATTEMPTS_MAX {
            if waiting.is_empty() {
                return Ok(done);
            }
            match self.call(client, &waiting).await {
                Ok(answer) => waiting = sort(waiting, answer, &mut done)?,
                Err(error) if error.passes() => {}
                Err(error) => return Err(error.into()),
            }
            if !waiting.is_empty() {
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE_LONGEST);
            }
        }
        match waiting.len() {
            0 => Ok(done),
            left => Err(format!("{left} records were throttled {ATTEMPTS_MAX} times").into()),
        }
    }

    async fn call(
        &self,
        client: &mut Client,
        waiting: &[Waiting],
    ) -> Result<PutRecordsAnswer, CallError> {
        let records = waiting.iter().map(|record| NewRecord {
            data: base64_simd::STANDARD.encode_to_string(&record.data),
            partition_key: &record.partition_key,
        });
        let input = PutRecords {
            stream_name: &self.stream,
            records: records.collect(),
        };
        client.call("PutRecords", &input).await
    }
}

/// Parts what is in from what must be put again.
fn sort(
    waiting: Vec<Waiting>,
    answer: PutRecordsAnswer,
    done: &mut Vec<(Waiting, Placement)>,
) -> Result<Vec<Waiting>, Failure> {
    if answer.records.len() != waiting.len() {
        return Err("PutRecords: the answer has another number of records"
            .to_owned()
            .into());
    }
    let mut again = Vec::new();
    for (record, placement) in waiting.into_iter().zip(answer.records) {
        match placement.error_code.as_deref() {
            None => done.push((record, placement)),
            Some("ProvisionedThroughputExceededException" | "InternalFailure") => {
                again.push(record);
            }
            Some(code) => {
                let message = placement.error_message.as_deref().unwrap_or_default();
                return Err(format!("PutRecords: a record was refused: {code}: {message}").into());
            }
        }
    }
    Ok(again)
}
