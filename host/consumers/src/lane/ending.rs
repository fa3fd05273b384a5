//! How a lane ends: its shard has no more records, it is told to stop, or another worker has the
//! shard.

use std::sync::Arc;

use store::Transaction;
use streams::pump::{Here, Pump, PumpError, Retry, Step, StepError};
use tables::Tables;
use tokio::sync::watch;
use tokio::time::timeout;
use wasm::{Consumer, Fault};

use super::attempt::Unready;
use super::commits::Pending;
use super::versions::Chosen;
use super::{Lane, NO_VERSION};
use crate::desk::Wishes;
use crate::instances::Slot;
use crate::limits::{LAST_WORDS_TIME_MAX, LAST_WORDS_TRIES_MAX, STATE_MEMORY_BYTES};
use crate::memory::Memory;
use crate::rows::KeptState;
use crate::running::TurnOfBatch;
use crate::work::Making;

/// What a lane tells its instance at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LastWords {
    ShardEnded,
    ShutdownRequested,
}

impl Lane {
    /// All records of a shard that takes no more are done: tells the plugin, and keeps what it
    /// wants done with that the shard has ended. Whether it has; not if the stop came before.
    ///
    /// # Errors
    /// As a pump's.
    pub async fn end(
        &mut self,
        pump: &mut Pump,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<bool, PumpError> {
        let mut failures = 0;
        while !self.is_stopped() {
            let mut effects = Transaction::default();
            let error = match self.last(failures, &mut effects).await {
                Ok(Handed::Nothing) => continue,
                Ok(handed) => {
                    let here = pump.commit_here(effects, stop).await?;
                    match (self.settled(here, pump), handed) {
                        (None, Handed::End) => return Ok(true),
                        (None, _) => continue,
                        (Some(error), _) => error,
                    }
                }
                Err(error) => {
                    failures += u32::from(self.is_fault);
                    error
                }
            };
            self.rests_after(&error, stop).await;
        }
        Ok(false)
    }

    /// Pauses after a failure as a pump would; ends early when the stop comes.
    pub(super) async fn rests_after(
        &mut self,
        error: &StepError,
        stop: &mut watch::Receiver<bool>,
    ) {
        if let Retry::After(pause) = self.after_failure(error, 1) {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => {}
                () = self.pause(pause) => {}
            }
        }
    }

    /// The lane is told to stop while its shard goes on: tells the instance, if it is there, and
    /// keeps what it wants done. What the store refuses since others were faster is asked of an
    /// instance with what is kept, a few times. One that does not take that well has not lost
    /// anything: the shard goes on as if it had not been told.
    ///
    /// # Errors
    /// As a pump's.
    pub async fn shut_down(
        &mut self,
        pump: &mut Pump,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), PumpError> {
        let is_there = self.ground.instances.has_at_rest(self.of.key);
        let tries = if is_there { LAST_WORDS_TRIES_MAX } else { 0 };
        for _ in 0..tries {
            let mut effects = Transaction::default();
            let telling = self.tells_of_the_stop(&mut effects);
            let Ok(told) = timeout(LAST_WORDS_TIME_MAX, telling).await else {
                tracing::warn!(
                    shard = self.of.origin.shard,
                    "no time to tell that a shard stops"
                );
                break;
            };
            if !matches!(told, Ok(true)) {
                break;
            }
            let here = pump.commit_here(effects, stop).await?;
            let Some(error) = self.settled(here, pump) else {
                break;
            };
            self.after_failure(&error, 1);
        }
        self.ground.instances.forget(self.of.key);
        Ok(())
    }

    /// Whether anything was handed over.
    async fn tells_of_the_stop(&mut self, effects: &mut Transaction) -> Result<bool, StepError> {
        self.settle_pending().await?;
        let Some(version) = self.version.clone() else {
            return Err(self.waits(NO_VERSION));
        };
        // The stop has come already: how long this may take is for the caller to say. Where others
        // were faster there is little time for being faster the next time.
        let turn = self.of.running.turn(self.conflicts > 0).await;
        let bytes = STATE_MEMORY_BYTES.max(self.bytes_wanted);
        let share = self
            .ground
            .budget
            .take(self.of.running.application().payer(), bytes)
            .await;
        let mut memory = Memory::new(share);
        memory.begins_with(STATE_MEMORY_BYTES);
        let instances = &self.ground.instances;
        let whose = self.of.running.application().whose(version.name());
        let slot = instances.slot(self.of.key, whose).await;
        let with = (turn, memory, slot);
        self.told(LastWords::ShutdownRequested, with, effects).await
    }

    /// Another worker has the shard: nothing that the instance wants is done any more.
    pub async fn lose(&mut self) {
        let Some(version) = self.version.clone() else {
            return;
        };
        let whose = self.of.running.application().whose(version.name());
        let slot = self.ground.instances.at_rest(self.of.key, whose);
        let Some(mut slot) = slot else { return };
        let Some(mut instance) = slot.take() else {
            return;
        };
        let told = self.on_thread(&version, move |_| instance.lease_lost());
        // It has no effect any more, whatever becomes of it.
        if let Ok(Ok(Some(Err(fault)))) = timeout(LAST_WORDS_TIME_MAX, told).await {
            let shard = &self.of.origin.shard;
            tracing::debug!(shard, %fault, "an instance that lost its shard");
        }
    }

    /// Hands over the end of the shard, or what comes before it.
    async fn last(
        &mut self,
        failures: u32,
        effects: &mut Transaction,
    ) -> Result<Handed, StepError> {
        self.is_fault = false;
        self.settle_pending().await?;
        if failures >= LAST_WORDS_TRIES_MAX || self.shard.takes_skip() {
            let name = self.of.running.application().name.clone();
            let shard = &self.of.origin.shard;
            tracing::error!(application = %name, shard, "a shard ends without its plugin");
            let mut progress = self.progress;
            progress.is_ended = true;
            let mut pending = self.without_batch(self.stands_at, progress);
            pending.is_unheard = true;
            return self.hand_over(pending, effects).map(|_| Handed::End);
        }
        match self.choose_version(effects).await? {
            // What the version before wants done goes with this.
            Chosen::Swapped(_) => return Ok(Handed::Swap),
            Chosen::Stopped => return Ok(Handed::Nothing),
            Chosen::Works => {}
        }
        let Some(version) = self.version.clone() else {
            return Err(self.waits(NO_VERSION));
        };
        let Some(turn) = self.turn().await else {
            return Ok(Handed::Nothing);
        };
        let Some(memory) = self.memory_of_words().await else {
            return Ok(Handed::Nothing);
        };
        let Some(slot) = self.slot(version.name()).await else {
            return Ok(Handed::Nothing);
        };
        let Some(turn) = self.reserving(turn).await? else {
            return Ok(Handed::Nothing);
        };
        let told = self.told(LastWords::ShardEnded, (turn, memory, slot), effects);
        Ok(if told.await? {
            Handed::End
        } else {
            Handed::Nothing
        })
    }

    /// Tells an instance, and hands over what it wants done. `false` if the stop comes before.
    async fn told(
        &mut self,
        words: LastWords,
        (turn, memory, mut slot): (TurnOfBatch, Memory, Slot),
        effects: &mut Transaction,
    ) -> Result<bool, StepError> {
        let Some(version) = self.version.clone() else {
            return Err(self.waits(NO_VERSION));
        };
        let instance = slot.take();
        let kept = match instance {
            Some(_) => None,
            None => self.kept_state().await?,
        };
        let making = self.making(&version, kept);
        let tables = Arc::clone(&self.ground.tables);
        let called = self.on_thread(&version, move |_| {
            making.desk.begin(memory);
            let told = tell(words, instance, &making, &tables);
            if told.is_err() {
                making.desk.leave();
            }
            told
        });
        let Told {
            instance,
            state,
            effects: wanted,
            wishes,
        } = match called.await {
            Ok(Some(Ok(told))) => told,
            Ok(None) => return Ok(false),
            Ok(Some(Err(Fault::Stopped))) => return Err(self.gave_its_turn()),
            Ok(Some(Err(fault))) => {
                if let Some(lacked) = self.desk.lacked() {
                    return Err(self.lacks(lacked));
                }
                self.is_fault = !matches!(
                    fault,
                    Fault::Retryable(_) | Fault::NoInstance(_) | Fault::Unavailable(_)
                );
                return Err(self.waits(fault.to_string()));
            }
            Err(lost) => return Err(self.waits(lost.to_string())),
        };
        slot.put(Some(instance));
        let emitted = wishes.emitted.iter();
        let emitted: u64 = emitted.map(|(_, _, data)| data.len() as u64).sum();
        let emissions = match self.ready(wishes.emitted).await {
            Ok(Some(emissions)) => emissions,
            Ok(None) => return Ok(false),
            Err(Unready::Refused(why)) => {
                self.is_fault = true;
                return Err(self.waits(why));
            }
            Err(Unready::NotNow(why)) => return Err(self.waits(why)),
            Err(Unready::OverRate { why, wait }) => return Err(self.is_over_rate(why, wait)),
        };
        *effects = wanted;
        let mut progress = self.progress;
        progress.is_ended = words == LastWords::ShardEnded;
        progress.counts.emitted += emitted;
        progress.counts.rows += wishes.rows;
        let pending = Pending {
            state: Some(state),
            emissions,
            slot: Some(slot),
            _held: (Some(turn), wishes.memory),
            ..self.without_batch(self.stands_at, progress)
        };
        self.hand_over(pending, effects).map(|_| true)
    }

    /// What became of what was handed over; why that is to be done again, if it is.
    fn settled(&mut self, here: Here, pump: &Pump) -> Option<StepError> {
        match here {
            Here::Done => {
                self.committed(pump.version());
                None
            }
            Here::NotDone => Some(StepError::Failed("it was kept otherwise".to_owned())),
            Here::Refused(error) => Some(StepError::Refused(error)),
        }
    }
}

/// What was handed over on the way to the end of a shard.
enum Handed {
    /// Its end.
    End,
    /// Another version that takes the place of the one at work.
    Swap,
    /// Nothing: the lane is told to stop.
    Nothing,
}

/// What came of a call without records.
struct Told {
    instance: Consumer,
    state: Option<KeptState>,
    effects: Transaction,
    wishes: Wishes,
}

/// Tells an instance, or one that goes on with what is kept.
fn tell(
    words: LastWords,
    instance: Option<Consumer>,
    making: &Making,
    tables: &Tables,
) -> Result<Told, Fault> {
    let mut instance = match instance {
        Some(mut instance) => {
            instance.begin(making.moment);
            instance
        }
        None => making.begin()?,
    };
    match words {
        LastWords::ShardEnded => instance.shard_ended()?,
        LastWords::ShutdownRequested => instance.shutdown_requested()?,
    }
    let state = instance.snapshot()?;
    let state = state.map(|(state_version, bytes)| KeptState {
        state_version,
        bytes,
    });
    let mut effects = Transaction::default();
    let wishes = making.desk.take(tables, &mut effects);
    let wishes = wishes.map_err(|error| Fault::Unavailable(error.to_string()))?;
    Ok(Told {
        instance,
        state,
        effects,
        wishes,
    })
}
