//! How slowly bytes may move. Told the time, never waiting.

use std::time::{Duration, Instant};

/// What a client must keep up with: so many bytes a second on average, and it may be behind by no
/// more than the grace. Bytes that moved fast are not saved up for later: a client that stops is
/// late once the grace is over, however much has moved before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) grace: Duration,
    pub(crate) bytes_per_second_min: u64,
}

/// When one client is late, unless something moves before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due(pub(crate) Instant);

impl Pace {
    /// Begins now.
    pub(crate) fn begin(&self, now: Instant) -> Due {
        Due(now + self.grace)
    }

    /// `bytes` have moved.
    pub(crate) fn earn(&self, due: Due, bytes: usize, now: Instant) -> Due {
        // Where the product does not fit, the bytes earn more than any grace.
        let earned_ms = (bytes as u64).saturating_mul(1000) / self.bytes_per_second_min.max(1);
        let earned = Duration::from_millis(earned_ms).min(self.grace);
        Due((due.0 + earned).min(now + self.grace))
    }

    /// How far a client has fallen behind one that has just begun.
    pub(crate) fn behind(&self, due: Due, now: Instant) -> Duration {
        (now + self.grace).saturating_duration_since(due.0)
    }
}

impl Due {
    pub(crate) fn is_over(self, now: Instant) -> bool {
        now >= self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        grace: Duration::from_secs(10),
        bytes_per_second_min: 1024,
    };

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn who_keeps_the_pace_is_never_late() {
        let begun = Instant::now();
        let mut due = PACE.begin(begun);
        for second in 1..1000 {
            let now = begun + seconds(second);
            assert!(!due.is_over(now));
            due = PACE.earn(due, 1024, now);
        }
    }

    #[test]
    fn who_is_slower_is_late_in_the_end() {
        let begun = Instant::now();
        let mut due = PACE.begin(begun);
        let late = (1..1000).find(|second| {
            let now = begun + seconds(*second);
            due = PACE.earn(due, 512, now);
            due.is_over(now)
        });
        assert_eq!(late, Some(20));
    }

    /// 16 MiB in the first second once bought a minute of silence.
    #[test]
    fn who_stops_is_late_after_the_grace_however_much_has_moved() {
        let begun = Instant::now();
        let now = begun + seconds(1);
        let due = PACE.earn(PACE.begin(begun), 16 * 1024 * 1024, now);
        assert_eq!(PACE.behind(due, now), Duration::ZERO);
        assert_eq!(PACE.behind(due, now + seconds(3)), seconds(3));
        assert!(!due.is_over(now + seconds(9)));
        assert!(due.is_over(now + seconds(10)));
    }
}
