//! An order as it is at the moment: its row, the states of its lanes, and the task that is at work
//! on them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use store::{Engine, StoreError};
use streams::pump::row as pumps;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use wasm::ContentHash;

use super::row::{Kept, Redelivery, State, Stretch};
use super::shares::Share;
use crate::counts::Counts;
use crate::delivery_stream::DeliveryStream;
use crate::lane_state::LaneState;
use crate::rows;
use crate::tables::LaneKey;

/// An order of a delivery stream.
pub struct Entry {
    kept: Mutex<Kept>,
    /// Its lanes while it is at work.
    pub(super) lanes: Vec<OrderedLane>,
    /// The delivery stream as its lanes see it: with the destination of the order.
    pub(super) stream: watch::Sender<Arc<DeliveryStream>>,
    /// Turns true when its lanes shall end.
    pub(super) stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
    /// Its place among those of its account that are at work.
    share: Mutex<Option<Share>>,
}

/// A lane of an order.
pub struct OrderedLane {
    pub(super) key: LaneKey,
    pub(super) stretch: Stretch,
    pub(super) version: Option<ContentHash>,
    pub(super) state: Arc<LaneState>,
}

impl OrderedLane {
    /// Records that the lane is done with.
    pub(super) fn done(&self) -> u64 {
        let (from, to) = (self.stretch.from(), self.stretch.to());
        // One that is over stands nowhere, and is done with all.
        let at = self.state.position().unwrap_or(to);
        at.min(to).0.saturating_sub(from.0)
    }
}

impl Entry {
    /// An order of a delivery stream that does not work yet. Reads where its lanes stand.
    ///
    /// # Errors
    /// When that cannot be read.
    pub async fn load(
        engine: &dyn Engine,
        of: &DeliveryStream,
        (kept, share): (Kept, Option<Share>),
    ) -> Result<Arc<Self>, StoreError> {
        let redelivery = &kept.0;
        let lanes = if redelivery.is_at_work() {
            lanes(engine, redelivery).await?
        } else {
            Vec::new()
        };
        let stream = as_ordered(of, redelivery)?;
        Ok(Arc::new(Self {
            lanes,
            stream: watch::channel(Arc::new(stream)).0,
            stop: watch::channel(false).0,
            kept: Mutex::new(kept),
            task: Mutex::default(),
            share: Mutex::new(share),
        }))
    }

    /// The order as it is kept.
    pub fn redelivery(&self) -> Redelivery {
        self.lock().0.clone()
    }

    /// The same with the version of its row.
    pub(super) fn kept(&self) -> Kept {
        self.lock().clone()
    }

    /// It has another row by now. One that has ended leaves its place to others.
    pub(super) fn is_kept(&self, kept: Kept) {
        if kept.0.state != State::Working {
            self.share
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
        }
        *self.lock() = kept;
    }

    /// The sum of what its lanes did so far.
    pub(super) fn counts_so_far(&self) -> Counts {
        let lanes = self.lanes.iter();
        lanes.fold(Counts::default(), |sum, lane| {
            sum.and(lane.state.shown().counts)
        })
    }

    /// Notes the task that works on it.
    pub(super) fn set_task(&self, task: JoinHandle<()>) {
        *self.lock_task() = Some(task);
    }

    /// Tells its task to end, and waits at most so long. Whether it has ended; if not, it can be
    /// asked again.
    pub async fn end(&self, time: Duration) -> bool {
        self.stop.send_replace(true);
        let Some(mut task) = self.lock_task().take() else {
            return true;
        };
        match timeout(time, &mut task).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::error!(%error, "a redelivery ended badly");
                true
            }
            Err(_) => {
                *self.lock_task() = Some(task);
                false
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // It is replaced as a whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_task(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The delivery stream with the destination of an order, and as if it had the number of its lanes.
fn as_ordered(of: &DeliveryStream, redelivery: &Redelivery) -> Result<DeliveryStream, StoreError> {
    let destination = redelivery.destination.clone();
    let plan = destination.plan();
    let plan = plan.map_err(|types::Invalid(what)| rows::damaged(&what))?;
    Ok(DeliveryStream {
        id: redelivery.lanes_id(),
        version_id: redelivery.version_id,
        destination,
        plan,
        ..of.clone()
    })
}

/// The lanes of an order, each shown where it stands. One whose pump has no row is over.
async fn lanes(
    engine: &dyn Engine,
    redelivery: &Redelivery,
) -> Result<Vec<OrderedLane>, StoreError> {
    let mut lanes = Vec::with_capacity(redelivery.stretches.len());
    for stretch in &redelivery.stretches {
        let key = redelivery.lane(stretch);
        let lane = rows::find_lane(engine, key).await?.unwrap_or_default();
        let state = Arc::new(LaneState::default());
        match pumps::position_of(engine, &key.pump_name()).await? {
            Some((at, _)) => state.stands_at(at, lane.counts, lane.by_version),
            None => state.is_over(lane.counts, lane.by_version),
        }
        lanes.push(OrderedLane {
            key,
            stretch: *stretch,
            version: redelivery.asked.version(),
            state,
        });
    }
    Ok(lanes)
}
