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
use wasm::{Moment, Plugins, Version};

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
    /// Changes when everything that waits shall go.
    pub flush: watch::Receiver<u64>,
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
    /// The store refused the open cut's first object for good.
    refused: bool,
    /// The log is gone: nothing will ever come.
    gone: bool,
    /// The flush that was done last.
    flushes: u64,
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
        Ok(Self {
            tools,
            key,
            log,
            ears,
            state,
            lane,
            after: None,
            refused: false,
            gone: false,
            flushes: 0,
        })
    }

    /// Keeps what was decided, before anything is done about it.
    async fn keep(&mut self, cut: Cut, destination: Destination) -> Result<(), StepError> {
        let mut lane = self.lane.clone();
        lane.open = Some((cut, destination));
        let write = rows::lane_write(self.key, &lane).map_err(|error| self.store(&error))?;
        let transaction = Transaction {
            appends: Vec::new(),
            writes: vec![write],
        };
        match self.tools.engine.commit(transaction).await {
            // Nothing of the cut was done yet, so that it does not matter which of two decisions
            // is the one that was kept: the next start reads it.
            Ok(_) => {
                self.lane = lane;
                Ok(())
            }
            Err(error @ CommitError::Unknown(_)) => {
                let kept = rows::load_lane(&*self.tools.engine, self.key).await;
                self.lane = kept.map_err(|error| self.store(&error))?;
                match self.lane == lane {
                    true => Ok(()),
                    false => Err(StepError::Refused(error)),
                }
            }
            Err(error) => Err(StepError::Refused(error)),
        }
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
        let mut putting = Putting {
            cut,
            destination,
            plan: &plan,
            created: 0,
        };
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
            self.put_all(worker.take_ready(), &mut putting).await?;
            match next {
                Some(next) => read = next.map_err(|error| self.store(&error))?,
                None => break,
            }
        }
        let finished = tokio::task::spawn_blocking(move || worker.finish().map(|()| worker));
        let mut worker = flatten(finished.await)?;
        self.put_all(worker.take_ready(), &mut putting).await?;
        Ok(worker.counts())
    }

    async fn worker(&self, cut: &Cut, destination: &Destination) -> Result<Worker, StepError> {
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
        putting: &mut Putting<'_>,
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

    async fn put(&mut self, object: Object, putting: &mut Putting<'_>) -> Result<(), StepError> {
        let Putting {
            cut,
            destination,
            plan,
            ..
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
                putting.created += 1;
                self.state.put(key);
                Ok(())
            }
            Err(error) => {
                self.refused = putting.created == 0 && matches!(error, ObjectError::Refused(_));
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
        lane.next_cut = cut.number + 1;
        lane.counts = lane.counts.and(done);
        if let (Some(hash), Some(transform)) = (cut.plugin, &destination.transform) {
            let version = self.known_version(hash);
            let of_version = VersionCounts {
                plugin: transform.plugin.clone(),
                hash: hash.to_string(),
                label: version.map_or_else(String::new, |v| v.label().to_owned()),
                counts: done,
            };
            counts::add_by_version(&mut lane.by_version, of_version);
        }
        lane
    }

    fn known_version(&self, hash: wasm::ContentHash) -> Option<Arc<Version>> {
        let stream = self.ears.stream.borrow();
        let name = stream.destination.transform.as_ref()?.plugin().ok()?;
        drop(stream);
        self.tools.plugins.loaded_version(&name, hash)
    }

    /// An open cut whose first object the store refuses for good goes by the configuration that
    /// was made since: nothing of it is anywhere.
    async fn reconfigure(&mut self) -> Result<(), StepError> {
        let stream = Arc::clone(&self.ears.stream.borrow());
        if let Some((cut, _)) = self.lane.open.clone()
            && cut.version_id != stream.version_id
        {
            let cut = Cut {
                version_id: stream.version_id,
                ..cut
            };
            self.keep(cut, stream.destination.clone()).await?;
        }
        self.refused = false;
        Ok(())
    }
}

/// What stays the same for all objects of a cut, and how many of them are there.
struct Putting<'a> {
    cut: &'a Cut,
    destination: &'a Destination,
    plan: &'a Plan,
    created: u32,
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
            // The commit went through though nobody said so.
            let kept = rows::load_lane(&*self.tools.engine, self.key).await;
            self.lane = kept.map_err(|error| self.store(&error))?;
        }
        if self.refused {
            self.reconfigure().await?;
        }
        if self.lane.open.is_none() {
            match self.gather(from).await? {
                Some((cut, destination)) => self.keep(cut, destination).await?,
                None => return Ok(from),
            }
        }
        let Some((cut, destination)) = self.lane.open.clone() else {
            return Ok(from);
        };
        let stop = self.ears.stop.clone();
        let done = tokio::select! {
            done = self.deliver(&cut, &destination) => done?,
            // What is begun is done again after the next start.
            () = stopped_for(stop, STOP_GRACE) => return Ok(from),
        };
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
