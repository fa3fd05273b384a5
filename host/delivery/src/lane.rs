//! One lane: the pump's step that gathers records, decides a cut, keeps the decision, delivers it,
//! and leaves it to the pump to make that durable together with the position.
//!
//! ```text
//! gather -> decide -> keep the cut -> (read -> transform -> pack -> put)* -> counts and position
//!              |          durable                                               durable
//! ```
//!
//! A crash before the cut is kept forgets it; one after it does it again, to the same objects.

mod gather;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use store::{CommitError, Engine, LogId, Position, StoreError, Transaction};
use streams::pump::{Batch, Retry, Step, StepError};
use tokio::sync::{Semaphore, watch};
use types::{Clock, Invalid};
use wasm::{Moment, Plugins};

use crate::counts::{self, Counts, VersionCounts};
use crate::cut::Cut;
use crate::delivery_stream::{DeliveryStream, Destination, Plan};
use crate::encoder::Encoder;
use crate::lane_state::LaneState;
use crate::object_name::{Label, NamingKey, PARTS_PER_CUT_MAX, Place};
use crate::objects::{Created, ObjectError, Objects};
use crate::rows::{self, Lane};
use crate::tables::LaneKey;
use crate::transform::Transformer;
use crate::worker::{Object, Task, Worker};

/// Bytes that are read of a log at once.
const READ_BYTES: usize = 1024 * 1024;
/// Mebibytes of cuts that may be at work at once, over all delivery streams. A cut that does not
/// fit waits; one that is larger than all of them goes alone.
pub const WORK_MIB_MAX: u32 = 512;
/// How long a cut that is at work when the lane shall end may take to its end.
const STOP_GRACE: Duration = Duration::from_secs(5);
const BYTES_PER_MIB: u64 = 1024 * 1024;

/// What all lanes share.
pub struct Tools {
    pub engine: Arc<dyn Engine>,
    pub clock: Arc<dyn Clock>,
    pub plugins: Arc<Plugins>,
    pub objects: Arc<dyn Objects>,
    pub naming: NamingKey,
    /// As many permits as mebibytes may be at work.
    pub work: Semaphore,
}

/// How a lane is told what goes on around it.
#[derive(Clone)]
pub struct Ears {
    /// The delivery stream as it is configured.
    pub stream: watch::Receiver<Arc<DeliveryStream>>,
    /// What lies before this shall go at once.
    pub flush: watch::Receiver<Position>,
    /// Turns true when the lane shall end.
    pub stop: watch::Receiver<bool>,
    /// Changes when a plugin does.
    pub plugins: watch::Receiver<u64>,
}

/// One lane at work.
pub struct LaneStep {
    tools: Arc<Tools>,
    key: LaneKey,
    log: LogId,
    ears: Ears,
    state: Arc<LaneState>,
    lane: Lane,
    /// What the lane is once the pump has committed the cut that was delivered last.
    after: Option<Lane>,
    /// What the author calls the version that the open cut goes through. Another one may be in
    /// force by the time it is done.
    label: String,
    /// Nothing of the open cut can be anywhere: it was decided here, and all that was put of it
    /// was refused.
    untouched: bool,
    /// The store refused the object that was put last.
    refused: bool,
    /// The log is gone: nothing will ever come.
    gone: bool,
}

impl LaneStep {
    /// A lane as it was left.
    pub async fn open(
        tools: Arc<Tools>,
        (key, log): (LaneKey, LogId),
        ears: Ears,
        state: Arc<LaneState>,
    ) -> Result<Self, StoreError> {
        let lane = rows::load_lane(&*tools.engine, key).await?;
        state.done(lane.counts, lane.by_version.clone());
        if let Some((cut, _)) = &lane.open {
            state.waits(&cut.gathering());
        }
        Ok(Self {
            tools,
            key,
            log,
            ears,
            state,
            lane,
            after: None,
            label: String::new(),
            untouched: false,
            refused: false,
            gone: false,
        })
    }

    /// Keeps what was decided, before anything is done about it, or that all of it was refused.
    async fn keep(&mut self, open: (Cut, Destination), is_refused: bool) -> Result<(), StepError> {
        let mut lane = self.lane.clone();
        lane.open = Some(open);
        lane.is_refused = is_refused;
        let write = rows::lane_write(self.key, &lane).map_err(|error| self.store(&error))?;
        let transaction = Transaction {
            appends: Vec::new(),
            writes: vec![write],
        };
        match self.tools.engine.commit(transaction).await {
            // Nothing of the cut was done yet, so that it does not matter which of two decisions
            // is the one that was kept: the next start reads it.
            Ok(_) => self.lane = lane,
            Err(error @ CommitError::Unknown(_)) => {
                let kept = rows::load_lane(&*self.tools.engine, self.key).await;
                self.lane = kept.map_err(|error| self.store(&error))?;
                if self.lane != lane {
                    return Err(StepError::Refused(error));
                }
            }
            Err(error) => return Err(StepError::Refused(error)),
        }
        self.untouched = true;
        Ok(())
    }

    /// Does everything that the open cut comes to, and says what became of its records.
    async fn deliver(&mut self, cut: &Cut, destination: &Destination) -> Result<Counts, StepError> {
        let plan = destination
            .plan()
            .map_err(|Invalid(why)| StepError::Failed(why))?;
        let mebibytes = u32::try_from(cut.bytes.div_ceil(BYTES_PER_MIB)).unwrap_or(u32::MAX);
        let permits = mebibytes.clamp(1, WORK_MIB_MAX);
        let tools = Arc::clone(&self.tools);
        let _permit = tools.work.acquire_many(permits).await;
        let mut worker = self.worker(cut, destination).await?;
        let putting = Putting {
            cut,
            destination,
            plan: &plan,
        };
        self.refused = false;
        let engine = &tools.engine;
        let mut read = self.read(cut.from).await?;
        loop {
            read.frames.retain(|frame| frame.position < cut.to);
            let (frames, at) = (read.frames, read.next);
            let is_last = frames.is_empty() || cut.to <= at;
            let working = tokio::task::spawn_blocking(move || worker.add(&frames).map(|()| worker));
            // The next stretch is read while this one is worked on.
            let (worked, next) = tokio::join!(working, async {
                match is_last {
                    true => None,
                    false => Some(engine.read(self.log, at, READ_BYTES).await),
                }
            });
            worker = flatten(worked)?;
            self.put_all(worker.take_ready(), &putting).await?;
            match next {
                Some(next) => read = next.map_err(|error| self.store(&error))?,
                None => break,
            }
        }
        let finished = tokio::task::spawn_blocking(move || worker.finish().map(|()| worker));
        let mut worker = flatten(finished.await)?;
        self.put_all(worker.take_ready(), &putting).await?;
        Ok(worker.counts())
    }

    async fn worker(&mut self, cut: &Cut, destination: &Destination) -> Result<Worker, StepError> {
        let transform = destination.transform.clone();
        let task = Task {
            delimiter: destination
                .delimiter
                .clone()
                .unwrap_or_default()
                .into_bytes(),
            function_arn: transform
                .as_ref()
                .map_or_else(String::new, |t| t.arn.clone()),
            decided_at: cut.decided_at,
        };
        let encoder = Encoder::new(destination.compression);
        let (Some(hash), Some(transform)) = (cut.plugin, transform) else {
            return Ok(Worker::new(task, encoder, None));
        };
        let name = transform
            .plugin()
            .map_err(|Invalid(why)| StepError::Failed(why))?;
        let plugins = Arc::clone(&self.tools.plugins);
        let loading = tokio::task::spawn_blocking(move || plugins.version(&name, hash));
        let version = match loading.await {
            Ok(loaded) => loaded.map_err(|why| {
                StepError::Failed(format!(
                    "load version {hash:?} of {}: {why}",
                    transform.plugin
                ))
            })?,
            Err(error) => return Err(StepError::Failed(error.to_string())),
        };
        version.label().clone_into(&mut self.label);
        let moment = Moment {
            now: cut.decided_at,
            seed: self.tools.naming.seed(self.place(cut, 0, false)),
        };
        let transformer = Transformer::new(version, moment, transform.retries);
        Ok(Worker::new(task, encoder, Some(transformer)))
    }

    async fn put_all(
        &mut self,
        objects: Vec<Object>,
        putting: &Putting<'_>,
    ) -> Result<(), StepError> {
        for object in objects {
            if PARTS_PER_CUT_MAX < object.part {
                return Err(StepError::Failed(format!(
                    "a cut became more than {PARTS_PER_CUT_MAX} objects"
                )));
            }
            self.put(object, putting).await?;
        }
        Ok(())
    }

    async fn put(&mut self, object: Object, putting: &Putting<'_>) -> Result<(), StepError> {
        let Putting {
            cut,
            destination,
            plan,
        } = *putting;
        let (prefix, extension) = match object.is_failed {
            true => (&plan.prefixes.failed, ""),
            false => (&plan.prefixes.delivered, destination.extension()),
        };
        let stream = Arc::clone(&self.ears.stream.borrow());
        let label = Label {
            stream: stream.arn.name.as_str(),
            version: cut.version_id,
            oldest: cut.oldest,
            extension,
        };
        let place = self.place(cut, object.part, object.is_failed);
        let key = self.tools.naming.object_key(prefix, place, label);
        match self
            .tools
            .objects
            .create(&plan.bucket, &key, object.content)
            .await
        {
            Ok(created) => {
                if created == Created::Different {
                    tracing::warn!(
                        bucket = %plan.bucket, key,
                        "an object of another length has this name and is left as it is"
                    );
                }
                self.untouched = false;
                self.state.put(key);
                Ok(())
            }
            Err(error) => {
                self.refused = matches!(error, ObjectError::Refused(_));
                self.untouched &= self.refused;
                Err(StepError::Failed(format!(
                    "put {key} into {}: {error}",
                    plan.bucket
                )))
            }
        }
    }

    fn place(&self, cut: &Cut, part: u16, is_failed: bool) -> Place {
        Place {
            delivery_stream: self.key.delivery_stream.0,
            lane: (self.key.stream, self.key.shard),
            cut: cut.number,
            part,
            is_failed,
        }
    }

    async fn read(&mut self, from: Position) -> Result<store::ReadBatch, StepError> {
        let read = self.tools.engine.read(self.log, from, READ_BYTES).await;
        read.map_err(|error| self.store(&error))
    }

    fn store(&mut self, error: &StoreError) -> StepError {
        self.gone |= matches!(error, StoreError::NoLog(_));
        StepError::Failed(error.to_string())
    }

    /// The lane once a cut is done.
    fn after(&self, cut: &Cut, destination: &Destination, done: Counts) -> Lane {
        let mut lane = self.lane.clone();
        lane.open = None;
        lane.is_refused = false;
        lane.next_cut = cut.number + 1;
        lane.counts = lane.counts.and(done);
        if let (Some(hash), Some(transform)) = (cut.plugin, &destination.transform) {
            let of_version = VersionCounts {
                plugin: transform.plugin.clone(),
                hash: hash.to_string(),
                label: self.label.clone(),
                counts: done,
            };
            counts::add_by_version(&mut lane.by_version, of_version);
        }
        lane
    }

    /// An open cut that was refused is tried again, by the configuration that was made since:
    /// nothing of it is anywhere. Whether the lane goes on.
    async fn try_refused(&mut self) -> Result<bool, StepError> {
        let Some((mut cut, mut destination)) = self.lane.open.clone() else {
            return Ok(true);
        };
        if cut.version_id != self.ears.stream.borrow().version_id {
            let Some((stream, plugin)) = self.ready(None).await? else {
                return Ok(false);
            };
            cut.version_id = stream.version_id;
            cut.plugin = plugin.map(|version| version.hash());
            destination = stream.destination.clone();
        }
        // Once an object is on its way it is too late to say that there is none.
        self.keep((cut, destination), false).await?;
        Ok(true)
    }

    /// The open cut ends before the place where the pump stands.
    async fn pass_over(&mut self, from: Position) -> Result<(), StepError> {
        let kept = rows::load_lane(&*self.tools.engine, self.key).await;
        self.lane = kept.map_err(|error| self.store(&error))?;
        match &self.lane.open {
            // Retention has taken all that it was about. Objects of its number may be there.
            Some((cut, _)) if cut.to <= from => {
                self.lane.next_cut = cut.number + 1;
                self.lane.open = None;
                self.lane.is_refused = false;
            }
            // The commit went through though nobody said so.
            _ => {}
        }
        self.state
            .done(self.lane.counts, self.lane.by_version.clone());
        Ok(())
    }
}

/// What stays the same for all objects of a cut.
struct Putting<'a> {
    cut: &'a Cut,
    destination: &'a Destination,
    plan: &'a Plan,
}

/// Returns once the lane should have ended for so long.
async fn stopped_for(mut stop: watch::Receiver<bool>, grace: Duration) {
    // Nobody left to tell it means the same.
    let _ = stop.wait_for(|stop| *stop).await;
    tokio::time::sleep(grace).await;
}

fn flatten(
    worked: Result<Result<Worker, crate::transform::Stopped>, tokio::task::JoinError>,
) -> Result<Worker, StepError> {
    match worked {
        Ok(Ok(worker)) => Ok(worker),
        Ok(Err(crate::transform::Stopped(why))) => Err(StepError::Failed(why)),
        Err(error) => Err(StepError::Failed(error.to_string())),
    }
}

#[async_trait]
impl Step for LaneStep {
    async fn step(
        &mut self,
        batch: &Batch,
        effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        let from = batch
            .frames
            .first()
            .map_or(batch.next, |frame| frame.position);
        self.state.stands_at(from);
        self.trim_before(from).await;
        if self
            .lane
            .open
            .as_ref()
            .is_some_and(|(cut, _)| cut.to <= from)
        {
            self.pass_over(from).await?;
        }
        if self.lane.is_refused && !self.try_refused().await? {
            return Ok(from);
        }
        if self.lane.open.is_none() {
            let Some(open) = self.gather(from).await? else {
                return Ok(from);
            };
            self.keep(open, false).await?;
        }
        let Some((cut, destination)) = self.lane.open.clone() else {
            return Ok(from);
        };
        let stop = self.ears.stop.clone();
        let done = tokio::select! {
            done = self.deliver(&cut, &destination) => done,
            // What is begun is done again after the next start.
            () = stopped_for(stop, STOP_GRACE) => return Ok(from),
        };
        if done.is_err()
            && self.refused
            && self.untouched
            && let Err(error) = self.keep((cut.clone(), destination.clone()), true).await
        {
            tracing::debug!(%error, "keep that a cut was refused");
        }
        let done = done?;
        let after = self.after(&cut, &destination, done);
        let write = rows::lane_write(self.key, &after).map_err(|error| self.store(&error))?;
        effects.writes.push(write);
        self.after = Some(after);
        Ok(cut.to)
    }

    fn committed(&mut self) {
        if let Some(after) = self.after.take() {
            if let Some((cut, _)) = &self.lane.open {
                self.state.stands_at(cut.to);
            }
            self.state.done(after.counts, after.by_version.clone());
            self.lane = after;
        }
    }

    /// A destination that does not take objects is tried for as long as it takes: the records are
    /// in the log and nobody waits for them.
    fn after_failure(&mut self, error: &StepError, attempt: u32) -> Retry {
        if self.gone {
            return Retry::GiveUp;
        }
        let why = error.to_string();
        if attempt.is_power_of_two() {
            let stream = self.ears.stream.borrow().arn.to_string();
            tracing::warn!(
                stream,
                shard = self.key.shard,
                attempt,
                why,
                "a delivery failed"
            );
        }
        self.state.has_trouble(Some(why));
        self.state.retries();
        Retry::backoff(attempt)
    }
}
