//! Why files did not become a version, and when the same ones are tried again.

use std::fmt;
use std::time::{Duration, Instant};

use crate::limits::{RETRY_PAUSE, RETRY_PAUSE_MAX};

/// Why files did not become a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// For what is in them: until they change it would be the same.
    ForGood(String),
    /// Perhaps for nothing but the state of the machine: at another time they may be taken.
    ForNow(String),
}

impl Refusal {
    /// The same with the step in front at which it happened.
    pub(crate) fn at(self, step: &str) -> Self {
        match self {
            Self::ForGood(why) => Self::ForGood(format!("{step}: {why}")),
            Self::ForNow(why) => Self::ForNow(format!("{step}: {why}")),
        }
    }

    pub(crate) fn is_for_now(&self) -> bool {
        matches!(self, Self::ForNow(_))
    }
}

impl From<String> for Refusal {
    /// Most checks look at nothing but the files.
    fn from(why: String) -> Self {
        Self::ForGood(why)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForGood(why) | Self::ForNow(why) => f.write_str(why),
        }
    }
}

/// When files that were refused for now are tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Again {
    at: Instant,
    pause: Duration,
}

impl Again {
    /// After a refusal at `now`; `before` is what the refusal of the same files before it led to.
    pub(crate) fn after(before: Option<Self>, now: Instant) -> Self {
        let longer = |before: Self| before.pause.saturating_mul(2).min(RETRY_PAUSE_MAX);
        let pause = before.map_or(RETRY_PAUSE, longer);
        Self {
            at: now + pause,
            pause,
        }
    }

    pub(crate) fn is_due(self, now: Instant) -> bool {
        self.at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_for_now_is_followed_by_a_longer_pause_up_to_the_longest() {
        let mut now = Instant::now();
        let mut again = None;
        for seconds in [10, 20, 40, 80, 160, 320, 600, 600] {
            let next = Again::after(again, now);
            now += Duration::from_secs(seconds);
            assert!(!next.is_due(now - Duration::from_millis(1)), "{seconds} s");
            assert!(next.is_due(now), "{seconds} s");
            again = Some(next);
        }
    }
}
