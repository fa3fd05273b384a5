//! How much a shard takes and gives in a second. Pure: the caller says how much time has passed, by
//! a clock that is never set (`Clock::uptime`).

use std::time::Duration;

use types::limits::{
    SHARD_ITERATORS_PER_SECOND, SHARD_READ_BYTES_PER_SECOND, SHARD_READS_PER_SECOND,
    SHARD_WRITE_BYTES_PER_SECOND, SHARD_WRITE_RECORDS_PER_SECOND,
};

/// Tokens are counted in thousandths, so that a rate per second is a whole number of them in each
/// millisecond.
const PARTS: i64 = 1_000;

/// A bucket that holds what one second allows and fills at that rate.
#[derive(Clone, Debug)]
pub struct Bucket {
    per_second: i64,
    parts: i64,
    filled_at: Duration,
}

impl Bucket {
    /// A full bucket.
    pub fn new(per_second: u32) -> Self {
        let per_second = i64::from(per_second);
        Self {
            per_second,
            parts: per_second * PARTS,
            filled_at: Duration::ZERO,
        }
    }

    /// Adds what has come since the last call. An earlier `uptime` than the last adds nothing.
    pub fn fill(&mut self, uptime: Duration) {
        let elapsed = uptime.saturating_sub(self.filled_at).as_millis();
        let full = self.per_second * PARTS;
        let elapsed = i64::try_from(elapsed).unwrap_or(i64::MAX); // 292 million years.
        let come = elapsed.saturating_mul(self.per_second);
        self.parts = full.min(self.parts.saturating_add(come));
        self.filled_at = self.filled_at.max(uptime);
    }

    /// Whether the bucket holds `cost`. What costs more than a second allows needs a full bucket.
    pub fn has(&self, cost: i64) -> bool {
        cost.min(self.per_second) * PARTS <= self.parts
    }

    /// Puts back what was taken and not used.
    pub fn give_back(&mut self, cost: i64) {
        let full = self.per_second * PARTS;
        let back = cost.saturating_mul(PARTS);
        self.parts = full.min(self.parts.saturating_add(back));
    }

    /// Whether nothing is missing of what a second allows.
    pub fn is_full(&self) -> bool {
        self.parts == self.per_second * PARTS
    }

    /// How long it takes until nothing is owed any more, if nothing is taken meanwhile.
    pub fn until_paid(&self) -> Duration {
        let owed = u64::try_from(self.parts.saturating_neg()).unwrap_or(0); // None is owed.
        // The rate is not negative; a bucket that never fills is never asked.
        let per_millisecond = self.per_second.unsigned_abs().max(1);
        Duration::from_millis(owed.div_ceil(per_millisecond))
    }

    /// Takes `cost`, also where the bucket holds less: the rest is a debt, which is paid before
    /// anything can be taken again. If the cost is more than a second allows, all of it becomes a
    /// debt, so that a read of 10 MiB at 2 MiB/s is paid for after 5 seconds and not after 4.
    pub fn take(&mut self, cost: i64) {
        if self.per_second < cost {
            self.parts = self.parts.min(0);
        }
        self.parts = self.parts.saturating_sub(cost.saturating_mul(PARTS));
    }
}

/// How long it takes until nothing is owed any more, where something is.
pub(crate) type Owed = Result<(), Duration>;

/// A shard's limits: 1,000 records and 1 MiB in, 2 MiB and 5 calls out, 5 iterators, each per
/// second (AWS: "Quotas and limits" of Data Streams).
#[derive(Clone, Debug)]
pub(crate) struct ShardRates {
    records_in: Bucket,
    bytes_in: Bucket,
    reads: Bucket,
    bytes_out: Bucket,
    iterators: Bucket,
}

impl ShardRates {
    /// A shard that was idle.
    pub fn new() -> Self {
        Self {
            records_in: Bucket::new(SHARD_WRITE_RECORDS_PER_SECOND),
            bytes_in: Bucket::new(SHARD_WRITE_BYTES_PER_SECOND),
            reads: Bucket::new(SHARD_READS_PER_SECOND),
            bytes_out: Bucket::new(SHARD_READ_BYTES_PER_SECOND),
            iterators: Bucket::new(SHARD_ITERATORS_PER_SECOND),
        }
    }

    /// Takes a record of `bytes` in, or refuses it and changes nothing.
    pub fn write(&mut self, bytes: usize, uptime: Duration) -> bool {
        let bytes = cost(bytes);
        self.records_in.fill(uptime);
        self.bytes_in.fill(uptime);
        let fits = self.records_in.has(1) && self.bytes_in.has(bytes);
        if fits {
            self.records_in.take(1);
            self.bytes_in.take(bytes);
        }
        fits
    }

    /// Takes records of `bytes` in all in at once, however many they are, unless something is still
    /// owed: then it answers how long that is, and changes nothing. What is more than a second
    /// allows is owed from then on, so that the rate holds over time and nobody waits for ever
    /// behind those who put one by one.
    pub fn write_all(&mut self, (records, bytes): (usize, usize), uptime: Duration) -> Owed {
        self.records_in.fill(uptime);
        self.bytes_in.fill(uptime);
        if !(self.records_in.has(0) && self.bytes_in.has(0)) {
            return Err(self.until_paid(uptime));
        }
        self.records_in.take(cost(records));
        self.bytes_in.take(cost(bytes));
        Ok(())
    }

    /// How long it takes until nothing is owed of what was put, if nothing is put meanwhile.
    pub fn until_paid(&mut self, uptime: Duration) -> Duration {
        self.records_in.fill(uptime);
        self.bytes_in.fill(uptime);
        self.records_in.until_paid().max(self.bytes_in.until_paid())
    }

    /// Takes back [`ShardRates::write_all`]: the records were not kept.
    pub fn give_back(&mut self, (records, bytes): (usize, usize)) {
        self.records_in.give_back(cost(records));
        self.bytes_in.give_back(cost(bytes));
    }

    /// Lets a GetRecords call begin, or refuses it. [`ShardRates::end_read`] counts its answer.
    pub fn begin_read(&mut self, uptime: Duration) -> bool {
        self.reads.fill(uptime);
        self.bytes_out.fill(uptime);
        let fits = self.reads.has(1) && self.bytes_out.has(0);
        if fits {
            self.reads.take(1);
        }
        fits
    }

    /// Counts what a GetRecords call gave out.
    pub fn end_read(&mut self, bytes: usize) {
        self.bytes_out.take(cost(bytes));
    }

    /// Lets a GetShardIterator call through, or refuses it.
    pub fn iterator(&mut self, uptime: Duration) -> bool {
        self.iterators.fill(uptime);
        let fits = self.iterators.has(1);
        if fits {
            self.iterators.take(1);
        }
        fits
    }
}

/// What so many bytes cost: one each. Nothing in memory has more of them than an `i64` counts.
pub(crate) fn cost(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Duration = Duration::from_secs(43_200);
    const MIB: usize = 1024 * 1024;

    fn at(millis: u64) -> Duration {
        NOON + Duration::from_millis(millis)
    }

    #[test]
    fn a_shard_takes_a_thousand_records_in_a_second_and_one_more_each_millisecond() {
        let mut rates = ShardRates::new();
        assert!((0..1_000).all(|_| rates.write(100, NOON)));
        assert!(!rates.write(100, NOON));
        assert!(rates.write(100, at(1)));
        assert!(!rates.write(100, at(1)));
    }

    #[test]
    fn a_shard_takes_a_mebibyte_in_a_second() {
        let mut rates = ShardRates::new();
        assert!(rates.write(MIB, NOON));
        assert!(!rates.write(1, NOON));
        assert!(rates.write(1_000, at(1)));
        assert!(!rates.write(MIB, at(900)));
        assert!(rates.write(MIB, at(1_001)));
    }

    #[test]
    fn a_record_larger_than_a_second_allows_is_paid_for_afterwards() {
        let mut rates = ShardRates::new();
        assert!(rates.write(4 * MIB, NOON));
        assert!(!rates.write(1, at(4_000)));
        assert!(rates.write(1, at(4_001)));
    }

    #[test]
    fn a_refused_record_costs_nothing() {
        let mut rates = ShardRates::new();
        assert!(rates.write(MIB - 10, NOON));
        assert!((0..5_000).all(|_| !rates.write(11, NOON)));
        assert!(rates.write(10, NOON));
    }

    #[test]
    fn an_answer_of_ten_mebibytes_stops_reading_for_five_seconds() {
        let mut rates = ShardRates::new();
        assert!(rates.begin_read(NOON));
        rates.end_read(10 * MIB);
        assert!(!rates.begin_read(at(4_999)));
        assert!(rates.begin_read(at(5_000)));
    }

    #[test]
    fn a_shard_is_read_five_times_in_a_second() {
        let mut rates = ShardRates::new();
        assert!((0..5).all(|_| rates.begin_read(NOON)));
        assert!(!rates.begin_read(at(199)));
        assert!(rates.begin_read(at(200)));
        assert!((0..5).all(|_| rates.iterator(NOON)));
        assert!(!rates.iterator(at(199)));
        assert!(rates.iterator(at(200)));
    }

    #[test]
    fn calls_that_come_in_late_neither_fill_a_bucket_nor_break_it() {
        let mut rates = ShardRates::new();
        assert!((0..1_000).all(|_| rates.write(1, NOON)));
        assert!(!rates.write(1, Duration::ZERO));
        assert!(!rates.write(1, NOON));
        assert!(rates.write(1, at(1)));
    }
}
