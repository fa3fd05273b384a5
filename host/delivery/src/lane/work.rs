//! What a cut becomes: its records read, transformed and packed. Nothing of it leaves here, so that
//! it can be done before the cut is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use store::{Frame, Position, ReadBatch, StoreError};
use streams::pump::StepError;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinError;
use types::Invalid;
use wasm::Moment;

use super::deliver::Putting;
use super::{BYTES_PER_MIB, Tools, Undone, WORK_MIB_MAX, failed};
use crate::counts::Counts;
use crate::cut::{Cut, Gathering, Hints};
use crate::delivery_stream::Destination;
use crate::encoder::Encoder;
use crate::object_name::Place;
use crate::settled::Settled;
use crate::tables::LaneKey;
use crate::transform::{Stopped, Transformer};
use crate::worker::{Object, Task, Worker};

/// Bytes that are read of a log at once.
const READ_BYTES: usize = 1024 * 1024;
/// Bytes of what a cut becomes that are held before it is its turn.
const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;

impl Done {
    fn of(mut worker: Worker, label: String) -> Self {
        Self {
            objects: worker.take_ready(),
            counts: worker.counts(),
            settled: worker.settled().cloned(),
            label,
        }
    }
}

/// A lane's log, and what it takes to work on it.
#[derive(Clone)]
pub(super) struct Work {
    pub(super) tools: Arc<Tools>,
    pub(super) key: LaneKey,
    pub(super) log: store::LogId,
}

/// How far the log was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// There is as much as goes together.
    UntilFull,
    /// There is no more at the moment.
    UpToTip,
    /// There is no more and never will be.
    UpToEnd,
}

/// What a cut became.
pub(super) struct Done {
    /// The objects that became ready last.
    pub(super) objects: Vec<Object>,
    /// What became of its records.
    pub(super) counts: Counts,
    /// What is settled once they have left, if they went through a plugin.
    pub(super) settled: Option<Settled>,
    /// What the author calls the version of it.
    pub(super) label: String,
}

impl Work {
    /// Works on a whole cut, and puts what is ready before the last objects are.
    pub(super) async fn run(
        &self,
        (cut, destination): (&Cut, &Destination),
        settled: Settled,
        putting: &mut Putting<'_>,
    ) -> Result<Done, Undone> {
        let (mut worker, label) = self.worker(cut, destination, settled).await?;
        let mut read = self.read_on(cut.from).await?;
        loop {
            read.frames.retain(|frame| frame.position < cut.to);
            let (frames, at) = (read.frames, read.next);
            let is_last = frames.is_empty() || cut.to <= at;
            let working = blocking(worker, move |worker| worker.add(&frames));
            // The next stretch is read while this one is worked on.
            let (worked, next) = tokio::join!(working, async {
                if is_last {
                    Ok(None)
                } else {
                    self.read_on(at).await.map(Some)
                }
            });
            worker = worked?;
            let ready = worker.take_ready();
            putting.put_all(ready, worker.settled()).await?;
            match next? {
                Some(next) => read = next,
                None => break,
            }
        }
        Ok(Done::of(blocking(worker, Worker::finish).await?, label))
    }

    /// Works on a whole cut whose frames were read before, until it is told to stop. The permit is
    /// held for as long as that takes. `None` if it becomes more than may be held.
    pub(super) async fn run_on(
        &self,
        frames: Vec<Frame>,
        (cut, destination): (&Cut, &Destination),
        permit: OwnedSemaphorePermit,
        stop: Arc<AtomicBool>,
    ) -> Result<Option<(Done, OwnedSemaphorePermit)>, StepError> {
        let settled = Settled::default();
        let (mut worker, label) = self.worker(cut, destination, settled).await?;
        let working = tokio::task::spawn_blocking(move || {
            for frame in &frames {
                // Nobody can end this from without.
                if stop.load(Ordering::Relaxed) || HELD_BYTES_MAX < worker.held_bytes() {
                    return Ok(None);
                }
                worker.add(std::slice::from_ref(frame))?;
            }
            worker.finish()?;
            Ok(Some((Done::of(worker, label), permit)))
        });
        flatten(working.await)
    }

    async fn worker(
        &self,
        cut: &Cut,
        destination: &Destination,
        settled: Settled,
    ) -> Result<(Worker, String), StepError> {
        let transform = destination.transform.clone();
        let delimiter = destination.delimiter.clone().unwrap_or_default();
        let arn = transform.as_ref().map(|transform| transform.arn.clone());
        let task = Task {
            delimiter: delimiter.into_bytes(),
            function_arn: arn.unwrap_or_default(),
            decided_at: cut.decided_at,
        };
        let encoder = Encoder::new(destination.compression);
        let (Some(pins), Some(transform)) = (cut.plugin, transform) else {
            return Ok((Worker::new(task, encoder, None), String::new()));
        };
        let name = transform
            .plugin()
            .map_err(|Invalid(why)| StepError::Failed(why))?;
        let plugins = Arc::clone(&self.tools.plugins);
        let hash = pins.hash;
        let loading = tokio::task::spawn_blocking(move || plugins.version(&name, hash));
        let loaded = loading
            .await
            .map_err(|error| StepError::Failed(error.to_string()))?;
        let version = loaded.map_err(|why| {
            let plugin = &transform.plugin;
            StepError::Failed(format!("load version {hash:?} of {plugin}: {why}"))
        })?;
        let label = version.label().to_owned();
        let moment = Moment {
            now: cut.decided_at,
            seed: self.tools.naming.seed(self.place(cut, 0, false)),
        };
        let transformer = Transformer::new(version, pins, moment, transform.retries, settled);
        Ok((Worker::new(task, encoder, Some(transformer)), label))
    }

    /// Takes in frames until there are enough or no more, and shows each that was to `see`.
    pub(super) async fn look(
        &self,
        gathering: &mut Gathering,
        hints: Hints,
        mut see: impl FnMut(&Frame),
    ) -> Result<Looked, StepError> {
        loop {
            let read = self.read(gathering.to).await?;
            let (next, tip, sealed) = (read.next, read.tip, read.sealed);
            for frame in &read.frames {
                gathering.add(frame);
                see(frame);
                if gathering.is_full(hints) {
                    return Ok(Looked::UntilFull);
                }
            }
            gathering.reaches(next);
            if next >= tip {
                let end = if sealed {
                    Looked::UpToEnd
                } else {
                    Looked::UpToTip
                };
                return Ok(end);
            }
        }
    }

    /// Waits until so many bytes may be at work.
    pub(super) async fn permit(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let work = Arc::clone(&self.tools.work);
        work.acquire_many_owned(permits(bytes)).await.ok()
    }

    /// The same if it need not wait.
    pub(super) fn permit_at_once(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let work = Arc::clone(&self.tools.work);
        work.try_acquire_many_owned(permits(bytes)).ok()
    }

    /// Where an object of a cut stands among all.
    pub(super) fn place(&self, cut: &Cut, part: u16, is_failed: bool) -> Place {
        Place {
            delivery_stream: self.key.delivery_stream.0,
            lane: (self.key.stream, self.key.shard),
            cut: cut.number,
            part,
            is_failed,
        }
    }

    /// Where the log begins: what lay before is delivered, or was taken by retention.
    pub(super) fn horizon(&self) -> Result<Position, StoreError> {
        self.tools.engine.horizon(self.log)
    }

    /// The place that the next frame of the log will have at least.
    pub(super) fn tip(&self) -> Result<Position, StoreError> {
        self.tools.engine.tip(self.log)
    }

    /// Reads what begins at `from`, where a cut is at work. What is settled of it counts records
    /// from its first, so that none may be missing.
    async fn read_on(&self, from: Position) -> Result<ReadBatch, StepError> {
        let read = self.read(from).await?;
        let begins = read
            .frames
            .first()
            .map_or(read.next, |frame| frame.position);
        if begins > from {
            let why = format!("retention took records of an open cut, from {from} to {begins}");
            return Err(StepError::Failed(why));
        }
        Ok(read)
    }

    pub(super) async fn read(&self, from: Position) -> Result<ReadBatch, StepError> {
        let read = self.tools.engine.read(self.log, from, READ_BYTES).await;
        read.map_err(|error| failed(&error))
    }
}

fn permits(bytes: u64) -> u32 {
    let mebibytes = u32::try_from(bytes.div_ceil(BYTES_PER_MIB)).unwrap_or(u32::MAX);
    mebibytes.clamp(1, WORK_MIB_MAX)
}

/// Lets the worker do something on a thread that may be blocked.
async fn blocking(
    mut worker: Worker,
    what: impl FnOnce(&mut Worker) -> Result<(), Stopped> + Send + 'static,
) -> Result<Worker, StepError> {
    let working = tokio::task::spawn_blocking(move || what(&mut worker).map(|()| worker));
    flatten(working.await)
}

fn flatten<T>(worked: Result<Result<T, Stopped>, JoinError>) -> Result<T, StepError> {
    match worked {
        Ok(Ok(worked)) => Ok(worked),
        Ok(Err(Stopped(why))) => Err(StepError::Failed(why)),
        Err(error) => Err(StepError::Failed(error.to_string())),
    }
}
