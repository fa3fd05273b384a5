//! Records on their way to outputs: streams and delivery streams.

use std::sync::Arc;
use std::time::Duration;

use delivery::Delivery;
use delivery::arn::DeliveryStreamArn;
use store::{Append, LogId};
use streams::Streams;
use streams::emit::Emitted;
use types::StreamArn;

use super::limits::OUTPUT_RECORD_BYTES_MAX;

/// No less than a record has in a frame besides its own bytes: its key, which is a number, and two
/// lengths.
const LAID_BYTES: usize = 32;

/// Where records go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A stream.
    Stream(StreamArn),
    /// A delivery stream.
    Delivery(DeliveryStreamArn),
}

impl Target {
    fn what(&self) -> String {
        match self {
            Self::Stream(arn) => format!("the stream {}", arn.name),
            Self::Delivery(arn) => format!("the delivery stream {}", arn.name),
        }
    }
}

/// An output of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its id, by which its records are counted.
    pub id: String,
    /// Where it goes.
    pub target: Target,
}

/// Records, one after the other in one piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Packed {
    /// Adds a record, if no output would refuse it for its size.
    pub fn push(&mut self, record: &[u8]) -> bool {
        let fits = record.len() <= OUTPUT_RECORD_BYTES_MAX;
        if fits {
            self.bytes.extend_from_slice(record);
            self.ends.push(self.bytes.len());
        }
        fits
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all records.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes that they take in a transaction with their keys, or more.
    pub fn laid_bytes(&self) -> usize {
        self.bytes.len() + self.ends.len() * LAID_BYTES
    }

    /// The records in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let starts = std::iter::once(&0).chain(&self.ends);
        let ranges = starts.zip(&self.ends);
        ranges.map(|(start, end)| &self.bytes[*start..*end])
    }

    /// The same without one of them.
    fn without(&self, index: usize) -> Self {
        let mut rest = Self::default();
        for (place, record) in self.iter().enumerate() {
            if place != index {
                rest.push(record);
            }
        }
        rest
    }
}

/// Records for one output, and the number of the first of them.
#[derive(Clone, Debug)]
pub struct Batch {
    pub output: Output,
    pub first: u64,
    pub records: Packed,
}

/// Records that are ready for a transaction.
pub enum Ready {
    Stream(streams::emit::Emission),
    Delivery(delivery::emit::Emission),
}

impl Ready {
    /// The frames, for the transaction.
    pub fn appends(&self) -> &[Append] {
        match self {
            Self::Stream(emission) => emission.appends(),
            Self::Delivery(emission) => emission.appends(),
        }
    }

    /// The records are durable.
    pub fn committed(self) {
        match self {
            Self::Stream(emission) => emission.committed(),
            Self::Delivery(emission) => emission.committed(),
        }
    }

    /// The commit was refused because this log is sealed: waits until it is known which shards take
    /// its place, if it is one of these records' logs.
    pub async fn resharded(self, log: LogId) {
        if let Self::Stream(emission) = self
            && emission.is_for(log)
        {
            emission.resharded().await;
        }
    }
}

/// Why records are not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotReady {
    /// What stands in the way.
    pub why: String,
    /// When it may be otherwise, if that is known.
    pub wait: Option<Duration>,
}

/// The parts of the server that take records.
#[derive(Clone)]
pub struct Takers {
    pub streams: Arc<Streams>,
    pub delivery: Arc<Delivery>,
}

/// What became of records that were made ready.
#[derive(Default)]
pub struct Prepared {
    pub ready: Vec<Ready>,
    /// Records that their output never takes.
    pub refused: u64,
}

impl Takers {
    /// Makes records ready. Hashes and copies all of them.
    ///
    /// # Errors
    /// They cannot be put, or not now; then nothing of them is charged.
    pub fn prepare(&self, batches: &[Batch]) -> Result<Prepared, NotReady> {
        let mut prepared = Prepared::default();
        for batch in batches {
            let mut fewer: Option<Packed> = None;
            loop {
                let records = fewer.as_ref().unwrap_or(&batch.records);
                if records.is_empty() {
                    break;
                }
                match self.ready(batch, records) {
                    Ok(ready) => {
                        prepared.ready.push(ready);
                        break;
                    }
                    Err(Unready::Never(index)) => {
                        fewer = Some(records.without(index));
                        prepared.refused += 1;
                    }
                    Err(Unready::NotNow(why, wait)) => {
                        let what = batch.output.target.what();
                        let why = format!("put records to {what}: {why}");
                        return Err(NotReady { why, wait });
                    }
                }
            }
        }
        Ok(prepared)
    }

    fn ready(&self, batch: &Batch, records: &Packed) -> Result<Ready, Unready> {
        match &batch.output.target {
            Target::Stream(arn) => {
                // A key says which shard takes the record: counting spreads them over all shards,
                // and gives the same shard again when the same is done again.
                let keys: Vec<String> = (batch.first..)
                    .take(records.len())
                    .map(|number| number.to_string())
                    .collect();
                let emitted = keys.iter().zip(records.iter());
                let emitted: Vec<Emitted<'_>> = emitted
                    .map(|(key, data)| Emitted {
                        partition_key: key,
                        data,
                    })
                    .collect();
                let prepared = self.streams.prepare(arn, &emitted);
                prepared.map(Ready::Stream).map_err(of_stream)
            }
            Target::Delivery(arn) => {
                let prepared = self.delivery.prepare(arn, records.iter());
                prepared.map(Ready::Delivery).map_err(of_delivery)
            }
        }
    }
}

enum Unready {
    /// The record at this place is never taken.
    Never(usize),
    NotNow(String, Option<Duration>),
}

fn of_stream(error: streams::emit::EmitError) -> Unready {
    use streams::emit::EmitError;
    match error {
        EmitError::Refused { index, .. } => Unready::Never(index),
        EmitError::OverRate(wait) => Unready::NotNow(error.to_string(), Some(wait)),
        EmitError::NotActive | EmitError::Internal(_) => Unready::NotNow(error.to_string(), None),
    }
}

fn of_delivery(error: delivery::emit::EmitError) -> Unready {
    use delivery::emit::EmitError;
    match error {
        EmitError::TooLarge { index } => Unready::Never(index),
        EmitError::OverRate(wait) => Unready::NotNow(error.to_string(), Some(wait)),
        EmitError::NotActive | EmitError::NotDirect | EmitError::Internal(_) => {
            Unready::NotNow(error.to_string(), None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_records_come_out_as_they_went_in_and_one_can_be_left_out() {
        let mut packed = Packed::default();
        for record in ["one", "", "three"] {
            assert!(packed.push(record.as_bytes()));
        }
        assert!(!packed.push(&vec![0; OUTPUT_RECORD_BYTES_MAX + 1]));
        assert_eq!((packed.len(), packed.bytes()), (3, 8));
        let texts: Vec<&[u8]> = packed.iter().collect();
        assert_eq!(texts, [&b"one"[..], b"", b"three"]);
        let rest = packed.without(1);
        assert_eq!(rest.iter().collect::<Vec<_>>(), [&b"one"[..], b"three"]);
    }
}
