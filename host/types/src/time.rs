//! Moments and the clock that tells them.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The moment `by` later; the last that there is, if that would be later still.
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }

    /// The moment `by` earlier; 1970, if that would be earlier still.
    pub fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(millis(by)))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// `Thu Jan 22 01:22:02 UTC 2015`, as AWS writes times in the text of errors.
    pub fn utc_text(self) -> String {
        const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let seconds = self.0 / 1000;
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        // Years counted from March, so that the leap day is a year's last; 400 of them make an
        // era of 146,097 days, and 1970-01-01 is day 719,468 from the year 0.
        let day = days + 719_468;
        let (era, day) = (day / 146_097, day % 146_097);
        let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day + 2) / 153;
        let day = day - (153 * from_march + 2) / 5 + 1;
        let month = (from_march + 2) % 12;
        let year = era * 400 + year_of_era + u64::from(month < 2);
        format!(
            "{} {} {day:02} {:02}:{:02}:{:02} UTC {year}",
            WEEKDAYS[(days % 7) as usize],
            MONTHS[(month % 12) as usize],
            second / 3_600,
            second / 60 % 60,
            second % 60
        )
    }
}

/// Whole milliseconds; as many as a moment can count, 584 million years, if it is longer.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Tells the time, in two ways. The server has one; tests set theirs by hand.
pub trait Clock: Send + Sync {
    /// The moment of the call, as the world counts it. Whoever keeps the machine's time may set it
    /// forward or back.
    fn now(&self) -> Timestamp;

    /// How much time has passed since some moment before the first call. It never goes back and
    /// never jumps: rates and waits go by this.
    fn uptime(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// When the process first asked how much time has passed.
static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // A clock set before 1970 reads as 1970: retention and iterators then see no time pass.
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(millis(since))
    }

    fn uptime(&self) -> Duration {
        STARTED.elapsed()
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock {
    now_ms: AtomicU64,
    uptime_ms: AtomicU64,
}

impl ManualClock {
    /// A clock that shows `at`.
    pub fn new(at: Timestamp) -> Self {
        Self {
            now_ms: AtomicU64::new(at.0),
            uptime_ms: AtomicU64::new(0),
        }
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let by = millis(by);
        self.now_ms.fetch_add(by, Ordering::SeqCst);
        self.uptime_ms.fetch_add(by, Ordering::SeqCst);
    }

    /// Sets the clock to another moment, before or after the one that it shows, without any time
    /// passing.
    pub fn set(&self, to: Timestamp) {
        self.now_ms.store(to.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now_ms.load(Ordering::SeqCst))
    }

    fn uptime(&self) -> Duration {
        Duration::from_millis(self.uptime_ms.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_as_aws_writes_it() {
        for (seconds, text) in [
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
            (951_782_399, "Mon Feb 28 23:59:59 UTC 2000"),
            (951_782_400, "Tue Feb 29 00:00:00 UTC 2000"),
            (951_868_800, "Wed Mar 01 00:00:00 UTC 2000"),
            (1_421_889_722, "Thu Jan 22 01:22:02 UTC 2015"),
            (4_107_542_399, "Sun Feb 28 23:59:59 UTC 2100"),
            (4_107_542_400, "Mon Mar 01 00:00:00 UTC 2100"),
        ] {
            assert_eq!(Timestamp(seconds * 1000).utc_text(), text);
        }
    }

    #[test]
    fn a_clock_that_is_set_back_lets_no_time_pass() {
        let clock = ManualClock::new(Timestamp(60_000));
        clock.advance(Duration::from_secs(5));
        clock.set(Timestamp(1_000));
        assert_eq!(clock.now(), Timestamp(1_000));
        assert_eq!(clock.uptime(), Duration::from_secs(5));
        assert!(SystemClock.uptime() <= SystemClock.uptime());
    }
}
