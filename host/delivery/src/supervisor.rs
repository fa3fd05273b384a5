//! The task that starts and ends the lanes of a delivery stream.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use store::{LogId, Position, StoreError};
use streams::Streams;
use streams::pump::{Ended, Pump, PumpError};
use tokio::task::{Id, JoinError, JoinSet};
use types::limits::DIRECT_PUT_RETENTION;

use crate::delivery_stream::Origin;
use crate::gone;
use crate::lane::{LaneSignals, LaneStep, Tools};
use crate::lane_state::LaneState;
use crate::running::Running;
use crate::tables::LaneKey;

/// Time between two looks for new shards, and for failed lanes to be started again.
const LOOK: Duration = Duration::from_secs(1);
/// Looks between two that give back space of records that are too old to be delivered.
const LOOKS_PER_TRIM: u32 = 60;

/// Begins to deliver.
pub(crate) fn start(running: &Arc<Running>, tools: &Arc<Tools>, streams: &Arc<Streams>) {
    let supervisor = Supervisor::new(Arc::clone(running), Arc::clone(tools), Arc::clone(streams));
    running.set_task(tokio::spawn(supervisor.run()));
}

struct Supervisor {
    running: Arc<Running>,
    tools: Arc<Tools>,
    streams: Arc<Streams>,
    /// By the task that works on it.
    at_work: HashMap<Id, LaneKey>,
    /// They have come to the end of their logs.
    ended: HashSet<LaneKey>,
    /// Those of the ended whose logs are gone, and that are counted.
    counted: HashSet<LaneKey>,
    /// Those whose rows were written by another build. They stand still for as long as this one
    /// runs.
    unreadable: HashSet<LaneKey>,
    lanes: JoinSet<Result<Ended, PumpError>>,
}

impl Supervisor {
    fn new(running: Arc<Running>, tools: Arc<Tools>, streams: Arc<Streams>) -> Self {
        Self {
            running,
            tools,
            streams,
            at_work: HashMap::new(),
            ended: HashSet::new(),
            counted: HashSet::new(),
            unreadable: HashSet::new(),
            lanes: JoinSet::new(),
        }
    }

    /// Keeps the lanes at work until the delivery stream is told to stop, and ends them then.
    async fn run(mut self) {
        let mut stop = self.running.stop.subscribe();
        let mut looks_to_trim: u32 = 0;
        while !*stop.borrow() {
            self.start_lanes();
            self.look_at_logs().await;
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
        for wanted in self.running.wanted(&self.streams) {
            let is_ready = wanted
                .parents
                .iter()
                .all(|parent| self.ended.contains(parent));
            let is_at_work = self.at_work.values().any(|key| *key == wanted.key);
            let is_gone = matches!(self.tools.engine.tip(wanted.log), Err(StoreError::NoLog(_)));
            let stands_still = self.unreadable.contains(&wanted.key);
            let has_ended = self.ended.contains(&wanted.key);
            if !is_ready || is_at_work || is_gone || stands_still || has_ended {
                continue;
            }
            let (state, signals) = self.running.lane(wanted.key, wanted.log, &self.tools);
            let tools = Arc::clone(&self.tools);
            let lane = (wanted.key, wanted.log);
            let task = self.lanes.spawn(work(tools, lane, signals, state));
            self.at_work.insert(task.id(), wanted.key);
        }
    }

    /// Sees how far the logs reach. A lane whose log is gone has lost what was left of it.
    async fn look_at_logs(&mut self) {
        let at_work: HashSet<LaneKey> = self.at_work.values().copied().collect();
        for (key, log, state) in self.running.known_lanes() {
            if self.counted.contains(&key) || self.unreadable.contains(&key) {
                continue;
            }
            match log.map(|log| self.tools.engine.tip(log)) {
                Some(Ok(tip)) => state.saw_tip(tip),
                None | Some(Err(StoreError::NoLog(_))) => {
                    self.look_at_end(key, &state, at_work.contains(&key)).await;
                }
                // Its own task says what is wrong with it.
                Some(Err(_)) => {}
            }
        }
    }

    /// Counts what was in a log that is gone, once its lane has given up what it was about.
    async fn look_at_end(&mut self, key: LaneKey, state: &LaneState, is_at_work: bool) {
        let (engine, stream) = (&*self.tools.engine, self.running.stream());
        let looked = if is_at_work {
            gone::show(engine, key, state).await
        } else {
            gone::count(engine, &stream, key, state).await
        };
        match looked {
            Ok(()) if is_at_work => {}
            Ok(()) => {
                self.counted.insert(key);
                self.ended.insert(key);
            }
            Err(error) => {
                tracing::warn!(stream = %stream.arn, %error, "count what is lost");
                if matches!(error, StoreError::Unreadable { .. }) {
                    state.is_unreadable(&error);
                    self.unreadable.insert(key);
                }
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
            Ok(Ok(Ended::LogEnd)) => {
                self.ended.insert(key);
            }
            // What was in it is counted at the next look.
            Ok(Err(PumpError::Store(StoreError::NoLog(_)))) => {}
            Ok(Ok(Ended::Stopped)) => {}
            Ok(Err(error @ PumpError::Store(StoreError::Unreadable { .. }))) => {
                tracing::error!(stream = %arn, shard = key.shard, %error, "a lane stands still");
                self.unreadable.insert(key);
            }
            Ok(Err(error)) => {
                tracing::error!(stream = %arn, shard = key.shard, %error, "a lane begins again");
            }
            Err(error) => {
                tracing::error!(stream = %arn, shard = key.shard, %error, "a lane ended badly");
            }
        }
    }

    /// What was put directly and could not be delivered for as long as it is kept is lost, as the
    /// service loses it, and said so. Whether it is known how far the lane has come and what time
    /// it is: before that nothing can be said to be lost.
    async fn trim_expired(&self) -> bool {
        let stream = self.running.stream();
        let Origin::DirectPut { log } = stream.origin else {
            return true;
        };
        let lanes = self.running.known_lanes();
        let delivered = lanes.first().and_then(|(_, _, state)| state.position());
        let Some(delivered) = delivered else {
            return false;
        };
        let time = self.streams.retention_time();
        if !time.may_trim {
            // A clock that may be wrong by years takes nothing away.
            return false;
        }
        let cutoff = time.now.before(DIRECT_PUT_RETENTION);
        let engine = &self.tools.engine;
        let trimmed = async {
            let keep_from = engine.seek_time(log, cutoff).await?;
            if delivered < keep_from && engine.horizon(log)? < keep_from {
                engine.trim(log, keep_from).await?;
                tracing::error!(
                    stream = %stream.arn,
                    lost = keep_from.0 - delivered.0,
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

/// Works on one lane until it is told to stop or its log ends.
async fn work(
    tools: Arc<Tools>,
    (key, log): (LaneKey, LogId),
    signals: LaneSignals,
    state: Arc<LaneState>,
) -> Result<Ended, PumpError> {
    let engine = Arc::clone(&tools.engine);
    // All shards that were there before their delivery stream have begun where they should: any
    // other is younger, and is read from its first record on.
    let start = Position::FIRST;
    let mut pump = Pump::claim(Arc::clone(&engine), log, &key.pump_name(), start).await?;
    // The step reads on by itself; all it needs is a place to begin.
    pump.set_batch_bytes(1);
    let mut stop = signals.stop.clone();
    let at = pump.position();
    let opened = LaneStep::open(tools, (key, log), (signals, at), Arc::clone(&state)).await;
    let mut step = opened.inspect_err(|error| match error {
        StoreError::Unreadable { .. } => state.is_unreadable(error),
        _ => state.has_trouble(Some(error.to_string())),
    })?;
    let ended = pump.run(&mut step, &mut stop).await;
    match (&ended, engine.tip(log)) {
        (_, Err(error @ StoreError::NoLog(_))) => Err(PumpError::Store(error)),
        (Err(error), _) => {
            state.has_trouble(Some(error.to_string()));
            ended
        }
        (Ok(_), _) => ended,
    }
}
