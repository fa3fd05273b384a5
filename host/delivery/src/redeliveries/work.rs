//! The task of an order: some of its lanes at a time are at work until each has come to its end,
//! and then the order is done, in one transaction.
//!
//! ```text
//! lane:   read -> cut -> deliver -> counts, position    as any lane, up to the end of its stretch
//! order:  all lanes at their ends -> counts of all, DONE; rows of lanes are gone
//! ```

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use store::{Engine, Position, Purpose, StoreError, Transaction};
use streams::pump::{Ended, Pump, PumpError, row as pumps};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use types::Invalid;

use super::entry::{Entry, OrderedLane};
use super::limits::LANES_AT_ONCE_MAX;
use super::row::{self, Kept, Redelivery, State};
use crate::counts::Counts;
use crate::delivery_stream::DeliveryStreamId;
use crate::lane::{LaneLog, LaneSignals, LaneStep, Ordered, Tools};
use crate::orders::ORDERS_WAITING_MAX;
use crate::rows;
use crate::running::Running;

/// Time until a lane that failed is started again, and until it is tried again what the store
/// refused.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Begins to work on an order of a delivery stream.
pub fn start(running: &Arc<Running>, tools: &Arc<Tools>, entry: &Arc<Entry>) {
    let work = Work {
        running: Arc::clone(running),
        tools: Arc::clone(tools),
        entry: Arc::clone(entry),
    };
    entry.set_task(tokio::spawn(work.run()));
}

#[derive(Clone)]
struct Work {
    running: Arc<Running>,
    tools: Arc<Tools>,
    entry: Arc<Entry>,
}

impl Work {
    /// Works until the order is done, or it or its delivery stream is told to stop.
    async fn run(self) {
        let mut stop = self.running.stop.subscribe();
        let mut working = pin!(self.work());
        let mut is_told = false;
        loop {
            tokio::select! {
                () = &mut working => return,
                _ = stop.wait_for(|stop| *stop), if !is_told => {
                    is_told = true;
                    self.entry.stop.send_replace(true);
                }
            }
        }
    }

    async fn work(&self) {
        let has_more = |lane: &usize| self.entry.lanes.get(*lane).is_some_and(is_open);
        let mut waiting: VecDeque<usize> = (0..self.entry.lanes.len()).filter(has_more).collect();
        let mut at_work = JoinSet::new();
        loop {
            while at_work.len() < LANES_AT_ONCE_MAX
                && !self.is_stopped()
                && let Some(lane) = waiting.pop_front()
            {
                let work = self.clone();
                at_work.spawn(async move { work.deliver(lane).await });
            }
            match at_work.join_next().await {
                Some(Ok(())) => {}
                Some(Err(error)) => {
                    tracing::error!(%error, "a lane of a redelivery ended badly");
                }
                None => break,
            }
        }
        while !self.is_stopped() && !self.entry.lanes.iter().any(is_open) {
            match end(
                &self.tools,
                self.running.stream().id,
                &self.entry,
                State::Done,
            )
            .await
            {
                Ok(()) => return,
                Err(why) => self.fails(&why).await,
            }
        }
    }

    fn is_stopped(&self) -> bool {
        *self.entry.stop.borrow()
    }

    /// Something did not go through that is tried again.
    async fn fails(&self, why: &str) {
        let (stream, id) = (self.running.stream(), self.entry.redelivery().id);
        tracing::warn!(stream = %stream.arn, id, why, "a redelivery does not get on");
        let mut stop = self.entry.stop.subscribe();
        tokio::select! {
            () = tokio::time::sleep(AGAIN_AFTER) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    /// Works on a lane until it has come to its end, or it is told to stop.
    async fn deliver(&self, lane: usize) {
        let Some(lane) = self.entry.lanes.get(lane) else {
            return;
        };
        while is_open(lane) && !self.is_stopped() {
            let pumped = Box::pin(self.pump(lane)).await;
            let gone = self.tools.engine.tip(lane.stretch.log());
            let failed = match (pumped, gone) {
                (Ok(_), Ok(_)) if self.is_stopped() || !is_open(lane) => continue,
                (Ok(_), Ok(_)) => Some("its log ended before its stretch".to_owned()),
                (_, Err(StoreError::NoLog(_))) => give_up(&*self.tools.engine, lane).await.err(),
                (Err(error), _) => Some(error.to_string()),
                (Ok(_), Err(error)) => Some(error.to_string()),
            };
            if let Some(why) = failed {
                lane.state.has_trouble(Some(why.clone()));
                self.running.note(Some(lane.key), &why);
                self.fails(&why).await;
            }
        }
    }

    async fn pump(&self, lane: &OrderedLane) -> Result<Ended, PumpError> {
        let (engine, stretch) = (Arc::clone(&self.tools.engine), lane.stretch);
        let (name, from) = (lane.key.pump_name(), stretch.from());
        let mut pump = Pump::claim(engine, stretch.log(), &name, from).await?;
        // As lanes of delivery streams do.
        pump.set_batch_bytes(1);
        pump.set_purpose(Purpose::MakeRoom);
        pump.set_end(stretch.to());
        let mut stop = self.entry.stop.subscribe();
        // Both ends live as long as the lane: what it is to do is all there.
        let (_flush, flush) = watch::channel(stretch.to());
        let (_orders, orders) = mpsc::channel(ORDERS_WAITING_MAX);
        let (errors, delivered) = self.running.both_logs();
        let signals = LaneSignals {
            stream: self.entry.stream.subscribe(),
            flush,
            stop: stop.clone(),
            plugins: self.tools.plugins.changes(),
            orders,
            errors,
            delivered,
        };
        let log = LaneLog {
            key: lane.key,
            log: stretch.log(),
            numbering: Some(stretch.numbering()),
            ordered: Some(Ordered {
                to: stretch.to(),
                version: lane.version,
            }),
        };
        let (tools, state) = (Arc::clone(&self.tools), Arc::clone(&lane.state));
        let opened = LaneStep::open(tools, log, (signals, pump.position()), state).await;
        pump.run(&mut opened?, &mut stop).await
    }
}

/// Whether a lane has not come to its end.
fn is_open(lane: &OrderedLane) -> bool {
    let at = lane.state.position();
    at.is_some_and(|at| at < lane.stretch.to())
}

/// The log of a lane is gone: what it had not come to is lost.
async fn give_up(engine: &dyn Engine, lane: &OrderedLane) -> Result<(), String> {
    let told = |error: StoreError| error.to_string();
    let pump = pumps::position_of(engine, &lane.key.pump_name()).await;
    let Some((at, version)) = pump.map_err(told)? else {
        // An earlier try went through whose answer was lost.
        let kept = rows::find_lane(engine, lane.key).await.map_err(told)?;
        let kept = kept.unwrap_or_default();
        lane.state.is_over(kept.counts, kept.by_version);
        return Ok(());
    };
    let kept = rows::load_lane(engine, (lane.key, at)).await;
    let mut kept = kept.map_err(told)?;
    let given_up = kept.give_up(at, lane.stretch.to());
    let lost = given_up.map_err(|Invalid(what)| what)?;
    let transaction = Transaction {
        writes: vec![
            rows::lane_write(lane.key, &kept).map_err(told)?,
            pumps::removal_of(&lane.key.pump_name(), version),
        ],
        ..Transaction::default()
    };
    let committed = engine.commit_for(Purpose::MakeRoom, transaction).await;
    committed.map_err(|error| error.to_string())?;
    let name = lane.key.lane_name();
    tracing::warn!(
        lane = name,
        lost,
        "records are lost with their deleted stream"
    );
    lane.state.is_over(kept.counts, kept.by_version);
    Ok(())
}

/// Ends an order whose lanes are not at work: what they did and how it ended are kept, and they are
/// not. What one had not come to counts as left, but for what is known to be in objects.
///
/// # Errors
/// Why it was not kept.
pub async fn end(
    tools: &Tools,
    of: DeliveryStreamId,
    entry: &Entry,
    state: State,
) -> Result<(), String> {
    let told = |error: StoreError| error.to_string();
    let engine = &*tools.engine;
    let (redelivery, version) = entry.kept();
    let (mut counts, mut left, mut writes) = (Counts::default(), 0, Vec::new());
    for lane in &entry.lanes {
        let kept = rows::find_lane(engine, lane.key).await.map_err(told)?;
        let mut kept = kept.unwrap_or_default();
        let pump = pumps::position_of(engine, &lane.key.pump_name()).await;
        if let Some((at, version)) = pump.map_err(told)? {
            left += leaves(&mut kept, (at, lane.stretch.to()))?;
            writes.push(pumps::removal_of(&lane.key.pump_name(), version));
        }
        counts = counts.and(kept.counts);
        writes.push(rows::lane_removal(lane.key));
    }
    let ended = Redelivery {
        state,
        counts,
        left,
        ended_at_ms: Some(tools.clock.now().0),
        ..redelivery
    };
    let expect = store::Expect::Version(version);
    writes.push(row::write(of, &ended, expect).map_err(told)?);
    let transaction = Transaction {
        writes,
        ..Transaction::default()
    };
    let committed = engine.commit_for(Purpose::MakeRoom, transaction).await;
    let kept: Kept = match committed {
        Ok(committed) => (ended, committed.version),
        Err(error) => {
            // It may have gone through all the same.
            let found = row::find(engine, of, &ended.id).await.map_err(told)?;
            let found = found.filter(|(it, _)| it.number == ended.number && !it.is_at_work());
            found.ok_or_else(|| error.to_string())?
        }
    };
    entry.is_kept(kept);
    Ok(())
}

/// Gives up what a lane has not come to. How many of its records that leaves.
fn leaves(lane: &mut rows::Lane, (at, to): (Position, Position)) -> Result<u64, String> {
    if at >= to {
        return Ok(0);
    }
    let left = lane.give_up(at, to).map_err(|Invalid(what)| what)?;
    // They are where they were: nothing is lost with an order.
    lane.counts.lost = lane.counts.lost.saturating_sub(left);
    Ok(left)
}
