//! The time that retention goes by.
//!
//! A machine's clock can be wrong by years until its time service has set it, and to believe it
//! would forget every record at once. So a clock that has run ahead of what is known, by more than
//! [`AHEAD_MAX`], is not believed at first:
//!
//! ```text
//! known at the start:  what the clock said when it was last believed, as far as that was noted
//! known later:         what the clock said when it was last believed, and the time since then
//!
//!   believed  -- more than a day ahead -->  doubted  -- an hour has passed -->  believed
//!                                           doubted  -- set right ----------->  believed
//! ```
//!
//! Each start begins with a doubt of its own, so that an hour passes in one life of the server.
//! What arrives meanwhile is stamped by the clock that is doubted, and proves nothing.
//!
//! While it is doubted nothing is trimmed, and reads skip only what had expired by the time that is
//! known. A reader that skipped more would have lost it for good, since it never comes back to what
//! it has passed. The price is that a server which was off for more than a day shows records up to
//! an hour longer than their retention says.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use types::{Clock, Timestamp};

/// How far a clock may be ahead of what is known and still be believed.
const AHEAD_MAX: Duration = Duration::from_secs(24 * 3_600);
/// How long a clock must go on saying the same before it is believed after all.
const DOUBT: Duration = Duration::from_secs(3_600);

/// The clock of one server, as far as retention believes it.
pub struct RetentionClock {
    clock: Arc<dyn Clock>,
    belief: Mutex<Belief>,
}

/// What a moment is for retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionTime {
    /// What counts as now.
    pub now: Timestamp,
    /// Whether what has expired by then may be forgotten for good.
    pub may_trim: bool,
}

impl RetentionClock {
    /// A clock that goes on from a time that is known; without one it is believed. A doubt begins
    /// now.
    pub fn new(clock: Arc<dyn Clock>, known: Option<Timestamp>) -> Self {
        let known = known.unwrap_or_else(|| clock.now());
        let belief = Belief::new(known, clock.uptime());
        let new = Self {
            clock,
            belief: Mutex::new(belief),
        };
        new.look();
        new
    }

    /// Looks at the clock. Logs when it is no longer believed, or is again.
    pub fn look(&self) -> RetentionTime {
        let (now, uptime) = (self.clock.now(), self.clock.uptime());
        // Each change of a belief leaves it whole.
        let mut belief = self.belief.lock().unwrap_or_else(PoisonError::into_inner);
        let was_doubted = belief.is_doubted();
        let time = belief.look(now, uptime);
        let is_doubted = belief.is_doubted();
        drop(belief);
        if is_doubted && !was_doubted {
            tracing::warn!(
                clock = now.utc_text(),
                known = time.now.utc_text(),
                "the clock is more than a day ahead of what is known of the time: nothing expires \
                 until it is set right or an hour has passed"
            );
        }
        if was_doubted && !is_doubted {
            tracing::info!(clock = now.utc_text(), "records expire by the clock again");
        }
        time
    }
}

/// What is known of the time, and whether the clock says the same.
#[derive(Debug)]
struct Belief {
    /// A moment that was believed, and how much time had passed when it was.
    known: Timestamp,
    known_at: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Believed,
    Doubted {
        /// How much time had passed when the doubt began.
        since: Duration,
    },
}

impl Belief {
    fn new(known: Timestamp, uptime: Duration) -> Self {
        Self {
            known,
            known_at: uptime,
            state: State::Believed,
        }
    }

    fn is_doubted(&self) -> bool {
        self.state != State::Believed
    }

    fn look(&mut self, now: Timestamp, uptime: Duration) -> RetentionTime {
        let expected = self.known.after(uptime.saturating_sub(self.known_at));
        let since = match self.state {
            State::Believed => uptime,
            State::Doubted { since } => since,
        };
        if now.since(expected) > AHEAD_MAX && uptime.saturating_sub(since) < DOUBT {
            self.state = State::Doubted { since };
            return RetentionTime {
                now: expected,
                may_trim: false,
            };
        }
        *self = Self::new(now, uptime);
        RetentionTime {
            now,
            may_trim: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);
    const DAY: Duration = Duration::from_secs(24 * 3_600);
    const NOON: Timestamp = Timestamp(1_700_000_000_000);

    fn believed(now: Timestamp) -> RetentionTime {
        RetentionTime {
            now,
            may_trim: true,
        }
    }

    fn doubted(now: Timestamp) -> RetentionTime {
        RetentionTime {
            now,
            may_trim: false,
        }
    }

    #[test]
    fn a_clock_that_goes_on_from_what_is_known_is_believed() {
        let mut belief = Belief::new(NOON, HOUR);
        for (ahead, uptime) in [
            (Duration::ZERO, HOUR),
            (DAY, HOUR),
            (3 * DAY, 2 * DAY + HOUR),
        ] {
            let now = NOON.after(ahead);
            assert_eq!(belief.look(now, uptime), believed(now));
        }
    }

    #[test]
    fn a_clock_that_is_years_ahead_is_believed_after_an_hour() {
        let years = NOON.after(2_000 * DAY);
        let mut belief = Belief::new(NOON, DAY);
        assert_eq!(belief.look(years, DAY), doubted(NOON));
        let minute = Duration::from_secs(60);
        assert_eq!(
            belief.look(years.after(minute), DAY + minute),
            doubted(NOON.after(minute))
        );
        let almost = HOUR - Duration::from_millis(1);
        let last = belief.look(years.after(almost), DAY + almost);
        assert_eq!(last, doubted(NOON.after(almost)));
        let later = years.after(HOUR);
        assert_eq!(belief.look(later, DAY + HOUR), believed(later));
        assert_eq!(belief.look(later, DAY + HOUR), believed(later));
    }

    #[test]
    fn a_clock_that_is_set_right_is_believed_at_once() {
        let mut belief = Belief::new(NOON, Duration::ZERO);
        assert_eq!(
            belief.look(NOON.after(9 * DAY), Duration::ZERO),
            doubted(NOON)
        );
        let right = NOON.after(HOUR);
        assert_eq!(belief.look(right, HOUR / 2), believed(right));
        // What comes later is a doubt of its own.
        assert_eq!(
            belief.look(right.after(9 * DAY), HOUR),
            doubted(right.after(HOUR / 2))
        );
    }

    #[test]
    fn a_clock_that_goes_back_is_believed() {
        let mut belief = Belief::new(NOON, Duration::ZERO);
        let back = NOON.before(9 * DAY);
        assert_eq!(belief.look(back, HOUR), believed(back));
        assert_eq!(belief.look(NOON, HOUR), doubted(back));
    }
}
