//! Records through a version, one by one or together.

use std::sync::Arc;

use bytes::Bytes;
use types::{Second, SequenceNumber, ShardId, Timestamp};
use wasm::{Came, Columns, Cost, Moment, Role, Slab, Trial, Tried, Version};

use super::entries::Entry;
use super::outcome::Outcome;

/// What clocks show to a plugin under test, so that it gives the same each time: the first moment
/// of 2026.
const NOW: Timestamp = Timestamp(1_767_225_600_000);
/// What its random numbers are made of.
const SEED: u64 = 0;
/// Where records of files come from.
const ARN: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/tests";
const SHARD: ShardId = ShardId(0);

/// A record that goes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) data: Vec<u8>,
    pub(super) partition_key: String,
    pub(super) arrival: Option<Timestamp>,
    pub(super) sequence_number: Option<SequenceNumber>,
}

/// A record that went through.
pub(super) struct Ran {
    pub(super) outcome: Outcome,
    pub(super) cost: Cost,
}

/// Records through one version, in the order in which they are given.
pub(super) struct Runner {
    trial: Trial,
    role: Role,
    before: u64,
}

impl Runner {
    pub(super) fn new(version: &Arc<Version>) -> Self {
        let moment = Moment {
            now: NOW,
            seed: SEED,
        };
        Self {
            trial: Trial::new(version, moment),
            role: version.role(),
            before: 0,
        }
    }

    /// Puts entries into a consumer's tables, as if it had written them earlier.
    ///
    /// # Errors
    /// That its manifest does not ask for a table, or that there is too much.
    pub(super) fn fill(&mut self, entries: &[Entry]) -> Result<(), String> {
        for Entry { table, key, value } in entries {
            let (key, value) = (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
            self.trial.fill(table, key, value)?;
        }
        Ok(())
    }

    /// What a consumer's tables hold, in order.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let entries = self.trial.entries().into_iter();
        let entry = |(table, key, value): (String, Bytes, Bytes)| Entry {
            table,
            key: key.to_vec(),
            value: value.to_vec(),
        };
        entries.map(entry).collect()
    }

    /// Each record in a batch of its own, in order.
    pub(super) fn run_all(&mut self, records: &[Record]) -> Result<Vec<Ran>, String> {
        records.iter().map(|record| self.run(record)).collect()
    }

    /// One record in a batch of its own.
    pub(super) fn run(&mut self, record: &Record) -> Result<Ran, String> {
        let Tried { outcome, cost } = self.hand(std::slice::from_ref(record))?;
        let outcome = match outcome {
            Ok(Came::Outputs(outputs)) => Outcome::of_outputs(&outputs, 1).pop(),
            Ok(Came::Effects(effects)) => Some(Outcome::of_effects(&effects)),
            Err(fault) => Some(Outcome::of_fault(&fault)),
        };
        let outcome = outcome.ok_or("a record that came out as nothing")?;
        Ok(Ran { outcome, cost })
    }

    /// All records in one batch; `None` where the batch as a whole comes to nothing. Of a consumer
    /// it is one outcome: nobody knows for which record it did what.
    pub(super) fn run_batch(&mut self, records: &[Record]) -> Result<Option<Vec<Outcome>>, String> {
        Ok(match self.hand(records)?.outcome {
            Ok(Came::Outputs(outputs)) => Some(Outcome::of_outputs(&outputs, records.len())),
            Ok(Came::Effects(effects)) => Some(vec![Outcome::of_effects(&effects)]),
            Err(_) => None,
        })
    }

    pub(super) fn is_of_a_consumer(&self) -> bool {
        self.role == Role::Consumer
    }

    fn hand(&mut self, records: &[Record]) -> Result<Tried, String> {
        let (slab, columns) = self.batch(records)?;
        Ok(self.trial.work(&slab, &Arc::new(columns)))
    }

    /// The records as they cross into a plugin.
    fn batch(&mut self, records: &[Record]) -> Result<(Slab, Columns), String> {
        let mut slab = Slab::default();
        let mut columns = Columns {
            arn: ARN.to_owned(),
            shard: Some(SHARD.to_string()),
            ..Columns::default()
        };
        for record in records {
            let key = record.partition_key.as_bytes();
            if !slab.push(&record.data) || !columns.partition_keys.push(key) {
                return Err("a batch of more than 4 GiB".to_owned());
            }
            let arrival = record.arrival.unwrap_or(NOW);
            columns.arrivals_ms.push(arrival.0);
            let numbered = || {
                let created = Second::of(NOW);
                SequenceNumber::of_record(SHARD, created, self.before, arrival)
            };
            let number = record.sequence_number.unwrap_or_else(numbered);
            columns.sequence_numbers.push(number);
            columns.sub_sequence_numbers.push(0);
            self.before += 1;
        }
        Ok((slab, columns))
    }
}

/// Each record in a batch of its own, in order; a consumer's tables hold these entries before.
pub(super) fn run_all(
    version: &Arc<Version>,
    entries: &[Entry],
    records: &[Record],
) -> Result<Vec<Ran>, String> {
    let mut runner = Runner::new(version);
    runner.fill(entries)?;
    runner.run_all(records)
}
