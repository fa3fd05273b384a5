//! A delivery stream that runs: its configuration as everybody sees it, and its lanes as they are.
//! `supervisor` starts and ends them.

mod flush;
mod given_up;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use store::{Engine, LogId, Position, StoreError, Transaction};
use streams::pump::row;
use streams::{StreamId, Streams};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use types::ShardId;

pub use self::flush::Flushed;
use crate::delivery_stream::{DeliveryStream, Origin};
use crate::gone;
use crate::lane::{LaneSignals, Tools};
use crate::lane_state::{LaneState, LaneStatus};
use crate::orders::{Asked, LaneAnswer, ORDERS_WAITING_MAX, Obeyed, Order, Outcome};
use crate::put_rates::PutRates;
use crate::rows;
use crate::tables::LaneKey;

/// A delivery stream and its lanes.
pub struct Running {
    stream: watch::Sender<Arc<DeliveryStream>>,
    pub(crate) stop: watch::Sender<bool>,
    /// Whether it was looked once which lanes there are.
    pub(crate) has_lanes: watch::Sender<bool>,
    lanes: Mutex<BTreeMap<LaneKey, Lane>>,
    put_rates: Mutex<PutRates>,
    /// Why it does not work, if something that it needs to begin cannot be read.
    stands_still: OnceLock<String>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// A lane that has begun.
#[derive(Default)]
struct Lane {
    /// Set if it was there in the life of this process.
    log: Option<LogId>,
    state: Arc<LaneState>,
    /// What lies before this shall go at once.
    flush: watch::Sender<Position>,
    /// The way to the lane, if it is at work.
    orders: Option<mpsc::Sender<Asked>>,
}

/// A lane that could run.
pub(crate) struct Wanted {
    pub(crate) key: LaneKey,
    pub(crate) log: LogId,
    /// Lanes that must have come to their end before.
    pub(crate) parents: Vec<LaneKey>,
}

impl Running {
    /// A delivery stream that does not work yet.
    pub fn new(stream: DeliveryStream) -> Arc<Self> {
        let put_rates = PutRates::of(&stream.arn.owner.region);
        Arc::new(Self {
            stream: watch::channel(Arc::new(stream)).0,
            stop: watch::channel(false).0,
            has_lanes: watch::channel(false).0,
            lanes: Mutex::default(),
            put_rates: Mutex::new(put_rates),
            stands_still: OnceLock::new(),
            task: Mutex::default(),
        })
    }

    /// The delivery stream as it is configured.
    pub fn stream(&self) -> Arc<DeliveryStream> {
        Arc::clone(&self.stream.borrow())
    }

    /// What is left of the limits of direct puts.
    pub fn put_rates(&self) -> MutexGuard<'_, PutRates> {
        // A bucket is whole after each statement.
        self.put_rates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts another configuration in force, also for what waits.
    pub fn set(&self, stream: DeliveryStream) {
        self.stream.send_replace(Arc::new(stream));
    }

    /// It does not begin to work: it cannot be read where its lanes stand.
    pub(crate) fn stands_still(&self, error: &StoreError) {
        let stream = self.stream();
        tracing::error!(stream = %stream.arn, %error, "a delivery stream stands still");
        // The first reason is as good as a later one.
        let _ = self
            .stands_still
            .set(rows::told_unreadable(&error.to_string()));
        self.has_lanes.send_replace(true);
    }

    pub(crate) fn why_it_stands_still(&self) -> Option<String> {
        self.stands_still.get().cloned()
    }

    /// Notes the task that keeps its lanes at work.
    pub(crate) fn set_task(&self, task: JoinHandle<()>) {
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
    pub fn lanes(&self, engine: &dyn Engine) -> Vec<(LaneKey, LaneStatus)> {
        let lanes = self.lock();
        lanes
            .iter()
            .map(|(key, lane)| (*key, lane.state.status(engine, lane.log)))
            .collect()
    }

    /// All lanes with their logs, if these may be there, and the places where they write how they
    /// are.
    pub(crate) fn known_lanes(&self) -> Vec<(LaneKey, Option<LogId>, Arc<LaneState>)> {
        let lanes = self.lock();
        lanes
            .iter()
            .map(|(key, lane)| (*key, lane.log, Arc::clone(&lane.state)))
            .collect()
    }

    /// Tells the lanes that do not get on, or the one of this name, what to do about it, and waits
    /// at most so long for their answers. `None` if there is no lane of the name.
    pub async fn order(
        &self,
        tools: &Tools,
        (order, name): (Order, Option<&str>),
        time: Duration,
    ) -> Option<Vec<LaneAnswer>> {
        let asked = self.ask(&*tools.engine, order, name)?;
        let deadline = tokio::time::Instant::now() + time;
        let mut answers = Vec::new();
        for (lane, answer) in asked {
            let obeyed = match answer {
                Ok(answer) => match tokio::time::timeout_at(deadline, answer).await {
                    Ok(Ok(obeyed)) => obeyed,
                    // The lane has ended.
                    Ok(Err(_)) => Obeyed::not(Outcome::NotTaken),
                    Err(_) => Obeyed::not(Outcome::Later),
                },
                Err(outcome) => Obeyed::not(outcome),
            };
            answers.push(LaneAnswer {
                lane,
                outcome: obeyed.outcome,
                records: obeyed.records,
                objects_that_may_exist: obeyed.objects,
            });
        }
        Some(answers)
    }

    /// Sends an order to the lanes that it is for.
    fn ask(&self, engine: &dyn Engine, order: Order, name: Option<&str>) -> Option<Vec<OnItsWay>> {
        let lanes = self.lock();
        let mut asked = Vec::new();
        let mut is_known = name.is_none();
        for (key, lane) in lanes.iter() {
            let lane_name = key.lane_name();
            if name.is_some_and(|name| name != lane_name) {
                continue;
            }
            is_known = true;
            let status = lane.state.status(engine, lane.log);
            let sent = match (status.stuck, &lane.orders) {
                (Some(stuck), Some(orders)) => {
                    let (answer, obeyed) = oneshot::channel();
                    let asked = Asked {
                        order,
                        cut: stuck.number,
                        answer,
                    };
                    let sent = orders.try_send(asked);
                    sent.map(|()| obeyed).map_err(|_| Outcome::NotTaken)
                }
                (Some(_), None) => Err(Outcome::NotTaken),
                // An order without a lane is for those that do not get on.
                (None, _) if status.trouble.is_none() && name.is_none() => continue,
                (None, _) => Err(Outcome::NothingStuck),
            };
            asked.push((lane_name, sent));
        }
        is_known.then_some(asked)
    }

    /// The place where a lane shows how it is, and what it listens to.
    pub(crate) fn lane(
        &self,
        key: LaneKey,
        log: LogId,
        tools: &Tools,
    ) -> (Arc<LaneState>, LaneSignals) {
        let mut lanes = self.lock();
        let lane = lanes.entry(key).or_default();
        lane.log = Some(log);
        let (orders, inbox) = mpsc::channel(ORDERS_WAITING_MAX);
        lane.orders = Some(orders);
        let signals = LaneSignals {
            stream: self.stream.subscribe(),
            flush: lane.flush.subscribe(),
            stop: self.stop.subscribe(),
            plugins: tools.plugins.changes(),
            orders: inbox,
        };
        (Arc::clone(&lane.state), signals)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<LaneKey, Lane>> {
        // Each statement under the lock leaves the map whole.
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An order that a lane has got, or why it has not.
type OnItsWay = (String, Result<oneshot::Receiver<Obeyed>, Outcome>);

impl Running {
    /// The lanes that could run, as far as their source has them at the moment.
    pub(crate) fn wanted(&self, streams: &Streams) -> Vec<Wanted> {
        let stream = self.stream();
        match &stream.origin {
            Origin::DirectPut { log } => vec![Wanted {
                key: key_of(&stream, StreamId(LaneKey::NO_STREAM), ShardId(0)),
                log: *log,
                parents: Vec::new(),
            }],
            Origin::Stream { arn, .. } => {
                let Some(source) = streams.source(arn) else {
                    return Vec::new();
                };
                // A parent that is not listed any more has nothing left to deliver.
                let is_listed =
                    |parent: &&_| source.shards.iter().any(|shard| shard.id == **parent);
                let shards = source.shards.iter().map(|shard| Wanted {
                    key: key_of(&stream, source.id, shard.id),
                    log: shard.log,
                    parents: shard
                        .parents
                        .iter()
                        .filter(is_listed)
                        .map(|parent| key_of(&stream, source.id, *parent))
                        .collect(),
                });
                shards.collect()
            }
        }
    }

    /// Shows what all lanes did that have begun, and what waits for them. They are not at work.
    pub(crate) async fn show_lanes(
        &self,
        tools: &Tools,
        streams: &Streams,
    ) -> Result<(), StoreError> {
        let (engine, stream) = (&*tools.engine, self.stream());
        let logs = self.logs(streams);
        let positions = rows::load_positions(engine, stream.id).await?;
        let kept = rows::load_lanes(engine, Some(stream.id)).await?;
        let mut kept: BTreeMap<LaneKey, rows::LaneFound> = kept.into_iter().collect();
        for (key, position) in positions {
            let found = kept.remove(&key);
            let found = found.unwrap_or_else(|| Ok(rows::not_begun((key, position))));
            let log = logs.get(&key).copied();
            let state = self.shown(key, log);
            let lane = found.unwrap_or_else(|error| {
                // What it counted is not known; what waits is.
                state.is_unreadable(&error);
                rows::Lane::default()
            });
            state.stands_at(position, lane.counts, lane.by_version);
            if log.is_none() {
                gone::show(engine, key, &state).await?;
            }
        }
        // Their logs are gone, and counted.
        for (key, found) in kept {
            let state = self.shown(key, None);
            match found {
                Ok(lane) => state.is_over(lane.counts, lane.by_version),
                Err(error) => state.is_unreadable(&error),
            }
        }
        Ok(())
    }

    /// Where a lane shows how it is that is not at work.
    fn shown(&self, key: LaneKey, log: Option<LogId>) -> Arc<LaneState> {
        let mut lanes = self.lock();
        let shown = lanes.entry(key).or_default();
        shown.log = log;
        Arc::clone(&shown.state)
    }

    /// The logs of all lanes, also of a source that is being deleted.
    fn logs(&self, streams: &Streams) -> BTreeMap<LaneKey, LogId> {
        let stream = self.stream();
        let wanted = self.wanted(streams).into_iter();
        let mut logs: BTreeMap<_, _> = wanted.map(|wanted| (wanted.key, wanted.log)).collect();
        if let Origin::Stream { arn, .. } = &stream.origin
            && let Some(ending) = streams.ending_source(arn)
        {
            let shards = ending.shards.iter();
            logs.extend(shards.map(|shard| (key_of(&stream, ending.id, shard.id), shard.log)));
        }
        logs
    }

    /// Keeps where the lanes begin of all shards that are there when the delivery stream becomes
    /// ACTIVE: what a stream held before is not delivered. Whatever is shown of a lane hangs on
    /// this row: what waits counts from there on, until it is delivered or counted as lost.
    pub(crate) async fn begin_lanes(
        &self,
        tools: &Tools,
        streams: &Streams,
    ) -> Result<(), StoreError> {
        let (engine, stream) = (&*tools.engine, self.stream());
        let begun = rows::load_positions(engine, stream.id).await?;
        let mut writes = Vec::new();
        for Wanted { key, log, .. } in self.wanted(streams) {
            if begun.contains_key(&key) {
                continue;
            }
            match first_position(engine, &stream, log).await {
                Ok(position) => {
                    writes.push(row::beginning(&key.pump_name(), position)?);
                    writes.push(rows::lane_write(key, &rows::Lane::default())?);
                }
                // It was deleted before anything waited in it.
                Err(StoreError::NoLog(_)) => {}
                Err(error) => return Err(error),
            }
        }
        if !writes.is_empty() {
            let transaction = Transaction {
                appends: Vec::new(),
                writes,
            };
            engine.commit(transaction).await?;
        }
        Ok(())
    }
}

fn key_of(stream: &DeliveryStream, source: StreamId, shard: ShardId) -> LaneKey {
    LaneKey {
        delivery_stream: stream.id,
        stream: source.0,
        shard: shard.0,
    }
}

/// Where a lane begins of a shard that was there before.
async fn first_position(
    engine: &dyn Engine,
    stream: &DeliveryStream,
    log: LogId,
) -> Result<Position, StoreError> {
    match stream.origin {
        Origin::DirectPut { .. } => Ok(Position::FIRST),
        Origin::Stream { .. } => engine.seek_time(log, stream.created_at).await,
    }
}
