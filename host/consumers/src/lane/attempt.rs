//! One try of the next batch.

use std::sync::Arc;
use std::time::Duration;

use store::{Position, ReadBatch, StoreError, Transaction};
use streams::emit::{Emission, EmitError};
use streams::pump::StepError;
use tokio::time::Instant;
use types::StreamName;
use wasm::{Fault, Moment, Slab, TurnLost, Version};

use super::{Lane, Pending};
use crate::budget::Share;
use crate::ground::Ground;
use crate::instances::Slot;
use crate::limits::{
    BATCH_BYTES_MAX, BATCH_MEMORY_MAX, BATCH_RECORDS_MAX, CONFLICTS_BEFORE_ALONE, PAUSE_MAX,
};
use crate::running::TurnOfBatch;
use crate::work::{Done, Job, Making, Outcome, RECORD_OVERHEAD_BYTES, prepare};

impl Lane {
    /// Works on the next batch, and hands over what comes of it.
    pub(super) async fn attempt(
        &mut self,
        effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        let Some(version) = self.version.clone() else {
            return Err(self.waits("no version of its plugin is there"));
        };
        let is_alone = self.conflicts >= CONFLICTS_BEFORE_ALONE;
        let turn = self.of.running.turn(is_alone).await;
        let bytes = self.bytes_wanted();
        let share = self.ground.budget.take(self.of.key.application, bytes);
        let share = share.await;
        let read = match self.read().await {
            Ok(read) => read,
            // The pump finds that out as well, and asks what is to be done.
            Err(error) if error.hides_records() => return Ok(self.stands_at),
            Err(error) => return Err(self.waits(error.to_string())),
        };
        let first = read.frames.first();
        if first.is_none_or(|frame| frame.position > self.stands_at) {
            // Retention was faster: the pump passes over what is gone.
            return Ok(self.stands_at);
        }
        let name = version.name().clone();
        let mut slot = self.ground.instances.slot(self.of.key, &name).await;
        let job = Job {
            instance: slot.take(),
            making: self.making(&version),
            frames: read.frames,
            origin: Arc::clone(&self.of.origin),
            from: self.place(),
            records_max: self.plan.records_max(),
            tip: read.tip,
            now: self.ground.now(),
            share,
            tables: Arc::clone(&self.ground.tables),
        };
        let (instance, outcome) = match self.on_thread(&version, |turn| job.work(turn)).await {
            Ok(worked) => worked,
            Err(lost) => return Err(self.waits(lost.to_string())),
        };
        slot.put(instance);
        match outcome {
            Outcome::Done(done) => self.is_done((*done, slot), turn, effects).await,
            Outcome::Failed(failed) => {
                drop(slot);
                if let Fault::Unavailable(_) = failed.fault {
                    // If that was memory, the next try waits in the line for more of it.
                    let more = failed.bytes.saturating_mul(2).min(BATCH_MEMORY_MAX);
                    self.last_bytes = more.max(failed.bytes);
                }
                Err(self.failed(&version, *failed))
            }
            Outcome::Broken(why) => Err(self.waits(why)),
        }
    }

    /// The frames that come next: fewer where what follows them cannot be read.
    async fn read(&self) -> Result<ReadBatch, StoreError> {
        let (engine, log, from) = (&self.ground.engine, self.of.log, self.stands_at);
        match engine.read(log, from, BATCH_BYTES_MAX).await {
            Err(error) if error.hides_records() => engine.read(log, from, 1).await,
            read => read,
        }
    }

    /// Runs on a thread of guests, in this application's turn.
    pub(super) async fn on_thread<T: Send + 'static>(
        &self,
        version: &Version,
        work: impl FnOnce(&wasm::Turn) -> T + Send + 'static,
    ) -> Result<T, TurnLost> {
        let party = Ground::party(self.of.key.application, version.name());
        let is_slow = self.ground.threads.is_slow(&party);
        self.ground.threads.run(&party, is_slow, work).await
    }

    /// What an instance is made of that goes on from here.
    pub(super) fn making(&self, version: &Arc<Version>) -> Making {
        let application = self.of.running.application();
        Making {
            version: Arc::clone(version),
            assignment: self.assignment.clone(),
            sources: self.ground.sources(&application),
            desk: self.desk.clone(),
            kept: self.kept.as_ref().map(|(state, _)| state.clone()),
            moment: self.moment(),
        }
    }

    /// What the guest sees of time and chance: the same chance when the same batch is done again.
    fn moment(&self) -> Moment {
        let place = self.place();
        let moment = Moment {
            now: self.ground.now(),
            seed: self.of.key.application.0,
        };
        let shard = moment.at(u64::from(self.of.key.shard.0));
        shard.at(place.position.0).at(place.within)
    }

    /// Memory for the next batch: its frames, its records beside them, and as much for what comes
    /// of it as the last one took.
    fn bytes_wanted(&self) -> u64 {
        let records = BATCH_RECORDS_MAX as u64 * RECORD_OVERHEAD_BYTES;
        let input = 2 * BATCH_BYTES_MAX as u64 + records;
        input.max(self.last_bytes)
    }

    async fn is_done(
        &mut self,
        (done, slot): (Done, Slot),
        turn: TurnOfBatch,
        effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        let share = done.wishes.share;
        self.last_bytes = share.as_ref().map_or(0, Share::bytes);
        let counted = done
            .wishes
            .emitted
            .iter()
            .map(|(_, _, data)| data.len() as u64);
        let emitted = counted.sum::<u64>();
        let emissions = self.ready(done.wishes.emitted).await?;
        *effects = done.effects;
        let mut progress = self.progress;
        progress.within = done.end.within;
        progress.version = self.version.as_ref().map(|version| version.hash());
        progress.counts.processed += done.records;
        progress.counts.foreign += done.foreign;
        progress.counts.rows += done.wishes.rows;
        progress.counts.emitted += emitted;
        // Without a record there was no call, and what is kept stays.
        let has_worked = done.records > 0;
        let pending = Pending {
            to: done.end.position,
            progress,
            state: has_worked.then_some(done.state),
            emissions,
            slot: Some(slot),
            planned: usize::try_from(done.records).unwrap_or(usize::MAX),
            first: done.first,
            last_arrival: Some(done.last_arrival),
            begun: Instant::now(),
            _held: (Some(turn), share),
        };
        self.hand_over(pending, effects)
    }

    /// Makes records for streams ready, and waits while their shards have taken what a second
    /// allows: less than would make the batch be done again.
    pub(super) async fn ready(
        &mut self,
        emitted: Vec<(StreamName, Slab, Slab)>,
    ) -> Result<Vec<Emission>, StepError> {
        if emitted.is_empty() {
            return Ok(Vec::new());
        }
        let Some(version) = self.version.clone() else {
            return Err(self.waits("no version of its plugin is there"));
        };
        let (emitted, mut waited) = (Arc::new(emitted), Duration::ZERO);
        loop {
            let owner = self.of.running.application().owner.clone();
            let (streams, records) = (Arc::clone(&self.ground.streams), Arc::clone(&emitted));
            let prepared = move |_: &wasm::Turn| prepare(&streams, &owner, &records);
            let not_ready = match self.on_thread(&version, prepared).await {
                Ok(Ok(emissions)) => return Ok(emissions),
                Ok(Err(not_ready)) => not_ready,
                Err(lost) => return Err(self.waits(lost.to_string())),
            };
            let stream = &not_ready.stream;
            let why = format!("put records to the stream {stream}: {}", not_ready.error);
            match not_ready.error {
                EmitError::OverRate(wait) if waited < PAUSE_MAX && !self.is_stopped() => {
                    let wait = wait.max(Duration::from_millis(1));
                    waited += wait;
                    tokio::time::sleep(wait).await;
                }
                _ => return Err(self.waits(why)),
            }
        }
    }
}
