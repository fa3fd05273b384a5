//! Working on the cut that comes next while the objects of the one before are put. It is kept, and
//! its objects are put, in its turn; until then nobody knows of it, and it can be forgotten.

use std::sync::Arc;

use store::Position;
use streams::pump::StepError;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use wasm::Version;

use super::gather::hints;
use super::work::{Done, Looked, Outlet, Work};
use super::{BYTES_PER_MIB, LaneStep};
use crate::cut::{Cut, Gathering};
use crate::delivery_stream::{DeliveryStream, Destination};
use crate::worker::Object;

/// Bytes of a cut that is worked on ahead. All that it becomes is in memory until it is put, and
/// beside the work on a larger one its puts are little.
const AHEAD_BYTES_MAX: u64 = 16 * BYTES_PER_MIB;

/// A cut that may come next, at work.
pub(super) struct Ahead {
    stream: Arc<DeliveryStream>,
    plugin: Option<Arc<Version>>,
    task: JoinHandle<Option<Made>>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A cut and what it became.
pub(super) struct Made {
    cut: Cut,
    done: Done,
    permit: OwnedSemaphorePermit,
}

impl LaneStep {
    /// Begins to work on what comes after a cut, if as much waits there as goes together.
    pub(super) fn begin_ahead(&self, after: &Cut) -> Option<Ahead> {
        let stream = Arc::clone(&self.ears.stream.borrow());
        let is_other = stream.version_id != after.version_id;
        if is_other || AHEAD_BYTES_MAX < stream.plan.size_bytes || *self.ears.stop.borrow() {
            return None;
        }
        let plugin = self.plugin(&stream).ok()?;
        let next = Cut {
            number: after.number + 1,
            from: after.to,
            plugin: plugin.as_ref().map(|version| version.hash()),
            ..after.clone()
        };
        let task = tokio::spawn(make(self.work.clone(), Arc::clone(&stream), next));
        Some(Ahead {
            stream,
            plugin,
            task,
        })
    }

    /// The cut that begins at `from`, if it was worked on ahead and nothing changed around it.
    pub(super) async fn decided_ahead(&mut self, from: Position) -> Option<(Cut, Destination)> {
        let mut ahead = self.ahead.take()?;
        let version_id = self.ears.stream.borrow().version_id;
        let is_other = version_id != ahead.stream.version_id;
        if is_other || self.has_another(&ahead.stream, &ahead.plugin) {
            return None;
        }
        let made = tokio::select! {
            made = &mut ahead.task => made.ok().flatten()?,
            _ = self.ears.stop.wait_for(|stop| *stop) => return None,
        };
        if made.cut.from != from || made.cut.number != self.lane.next_cut {
            return None;
        }
        self.state.waits(&made.cut.gathering());
        let open = (made.cut.clone(), ahead.stream.destination.clone());
        self.made = Some(made);
        Some(open)
    }

    /// What the open cut became, if it was worked on ahead.
    pub(super) fn take_made(&mut self, cut: &Cut) -> Option<(Done, OwnedSemaphorePermit)> {
        let made = self.made.take().filter(|made| made.cut == *cut)?;
        Some((made.done, made.permit))
    }
}

/// Decides the cut that begins where `next` does and works on it; `None` if there is not enough.
async fn make(work: Work, stream: Arc<DeliveryStream>, next: Cut) -> Option<Made> {
    let mut gathering = Gathering::new(next.from);
    let looked = work.look(&mut gathering, hints(&stream)).await.ok()?;
    let oldest = gathering.oldest.filter(|_| looked == Looked::UntilFull)?;
    let cut = Cut {
        from: gathering.from,
        to: gathering.to,
        oldest,
        decided_at: work.tools.clock.now(),
        records: gathering.records,
        bytes: gathering.bytes,
        ..next
    };
    // What others wait for is not taken ahead of them.
    let permit = work.permit_at_once(&cut)?;
    let mut objects = Vec::new();
    let mut done = work
        .run(&cut, &stream.destination, &mut objects)
        .await
        .ok()?;
    objects.append(&mut done.objects);
    done.objects = objects;
    Some(Made { cut, done, permit })
}

/// Objects that must not be put yet.
impl Outlet for Vec<Object> {
    async fn take(&mut self, mut objects: Vec<Object>) -> Result<(), StepError> {
        self.append(&mut objects);
        Ok(())
    }
}
