//! One try of the next batch.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use store::{Position, ReadBatch, StoreError, Transaction};
use streams::emit::{Emission, EmitError};
use streams::pump::{Batch as Stretch, StepError};
use tokio::time::Instant;
use types::StreamName;
use wasm::{Moment, Slab, TurnLost, Version};

use super::Lane;
use super::commits::Pending;
use super::failures::Unput;
use crate::ground::Ground;
use crate::instances::Slot;
use crate::limits::{
    BATCH_BYTES_MAX, BATCH_RECORDS_MAX, LAST_WORDS_TIME_MAX, PAUSE_MAX, STATE_MEMORY_BYTES,
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
            return Err(self.waits("no version of its plugin is there"));
        };
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
            Ok(worked) => worked,
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
            None => Ok(false),
            Some(Ok(())) => Ok(true),
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
    /// meanwhile waits a while for it, and then no longer, wherever the guest is: what it has begun
    /// is done again. A lane that was told before says itself for how long it waits.
    pub(super) async fn on_thread<T: Send + 'static>(
        &self,
        version: &Version,
        work: impl FnOnce(&wasm::Turn) -> T + Send + 'static,
    ) -> Result<T, NotRun> {
        let party = Ground::party(&self.of.running.application(), version.name());
        let is_slow = self.ground.threads.is_slow(&party);
        let run = self.ground.threads.run(&party, is_slow, work);
        if self.is_stopped() {
            return run.await.map_err(NotRun::Lost);
        }
        let mut stop = self.stop.clone();
        let too_late = async move {
            // The end of the sender is a stop as well.
            let _ = stop.wait_for(|stop| *stop).await;
            tokio::time::sleep(LAST_WORDS_TIME_MAX).await;
        };
        tokio::select! {
            ran = run => ran.map_err(NotRun::Lost),
            () = too_late => Err(NotRun::Stopped),
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
            Ok(emissions) => emissions,
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

    /// Makes records for streams ready, and waits while their shards have taken what a second
    /// allows: less than would make the batch be done again.
    pub(super) async fn ready(
        &mut self,
        emitted: Vec<(StreamName, Slab, Slab)>,
    ) -> Result<Vec<Emission>, Unready> {
        if emitted.is_empty() {
            return Ok(Vec::new());
        }
        let for_now = |why: String| Unready {
            why,
            is_for_good: false,
        };
        let Some(version) = self.version.clone() else {
            return Err(for_now("no version of its plugin is there".to_owned()));
        };
        let (emitted, mut waited) = (Arc::new(emitted), Duration::ZERO);
        loop {
            let owner = self.of.running.application().owner.clone();
            let (streams, records) = (Arc::clone(&self.ground.streams), Arc::clone(&emitted));
            let prepared = move |_: &wasm::Turn| prepare(&streams, &owner, &records);
            let not_ready = match self.on_thread(&version, prepared).await {
                Ok(Ok(emissions)) => return Ok(emissions),
                Ok(Err(not_ready)) => not_ready,
                Err(lost) => return Err(for_now(lost.to_string())),
            };
            let stream = &not_ready.stream;
            let why = format!("put records to the stream {stream}: {}", not_ready.error);
            match not_ready.error {
                EmitError::OverRate(wait) if waited < PAUSE_MAX && !self.is_stopped() => {
                    let wait = wait.max(Duration::from_millis(1));
                    waited += wait;
                    self.unless_stopped(tokio::time::sleep(wait)).await;
                }
                EmitError::Refused { .. } => {
                    return Err(Unready {
                        why,
                        is_for_good: true,
                    });
                }
                _ => return Err(for_now(why)),
            }
        }
    }
}

/// Why nothing came of a turn on a thread of guests.
#[derive(Clone, Copy, Debug)]
pub(super) enum NotRun {
    Lost(TurnLost),
    /// The lane stops.
    Stopped,
}

impl fmt::Display for NotRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(lost) => write!(f, "{lost}"),
            Self::Stopped => f.write_str("it was told to stop before it was done"),
        }
    }
}

/// Why records for streams are not ready.
pub(super) struct Unready {
    pub(super) why: String,
    /// They never will be.
    pub(super) is_for_good: bool,
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
