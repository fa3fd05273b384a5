//! What went in and what came out, shard by shard.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::commands::stream::Waiting;
use crate::commands::stream::shapes::{Placement, Record};
use crate::output;

/// The counts of a stream.
#[derive(Default)]
pub(super) struct Tally {
    shards: BTreeMap<String, Shard>,
}

#[derive(Default)]
struct Shard {
    went_in: Side,
    came_out: Side,
    /// The sequence number that came out last.
    last: String,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Side {
    records: u64,
    bytes: u64,
    /// The sum of a hash of every record, so that another record in its place would show.
    sum: u64,
}

impl Side {
    fn count(&mut self, sequence_number: &str, partition_key: &str, data: &[u8]) {
        let mut hasher = DefaultHasher::new();
        (sequence_number, partition_key, data).hash(&mut hasher);
        let bytes = data.len() + partition_key.len();
        self.records += 1;
        self.bytes += u64::try_from(bytes).unwrap_or_default();
        self.sum = self.sum.wrapping_add(hasher.finish());
    }

    fn and(self, other: Self) -> Self {
        Self {
            records: self.records + other.records,
            bytes: self.bytes + other.bytes,
            sum: self.sum.wrapping_add(other.sum),
        }
    }
}

impl Tally {
    pub(super) fn new(shards: impl Iterator<Item = String>) -> Self {
        Self {
            shards: shards.map(|shard| (shard, Shard::default())).collect(),
        }
    }

    pub(super) fn shards(&self) -> Vec<String> {
        self.shards.keys().cloned().collect()
    }

    /// Counts records that were acknowledged.
    pub(super) fn went_in(&mut self, gone: &[(Waiting, Placement)]) {
        for (record, placement) in gone {
            let shard = placement.shard_id.clone().unwrap_or_default();
            let number = placement.sequence_number.as_deref().unwrap_or_default();
            let side = &mut self.shards.entry(shard).or_default().went_in;
            side.count(number, &record.partition_key, &record.data);
        }
    }

    /// Counts records that were read; fails when one is not after the one before it.
    pub(super) fn came_out(&mut self, shard: &str, records: &[Record]) -> Result<(), String> {
        let counts = self.shards.entry(shard.to_owned()).or_default();
        for record in records {
            // All have the same number of digits, so their order as text is their order.
            if record.sequence_number <= counts.last {
                let number = &record.sequence_number;
                return Err(format!(
                    "{shard}: record {number} came out of order or twice"
                ));
            }
            counts.last.clone_from(&record.sequence_number);
            let data = base64_simd::STANDARD
                .decode_to_vec(&record.data)
                .map_err(|_| format!("{shard}: the data of a record is not base64"))?;
            let side = &mut counts.came_out;
            side.count(&record.sequence_number, &record.partition_key, &data);
        }
        Ok(())
    }

    /// Whether as much came out as went in.
    pub(super) fn is_even(&self) -> bool {
        let mut shards = self.shards.values();
        shards.all(|shard| shard.went_in.records == shard.came_out.records)
    }

    /// How far it is, on one line.
    pub(super) fn progress(&self, elapsed: Duration) -> String {
        let (went_in, came_out) = self.totals();
        format!(
            "{:>4} s   in {:>9} clicks   out {:>9} clicks",
            elapsed.as_secs(),
            output::count(went_in.records),
            output::count(came_out.records)
        )
    }

    /// What went in and came out in `took`.
    pub(super) fn table(&self, took: Duration) -> String {
        let head = [
            "shard",
            "in records",
            "in bytes",
            "out records",
            "out bytes",
            "records/s",
        ];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for (name, shard) in &self.shards {
            rows.push(row(name, shard.went_in, shard.came_out, took));
        }
        let (went_in, came_out) = self.totals();
        rows.push(row("total", went_in, came_out, took));
        output::table(&rows)
    }

    /// Fails unless exactly what went in came out, shard by shard.
    pub(super) fn verdict(&self) -> Result<(), String> {
        let uneven = self
            .shards
            .iter()
            .find(|(_, shard)| shard.went_in != shard.came_out);
        let (went_in, _) = self.totals();
        match uneven {
            Some((name, _)) => Err(format!("{name}: what came out is not what went in")),
            None if went_in.records == 0 => Err("no click went in".to_owned()),
            None => Ok(()),
        }
    }

    fn totals(&self) -> (Side, Side) {
        let zero = (Side::default(), Side::default());
        self.shards
            .values()
            .fold(zero, |(went_in, came_out), shard| {
                (went_in.and(shard.went_in), came_out.and(shard.came_out))
            })
    }
}

fn row(name: &str, went_in: Side, came_out: Side, took: Duration) -> Vec<String> {
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    let per_second = went_in.records.saturating_mul(1000) / took_ms;
    let counts = [
        went_in.records,
        went_in.bytes,
        came_out.records,
        came_out.bytes,
        per_second,
    ];
    let mut row = vec![name.to_owned()];
    row.extend(counts.map(output::count));
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: &str, data: &str) -> Record {
        Record {
            sequence_number: number.into(),
            partition_key: "k".into(),
            data: data.into(),
            approximate_arrival_timestamp: 0.0,
        }
    }

    fn put(tally: &mut Tally, number: &str, data: &[u8]) {
        let record = Waiting {
            partition_key: "k".into(),
            data: data.into(),
        };
        let placement = Placement {
            shard_id: Some("s".into()),
            sequence_number: Some(number.into()),
            error_code: None,
            error_message: None,
        };
        tally.went_in(&[(record, placement)]);
    }

    #[test]
    fn what_came_out_must_be_what_went_in() {
        let mut tally = Tally::new(["s".to_owned()].into_iter());
        assert!(tally.verdict().is_err(), "nothing went in");
        put(&mut tally, "1", b"hi");
        assert!(!tally.is_even() && tally.verdict().is_err());
        tally.came_out("s", &[record("1", "aGk=")]).unwrap();
        assert!(tally.is_even() && tally.verdict().is_ok());
        put(&mut tally, "2", b"hi");
        tally.came_out("s", &[record("2", "aGo=")]).unwrap();
        assert!(tally.is_even() && tally.verdict().is_err(), "other data");
    }

    #[test]
    fn a_record_that_comes_twice_is_noticed() {
        let mut tally = Tally::new(["s".to_owned()].into_iter());
        tally.came_out("s", &[record("1", "")]).unwrap();
        assert!(tally.came_out("s", &[record("1", "")]).is_err());
    }
}
