//! What a batch that failed comes to: another try, the same in parts, or a dead letter.

use std::sync::Arc;
use std::time::Duration;

use streams::pump::{Retry, StepError};
use wasm::{Fault, Version, Workplace};

use super::attempt::Unready;
use super::commits::Pending;
use super::letters::Condemned;
use super::{Lane, pause};
use crate::batch::First;
use crate::limits::RECORD_TRIES_MAX;
use crate::place::Place;
use crate::plan::{Failing, Verdict};
use crate::work::{Failed, Lone};

/// A batch that went well, and of which what it wants done cannot be.
pub(super) struct Unput {
    pub(super) records: usize,
    pub(super) end: Place,
    pub(super) foreign: u64,
    pub(super) first: Option<(First, Lone)>,
}

impl Unput {
    fn failed(self, why: String) -> Failed {
        Failed {
            lacked: None,
            fault: Fault::Permanent(why),
            is_beginning: false,
            records: self.records,
            done: 0,
            end: self.end,
            foreign: self.foreign,
            first: self.first,
        }
    }
}

impl Lane {
    /// A batch failed: says what comes of it.
    pub(super) fn failed(&mut self, version: &Arc<Version>, failed: Failed) -> StepError {
        let fault = &failed.fault;
        match fault {
            Fault::Stopped => return self.gave_its_turn(),
            Fault::NoInstance(_) | Fault::Unavailable(_) => return self.waits(fault.to_string()),
            Fault::Retryable(_) if !failed.is_beginning => {
                let why = format!("{} says to try later: {fault}", version.name());
                return self.stands_before(version, &failed, why);
            }
            _ if failed.is_beginning => {
                self.stumbles(version, failed.records);
                let why = format!("an instance of {} does not begin: {fault}", version.name());
                return self.waits(why);
            }
            Fault::Panicked(panic) => {
                let at = Workplace::of_consumer(&self.assignment).map(Arc::new);
                version.log_panic(panic, at.as_ref());
            }
            _ => {}
        }
        let named = match fault {
            Fault::Panicked(panic) => panic.record,
            _ => None,
        };
        let verdict = self.plan.failed(Failing {
            records: failed.records,
            done: failed.done,
            named: named.and_then(|place| usize::try_from(place).ok()),
        });
        self.shard.show(|shown| shown.redone += 1);
        let why = fault.to_string();
        match verdict {
            Verdict::Divided => self.retry = Retry::After(Duration::from_millis(1)),
            Verdict::Again(tries) => {
                self.retry = Retry::After(pause(tries));
                self.note_failing(version, &failed, tries);
            }
            Verdict::Hopeless(tries) => {
                self.retry = Retry::After(Duration::from_millis(1));
                self.note_failing(version, &failed, tries);
                self.condemn_next();
            }
        }
        StepError::Failed(why)
    }

    /// A call was ended without a fault: nothing is wrong with it, its turn was given to others.
    pub(super) fn gave_its_turn(&mut self) -> StepError {
        self.retry = Retry::After(Duration::from_millis(1));
        StepError::Failed(Fault::Stopped.to_string())
    }

    /// A batch is to be tried again for as long as it takes; but for its record, if that is alone
    /// and an operator passes over it.
    fn stands_before(&mut self, version: &Arc<Version>, failed: &Failed, why: String) -> StepError {
        self.note_failing(version, failed, 0);
        if let Some(passed_over) = self.passed_over_if_alone(failed, &why) {
            return passed_over;
        }
        self.stumbles(version, failed.records);
        self.waits(why)
    }

    /// A version does not get on for a reason of its own. From the third time on that counts for
    /// its trial, which would not hear of it otherwise.
    pub(super) fn stumbles(&self, version: &Version, records: usize) {
        if self.pauses + 1 >= RECORD_TRIES_MAX {
            version.stands_still(records as u64);
        }
    }

    /// Records that a batch puts to a stream are not taken: now, so that it is done again, or not
    /// at all, so that it has failed.
    pub(super) fn is_not_ready(&mut self, unput: Unput, unready: Unready) -> StepError {
        let (why, wait) = match unready {
            Unready::Refused(why) => {
                let failed = unput.failed(why.clone());
                return match self.version.clone() {
                    Some(version) => self.failed(&version, failed),
                    None => self.waits(why),
                };
            }
            Unready::NotNow(why) => (why, None),
            Unready::OverRate { why, wait } => (why, Some(wait)),
        };
        // No fault of the version's, so that its trial does not hear of it.
        if let Some(version) = self.version.clone() {
            let failed = unput.failed(why.clone());
            self.note_failing(&version, &failed, 0);
            if let Some(passed_over) = self.passed_over_if_alone(&failed, &why) {
                return passed_over;
            }
        }
        self.shard.show(|shown| shown.redone += 1);
        match wait {
            Some(wait) => self.is_over_rate(why, wait),
            None => self.waits(why),
        }
    }

    /// Condemns the record that was noted last, if an operator wants it and it is alone.
    fn passed_over_if_alone(&mut self, failed: &Failed, why: &str) -> Option<StepError> {
        if !self.skips || failed.records != 1 {
            return None;
        }
        self.condemn_next();
        self.retry = Retry::After(Duration::from_millis(1));
        Some(StepError::Failed(why.to_owned()))
    }

    /// What a batch wants done is more than the store takes at once: it is divided as one that
    /// failed. What an instance wants done at its end is left out in the end, or passed over.
    pub(super) fn is_too_large(&mut self, pending: Option<Box<Pending>>, why: &str) {
        let why = format!("what it wants done is more than one commit takes: {why}");
        if pending.as_ref().is_some_and(|it| it.swapped.is_some()) {
            self.endings.failed += 1;
        }
        let version = self.version.clone();
        let (Some(pending), Some(version)) = (pending.filter(|it| it.planned > 0), version) else {
            let _ = self.waits(format!("{why}; it can be skipped"));
            return;
        };
        let foreign = pending.progress.counts.foreign;
        let unput = Unput {
            records: pending.planned,
            end: Place {
                position: pending.to,
                within: pending.progress.within,
            },
            foreign: foreign.saturating_sub(self.progress.counts.foreign),
            first: pending.first,
        };
        // What comes of it is in the lane, for the pump's next question.
        let _ = self.failed(&version, unput.failed(why));
    }

    /// Keeps what a dead letter would say of the record that fails.
    fn note_failing(&mut self, version: &Arc<Version>, failed: &Failed, tries: u32) {
        self.failing = failed.first.clone().map(|(first, lone)| {
            Box::new(Condemned {
                first,
                lone,
                end: failed.end,
                foreign: failed.foreign,
                reason: failed.fault.to_string(),
                version: Arc::clone(version),
                tries,
            })
        });
    }
}
