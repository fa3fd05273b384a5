//! What a lane hands to the pump, and what becomes of it: durable, refused, or done again.

use std::time::Duration;

use std::sync::Arc;
use store::{CommitError, Position, StoreError, Transaction, Version};
use streams::emit::Emission;
use streams::pump::{Retry, StepError};
use tokio::time::Instant;
use types::Timestamp;
use wasm::Outcomes;

use super::kept::{Kept, StateDigest, digest};
use super::{Lane, pause};
use crate::batch::First;
use crate::instances::Slot;
use crate::limits::CONFLICTS_BEFORE_ALONE;
use crate::memory::Memory;
use crate::plan::Plan;
use crate::rows::{self, KeptState, ShardProgress};
use crate::running::TurnOfBatch;
use crate::work::Lone;

/// What becomes true once a commit is durable.
pub(super) struct Pending {
    pub(super) to: Position,
    pub(super) progress: ShardProgress,
    /// The state that is to be kept, if there may be another one.
    pub(super) state: Option<Option<KeptState>>,
    /// The one that is written.
    pub(super) written: Option<Option<StateDigest>>,
    pub(super) emissions: Vec<Emission>,
    pub(super) slot: Option<Slot>,
    /// The version that takes the place of the one at work.
    pub(super) swapped: Option<Arc<wasm::Version>>,
    /// What the instance wanted done that ends is left out.
    pub(super) is_unheard: bool,
    /// Records of which the outcome is known by this, and those of them that failed, in this
    /// version.
    pub(super) ended: Option<(Arc<wasm::Version>, u64, u64)>,
    /// Records of the plan that are done with it.
    pub(super) planned: usize,
    /// The one of them, if there is one only.
    pub(super) first: Option<(First, Lone)>,
    pub(super) last_arrival: Option<Timestamp>,
    pub(super) begun: Instant,
    /// Kept until the commit: the turn among the application's batches, and the batch's memory.
    pub(super) _held: (Option<TurnOfBatch>, Memory),
}

impl Lane {
    /// Nothing but how the shard stands.
    pub(super) fn without_batch(&self, to: Position, progress: ShardProgress) -> Pending {
        Pending {
            to,
            progress,
            state: None,
            written: None,
            emissions: Vec::new(),
            slot: None,
            swapped: None,
            is_unheard: false,
            ended: None,
            planned: 0,
            first: None,
            last_arrival: None,
            begun: Instant::now(),
            _held: (None, Memory::default()),
        }
    }

    /// Hands effects to the pump together with how the shard stands after them.
    pub(super) fn hand_over(
        &mut self,
        mut pending: Pending,
        effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        let written = self.write_all(&mut pending, effects);
        written.map_err(|error| self.waits(error.to_string()))?;
        let (to, now) = (pending.to, self.ground.now());
        let committing = Some((std::time::Instant::now(), now));
        self.shard.show(|shown| shown.committing = committing);
        self.pending = Some(Box::new(pending));
        Ok(to)
    }

    fn write_all(
        &self,
        pending: &mut Pending,
        effects: &mut Transaction,
    ) -> Result<(), StoreError> {
        let write = rows::progress_write(self.of.key, &pending.progress)?;
        effects.writes.push(write);
        // A state that did not change is not written again. Its bytes are in the row from here on.
        let before = self.kept.map(|kept| kept.digest);
        let state = pending.state.take();
        let state = state.map(|state| (state.as_ref().map(digest), state));
        if let Some((digest, state)) = state.filter(|(digest, _)| *digest != before) {
            let expect = rows::expecting(self.kept.map(|kept| kept.version));
            let write = rows::state_write(self.of.key, state.as_ref(), expect)?;
            effects.writes.push(write);
            pending.written = Some(digest);
        } else {
            // Whoever changes the state meanwhile changes what this came of.
            let check = rows::state_check(self.of.key, self.kept.map(|kept| kept.version));
            effects.checks.push(check);
        }
        for emission in &pending.emissions {
            effects.appends.extend_from_slice(emission.appends());
        }
        Ok(())
    }

    /// What was handed over is durable.
    pub(super) fn is_durable(&mut self, pending: Pending, version: Version) {
        let took = pending.begun.elapsed();
        (self.stands_at, self.progress) = (pending.to, pending.progress);
        if let Some(digest) = pending.written {
            self.kept = digest.map(|digest| Kept { digest, version });
        }
        self.emitted_to = pending.emissions.iter().map(Emission::targets).collect();
        for emission in pending.emissions {
            emission.committed();
        }
        if let Some(slot) = pending.slot {
            slot.rest();
        }
        if let Some((version, records, failed)) = pending.ended {
            version.ended(Outcomes {
                ok: records.saturating_sub(failed),
                dropped: 0,
                failed,
            });
        }
        self.plan.is_done(pending.planned);
        if let Some(version) = pending.swapped {
            // What failed in the one before may go well now.
            self.plan = Plan::default();
            self.works_with(version);
        }
        self.is_at_rest();
        self.show();
        self.shard.show(|shown| shown.committing = None);
        self.shard.show(|shown| {
            shown.batches += 1;
            shown.unheard += u64::from(pending.is_unheard);
            shown.commit_time += took;
            shown.commit_time_max = shown.commit_time_max.max(took);
            if pending.last_arrival.is_some() {
                shown.last_arrival = pending.last_arrival;
            }
        });
    }

    /// Nothing stands in the way of the shard, and what stood there before is forgotten.
    pub(super) fn is_at_rest(&mut self) {
        (self.conflicts, self.pauses, self.over_rate) = (0, 0, Duration::ZERO);
        self.contention.forget();
        (self.failing, self.condemned, self.skips) = (None, None, false);
        self.retry = Retry::After(Duration::ZERO);
        self.shard.gets_on();
    }

    /// The store refused what was handed over.
    pub(super) fn is_refused(&mut self, error: &CommitError) {
        let pending = self.pending.take();
        // A replay of a dead letter may have changed the state, and another worker all of it.
        self.is_unsure = true;
        self.shard.show(|shown| {
            shown.redone += 1;
            shown.committing = None;
        });
        self.retry = Retry::After(Duration::ZERO);
        match error {
            CommitError::Conflict { table, key } => {
                self.conflicts = self.conflicts.saturating_add(1);
                self.contention.note(*table, key);
                self.shard.show(|shown| shown.conflicts += 1);
                self.desk.forget_tables();
                if self.conflicts > CONFLICTS_BEFORE_ALONE {
                    // Another application writes the same rows, or a client further ones.
                    if let Some(pending) = pending {
                        self.plan.meets_conflicts(pending.planned);
                    }
                    self.retry = Retry::After(pause(self.conflicts - CONFLICTS_BEFORE_ALONE));
                    self.stands_still("others keep changing rows that it reads");
                }
            }
            CommitError::Sealed(log) => {
                let emissions = pending.map(|it| it.emissions).unwrap_or_default();
                let mut emissions = emissions.into_iter();
                self.resharding = emissions.find(|emission| emission.is_for(*log));
            }
            CommitError::TooLarge(why) => self.is_too_large(pending, why),
            error => {
                // A stream that records were for is gone, or a key is not to be had.
                let _ = self.waits(error.to_string());
            }
        }
    }
}
