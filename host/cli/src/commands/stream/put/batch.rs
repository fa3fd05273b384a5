//! Records that are put with one call. Those that are refused for a moment are put again.

use std::time::Duration;

use tokio::time::sleep;

use crate::client::{CallError, Client};
use crate::commands::stream::shapes::{
    Landed, NewRecord, Placement, PutRecords, PutRecordsAnswer, RefusedRecord,
};
use crate::failure::Failure;

/// Records of one call (PutRecords).
const RECORDS_MAX: usize = 500;
/// Bytes of data and keys of one call; PutRecords takes 10 MiB.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// How often records that were refused for a moment are put again.
const ATTEMPTS_MAX: u32 = 30;
/// The pause before they are put again for the first time. It doubles each time, up to the longest.
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

    /// Takes one more. Returns whether there is room for another.
    pub(crate) fn add(&mut self, partition_key: String, data: Vec<u8>) -> bool {
        self.bytes += data.len() + partition_key.len();
        self.records.push(Waiting {
            partition_key,
            data,
        });
        self.records.len() < RECORDS_MAX && self.bytes < BYTES_MAX
    }

    /// Puts all of it and empties it; throttled records are put again until they are in. Returns
    /// every record with the place where it landed. A record that is put again may come after one
    /// that was put later.
    pub(crate) async fn put(
        &mut self,
        client: &mut Client,
    ) -> Result<Vec<(Waiting, Landed)>, Failure> {
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

/// Moves records that landed to `done`, and returns those that must be put again.
fn sort(
    waiting: Vec<Waiting>,
    answer: PutRecordsAnswer,
    done: &mut Vec<(Waiting, Landed)>,
) -> Result<Vec<Waiting>, Failure> {
    if answer.records.len() != waiting.len() {
        return Err("PutRecords: the answer has another number of records"
            .to_owned()
            .into());
    }
    let mut again = Vec::new();
    for (record, placement) in waiting.into_iter().zip(answer.records) {
        let RefusedRecord {
            error_code: code,
            error_message: message,
        } = match placement {
            Placement::Landed(landed) => {
                done.push((record, landed));
                continue;
            }
            Placement::Refused(refused) => refused,
        };
        match code.as_str() {
            "ProvisionedThroughputExceededException" | "InternalFailure" => again.push(record),
            _ => {
                return Err(format!("PutRecords: a record was refused: {code}: {message}").into());
            }
        }
    }
    Ok(again)
}
