//! All shards of a stream, answer after answer, for commands that work on records. Shards are not
//! merged, and their children are read from their beginning.

use std::collections::BTreeSet;
use std::sync::Arc;

use types::Timestamp;
use wire::members::Time;

use super::describe::shards;
use super::shapes::{GetRecords, GetShardIterator, Records, ShardIterator};
use super::tail::Begin;
use crate::client::{CallError, Client, Target};

/// Records that one answer may have: those of a few megabytes at most.
const ANSWER_RECORDS_MAX: usize = 1_000;
const GET_RECORDS: &str = "GetRecords";

/// How far a stream is read.
pub(crate) struct Reading {
    client: Client,
    stream: String,
    /// Shards that have more, or may have.
    open: Vec<OpenShard>,
    known: BTreeSet<String>,
}

struct OpenShard {
    iterator: String,
    is_at_tip: bool,
}

/// A record as it was read.
pub(crate) struct Read {
    pub(crate) data: Vec<u8>,
    pub(crate) partition_key: String,
    pub(crate) sequence_number: String,
    pub(crate) arrival: Timestamp,
}

impl Reading {
    /// Begins in all shards that there are.
    pub(crate) async fn begin(
        target: &Arc<Target>,
        stream: &str,
        begin: Begin,
    ) -> Result<Self, CallError> {
        let mut reading = Self {
            client: Client::new(target),
            stream: stream.to_owned(),
            open: Vec::new(),
            known: BTreeSet::new(),
        };
        for shard in shards(&mut reading.client, stream).await? {
            reading.add(shard.shard_id, begin).await?;
        }
        Ok(reading)
    }

    /// One answer of each shard.
    pub(crate) async fn next(&mut self) -> Result<Vec<Read>, CallError> {
        let mut read = Vec::new();
        let mut open = Vec::new();
        for mut shard in std::mem::take(&mut self.open) {
            let input = GetRecords {
                shard_iterator: &shard.iterator,
                limit: ANSWER_RECORDS_MAX,
            };
            let answer = match self.client.call_whole(GET_RECORDS, &input).await {
                // More was read than a second allows; the next round comes later.
                Err(error) if error.is_over_rate() => {
                    open.push(shard);
                    continue;
                }
                answer => answer?,
            };
            let said: Records<'_> = self.client.read(GET_RECORDS, &answer)?;
            for record in &said.records {
                let data = base64_simd::STANDARD.decode_to_vec(record.data.as_bytes());
                let Time(arrival) = record.approximate_arrival_timestamp;
                read.push(Read {
                    data: data.map_err(|_| CallError::Broken("data are not base64".to_owned()))?,
                    partition_key: record.partition_key.clone().into_owned(),
                    sequence_number: record.sequence_number.clone().into_owned(),
                    arrival,
                });
            }
            shard.is_at_tip = said.millis_behind_latest == Some(0);
            match said.next_shard_iterator {
                Some(iterator) => open.push(OpenShard { iterator, ..shard }),
                None => {
                    for child in said.child_shards {
                        self.add(child.shard_id, Begin::TrimHorizon).await?;
                    }
                }
            }
        }
        self.open.extend(open);
        Ok(read)
    }

    /// Whether all that there is was read.
    pub(crate) fn is_at_tip(&self) -> bool {
        self.open.iter().all(|shard| shard.is_at_tip)
    }

    async fn add(&mut self, id: String, begin: Begin) -> Result<(), CallError> {
        if !self.known.insert(id.clone()) {
            return Ok(());
        }
        let (kind, at) = match begin {
            Begin::At(at) => ("AT_TIMESTAMP", Some(Time(at))),
            Begin::TrimHorizon => ("TRIM_HORIZON", None),
            Begin::Latest => ("LATEST", None),
        };
        let input = GetShardIterator {
            stream_name: &self.stream,
            shard_id: &id,
            shard_iterator_type: kind,
            starting_sequence_number: None,
            timestamp: at,
        };
        let answer: ShardIterator = self.client.call("GetShardIterator", &input).await?;
        self.open.push(OpenShard {
            iterator: answer.shard_iterator,
            is_at_tip: false,
        });
        Ok(())
    }
}
