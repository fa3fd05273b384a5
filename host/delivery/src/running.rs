//! A delivery stream that runs: its configuration as everybody sees it, and its lanes as they are.
//! `supervisor` starts and ends them.

mod flush;
mod given_up;
mod replays;
mod shards;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use store::{Engine, LogId, Position, StoreError};
use streams::SourceMark;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use types::Clock;

pub use self::flush::Flushed;
pub(crate) use self::replays::NotBegun;
pub(crate) use self::shards::{Begins, Begun, Wanted};
use crate::delivered_log::DeliveredLog;
use crate::delivery_stream::DeliveryStream;
use crate::error_log::{ErrorLog, Wrong};
use crate::gone::Folded;
use crate::lane::{LaneSignals, Tools};
use crate::lane_state::{LaneState, LaneStatus};
use crate::orders::{Asked, LaneAnswer, ORDERS_WAITING_MAX, Obeyed, Order, Outcome};
use crate::put_rates::PutRates;
use crate::redeliveries::Redeliveries;
use crate::rows;
use crate::sums::Sum;
use crate::tables::LaneKey;

/// A delivery stream and its lanes.
pub struct Running {
    stream: watch::Sender<Arc<DeliveryStream>>,
    pub(crate) stop: watch::Sender<bool>,
    /// What it is known of which lanes there are.
    pub(crate) looked_at: watch::Sender<LookedAt>,
    lanes: Mutex<Lanes>,
    put_rates: Mutex<PutRates>,
    /// Whether it has a lane of failed records that are delivered once more.
    replays: watch::Sender<bool>,
    /// Why it does not work, if something that it needs to begin cannot be read.
    stands_still: OnceLock<String>,
    /// What went wrong lately.
    errors: Arc<ErrorLog>,
    /// What was delivered lately.
    delivered: Arc<DeliveredLog>,
    /// What was ordered to be delivered once more.
    pub(crate) redeliveries: Redeliveries,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// What the shards were of which all lanes are known.
pub(crate) enum LookedAt {
    /// It was not looked yet.
    Nothing,
    /// Those of this moment.
    Source(SourceMark),
    /// It is not looked any more.
    NoMore,
}

/// What a delivery stream reads, and has read.
#[derive(Default)]
struct Lanes {
    by_key: BTreeMap<LaneKey, Lane>,
    /// What all lanes together did whose logs are gone. Its trouble is that of the delivery stream
    /// as a whole.
    over: LaneStatus,
}

/// A lane that has begun.
#[derive(Default)]
struct Lane {
    /// Set if it was there in the life of this process.
    log: Option<LogId>,
    state: Arc<LaneState>,
    /// It is done with a log that takes no more records.
    is_done: bool,
    /// What lies before this shall go at once.
    flush_to: Position,
    /// The ways to the lane, while it is at work and not at rest.
    channels: Option<Channels>,
}

/// The ways to a lane that is at work.
struct Channels {
    /// Says what `flush_to` says.
    flush: watch::Sender<Position>,
    orders: mpsc::Sender<Asked>,
}

impl Lanes {
    fn show_sum(&mut self, sum: Sum) {
        self.over.counts = sum.counts;
        self.over.by_version = sum.by_version;
    }
}

impl Lane {
    fn flush(&mut self, to: Position) {
        self.flush_to = self.flush_to.max(to);
        if let Some(channels) = &self.channels {
            channels.flush.send_replace(self.flush_to);
        }
    }
}

impl Running {
    /// A delivery stream that does not work yet.
    pub fn new(stream: DeliveryStream, clock: &Arc<dyn Clock>) -> Arc<Self> {
        let put_rates = PutRates::of(&stream.arn.owner.region);
        Arc::new(Self {
            stream: watch::channel(Arc::new(stream)).0,
            stop: watch::channel(false).0,
            looked_at: watch::channel(LookedAt::Nothing).0,
            lanes: Mutex::default(),
            put_rates: Mutex::new(put_rates),
            replays: watch::channel(false).0,
            stands_still: OnceLock::new(),
            errors: Arc::new(ErrorLog::new(Arc::clone(clock))),
            delivered: Arc::new(DeliveredLog::new(Arc::clone(clock))),
            redeliveries: Redeliveries::default(),
            task: Mutex::default(),
        })
    }

    /// The delivery stream as it is configured.
    pub fn stream(&self) -> Arc<DeliveryStream> {
        Arc::clone(&self.stream.borrow())
    }

    /// Waits until it is so, at most so long; `None` if it is not so then.
    pub(crate) async fn until(
        &self,
        time: Duration,
        is_so: impl Fn(&DeliveryStream) -> bool,
    ) -> Option<Arc<DeliveryStream>> {
        let mut changes = self.stream.subscribe();
        let waiting = changes.wait_for(|stream| is_so(stream));
        let waited = tokio::time::timeout(time, waiting).await;
        waited.ok()?.ok().map(|stream| Arc::clone(&stream))
    }

    /// What went wrong with it lately.
    pub(crate) fn errors(&self) -> &ErrorLog {
        &self.errors
    }

    /// The same, and what was delivered lately, for whoever notes more.
    pub(crate) fn both_logs(&self) -> (Arc<ErrorLog>, Arc<DeliveredLog>) {
        (Arc::clone(&self.errors), Arc::clone(&self.delivered))
    }

    /// Notes what went wrong with a lane, or with all of it.
    pub(crate) fn note(&self, lane: Option<LaneKey>, why: &str) {
        let lane = lane.map(|key| key.lane_name());
        self.errors
            .note(&self.stream(), lane, (Wrong::Trouble, None, why));
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
        self.looked_at.send_replace(LookedAt::NoMore);
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
        self.end_lanes(time).await & self.redeliveries.end(time).await
    }

    async fn end_lanes(&self, time: Duration) -> bool {
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

    /// How each lane is, and what those did together whose logs are gone.
    pub fn lanes(&self, engine: &dyn Engine) -> (Vec<(LaneKey, LaneStatus)>, LaneStatus) {
        let lanes = self.lock();
        let by_key = lanes.by_key.iter();
        let statuses = by_key.map(|(key, lane)| (*key, lane.state.status(engine, lane.log)));
        (statuses.collect(), lanes.over.clone())
    }

    /// The log of each lane that was there in the life of this process.
    pub(crate) fn lane_logs(&self) -> Vec<(LaneKey, LogId)> {
        let lanes = self.lock();
        let logs = lanes.by_key.iter();
        logs.filter_map(|(key, lane)| Some((*key, lane.log?)))
            .collect()
    }

    /// How many of its account's lanes it has. Those that are done are none of them.
    pub(crate) fn lane_count(&self) -> usize {
        let lanes = self.lock();
        let at_work = lanes.by_key.values().filter(|lane| !lane.is_done);
        at_work.count()
    }

    /// A lane has come to the end of a log that takes no more records.
    pub(crate) fn is_done(&self, key: LaneKey) {
        if let Some(lane) = self.lock().by_key.get_mut(&key) {
            lane.is_done = true;
        }
    }

    /// Whether something else than a lane stands in its way, so that what it reads is not all in
    /// lanes.
    pub(crate) fn lacks_lanes(&self) -> bool {
        self.stands_still.get().is_some() || self.lock().over.trouble.is_some()
    }

    /// Something else than a lane stands in the way of the delivery stream, or nothing any more.
    pub(crate) fn has_trouble(&self, why: Option<String>) {
        self.lock().over.trouble = why;
    }

    /// Shows lanes as over, and what all that are did together.
    pub(crate) fn are_over(&self, folded: Folded) {
        let mut lanes = self.lock();
        for (key, counts) in folded.lanes {
            let Some(lane) = lanes.by_key.remove(&key) else {
                continue;
            };
            // For those who wait for what was in its log.
            lane.state.is_over(counts, Vec::new());
            let last = lane.state.shown();
            lanes.over.retries += last.retries;
            let object = lanes.over.last_object.take().max(last.last_object);
            lanes.over.last_object = object;
        }
        lanes.show_sum(folded.sum);
    }

    /// All lanes with their logs, if these may be there, and the places where they write how they
    /// are.
    pub(crate) fn known_lanes(&self) -> Vec<(LaneKey, Option<LogId>, Arc<LaneState>)> {
        let lanes = self.lock();
        let by_key = lanes.by_key.iter();
        by_key
            .map(|(key, lane)| (*key, lane.log, Arc::clone(&lane.state)))
            .collect()
    }

    /// How far the log of a lane was seen to reach.
    pub(crate) fn tip_seen(&self, key: LaneKey) -> Position {
        let lanes = self.lock();
        let lane = lanes.by_key.get(&key);
        lane.map_or(Position::FIRST, |lane| lane.state.tip())
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
        for (key, lane) in &lanes.by_key {
            let lane_name = key.lane_name();
            if name.is_some_and(|name| name != lane_name) {
                continue;
            }
            is_known = true;
            let status = lane.state.status(engine, lane.log);
            // What is replayed may wait for a version that it names, before there is a cut. Who
            // does not name the lane does not mean that.
            let may_wait = order == Order::Move && key.is_of_replays() && name.is_some();
            let may_wait = may_wait && status.trouble.is_some();
            let cut = status.stuck.as_ref().map(|stuck| stuck.number);
            let sent = match (cut.is_some() || may_wait, &lane.channels) {
                (true, Some(channels)) => {
                    let (answer, obeyed) = oneshot::channel();
                    let asked = Asked { order, cut, answer };
                    let sent = channels.orders.try_send(asked);
                    sent.map(|()| obeyed).map_err(|_| Outcome::NotTaken)
                }
                (true, None) => Err(Outcome::NotTaken),
                // An order without a lane is for those that do not get on.
                (false, _) if status.trouble.is_none() && name.is_none() => continue,
                (false, _) => Err(Outcome::NothingStuck),
            };
            asked.push((lane_name, sent));
        }
        is_known.then_some(asked)
    }

    /// The place where a lane shows how it is.
    pub(crate) fn state(&self, key: LaneKey) -> Option<Arc<LaneState>> {
        let lanes = self.lock();
        let lane = lanes.by_key.get(&key);
        lane.map(|lane| Arc::clone(&lane.state))
    }

    /// What a lane listens to that begins to work.
    pub(crate) fn wake(&self, key: LaneKey, tools: &Tools) -> LaneSignals {
        let mut lanes = self.lock();
        let lane = lanes.by_key.entry(key).or_default();
        let (orders, inbox) = mpsc::channel(ORDERS_WAITING_MAX);
        let (flush, flushed) = watch::channel(lane.flush_to);
        lane.channels = Some(Channels { flush, orders });
        LaneSignals {
            stream: self.stream.subscribe(),
            flush: flushed,
            stop: self.stop.subscribe(),
            plugins: tools.plugins.changes(),
            orders: inbox,
            errors: Arc::clone(&self.errors),
            delivered: Arc::clone(&self.delivered),
        }
    }

    /// A lane does not work any more, or rests.
    pub(crate) fn rests(&self, key: LaneKey) {
        if let Some(lane) = self.lock().by_key.get_mut(&key) {
            lane.channels = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        // Each statement under the lock leaves the map whole.
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An order that a lane has got, or why it has not.
type OnItsWay = (String, Result<oneshot::Receiver<Obeyed>, Outcome>);
