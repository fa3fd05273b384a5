//! One shard of an application at work: the step that its pump takes. A batch of its records goes
//! through an instance; what that wants done, the state that it keeps and the position are one
//! commit. Whatever goes wrong, the instance is let go and the batch done again from what is kept.

mod attempt;
mod ending;
mod failures;
mod letters;
mod versions;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use store::codec::damaged;
use store::{CommitError, LogId, Position, StoreError, Transaction, Version};
use streams::emit::Emission;
use streams::pump::{Batch as Stretch, Damage, Retry, Step, StepError, row};
use tokio::sync::watch;
use tokio::time::Instant;
use types::Timestamp;
use wasm::{Assignment, ContentHash};

use self::letters::Condemned;
use crate::batch::{First, Origin};
use crate::budget::Share;
use crate::effects::Desk;
use crate::ground::Ground;
use crate::instances::Slot;
use crate::limits::{CONFLICTS_BEFORE_ALONE, PAUSE_FIRST, PAUSE_MAX};
use crate::place::Place;
use crate::plan::Plan;
use crate::rows::{self, KeptState, ShardProgress};
use crate::running::{Running, ShardAtWork, TurnOfBatch};
use crate::table_ids::ShardKey;
use crate::work::Lone;

/// What a lane works on.
#[derive(Clone)]
pub struct LaneOf {
    /// The application.
    pub running: Arc<Running>,
    /// The shard.
    pub key: ShardKey,
    /// Its log.
    pub log: LogId,
    /// Where its records come from.
    pub origin: Arc<Origin>,
}

/// One shard of an application at work.
pub struct Lane {
    ground: Arc<Ground>,
    of: LaneOf,
    shard: Arc<ShardAtWork>,
    stop: watch::Receiver<bool>,
    plugins: watch::Receiver<u64>,
    assignment: Assignment,
    desk: Desk,
    /// As it is kept, together with the three that follow.
    stands_at: Position,
    progress: ShardProgress,
    kept: Option<(KeptState, Version)>,
    /// The version at work.
    version: Option<Arc<wasm::Version>>,
    /// One that was not swapped in, and is not tried again.
    refused: Option<ContentHash>,
    plan: Plan,
    /// Batches in a row that were refused because of what others wrote.
    conflicts: u32,
    /// Failures in a row that are no fault of a record.
    pauses: u32,
    /// The last failure at the end of a shard was the plugin's.
    is_fault: bool,
    /// What comes after the failure that the step answered with.
    retry: Retry,
    /// The next record that fails alone in its batch is not tried again: an operator says so.
    skips: bool,
    /// A record that fails, alone in its batch.
    failing: Option<Box<Condemned>>,
    /// A record that always fails, on its way to the dead letters.
    condemned: Option<Box<Condemned>>,
    /// What was handed to the pump, of which it is not known whether it is durable.
    pending: Option<Box<Pending>>,
    /// What is kept may be otherwise than it stands here: it is read before the next step.
    is_unsure: bool,
    /// Records for a shard that was closed.
    resharding: Option<Emission>,
    /// Bytes of memory that the batch before this one took at last.
    last_bytes: u64,
}

/// What becomes true once a commit is durable.
struct Pending {
    to: Position,
    progress: ShardProgress,
    /// The state row, if it is written.
    state: Option<Option<KeptState>>,
    emissions: Vec<Emission>,
    slot: Option<Slot>,
    /// Records of the plan that are done with it.
    planned: usize,
    /// The one of them, if there is one only.
    first: Option<(First, Lone)>,
    last_arrival: Option<Timestamp>,
    begun: Instant,
    /// Kept until the commit: the turn among the application's batches, and the batch's memory.
    _held: (Option<TurnOfBatch>, Option<Share>),
}

impl Lane {
    /// The lane of a shard whose pump stands there.
    ///
    /// # Errors
    /// What is kept of it cannot be read.
    pub async fn open(
        ground: Arc<Ground>,
        of: LaneOf,
        stands_at: Position,
        stop: watch::Receiver<bool>,
    ) -> Result<Self, StoreError> {
        let application = of.running.application();
        let progress = rows::progress_of(&*ground.engine, of.key).await?;
        let kept = rows::state_of(&*ground.engine, of.key).await?;
        let shard = of.running.shard(of.key);
        let mut lane = Self {
            shard,
            stop,
            plugins: ground.plugins.changes(),
            assignment: Assignment {
                application: application.name.as_str().to_owned(),
                stream: of.origin.stream.clone(),
                shard: of.origin.shard.clone(),
            },
            desk: Desk::default(),
            stands_at,
            progress: progress.unwrap_or_default(),
            kept,
            version: None,
            refused: None,
            plan: Plan::default(),
            conflicts: 0,
            pauses: 0,
            is_fault: false,
            retry: Retry::backoff(1),
            skips: false,
            failing: None,
            condemned: None,
            pending: None,
            is_unsure: false,
            resharding: None,
            last_bytes: 0,
            ground,
            of,
        };
        // One of an earlier life of this lane has another desk.
        lane.ground.instances.forget(lane.of.key);
        lane.show();
        lane.version = lane.version_before().await;
        Ok(lane)
    }

    fn place(&self) -> Place {
        Place {
            position: self.stands_at,
            within: self.progress.within,
        }
    }

    fn show(&self) {
        self.shard.show(|shown| {
            shown.is_here = true;
            shown.position = self.stands_at;
            shown.counts = self.progress.counts;
        });
    }

    /// Reads how it stands: what was handed to the pump last is not what it says.
    async fn catch_up(&mut self) -> Result<(), StoreError> {
        let (engine, key) = (&*self.ground.engine, self.of.key);
        let before = self.place();
        let stands = row::position_of(engine, &key.pump_name()).await?;
        let (position, _) = stands.ok_or_else(|| damaged("the pump of an application"))?;
        let progress = rows::progress_of(engine, key).await?;
        self.kept = rows::state_of(engine, key).await?;
        self.progress = progress.unwrap_or_default();
        self.stands_at = position;
        if self.place() != before {
            self.plan.begins_anew();
            (self.failing, self.condemned) = (None, None);
        }
        self.show();
        Ok(())
    }

    fn is_stopped(&self) -> bool {
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }

    /// The step fails for no fault of a record: what stands in its way is shown, and it is tried
    /// again after a pause that grows.
    fn waits(&mut self, why: impl Into<String>) -> StepError {
        let why = why.into();
        self.pauses = self.pauses.saturating_add(1);
        self.retry = Retry::After(pause(self.pauses));
        self.stands_still(&why);
        StepError::Failed(why)
    }

    fn stands_still(&self, why: &str) {
        if self.shard.is_stuck(why, self.ground.now()) {
            let name = self.of.running.application().name.clone();
            let shard = &self.of.origin.shard;
            tracing::warn!(application = %name, shard, why, "a shard does not get on");
        }
    }

    /// Looks what is kept after a commit went wrong that this lane does not know the outcome of.
    async fn settle_pending(&mut self) -> Result<(), StepError> {
        if self.pending.take().is_some() {
            self.is_unsure = true;
            self.shard.show(|shown| {
                shown.redone += 1;
                shown.committing = None;
            });
        }
        if self.is_unsure {
            let caught_up = self.catch_up().await;
            caught_up.map_err(|error| self.waits(error.to_string()))?;
            self.is_unsure = false;
        }
        if let Some(emission) = self.resharding.take() {
            emission.resharded().await;
        }
        Ok(())
    }

    /// Hands effects to the pump together with how the shard stands after them.
    fn hand_over(
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
        // A state that did not change is not written again.
        let is_new = |state: &Option<KeptState>| {
            state.as_ref() != self.kept.as_ref().map(|(state, _)| state)
        };
        pending.state = pending.state.take().filter(is_new);
        if let Some(state) = &pending.state {
            let expect = rows::expecting(self.kept.as_ref().map(|(_, version)| *version));
            let write = rows::state_write(self.of.key, state.as_ref(), expect)?;
            effects.writes.push(write);
        } else {
            // Whoever changes the state meanwhile changes what this came of.
            let check = rows::state_check(self.of.key, self.kept.as_ref().map(|(_, it)| *it));
            effects.checks.push(check);
        }
        for emission in &pending.emissions {
            effects.appends.extend_from_slice(emission.appends());
        }
        Ok(())
    }

    /// What was handed over is durable.
    fn is_durable(&mut self, pending: Pending, version: Version) {
        let took = pending.begun.elapsed();
        (self.stands_at, self.progress) = (pending.to, pending.progress);
        if let Some(state) = pending.state {
            self.kept = state.map(|state| (state, version));
        }
        for emission in pending.emissions {
            emission.committed();
        }
        if let Some(slot) = pending.slot {
            slot.rest();
        }
        self.plan.is_done(pending.planned);
        (self.conflicts, self.pauses) = (0, 0);
        (self.failing, self.condemned, self.skips) = (None, None, false);
        self.shard.gets_on();
        self.show();
        self.shard.show(|shown| shown.committing = None);
        self.shard.show(|shown| {
            shown.batches += 1;
            shown.commit_time += took;
            shown.commit_time_max = shown.commit_time_max.max(took);
            if pending.last_arrival.is_some() {
                shown.last_arrival = pending.last_arrival;
            }
        });
    }

    /// The store refused what was handed over.
    fn is_refused(&mut self, error: &CommitError) {
        let pending = self.pending.take();
        // A replay of a dead letter may have changed the state, and another worker all of it.
        self.is_unsure = true;
        self.shard.show(|shown| {
            shown.redone += 1;
            shown.committing = None;
        });
        self.retry = Retry::After(Duration::ZERO);
        match error {
            CommitError::Conflict { .. } => {
                self.conflicts = self.conflicts.saturating_add(1);
                self.shard.show(|shown| shown.conflicts += 1);
                self.desk.forget_tables();
                if self.conflicts > CONFLICTS_BEFORE_ALONE {
                    // Another application, or another server, writes the same rows.
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

/// A pause that doubles with each failure.
fn pause(failures: u32) -> Duration {
    let doubled = failures.saturating_sub(1).min(16);
    PAUSE_MAX.min(PAUSE_FIRST.saturating_mul(1 << doubled))
}

#[async_trait]
impl Step for Lane {
    async fn step(
        &mut self,
        _: &Stretch,
        effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        self.settle_pending().await?;
        if self.is_stopped() {
            return Ok(self.stands_at);
        }
        if self.shard.takes_skip() {
            self.skips_next();
        }
        if self.condemned.is_some() {
            return self.bury(effects).await;
        }
        if let Some(at) = self.choose_version(effects).await? {
            return Ok(at);
        }
        self.attempt(effects).await
    }

    async fn passed_over(
        &mut self,
        from: Position,
        to: Position,
        effects: &mut Transaction,
    ) -> Result<(), StepError> {
        self.settle_pending().await?;
        let lost = to.0.saturating_sub(from.0);
        let name = self.of.running.application().name.clone();
        let shard = &self.of.origin.shard;
        tracing::error!(
            application = %name,
            shard,
            lost,
            "retention took records before an application came to them"
        );
        self.plan.begins_anew();
        (self.failing, self.condemned) = (None, None);
        let mut progress = self.progress;
        progress.counts.lost += lost;
        progress.within = 0;
        self.hand_over(self.without_batch(to, progress), effects)
            .map(drop)
    }

    async fn damaged(
        &mut self,
        damage: &Damage,
        effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        self.settle_pending().await?;
        if !self.shard.takes_skip() {
            return Err(self.waits(format!("{damage}; it can be put right, or skipped")));
        }
        let mut progress = self.progress;
        progress.counts.left_out += damage.records();
        progress.within = 0;
        self.plan.begins_anew();
        self.hand_over(self.without_batch(damage.to, progress), effects)
    }

    fn committed(&mut self, version: Version) {
        if let Some(pending) = self.pending.take() {
            self.is_durable(*pending, version);
        }
    }

    async fn pause(&mut self, pause: Duration) {
        let (nudge, changed) = (&self.shard.nudge, &self.of.running.changed);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = nudge.notified() => {}
            () = changed.notified() => {}
            _ = self.plugins.changed() => {}
        }
    }

    fn after_failure(&mut self, error: &StepError, _: u32) -> Retry {
        if let StepError::Refused(error) = error {
            self.is_refused(error);
        }
        self.retry
    }
}

impl Lane {
    /// Nothing but how the shard stands.
    fn without_batch(&self, to: Position, progress: ShardProgress) -> Pending {
        Pending {
            to,
            progress,
            state: None,
            emissions: Vec::new(),
            slot: None,
            planned: 0,
            first: None,
            last_arrival: None,
            begun: Instant::now(),
            _held: (None, None),
        }
    }
}
