//! What a batch that failed comes to: another try, the same in parts, or a dead letter.

use std::time::Duration;

use streams::pump::{Retry, StepError};
use wasm::{Fault, Version};

use super::letters::Condemned;
use super::{Lane, Pending, pause};
use crate::place::Place;
use crate::plan::{Failing, Verdict};
use crate::work::Failed;

impl Lane {
    /// A batch failed: says what comes of it.
    pub(super) fn failed(&mut self, version: &Version, failed: Failed) -> StepError {
        let fault = &failed.fault;
        match fault {
            // Nothing is wrong with it: its turn was given to others.
            Fault::Stopped => {
                self.retry = Retry::After(Duration::from_millis(1));
                return StepError::Failed(fault.to_string());
            }
            Fault::NoInstance(_) | Fault::Unavailable(_) => return self.waits(fault.to_string()),
            Fault::Retryable(_) if !failed.is_beginning => {
                self.note_failing(version, &failed, 0);
                if self.skips && failed.records == 1 {
                    self.condemn_next();
                    self.retry = Retry::After(Duration::from_millis(1));
                    return StepError::Failed(fault.to_string());
                }
                return self.waits(format!("{} says to try later: {fault}", version.name()));
            }
            _ if failed.is_beginning => {
                let why = format!("an instance of {} does not begin: {fault}", version.name());
                return self.waits(why);
            }
            Fault::Panicked(panic) => version.log_panic(panic),
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

    /// What a batch wants done is more than the store takes at once: it is divided as one that
    /// failed.
    pub(super) fn is_too_large(&mut self, pending: Option<Box<Pending>>, why: &str) {
        let why = format!("what it wants done is more than one commit takes: {why}");
        let version = self.version.clone();
        let (Some(pending), Some(version)) = (pending.filter(|it| it.planned > 0), version) else {
            let _ = self.waits(why);
            return;
        };
        let foreign = pending.progress.counts.foreign;
        // What comes of it is in the lane, for the pump's next question.
        let _ = self.failed(
            &version,
            Failed {
                bytes: 0,
                fault: Fault::Permanent(why),
                is_beginning: false,
                records: pending.planned,
                done: 0,
                end: Place {
                    position: pending.to,
                    within: pending.progress.within,
                },
                foreign: foreign.saturating_sub(self.progress.counts.foreign),
                first: pending.first,
            },
        );
    }

    /// Keeps what a dead letter would say of the record that fails.
    fn note_failing(&mut self, version: &Version, failed: &Failed, tries: u32) {
        self.failing = failed.first.clone().map(|(first, lone)| {
            Box::new(Condemned {
                first,
                lone,
                end: failed.end,
                foreign: failed.foreign,
                reason: failed.fault.to_string(),
                version: version.hash(),
                tries,
            })
        });
    }
}
