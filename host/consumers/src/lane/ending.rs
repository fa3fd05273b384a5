//! How a lane ends: its shard has no more records, it is told to stop, or another worker has the
//! shard.

use std::sync::Arc;

use store::Transaction;
use streams::pump::{Here, Pump, PumpError, Step, StepError};
use tokio::sync::watch;
use wasm::{Consumer, Fault};

use super::{Lane, Pending};
use crate::instances::Slot;
use crate::limits::RECORD_TRIES_MAX;
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
            let handed = self.last(LastWords::ShardEnded, failures, &mut effects);
            let error = match handed.await {
                Ok(()) => {
                    let here = pump.commit_here(effects, stop).await?;
                    let Some(error) = self.settled(here, pump) else {
                        return Ok(true);
                    };
                    error
                }
                Err(error) => {
                    failures += u32::from(self.is_fault);
                    error
                }
            };
            if let streams::pump::Retry::After(pause) = self.after_failure(&error, 1) {
                tokio::select! {
                    _ = stop.wait_for(|stop| *stop) => {}
                    () = self.pause(pause) => {}
                }
            }
        }
        Ok(false)
    }

    /// The lane is told to stop while its shard goes on: tells the instance, if it is there, and
    /// keeps what it wants done. One that does not take that well has not lost anything.
    ///
    /// # Errors
    /// As a pump's.
    pub async fn shut_down(
        &mut self,
        pump: &mut Pump,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), PumpError> {
        let Some(version) = self.version.clone() else {
            return Ok(());
        };
        // The turn before the slot, as everywhere: whoever is alone in its turn may need a slot.
        let turn = self.of.running.turn(false).await;
        let slot = self.ground.instances.at_rest(self.of.key, version.name());
        if let Some(slot) = slot {
            let mut effects = Transaction::default();
            let handed = self.told((LastWords::ShutdownRequested, turn, slot), &mut effects);
            if handed.await.is_ok() {
                let here = pump.commit_here(effects, stop).await?;
                self.settled(here, pump);
            }
        }
        self.ground.instances.forget(self.of.key);
        Ok(())
    }

    /// Another worker has the shard: nothing that the instance wants is done any more.
    pub async fn lose(&mut self) {
        let Some(version) = self.version.clone() else {
            return;
        };
        let slot = self.ground.instances.at_rest(self.of.key, version.name());
        let Some(mut slot) = slot else { return };
        let Some(mut instance) = slot.take() else {
            return;
        };
        let told = self.on_thread(&version, move |_| instance.lease_lost());
        if let Ok(Err(fault)) = told.await {
            let shard = &self.of.origin.shard;
            tracing::debug!(shard, %fault, "an instance that lost its shard");
        }
    }

    /// Hands over the end of the shard.
    async fn last(
        &mut self,
        words: LastWords,
        failures: u32,
        effects: &mut Transaction,
    ) -> Result<(), StepError> {
        self.is_fault = false;
        self.settle_pending().await?;
        if failures >= RECORD_TRIES_MAX || self.shard.takes_skip() {
            let name = self.of.running.application().name.clone();
            let shard = &self.of.origin.shard;
            tracing::error!(application = %name, shard, "a shard ends without its plugin");
            let mut progress = self.progress;
            progress.is_ended = true;
            let pending = self.without_batch(self.stands_at, progress);
            return self.hand_over(pending, effects).map(drop);
        }
        if let Some(_swapped) = self.choose_version(effects).await? {
            // What the version before wants done goes with this.
            return Ok(());
        }
        let Some(version) = self.version.clone() else {
            return Err(self.waits("no version of its plugin is there"));
        };
        let turn = self.of.running.turn(false).await;
        let slot = self
            .ground
            .instances
            .slot(self.of.key, version.name())
            .await;
        self.told((words, turn, slot), effects).await
    }

    async fn told(
        &mut self,
        (words, turn, mut slot): (LastWords, TurnOfBatch, Slot),
        effects: &mut Transaction,
    ) -> Result<(), StepError> {
        let Some(version) = self.version.clone() else {
            return Err(self.waits("no version of its plugin is there"));
        };
        let (instance, making) = (slot.take(), self.making(&version));
        let tables = Arc::clone(&self.ground.tables);
        let called = self.on_thread(&version, move |_| {
            making.desk.begin(None);
            let (instance, state) = tell(words, instance, &making)?;
            let mut effects = Transaction::default();
            let wishes = making.desk.take(&tables, &mut effects);
            let wishes = wishes.map_err(|error| Fault::Unavailable(error.to_string()))?;
            Ok::<_, Fault>((instance, state, effects, wishes))
        });
        let called = match called.await {
            Ok(called) => called,
            Err(lost) => return Err(self.waits(lost.to_string())),
        };
        let (instance, state, wanted, wishes) = match called {
            Ok(told) => told,
            Err(fault) => {
                self.is_fault = !matches!(
                    fault,
                    Fault::Retryable(_)
                        | Fault::NoInstance(_)
                        | Fault::Unavailable(_)
                        | Fault::Stopped
                );
                return Err(self.waits(fault.to_string()));
            }
        };
        slot.put(Some(instance));
        let emitted = wishes.emitted.iter();
        let emitted: u64 = emitted.map(|(_, _, data)| data.len() as u64).sum();
        let emissions = self.ready(wishes.emitted).await?;
        *effects = wanted;
        let mut progress = self.progress;
        progress.is_ended = words == LastWords::ShardEnded;
        progress.counts.emitted += emitted;
        progress.counts.rows += wishes.rows;
        let pending = Pending {
            state: Some(state),
            emissions,
            slot: Some(slot),
            _held: (Some(turn), wishes.share),
            ..self.without_batch(self.stands_at, progress)
        };
        self.hand_over(pending, effects).map(drop)
    }

    /// What became of what was handed over; why that is to be done again, if it is.
    fn settled(&mut self, here: Here, pump: &Pump) -> Option<StepError> {
        match here {
            Here::Done => {
                let ended = self.pending.as_ref().is_some_and(|it| it.progress.is_ended);
                self.committed(pump.version());
                (!ended).then(|| StepError::Failed("its end is still to come".to_owned()))
            }
            Here::NotDone => Some(StepError::Failed("it was kept otherwise".to_owned())),
            Here::Refused(error) => Some(StepError::Refused(error)),
        }
    }
}

/// Tells an instance, or one that goes on with what is kept.
fn tell(
    words: LastWords,
    instance: Option<Consumer>,
    making: &Making,
) -> Result<(Consumer, Option<KeptState>), Fault> {
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
    Ok((instance, state))
}
