//! One try of the next batch.

use std::sync::Arc;
use std::time::Duration;

use store::{Position, ReadBatch, StoreError, Transaction};
use streams::emit::{Emission, EmitError};
use streams::pump::{Batch as Stretch, Retry, StepError};
use tokio::time::Instant;
use types::StreamName;
use wasm::{Moment, Slab, TurnLost, Version};

use super::commits::Pending;
use super::failures::Unput;
use super::{Lane, NO_VERSION};
use crate::ground::Ground;
use crate::instances::Slot;
use crate::limits::{
    BATCH_BYTES_MAX, BATCH_RECORDS_MAX, EMIT_TIME_IN_HAND_MAX, LAST_WORDS_TIME_MAX, PAUSE_MAX,
    STATE_MEMORY_BYTES,
};
use crate::rows::KeptState;
use crate::running::TurnOfBatch;
use crate::work::{Done, Job, Making, Outcome, RECORD_OVERHEAD_BYTES, prepare};

impl Lane {
    /// Works on the next batch, and hands over what comes of it.
    pub(super) async fn attempt(
        &mut self,
        stretch: &Stretch,
        effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        let Some(version) = self.version.clone() else {
            return Err(self.waits(NO_VERSION));
        };
        self.waits_for_targets()?;
        if !self.has_share_of_processors(&version).await? {
            return Ok(self.stands_at);
        }
        let Some(turn) = self.turn().await else {
            return Ok(self.stands_at);
        };
        let input = input_bytes(stretch, version.has_state());
        let Some(mut memory) = self.memory(input.max(self.bytes_wanted)).await else {
            return Ok(self.stands_at);
        };
        memory.begins_with(input);
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
        let Some(mut slot) = self.slot(&name).await else {
            return Ok(self.stands_at);
        };
        let Some(turn) = self.reserving(turn).await? else {
            return Ok(self.stands_at);
        };
        let instance = slot.take();
        let kept = match instance {
            Some(_) => None,
            None => self.kept_state().await?,
        };
        let job = Job {
            instance,
            making: self.making(&version, kept),
            frames: read.frames,
            origin: Arc::clone(&self.of.origin),
            from: self.place(),
            records_max: self.plan.records_max(),
            tip: read.tip,
            now: self.ground.now(),
            memory,
            tables: Arc::clone(&self.ground.tables),
        };
        let (instance, outcome) = match self.on_thread(&version, |turn| job.work(turn)).await {
            Ok(Some(worked)) => worked,
            Ok(None) => return Ok(self.stands_at),
            Err(lost) => return Err(self.waits(lost.to_string())),
        };
        slot.put(instance);
        match outcome {
            Outcome::Done(done) => self.is_done((*done, slot), turn, effects).await,
            Outcome::Failed(failed) => {
                drop((slot, turn));
                match failed.lacked {
                    Some(lacked) => Err(self.lacks(lacked)),
                    None => Err(self.failed(&version, *failed)),
                }
            }
            Outcome::Broken(why) => Err(self.waits(why)),
        }
    }

    /// Waits, with nothing in hand that others could use, while its plugin or its account has used
    /// what it may have of the processors. `false` if the stop comes before.
    async fn has_share_of_processors(&mut self, version: &Version) -> Result<bool, StepError> {
        let party = Ground::party(&self.of.running.application(), version.name());
        if !self.ground.threads.is_held_back(&party) {
            return Ok(true);
        }
        // A turn without work waits in the line, and is counted there.
        let waited = self.unless_stopped(self.on_thread(version, |_| ())).await;
        match waited {
            None | Some(Ok(None)) => Ok(false),
            Some(Ok(Some(()))) => Ok(true),
            Some(Err(lost)) => Err(self.waits(lost.to_string())),
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

    /// Runs on a thread of guests, in this application's turn. A lane that is told to stop
    /// meanwhile waits a while for it, and then no longer, wherever the guest is: `None`, and what
    /// it has begun is done again. A lane that was told before says itself for how long it waits.
    ///
    /// # Errors
    /// The turn is lost.
    pub(super) async fn on_thread<T: Send + 'static>(
        &self,
        version: &Version,
        work: impl FnOnce(&wasm::Turn) -> T + Send + 'static,
    ) -> Result<Option<T>, TurnLost> {
        let party = Ground::party(&self.of.running.application(), version.name());
        let is_slow = self.ground.threads.is_slow(&party);
        let run = self.ground.threads.run(&party, is_slow, work);
        if self.is_stopped() {
            return run.await.map(Some);
        }
        let mut stop = self.stop.clone();
        let too_late = async move {
            // The end of the sender is a stop as well.
            let _ = stop.wait_for(|stop| *stop).await;
            tokio::time::sleep(LAST_WORDS_TIME_MAX).await;
        };
        tokio::select! {
            ran = run => ran.map(Some),
            () = too_late => Ok(None),
        }
    }

    /// What an instance is made of that goes on from here with what is kept.
    pub(super) fn making(&self, version: &Arc<Version>, kept: Option<KeptState>) -> Making {
        let application = self.of.running.application();
        Making {
            version: Arc::clone(version),
            assignment: self.assignment.clone(),
            sources: self.ground.sources(&application),
            desk: self.desk.clone(),
            kept,
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

    async fn is_done(
        &mut self,
        (done, slot): (Done, Slot),
        turn: TurnOfBatch,
        effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        let Done {
            end,
            records,
            foreign,
            wishes,
            ..
        } = done;
        self.bytes_wanted = wishes.memory.used();
        let emitted: u64 = wishes
            .emitted
            .iter()
            .map(|(_, _, data)| data.len() as u64)
            .sum();
        let emissions = match self.ready(wishes.emitted).await {
            Ok(Some(emissions)) => emissions,
            Ok(None) => return Ok(self.stands_at),
            Err(unready) => {
                let records = usize::try_from(records).unwrap_or(usize::MAX);
                let failed = Unput {
                    records,
                    end,
                    foreign,
                    first: done.first,
                };
                return Err(self.is_not_ready(failed, unready));
            }
        };
        *effects = done.effects;
        let mut progress = self.progress;
        progress.within = end.within;
        progress.version = self.version.as_ref().map(|version| version.hash());
        progress.counts.processed += records;
        progress.counts.foreign += foreign;
        progress.counts.rows += wishes.rows;
        progress.counts.emitted += emitted;
        // Without a record there was no call, and what is kept stays.
        let has_worked = records > 0;
        let pending = Pending {
            to: end.position,
            progress,
            state: has_worked.then_some(done.state),
            emissions,
            slot: Some(slot),
            written: None,
            swapped: None,
            is_unheard: false,
            ended: self.version.clone().map(|version| (version, records, 0)),
            planned: usize::try_from(records).unwrap_or(usize::MAX),
            first: done.first,
            last_arrival: Some(done.last_arrival),
            begun: Instant::now(),
            _held: (Some(turn), wishes.memory),
        };
        self.hand_over(pending, effects)
    }

    /// Makes records for streams ready. Where their shards take more within a moment, waits for
    /// that, which is less than would make the batch be done again. `None` if the lane is told to
    /// stop before.
    ///
    /// # Errors
    /// They cannot be put, or not now.
    pub(super) async fn ready(
        &mut self,
        emitted: Vec<(StreamName, Slab, Slab)>,
    ) -> Result<Option<Vec<Emission>>, Unready> {
        if emitted.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let Some(version) = self.version.clone() else {
            return Err(Unready::NotNow(NO_VERSION.to_owned()));
        };
        let (emitted, mut waited) = (Arc::new(emitted), Duration::ZERO);
        loop {
            let owner = self.of.running.application().owner.clone();
            let (streams, records) = (Arc::clone(&self.ground.streams), Arc::clone(&emitted));
            let prepared = move |_: &wasm::Turn| prepare(&streams, &owner, &records);
            let not_ready = match self.on_thread(&version, prepared).await {
                Ok(Some(Ok(emissions))) => return Ok(Some(emissions)),
                Ok(Some(Err(not_ready))) => not_ready,
                Ok(None) => return Ok(None),
                Err(lost) => return Err(Unready::NotNow(lost.to_string())),
            };
            let why = not_put(&not_ready.stream, &not_ready.error);
            match not_ready.error {
                EmitError::OverRate(_) if self.is_stopped() => return Ok(None),
                EmitError::OverRate(wait) => {
                    let wait = wait.max(Duration::from_millis(1));
                    waited = waited.saturating_add(wait);
                    if waited > EMIT_TIME_IN_HAND_MAX {
                        return Err(Unready::OverRate { why, wait });
                    }
                    self.unless_stopped(tokio::time::sleep(wait)).await;
                }
                EmitError::Refused { .. } => return Err(Unready::Refused(why)),
                EmitError::NotActive | EmitError::Internal(_) => {
                    return Err(Unready::NotNow(why));
                }
            }
        }
    }

    /// Where the batch before this one put its records, this one is likely to put some: a shard
    /// that has taken too much is waited for before the batch begins, once, so that it need not be
    /// done again.
    ///
    /// # Errors
    /// The wait, as that of a step that failed.
    fn waits_for_targets(&mut self) -> Result<(), StepError> {
        let targets = std::mem::take(&mut self.emitted_to);
        let longest = targets.iter().max_by_key(|targets| targets.until_room());
        let Some((longest, wait)) = longest.map(|it| (it, it.until_room())) else {
            return Ok(());
        };
        if wait <= EMIT_TIME_IN_HAND_MAX {
            return Ok(());
        }
        let why = not_put(longest.stream(), &EmitError::OverRate(wait));
        Err(self.is_over_rate(why, wait))
    }

    /// The shards of a stream have taken what a second allows. Waits until they take more, with
    /// nothing in hand that others could use. If that adds up, it is shown.
    pub(super) fn is_over_rate(&mut self, why: String, wait: Duration) -> StepError {
        let wait = wait.clamp(Duration::from_millis(1), PAUSE_MAX);
        self.over_rate = self.over_rate.saturating_add(wait);
        self.retry = Retry::After(wait);
        if self.over_rate >= PAUSE_MAX {
            self.stands_still(&why);
        }
        StepError::Failed(why)
    }
}

fn not_put(stream: &StreamName, error: &EmitError) -> String {
    format!("put records to the stream {stream}: {error}")
}

/// Why records for streams are not ready.
pub(super) enum Unready {
    /// They never will be.
    Refused(String),
    /// They may be later.
    NotNow(String),
    /// Their shards have taken what a second allows, and take more after this time.
    OverRate { why: String, wait: Duration },
}

/// Memory for what a batch begins with: its frames, their records beside them, the one record that
/// may be alone once more, and the state.
fn input_bytes(stretch: &Stretch, has_state: bool) -> u64 {
    let frames = stretch.bytes.max(BATCH_BYTES_MAX) as u64;
    let state = if has_state { STATE_MEMORY_BYTES } else { 0 };
    let alone = if stretch.bytes > BATCH_BYTES_MAX {
        frames
    } else {
        0
    };
    2 * frames + alone + BATCH_RECORDS_MAX as u64 * RECORD_OVERHEAD_BYTES + state
}
