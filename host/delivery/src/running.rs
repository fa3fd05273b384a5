//! A delivery stream that runs: its configuration as everybody sees it, its lanes, and the task
//! that starts and ends them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use store::{LogId, Position, StoreError};
use streams::Streams;
use streams::pump::{Ended, Pump, PumpError};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinHandle, JoinSet};
use types::limits::DIRECT_PUT_RETENTION;

use crate::cut::Gathering;
use crate::delivery_stream::{DeliveryStream, Origin};
use crate::lane::{Ears, LaneStep, Tools};
use crate::lane_state::{LaneState, LaneStatus};
use crate::rows;
use crate::tables::LaneKey;

/// How often it is looked for shards that are new, and for lanes that failed and begin again.
const LOOK: Duration = Duration::from_secs(1);
/// Looks between two that give back space of records that are too old to be delivered.
const LOOKS_PER_TRIM: u32 = 60;
/// How often it is looked whether a flush is through.
const FLUSH_LOOK: Duration = Duration::from_millis(20);

/// A delivery stream and its lanes.
pub struct Running {
    stream: watch::Sender<Arc<DeliveryStream>>,
    stop: watch::Sender<bool>,
    /// Whether it was looked once which lanes there are.
    has_lanes: watch::Sender<bool>,
    lanes: Mutex<BTreeMap<LaneKey, Lane>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// A lane that was ever at work.
#[derive(Default)]
struct Lane {
    /// Set once it works in this process.
    log: Option<LogId>,
    state: Arc<LaneState>,
    /// What lies before this shall go at once.
    flush: watch::Sender<Position>,
}

/// A lane that could run.
struct Wanted {
    key: LaneKey,
    log: LogId,
    /// Lanes that must have come to their end before.
    parents: Vec<LaneKey>,
}

/// Where a lane must stand for a flush to be over.
struct Goal {
    log: LogId,
    tip: Position,
    state: Arc<LaneState>,
    flush: watch::Sender<Position>,
}

impl Goal {
    fn is_reached(&self, tools: &Tools) -> bool {
        match tools.engine.horizon(self.log) {
            // What retention has taken since is not waited for.
            Ok(horizon) => Some(self.tip) <= self.state.position().max(Some(horizon)),
            // Nor is a log that is gone.
            Err(_) => true,
        }
    }
}

impl Running {
    /// A delivery stream that does not work yet.
    pub fn new(stream: DeliveryStream) -> Arc<Self> {
        Arc::new(Self {
            stream: watch::channel(Arc::new(stream)).0,
            stop: watch::channel(false).0,
            has_lanes: watch::channel(false).0,
            lanes: Mutex::default(),
            task: Mutex::default(),
        })
    }

    /// The delivery stream as it is configured.
    pub fn stream(&self) -> Arc<DeliveryStream> {
        Arc::clone(&self.stream.borrow())
    }

    /// Puts another configuration in force; a cut that is being gathered is closed by it.
    pub fn set(&self, stream: DeliveryStream) {
        self.stream.send_replace(Arc::new(stream));
    }

    /// Begins to deliver.
    pub fn start(self: &Arc<Self>, tools: &Arc<Tools>, streams: &Arc<Streams>) {
        let supervisor = Supervisor {
            running: Arc::clone(self),
            tools: Arc::clone(tools),
            streams: Arc::clone(streams),
            at_work: HashMap::new(),
            ended: HashSet::new(),
            lanes: JoinSet::new(),
        };
        let task = tokio::spawn(supervisor.run());
        *self.lock_task() = Some(task);
    }

    /// Ends all lanes after what they have begun. Whether they have within `time`; if not, it can
    /// be asked again.
    pub async fn stop(&self, time: Duration) -> bool {
        self.stop.send_replace(true);
        let Some(mut task) = self.lock_task().take() else {
            return true;
        };
        match tokio::time::timeout(time, &mut task).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::error!(%error, "a delivery stream ended badly");
                true
            }
            Err(_) => {
                *self.lock_task() = Some(task);
                false
            }
        }
    }

    fn lock_task(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How each lane is.
    pub fn lanes(&self) -> Vec<(LaneKey, LaneStatus)> {
        let lanes = self.lock();
        lanes
            .iter()
            .map(|(key, lane)| (*key, lane.state.status()))
            .collect()
    }

    /// Lets everything that waits go, and returns when it is delivered. Whether it was within
    /// `time`.
    pub async fn flush(&self, tools: &Tools, time: Duration) -> Result<bool, StoreError> {
        let flushed = async {
            // A delivery stream that was made just now looks for its lanes first.
            let mut has_lanes = self.has_lanes.subscribe();
            let _ = has_lanes.wait_for(|has_lanes| *has_lanes).await;
            let goals = self.goals(tools).await?;
            for goal in &goals {
                goal.flush.send_modify(|to| *to = goal.tip.max(*to));
            }
            while goals.iter().any(|goal| !goal.is_reached(tools)) {
                tokio::time::sleep(FLUSH_LOOK).await;
            }
            Ok::<_, StoreError>(())
        };
        match tokio::time::timeout(time, flushed).await {
            Ok(flushed) => flushed.map(|()| true),
            Err(_) => Ok(false),
        }
    }

    /// Where each lane must stand so that what waits now is delivered.
    async fn goals(&self, tools: &Tools) -> Result<Vec<Goal>, StoreError> {
        let mut lanes = Vec::new();
        for lane in self.lock().values() {
            let log = lane.log;
            lanes.extend(log.map(|log| (log, Arc::clone(&lane.state), lane.flush.clone())));
        }
        let mut goals = Vec::new();
        for (log, state, flush) in lanes {
            let from = state.position().unwrap_or_default();
            match tools.engine.read(log, from, 1).await {
                // What retention took was waiting for nobody.
                Ok(read) if read.frames.is_empty() => {}
                Ok(read) => goals.push(Goal {
                    log,
                    tip: read.tip,
                    state,
                    flush,
                }),
                // A lane whose log is gone has nothing to let go.
                Err(StoreError::NoLog(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(goals)
    }

    /// The place where a lane shows how it is, and what it listens to.
    fn lane(&self, key: LaneKey, log: LogId, tools: &Tools) -> (Arc<LaneState>, Ears) {
        let mut lanes = self.lock();
        let lane = lanes.entry(key).or_default();
        lane.log = Some(log);
        let ears = Ears {
            stream: self.stream.subscribe(),
            flush: lane.flush.subscribe(),
            stop: self.stop.subscribe(),
            plugins: tools.plugins.changes(),
        };
        (Arc::clone(&lane.state), ears)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<LaneKey, Lane>> {
        // Each statement under the lock leaves the map whole.
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Supervisor {
    running: Arc<Running>,
    tools: Arc<Tools>,
    streams: Arc<Streams>,
    /// By the task that works on it.
    at_work: HashMap<Id, LaneKey>,
    ended: HashSet<LaneKey>,
    lanes: JoinSet<Result<Ended, PumpError>>,
}

impl Supervisor {
    async fn run(mut self) {
        let mut stop = self.running.stop.subscribe();
        let mut looks_to_trim: u32 = 0;
        while !*stop.borrow() {
            self.start_lanes();
            self.running.has_lanes.send_replace(true);
            if looks_to_trim == 0 && self.trim_expired().await {
                looks_to_trim = LOOKS_PER_TRIM;
            }
            looks_to_trim = looks_to_trim.saturating_sub(1);
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => {}
                () = tokio::time::sleep(LOOK) => {}
                Some(ended) = self.lanes.join_next_with_id() => self.note_end(ended),
            }
        }
        while let Some(ended) = self.lanes.join_next_with_id().await {
            self.note_end(ended);
        }
    }

    /// Starts every lane that has something to do and whose parents have not.
    fn start_lanes(&mut self) {
        for wanted in self.wanted() {
            let is_ready = wanted
                .parents
                .iter()
                .all(|parent| self.ended.contains(parent));
            let is_at_work = self.at_work.values().any(|key| *key == wanted.key);
            if !is_ready || is_at_work || self.ended.contains(&wanted.key) {
                continue;
            }
            let (state, ears) = self.running.lane(wanted.key, wanted.log, &self.tools);
            let (tools, stream) = (Arc::clone(&self.tools), self.running.stream());
            let lane = (wanted.key, wanted.log);
            let task = self
                .lanes
                .spawn(async move { work(tools, &stream, lane, ears, state).await });
            self.at_work.insert(task.id(), wanted.key);
        }
    }

    fn wanted(&self) -> Vec<Wanted> {
        let stream = self.running.stream();
        let key = |of: u64, shard: u32| LaneKey {
            delivery_stream: stream.id,
            stream: of,
            shard,
        };
        match &stream.origin {
            Origin::DirectPut { log } => vec![Wanted {
                key: key(LaneKey::NO_STREAM, 0),
                log: *log,
                parents: Vec::new(),
            }],
            Origin::Stream { arn, .. } => {
                let Some(source) = self.streams.source(arn) else {
                    return Vec::new();
                };
                // A parent that is not listed any more has nothing left to deliver.
                let listed: HashSet<_> = source.shards.iter().map(|shard| shard.id).collect();
                let shards = source.shards.iter().map(|shard| Wanted {
                    key: key(source.id.0, shard.id.0),
                    log: shard.log,
                    parents: shard
                        .parents
                        .iter()
                        .filter(|parent| listed.contains(parent))
                        .map(|parent| key(source.id.0, parent.0))
                        .collect(),
                });
                shards.collect()
            }
        }
    }

    fn note_end(&mut self, ended: Result<(Id, Result<Ended, PumpError>), JoinError>) {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, Ok(outcome)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some(key) = self.at_work.remove(&id) else {
            return;
        };
        let stream = self.running.stream();
        let arn = &stream.arn;
        match outcome {
            Ok(Ok(Ended::LogEnd) | Err(PumpError::Store(StoreError::NoLog(_)))) => {
                self.ended.insert(key);
            }
            Ok(Ok(Ended::Stopped)) => {}
            Ok(Err(error)) => {
                tracing::error!(stream = %arn, shard = key.shard, %error, "a lane begins again");
            }
            Err(error) => {
                tracing::error!(stream = %arn, shard = key.shard, %error, "a lane ended badly");
            }
        }
    }

    /// What was put directly and could not be delivered for as long as it is kept is lost, as the
    /// service loses it, and said so. Whether it is known how far the lane has come: before that
    /// nothing can be said to be lost.
    async fn trim_expired(&self) -> bool {
        let stream = self.running.stream();
        let Origin::DirectPut { log } = stream.origin else {
            return true;
        };
        let Some(delivered) = self.running.lane_position(LaneKey::NO_STREAM) else {
            return false;
        };
        let cutoff = self.tools.clock.now().before(DIRECT_PUT_RETENTION);
        let engine = &self.tools.engine;
        let trimmed = async {
            let keep_from = engine.seek_time(log, cutoff).await?;
            if delivered < keep_from && engine.horizon(log)? < keep_from {
                engine.trim(log, keep_from).await?;
                tracing::error!(
                    stream = %stream.arn,
                    "records that could not be delivered within a day are lost"
                );
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = trimmed.await {
            tracing::warn!(stream = %stream.arn, %error, "trim what is too old to be delivered");
        }
        true
    }
}

impl Running {
    fn lane_position(&self, of: u64) -> Option<Position> {
        let lanes = self.lock();
        let lane = lanes.iter().find(|(key, _)| key.stream == of);
        lane.and_then(|(_, lane)| lane.state.position())
    }
}

/// Works on one lane until it is told to stop or its log ends.
async fn work(
    tools: Arc<Tools>,
    stream: &DeliveryStream,
    (key, log): (LaneKey, LogId),
    ears: Ears,
    state: Arc<LaneState>,
) -> Result<Ended, PumpError> {
    let engine = Arc::clone(&tools.engine);
    // What a stream held before is not delivered.
    let start = match stream.origin {
        Origin::DirectPut { .. } => Position::FIRST,
        Origin::Stream { .. } => engine.seek_time(log, stream.created_at).await?,
    };
    let mut pump = Pump::claim(Arc::clone(&engine), log, &key.pump_name(), start).await?;
    state.stands_at(pump.position());
    // The step reads on by itself; all it needs is a place to begin.
    pump.set_batch_bytes(1);
    let mut stop = ears.stop.clone();
    let mut step = LaneStep::open(tools, (key, log), ears, Arc::clone(&state)).await?;
    let ended = pump.run(&mut step, &mut stop).await;
    match engine.tip(log) {
        Err(error @ StoreError::NoLog(_)) => {
            // What was not delivered is gone with its stream.
            state.waits(&Gathering::new(pump.position()));
            state.has_trouble(None);
            Err(PumpError::Store(error))
        }
        _ => ended,
    }
}

/// Shows what lanes did that are not at work any more.
pub async fn show_kept_lanes(running: &Running, tools: &Tools) -> Result<(), StoreError> {
    let id = running.stream().id;
    for (key, lane) in rows::load_lanes(&*tools.engine, Some(id)).await? {
        let mut lanes = running.lock();
        let shown = lanes.entry(key).or_default();
        shown.state.done(lane.counts, lane.by_version);
    }
    Ok(())
}
