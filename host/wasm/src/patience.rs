//! How long a call into a version may take at the moment: less than it may, once records of a
//! delivery stream alone keep missing their deadline. A version that loops on one record in a
//! thousand would otherwise cost that stream a whole deadline for each of them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// No deadline is shortened below this, whatever was missed.
const TIME_MIN: Duration = Duration::from_millis(50);
/// Nor below so many times what the longest call took that came out.
const LONGEST_FACTOR: u32 = 8;
/// Deadlines that records missed alone, of which each halves the time; more change nothing.
const MISSES_MAX: u32 = 10;
/// Misses at which it is said that the time is shortened.
const MISSES_TOLD: u32 = 3;
/// Records that have to come out, without one that misses its deadline, until a version has its
/// whole time again.
const RECORDS_TO_TRUST: u64 = 100_000;

/// What is known of the time that a version takes with the records of one delivery stream: what
/// others hand to it is no matter of these. All instances at work for it share it.
#[derive(Debug, Default)]
pub struct Patience(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    misses: u32,
    records_since: u64,
    longest_batch: Duration,
    longest_record: Duration,
}

impl Patience {
    /// How long a call with so many records may take that may take `most`: less, once records alone
    /// keep missing their deadline.
    pub fn time(&self, records: usize, most: Duration) -> Duration {
        let seen = self.lock();
        if seen.misses == 0 {
            return most;
        }
        let longest = if records == 1 {
            seen.longest_record
        } else {
            seen.longest_batch
        };
        let least = round_up(longest.saturating_mul(LONGEST_FACTOR));
        (most / 2_u32.pow(seen.misses)).max(least).min(most)
    }

    /// Notes a call that came out.
    pub fn came_out(&self, records: usize, took: Duration) {
        let mut seen = self.lock();
        if records == 1 {
            seen.longest_record = seen.longest_record.max(took);
        } else {
            seen.longest_batch = seen.longest_batch.max(took);
        }
        if seen.misses > 0 {
            seen.records_since = seen.records_since.saturating_add(records as u64);
            if seen.records_since >= RECORDS_TO_TRUST {
                seen.misses = 0;
            }
        }
    }

    /// Notes that a record alone missed its deadline for good. Whether somebody should be told.
    pub(crate) fn record_missed(&self) -> bool {
        let mut seen = self.lock();
        seen.records_since = 0;
        let is_new = seen.misses < MISSES_MAX;
        if is_new {
            seen.misses += 1;
        }
        is_new && seen.misses == MISSES_TOLD
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        // Each statement under the lock leaves the numbers whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The least of a few times that is no less: so the words of records that missed it are few.
fn round_up(time: Duration) -> Duration {
    let mut rounded = TIME_MIN;
    while rounded < time {
        rounded = rounded.saturating_mul(2);
    }
    rounded
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_secs(1);

    #[test]
    fn each_miss_halves_the_time_down_to_a_floor_and_the_third_is_told() {
        let patience = Patience::default();
        let told =
            [(); 12].map(|()| (patience.time(1, MOST).as_millis(), patience.record_missed()));
        let times = told.map(|(time, _)| time);
        assert_eq!(times[..6], [1_000, 500, 250, 125, 62, 50]);
        assert!(times[6..].iter().all(|time| *time == 50));
        let told: Vec<usize> = (0..12).filter(|miss| told[*miss].1).collect();
        assert_eq!(told, [2]);
    }

    #[test]
    fn what_came_out_in_its_time_keeps_it() {
        let patience = Patience::default();
        patience.came_out(1, Duration::from_millis(20));
        patience.came_out(1_000, Duration::from_millis(60));
        for _ in 0..MISSES_MAX {
            patience.record_missed();
        }
        assert_eq!(patience.time(1, MOST).as_millis(), 200);
        assert_eq!(patience.time(1_000, MOST).as_millis(), 800);
        let short = Duration::from_millis(10);
        assert_eq!(patience.time(1, short), short, "never more than it may");
    }

    #[test]
    fn a_version_that_went_well_for_long_is_trusted_again() {
        let patience = Patience::default();
        for _ in 0..MISSES_MAX {
            patience.record_missed();
        }
        patience.came_out(99_999, Duration::ZERO);
        assert!(patience.time(1, MOST) < MOST);
        patience.record_missed();
        patience.came_out(99_999, Duration::ZERO);
        assert!(patience.time(1, MOST) < MOST);
        patience.came_out(1, Duration::ZERO);
        assert_eq!(patience.time(1, MOST), MOST);
    }
}
