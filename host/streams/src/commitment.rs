//! An account's commitment to pay for a minimum of throughput in a region, which AWS asks for
//! before streams have a warm throughput. It lasts a day at least. Pure.

use types::Timestamp;
use types::limits::COMMITMENT_MIN;

/// A commitment that was made; it may have ended since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// When it began.
    pub started_at: Timestamp,
    /// When it ends or ended, if that was asked for.
    pub ends_at: Option<Timestamp>,
}

/// Where a commitment is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitmentStatus {
    /// There is one.
    Enabled,
    /// There is one, and it ends by itself.
    EnabledUntilEarliestAllowedEnd,
    /// There was one.
    Disabled,
}

impl CommitmentStatus {
    /// The model's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "ENABLED",
            Self::EnabledUntilEarliestAllowedEnd => "ENABLED_UNTIL_EARLIEST_ALLOWED_END",
            Self::Disabled => "DISABLED",
        }
    }
}

impl Commitment {
    /// Where it is at `now`.
    pub fn status(self, now: Timestamp) -> CommitmentStatus {
        match self.ends_at {
            None => CommitmentStatus::Enabled,
            Some(end) if end > now => CommitmentStatus::EnabledUntilEarliestAllowedEnd,
            Some(_) => CommitmentStatus::Disabled,
        }
    }

    /// Before this it does not end.
    pub fn earliest_end(self) -> Timestamp {
        self.started_at.after(COMMITMENT_MIN)
    }

    /// The commitment after one was asked for: a new one, or the one that there is, which then does
    /// not end by itself.
    pub fn enabled(before: Option<Self>, now: Timestamp) -> Self {
        let goes_on = before.filter(|before| before.status(now) != CommitmentStatus::Disabled);
        Self {
            started_at: goes_on.map_or(now, |before| before.started_at),
            ends_at: None,
        }
    }

    /// The commitment after it was asked to end: it does so as soon as it may.
    #[must_use]
    pub fn disabled(self, now: Timestamp) -> Self {
        Self {
            ends_at: Some(self.ends_at.unwrap_or(now.max(self.earliest_end()))),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOON: Timestamp = Timestamp(1_700_000_000_000);

    fn hours(count: u64) -> Timestamp {
        NOON.after(Duration::from_secs(count * 3_600))
    }

    #[test]
    fn a_commitment_that_is_ended_on_its_first_day_ends_with_that_day() {
        let ended = Commitment::enabled(None, NOON).disabled(hours(3));
        assert_eq!(ended.ends_at, Some(hours(24)));
        for (at, status) in [
            (hours(3), CommitmentStatus::EnabledUntilEarliestAllowedEnd),
            (hours(24), CommitmentStatus::Disabled),
        ] {
            assert_eq!(ended.status(at), status);
        }
        // Asked again, it ends no later.
        assert_eq!(ended.disabled(hours(30)), ended);
        let later = Commitment::enabled(None, NOON).disabled(hours(30));
        assert_eq!(later.status(hours(30)), CommitmentStatus::Disabled);
    }

    #[test]
    fn a_commitment_that_is_to_end_goes_on_if_it_is_asked_for_again() {
        let ending = Commitment::enabled(None, NOON).disabled(hours(3));
        let goes_on = Commitment::enabled(Some(ending), hours(23));
        assert_eq!((goes_on.started_at, goes_on.ends_at), (NOON, None));
        let anew = Commitment::enabled(Some(ending), hours(24));
        assert_eq!((anew.started_at, anew.ends_at), (hours(24), None));
    }
}
