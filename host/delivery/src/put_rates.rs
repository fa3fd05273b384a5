//! How much a delivery stream takes directly in a second. Pure: the caller says how much time has
//! passed, by a clock that is never set (`Clock::uptime`).

use std::time::Duration;

use streams::rate::Bucket;
use types::Region;
use types::limits::{
    DIRECT_PUT_BYTES_PER_SECOND, DIRECT_PUT_BYTES_PER_SECOND_LARGE, DIRECT_PUT_CALLS_PER_SECOND,
    DIRECT_PUT_CALLS_PER_SECOND_LARGE, DIRECT_PUT_RECORDS_PER_SECOND,
    DIRECT_PUT_RECORDS_PER_SECOND_LARGE, DIRECT_PUT_REGIONS_LARGE,
};

/// What is left of a delivery stream's limits: calls, records and bytes a second, of PutRecord and
/// PutRecordBatch together.
#[derive(Debug)]
pub struct PutRates {
    calls: Bucket,
    records: Bucket,
    bytes: Bucket,
}

impl PutRates {
    /// Those of a delivery stream in this region that was idle.
    pub fn of(region: &Region) -> Self {
        let is_large = DIRECT_PUT_REGIONS_LARGE.contains(&region.as_str());
        let [calls, records, bytes] = if is_large {
            [
                DIRECT_PUT_CALLS_PER_SECOND_LARGE,
                DIRECT_PUT_RECORDS_PER_SECOND_LARGE,
                DIRECT_PUT_BYTES_PER_SECOND_LARGE,
            ]
        } else {
            [
                DIRECT_PUT_CALLS_PER_SECOND,
                DIRECT_PUT_RECORDS_PER_SECOND,
                DIRECT_PUT_BYTES_PER_SECOND,
            ]
        };
        Self {
            calls: Bucket::new(calls),
            records: Bucket::new(records),
            bytes: Bucket::new(bytes),
        }
    }

    /// Lets a call begin, or refuses it.
    pub fn call(&mut self, uptime: Duration) -> bool {
        self.calls.fill(uptime);
        let fits = self.calls.has(1);
        if fits {
            self.calls.take(1);
        }
        fits
    }

    /// Takes a record of `bytes` in, or refuses it and changes nothing.
    pub fn record(&mut self, bytes: i64, uptime: Duration) -> bool {
        self.records.fill(uptime);
        self.bytes.fill(uptime);
        let fits = self.records.has(1) && self.bytes.has(bytes);
        if fits {
            self.records.take(1);
            self.bytes.take(bytes);
        }
        fits
    }

    /// Takes records of so many bytes in all in at once, however many they are, unless something
    /// is still owed: then it answers how long that is, and changes nothing. What is more than a
    /// second allows is owed from then on.
    ///
    /// # Errors
    /// Something is owed.
    pub fn records(
        &mut self,
        (records, bytes): (i64, i64),
        uptime: Duration,
    ) -> Result<(), Duration> {
        self.records.fill(uptime);
        self.bytes.fill(uptime);
        if !(self.records.has(0) && self.bytes.has(0)) {
            return Err(self.records.until_paid().max(self.bytes.until_paid()));
        }
        self.records.take(records);
        self.bytes.take(bytes);
        Ok(())
    }

    /// Takes back [`PutRates::records`]: they were not kept.
    pub fn give_back(&mut self, (records, bytes): (i64, i64)) {
        self.records.give_back(records);
        self.bytes.give_back(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Duration = Duration::from_secs(43_200);
    const MIB: i64 = 1024 * 1024;

    fn rates(region: &str) -> PutRates {
        PutRates::of(&Region::parse(region).unwrap())
    }

    fn at(millis: u64) -> Duration {
        NOON + Duration::from_millis(millis)
    }

    #[test]
    fn the_three_large_regions_take_more_than_all_others() {
        for (region, calls, records, bytes) in [
            ("us-east-1", 2_000, 500_000, 5 * MIB),
            ("us-west-2", 2_000, 500_000, 5 * MIB),
            ("eu-west-1", 2_000, 500_000, 5 * MIB),
            ("eu-central-1", 1_000, 100_000, MIB),
            ("mars-north-1", 1_000, 100_000, MIB),
        ] {
            let mut fresh = rates(region);
            assert!((0..calls).all(|_| fresh.call(NOON)), "{region}");
            assert!(!fresh.call(NOON), "{region}");
            assert!(fresh.call(at(1)), "{region}");
            assert!((0..records).all(|_| fresh.record(0, NOON)), "{region}");
            assert!(!fresh.record(0, NOON), "{region}");
            let mut fresh = rates(region);
            assert!(fresh.record(bytes - 1, NOON) && fresh.record(1, NOON));
            assert!(!fresh.record(1, NOON), "{region}");
        }
    }

    #[test]
    fn what_was_spent_is_back_after_a_second() {
        let mut rates = rates("eu-central-1");
        assert!(rates.record(MIB, NOON));
        assert!(!rates.record(MIB, at(999)));
        assert!(rates.record(MIB, at(1_000)));
    }

    #[test]
    fn what_is_put_at_once_beyond_a_second_is_owed_and_may_be_given_back() {
        let mut rates = rates("eu-central-1");
        assert_eq!(rates.records((10, 2 * MIB), NOON), Ok(()));
        let owed = rates.records((1, 1), NOON);
        assert_eq!(owed, Err(Duration::from_secs(2)));
        assert!(rates.records((1, 1), at(1_999)).is_err());
        assert_eq!(rates.records((1, MIB), at(2_000)), Ok(()));
        rates.give_back((1, MIB));
        assert_eq!(rates.records((1, 1), at(2_000)), Ok(()));
    }

    #[test]
    fn a_record_that_is_refused_costs_nothing() {
        let mut rates = rates("eu-central-1");
        assert!(rates.record(MIB - 10, NOON));
        assert!((0..200_000).all(|_| !rates.record(11, NOON)));
        assert!(rates.record(10, NOON));
    }
}
