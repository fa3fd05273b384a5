//! Working on the cut that comes next while the objects of the one before are put. It is kept, and
//! its objects are put, in its turn; until then nobody knows of it, and it can be forgotten.

use std::sync::Arc;

use store::Position;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::task::JoinHandle;
use wasm::Version;

use super::gather::hints;
use super::work::{Done, Looked, Work};
use super::{BYTES_PER_MIB, LaneStep};
use crate::cut::{Cut, Gathering};
use crate::delivery_stream::{DeliveryStream, Destination};

/// Bytes of a cut that is worked on ahead: its frames, and then all that they become, are in memory.
/// A larger one is only decided.
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

/// A cut, and what it became if it was worked on.
pub(super) struct Made {
    cut: Cut,
    done: Option<(Done, OwnedSemaphorePermit)>,
}

impl LaneStep {
    /// Looks whether as much waits after a cut as goes together, and works on that once it is told
    /// to begin.
    pub(super) fn begin_ahead(&self, after: &Cut) -> Option<(Ahead, oneshot::Sender<()>)> {
        let stream = Arc::clone(&self.ears.stream.borrow());
        if stream.version_id != after.version_id || *self.ears.stop.borrow() {
            return None;
        }
        let plugin = self.plugin(&stream).ok()?;
        let next = Cut {
            number: after.number + 1,
            from: after.to,
            plugin: plugin.as_ref().map(|version| version.hash()),
            ..after.clone()
        };
        let (tell, begin) = oneshot::channel();
        let made = make(self.work.clone(), Arc::clone(&stream), next, begin);
        let ahead = Ahead {
            stream,
            plugin,
            task: tokio::spawn(made),
        };
        Some((ahead, tell))
    }

    /// The cut that begins at `from`, if it was decided ahead and nothing changed around it.
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
        self.made.take().filter(|made| made.cut == *cut)?.done
    }
}

/// Decides the cut that begins where `next` does and works on it; `None` if there is not enough.
async fn make(
    work: Work,
    stream: Arc<DeliveryStream>,
    next: Cut,
    begin: oneshot::Receiver<()>,
) -> Option<Made> {
    let hints = hints(&stream);
    // What others wait for is not taken ahead of them.
    let permit = match hints.size_bytes {
        ..=AHEAD_BYTES_MAX => Some(work.permit_at_once(hints.size_bytes)?),
        _ => None,
    };
    let (mut gathering, mut frames) = (Gathering::new(next.from), Vec::new());
    let looking = work.look(&mut gathering, hints, |frame| {
        if permit.is_some() {
            frames.push(frame.clone());
        }
    });
    let looked = looking.await.ok()?;
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
    let Some(permit) = permit else {
        return Some(Made { cut, done: None });
    };
    begin.await.ok()?;
    let done = work.run_on(frames, &cut, &stream.destination).await.ok()?;
    Some(Made {
        cut,
        done: Some((done, permit)),
    })
}
