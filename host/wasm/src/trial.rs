//! A version that has just taken the place of another is on trial: where it fails on too large a
//! share of its records, the alarm is rung, once. `guard` hears it and puts the version before in
//! force again.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use types::{Clock, Timestamp};

use crate::hash::ContentHash;
use crate::name::PluginName;
use crate::rollout::TrialTerms;

/// How long a version is on trial, by the clock. A restart meanwhile begins to count anew.
pub(crate) const TRIAL_TIME: Duration = Duration::from_secs(3_600);
/// How many times the least number of records a version is on trial: what it fails on later says
/// more of the records than of the swap.
const RECORDS_FACTOR: u64 = 100;
const PERCENT: u64 = 100;

/// A version that failed on too many records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alarm {
    pub(crate) plugin: PluginName,
    pub(crate) version: ContentHash,
    /// Records of which the outcome is known, and those of them that failed.
    pub(crate) records: u64,
    pub(crate) failed: u64,
    /// The share that was allowed, in percent.
    pub(crate) percent_max: u8,
}

/// What the guard is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ring {
    /// A version fails on too many records.
    Failing(Alarm),
    /// The server ends.
    Stop,
}

/// Counts until the version has shown what it is.
pub(crate) struct Trial {
    terms: TrialTerms,
    plugin: PluginName,
    version: ContentHash,
    until: Timestamp,
    clock: Arc<dyn Clock>,
    records: AtomicU64,
    failed: AtomicU64,
    is_over: AtomicBool,
    bell: SyncSender<Ring>,
}

impl Trial {
    pub(crate) fn new(
        terms: TrialTerms,
        (plugin, version): (PluginName, ContentHash),
        (since, clock): (Timestamp, Arc<dyn Clock>),
        bell: SyncSender<Ring>,
    ) -> Self {
        let ms = u64::try_from(TRIAL_TIME.as_millis()).unwrap_or(u64::MAX);
        Self {
            terms,
            plugin,
            version,
            until: Timestamp(since.0.saturating_add(ms)),
            clock,
            records: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            bell,
        }
    }

    /// Counts records whose outcome is known, and rings the alarm when too many of all have
    /// failed.
    pub(crate) fn note(&self, records: u64, failed: u64) {
        // No other value is read because of these counts.
        if self.is_over.load(Ordering::Relaxed) {
            return;
        }
        let records = self.records.fetch_add(records, Ordering::Relaxed) + records;
        let failed = self.failed.fetch_add(failed, Ordering::Relaxed) + failed;
        let is_late = self.clock.now() > self.until;
        if is_late || records > self.terms.records_min.saturating_mul(RECORDS_FACTOR) {
            self.is_over.store(true, Ordering::Relaxed);
            return;
        }
        if !passes(&self.terms, records, failed) || self.is_over.swap(true, Ordering::Relaxed) {
            return;
        }
        let alarm = Alarm {
            plugin: self.plugin.clone(),
            version: self.version,
            records,
            failed,
            percent_max: self.terms.failed_percent_max,
        };
        if self.bell.try_send(Ring::Failing(alarm)).is_err() {
            // The next batch rings again: the guard has much to do.
            self.is_over.store(false, Ordering::Relaxed);
        }
    }
}

/// Whether so many failed records are too many.
fn passes(terms: &TrialTerms, records: u64, failed: u64) -> bool {
    let allowed = u64::from(terms.failed_percent_max);
    records >= terms.records_min && failed.saturating_mul(PERCENT) > records.saturating_mul(allowed)
}

impl fmt::Debug for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trial")
            .field("terms", &self.terms)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, sync_channel};

    use types::ManualClock;

    use super::*;

    const TERMS: TrialTerms = TrialTerms {
        failed_percent_max: 5,
        records_min: 100,
    };

    fn trial() -> (Trial, Receiver<Ring>, Arc<ManualClock>) {
        let (bell, alarms) = sync_channel(1);
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        let version = (PluginName::parse("a").unwrap(), ContentHash([1; 32]));
        let since = (Timestamp(0), clock.clone() as Arc<dyn Clock>);
        (Trial::new(TERMS, version, since, bell), alarms, clock)
    }

    #[test]
    fn more_failed_records_than_allowed_ring_the_alarm_once_there_are_enough() {
        let (trial, alarms, _) = trial();
        trial.note(99, 99);
        assert!(alarms.try_recv().is_err(), "one record is missing");
        trial.note(1, 0);
        let Ok(Ring::Failing(alarm)) = alarms.try_recv() else {
            panic!("no alarm");
        };
        assert_eq!((alarm.records, alarm.failed), (100, 99));
        trial.note(1_000, 1_000);
        assert!(alarms.try_recv().is_err(), "it rings once");
    }

    #[test]
    fn as_many_failed_records_as_are_allowed_are_allowed() {
        let (trial, alarms, _) = trial();
        trial.note(1_000, 50);
        assert!(alarms.try_recv().is_err());
        trial.note(1, 1);
        assert!(alarms.try_recv().is_ok(), "51 of 1,001 are more");
    }

    #[test]
    fn a_trial_ends_with_time_and_with_records() {
        let (late, alarms, clock) = trial();
        clock.set(Timestamp(3_600_001));
        late.note(1_000, 1_000);
        assert!(alarms.try_recv().is_err());
        let (long, alarms, _) = trial();
        long.note(10_000, 0);
        long.note(1, 0);
        long.note(10_000, 10_000);
        assert!(alarms.try_recv().is_err());
    }

    #[test]
    fn an_alarm_that_nobody_could_take_rings_again() {
        let (trial, alarms, _) = trial();
        let (bell, taken) = sync_channel(0);
        let trial = Trial { bell, ..trial };
        trial.note(100, 100);
        assert!(taken.try_recv().is_err());
        assert!(!trial.is_over.load(Ordering::Relaxed));
        drop(alarms);
    }
}
