//! One lane: the pump's step that gathers records, decides a cut, keeps the decision, delivers it,
//! and leaves it to the pump to make that durable together with the position.
//!
//! ```text
//! gather, decide -> keep it -> (read -> transform -> pack -> settle -> put)* -> counts, place
//!                    durable                                  durable             durable
//! ```
//!
//! A crash before the cut is kept forgets it; one after it does it again, to the same objects. What
//! lies between deciding and putting may be done ahead, before the cut is kept: nothing has left.

mod ahead;
mod deliver;
mod gather;
mod work;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use store::{CommitError, Engine, LogId, Position, StoreError, Transaction};
use streams::pump::{Batch, Retry, Step, StepError};
use tokio::sync::{Semaphore, watch};
use types::Clock;
use wasm::Plugins;

use self::ahead::{Ahead, Held, Made};
use self::deliver::Puts;
use self::work::Work;
use crate::counts::{self, Counts, VersionCounts};
use crate::cut::Cut;
use crate::delivery_stream::{DeliveryStream, Destination};
use crate::lane_state::LaneState;
use crate::object_name::NamingKey;
use crate::objects::Objects;
use crate::rows::{self, Lane};
use crate::settled::Settled;
use crate::tables::LaneKey;

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
    pub work: Arc<Semaphore>,
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
    work: Work,
    ears: Ears,
    state: Arc<LaneState>,
    lane: Lane,
    /// What the lane is once the pump has committed the cut that was delivered last.
    after: Option<Lane>,
    /// What the author calls the version that the open cut goes through. Another one may be in
    /// force by the time it is done.
    label: String,
    puts: Puts,
    /// The cut that may come next, at work while the open one is put.
    ahead: Option<Ahead>,
    /// What the open cut became, if it was worked on ahead.
    made: Option<Made>,
    /// What was read of the one after it.
    held: Option<Held>,
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
            work: Work { tools, key, log },
            ears,
            state,
            lane,
            after: None,
            label: String::new(),
            puts: Puts::default(),
            ahead: None,
            made: None,
            held: None,
        })
    }

    /// Keeps what was decided, before anything of it leaves, or that all of it was refused.
    async fn keep(&mut self, open: (Cut, Destination), is_refused: bool) -> Result<(), StepError> {
        self.write(Lane {
            open: Some(open),
            is_refused,
            settled: Settled::default(),
            ..self.lane.clone()
        })
        .await?;
        self.puts.untouched = true;
        Ok(())
    }

    /// Keeps what is settled of the open cut, before it leaves.
    async fn settle(&mut self, settled: &Settled) -> Result<(), StepError> {
        if settled.to <= self.lane.settled.to {
            return Ok(());
        }
        self.write(Lane {
            settled: settled.clone(),
            ..self.lane.clone()
        })
        .await
    }

    async fn write(&mut self, lane: Lane) -> Result<(), StepError> {
        let write = rows::lane_write(self.work.key, &lane).map_err(|error| failed(&error))?;
        let transaction = Transaction {
            appends: Vec::new(),
            writes: vec![write],
        };
        match self.work.tools.engine.commit(transaction).await {
            // Nothing that hangs on it has left yet, so that it does not matter which of two is the
            // one that was kept: the next start reads it.
            Ok(_) => self.lane = lane,
            Err(error @ CommitError::Unknown(_)) => {
                let kept = rows::load_lane(&*self.work.tools.engine, self.work.key).await;
                self.lane = kept.map_err(|error| failed(&error))?;
                if self.lane != lane {
                    return Err(StepError::Refused(error));
                }
            }
            Err(error) => return Err(StepError::Refused(error)),
        }
        Ok(())
    }

    /// The lane once a cut is done.
    fn after(&self, cut: &Cut, destination: &Destination, done: Counts) -> Lane {
        let mut lane = self.lane.clone();
        lane.open = None;
        lane.is_refused = false;
        lane.settled = Settled::default();
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
        let kept = rows::load_lane(&*self.work.tools.engine, self.work.key).await;
        self.lane = kept.map_err(|error| failed(&error))?;
        match &self.lane.open {
            // Retention has taken all that it was about. Objects of its number may be there.
            Some((cut, _)) if cut.to <= from => {
                self.lane.next_cut = cut.number + 1;
                self.lane.open = None;
                self.lane.is_refused = false;
                self.lane.settled = Settled::default();
            }
            // The commit went through though nobody said so.
            _ => {}
        }
        self.state
            .done(self.lane.counts, self.lane.by_version.clone());
        Ok(())
    }
}

/// Returns once the lane should have ended for so long.
async fn stopped_for(mut stop: watch::Receiver<bool>, grace: Duration) {
    // Nobody left to tell it means the same.
    let _ = stop.wait_for(|stop| *stop).await;
    tokio::time::sleep(grace).await;
}

fn failed(error: &StoreError) -> StepError {
    StepError::Failed(error.to_string())
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
        self.trim_before(from).await;
        if self
            .lane
            .open
            .as_ref()
            .is_some_and(|(cut, _)| cut.to <= from)
        {
            self.pass_over(from).await?;
        }
        self.state.stands_at(from);
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
            && self.puts.refused
            && self.puts.untouched
            && let Err(error) = self.keep((cut.clone(), destination.clone()), true).await
        {
            tracing::debug!(%error, "keep that a cut was refused");
        }
        let done = done?;
        let after = self.after(&cut, &destination, done);
        let write = rows::lane_write(self.work.key, &after).map_err(|error| failed(&error))?;
        effects.writes.push(write);
        self.after = Some(after);
        Ok(cut.to)
    }

    fn committed(&mut self) {
        if let Some(after) = self.after.take() {
            self.state.done(after.counts, after.by_version.clone());
            // Last: whoever waits for the place reads the counts then.
            if let Some((cut, _)) = &self.lane.open {
                self.state.stands_at(cut.to);
            }
            self.lane = after;
        }
    }

    /// A destination that does not take objects is tried for as long as it takes: the records are
    /// in the log and nobody waits for them.
    fn after_failure(&mut self, error: &StepError, attempt: u32) -> Retry {
        // What it holds others may need, and what it was may not come.
        (self.ahead, self.made, self.held) = (None, None, None);
        if matches!(self.work.tip(), Err(StoreError::NoLog(_))) {
            return Retry::GiveUp;
        }
        let why = error.to_string();
        if attempt.is_power_of_two() {
            let stream = self.ears.stream.borrow().arn.to_string();
            tracing::warn!(
                stream,
                shard = self.work.key.shard,
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
