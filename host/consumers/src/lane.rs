//! One shard of an application at work: the step that its pump takes. A batch of its records goes
//! through an instance; what that wants done, the state that it keeps and the position are one
//! commit. Whatever goes wrong, the instance is let go and the batch done again from what is kept.

mod attempt;
mod choice;
mod commits;
mod ending;
mod failures;
mod kept;
mod letters;
mod versions;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use store::codec::damaged;
use store::{LogId, Position, StoreError, Transaction, Version};
use streams::emit::{Emission, Targets};
use streams::pump::{Batch as Stretch, Damage, Retry, Step, StepError, row};
use tokio::sync::watch;
use wasm::{Assignment, PluginName};

use self::commits::Pending;
use self::kept::Kept;
use self::letters::Condemned;
use self::versions::{Chosen, Endings, Unfit};
use crate::batch::Origin;
use crate::contention::Contention;
use crate::desk::Desk;
use crate::ground::Ground;
use crate::instances::Slot;
use crate::limits::{CONFLICTS_BEFORE_ALONE, PAUSE_FIRST, PAUSE_MAX};
use crate::memory::Memory;
use crate::place::Place;
use crate::plan::Plan;
use crate::rows::{self, ShardProgress};
use crate::running::{Running, ShardAtWork, TurnOfBatch};
use crate::table_ids::ShardKey;

/// What stands in the way of a lane whose plugin has no version that may work.
const NO_VERSION: &str = "no version of its plugin is there";

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
    kept: Option<Kept>,
    /// The version at work.
    version: Option<Arc<wasm::Version>>,
    /// One that was not swapped in, and is not tried again.
    refused: Option<Unfit>,
    /// How the version at work took it that another is to take its place.
    endings: Endings,
    plan: Plan,
    /// Batches in a row that were refused because of what others wrote.
    conflicts: u32,
    /// The rows that were changed.
    contention: Contention,
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
    /// Where the batch before this one put its records.
    emitted_to: Vec<Targets>,
    /// How long it has waited since then for shards that had taken too much.
    over_rate: Duration,
    /// Bytes of memory that the batch before this one used, or lacked.
    bytes_wanted: u64,
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
            kept: None,
            version: None,
            refused: None,
            endings: Endings::default(),
            plan: Plan::default(),
            conflicts: 0,
            contention: Contention::default(),
            pauses: 0,
            is_fault: false,
            retry: Retry::backoff(1),
            skips: false,
            failing: None,
            condemned: None,
            pending: None,
            is_unsure: false,
            resharding: None,
            emitted_to: Vec::new(),
            over_rate: Duration::ZERO,
            bytes_wanted: 0,
            ground,
            of,
        };
        // One of an earlier life of this lane has another desk.
        lane.ground.instances.forget(lane.of.key);
        lane.show();
        (lane.kept, _) = lane.read_kept().await?;
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
        (self.kept, _) = self.read_kept().await?;
        self.progress = progress.unwrap_or_default();
        self.stands_at = position;
        let at_work = self.version.as_ref().map(|version| version.hash());
        if self.progress.version.is_some() && self.progress.version != at_work {
            // A swap went through of which the answer was lost, or the first commit did not.
            self.version = self.version_before().await;
        }
        if self.place() != before {
            self.plan.begins_anew();
            (self.failing, self.condemned) = (None, None);
        }
        self.show();
        Ok(())
    }

    /// What `wait` comes to; `None` if the lane is told to stop before.
    async fn unless_stopped<T>(&self, wait: impl Future<Output = T>) -> Option<T> {
        unless_stopped(self.stop.clone(), wait).await
    }

    /// Waits for the right to work beside the other shards, or alone after too many conflicts.
    /// `None` if the stop comes before.
    async fn turn(&self) -> Option<TurnOfBatch> {
        let is_alone = self.conflicts >= CONFLICTS_BEFORE_ALONE;
        self.unless_stopped(self.of.running.turn(is_alone)).await
    }

    /// Keeps others from the rows that stood in the way of the batch too often. Taken when all else
    /// is in hand, so that nobody waits for them for longer than the batch takes. `None` if the
    /// stop comes before.
    async fn reserving(&mut self, turn: TurnOfBatch) -> Result<Option<TurnOfBatch>, StepError> {
        if self.conflicts < CONFLICTS_BEFORE_ALONE {
            return Ok(Some(turn));
        }
        let reserved = self.contention.reserve(&self.ground.tables);
        match self.unless_stopped(reserved).await {
            None => Ok(None),
            Some(Ok(reserved)) => Ok(Some(turn.with(reserved))),
            Some(Err(error)) => Err(self.waits(error.to_string())),
        }
    }

    /// Waits for so much memory. `None` if the stop comes before.
    async fn memory(&self, bytes: u64) -> Option<Memory> {
        let share = self
            .ground
            .budget
            .take(self.of.running.application().payer(), bytes);
        self.unless_stopped(share).await.map(Memory::new)
    }

    /// Waits for the instance of the shard, or for room to make one. `None` if the stop comes
    /// before.
    async fn slot(&self, plugin: &PluginName) -> Option<Slot> {
        let whose = self.of.running.application().whose(plugin);
        self.unless_stopped(self.ground.instances.slot(self.of.key, whose))
            .await
    }

    /// The try ended for lack of memory: the next one waits in the line for as much as it lacked.
    fn lacks(&mut self, bytes: u64) -> StepError {
        self.bytes_wanted = bytes;
        self.retry = Retry::After(Duration::from_millis(1));
        StepError::Failed("it waits for memory".to_owned())
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
}

/// What `wait` comes to; `None` if the stop comes before.
async fn unless_stopped<T>(
    mut stop: watch::Receiver<bool>,
    wait: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        waited = wait => Some(waited),
        _ = stop.wait_for(|stop| *stop) => None,
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
        stretch: &Stretch,
        effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        self.settle_pending().await?;
        if self.is_stopped() {
            return Ok(self.stands_at);
        }
        if self.shard.takes_skip() {
            self.skips_next();
        }
        if self.is_given_up() {
            return self.bury(effects).await;
        }
        match self.choose_version(effects).await? {
            Chosen::Swapped(at) => Ok(at),
            Chosen::Stopped => Ok(self.stands_at),
            // What another version has given up this one may take, but there was none.
            Chosen::Works if self.condemned.is_some() => self.bury(effects).await,
            Chosen::Works => self.attempt(stretch, effects).await,
        }
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

    async fn wakes(&mut self) {
        self.until_another_version().await;
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

#[cfg(test)]
mod tests {
    use types::{AccountId, Caller, Region, StreamName, Timestamp};

    use super::*;
    use crate::application::{Application, ApplicationId, ApplicationName, Start, State, Versions};

    fn running() -> Arc<Running> {
        Running::new(Application {
            id: ApplicationId(7),
            owner: Caller {
                account: AccountId::parse("000000000042").unwrap(),
                region: Region::parse("eu-west-1").unwrap(),
            },
            name: ApplicationName::parse("counts").unwrap(),
            stream: StreamName::parse("text").unwrap(),
            plugin: PluginName::parse("counter").unwrap(),
            start: Start::TrimHorizon,
            versions: Versions::Latest,
            state: State::Running,
            created_at: Timestamp(9),
        })
    }

    #[tokio::test]
    async fn the_stop_ends_the_wait_of_one_that_wants_to_be_alone_and_lets_the_others_on() {
        let running = running();
        let beside = running.turn(false).await;
        let (stop, stopped) = watch::channel(false);
        let waits = tokio::spawn({
            let running = Arc::clone(&running);
            async move { unless_stopped(stopped, running.turn(true)).await.is_some() }
        });
        stop.send_replace(true);
        assert!(!waits.await.unwrap(), "it was not alone, and does not wait");
        let (_stop, stopped) = watch::channel(false);
        let another = unless_stopped(stopped, running.turn(false)).await;
        assert!(another.is_some(), "nobody stands before it any more");
        drop((beside, another));
    }
}
