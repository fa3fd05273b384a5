//! Working on the cut that comes next while the objects of the one before are put. It is kept, and
//! its objects are put, in its turn; until then nobody knows of it, and it can be forgotten.

use std::sync::Arc;

use store::{Frame, Position};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use types::Timestamp;
use wasm::{Choice, Version};

use super::work::{Done, Looked, Work};
use super::{BYTES_PER_MIB, Halt, LaneStep, Phase};
use crate::cut::{Cut, Gathering, Hints};
use crate::delivery_stream::DeliveryStream;
use crate::need;
use crate::open_cut::OpenCut;
use crate::pins::Pins;
use crate::shares::Room;

/// Bytes of a cut that is worked on ahead: its frames, and then all that they become, are in
/// memory. A larger one is only decided.
const AHEAD_BYTES_MAX: u64 = 16 * BYTES_PER_MIB;

/// A cut that may come next, at work.
pub(super) struct Ahead {
    stream: Arc<DeliveryStream>,
    plugin: Option<Arc<Version>>,
    /// What goes together, once that is known.
    gathering: watch::Receiver<Option<Gathering>>,
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
    done: Option<(Done, Arc<Room>)>,
    /// What comes after it, if that much waits.
    held: Option<Held>,
}

/// Frames that go together, read before it is known whether they will.
pub(super) struct Held {
    /// Where they were looked for.
    from: Position,
    gathering: Gathering,
    oldest: Timestamp,
    frames: Vec<Frame>,
    room: Arc<Room>,
}

impl LaneStep {
    /// Looks whether as much waits after a cut as goes together, and works on that once it is told
    /// to begin. Not while the lane does not get rid of that cut, or puts slowly: what comes after
    /// it can wait; nor where failed records are delivered once more.
    pub(super) fn begin_ahead(&mut self, after: &Cut) -> Option<oneshot::Sender<()>> {
        let held = self.held.take().filter(|held| held.from == after.to);
        let stream = Arc::clone(&self.signals.stream.borrow());
        // What is replayed next may go through another version.
        let is_stuck = matches!(self.phase, Phase::Stuck(_))
            || self.puts_slowly
            || self.work.key.is_of_replays();
        // The table that records become rows of is looked at when a cut is decided.
        let is_stuck = is_stuck || stream.destination.converts().is_some();
        if is_stuck || stream.version_id != after.version_id || *self.signals.stop.borrow() {
            return None;
        }
        let plugin = match self.plugin(&stream).ok()? {
            None => None,
            Some(Choice::Ready(version)) => Some(version),
            // It is loaded in its turn.
            Some(Choice::Cold(_)) => return None,
        };
        let next = Cut {
            number: after.number + 1,
            from: after.to,
            plugin: plugin
                .as_ref()
                .map(|version| Pins::of(version, &stream.destination)),
            ..after.clone()
        };
        let (tell, begin) = oneshot::channel();
        let (show, gathering) = watch::channel(None);
        let making = Making {
            work: self.work.clone(),
            stream: Arc::clone(&stream),
            show,
            begin,
        };
        self.ahead = Some(Ahead {
            stream,
            plugin,
            gathering,
            task: tokio::spawn(making.make(next, held)),
        });
        Some(tell)
    }

    /// The cut that begins at `from`, if it was decided ahead and nothing changed around it.
    pub(super) async fn decided_ahead(&mut self, from: Position) -> Option<OpenCut> {
        let mut ahead = self.ahead.take()?;
        if let Some(gathering) = &*ahead.gathering.borrow() {
            self.state.waits(gathering);
        }
        let made = loop {
            let version_id = self.signals.stream.borrow_and_update().version_id;
            self.signals.plugins.borrow_and_update();
            let is_other = version_id != ahead.stream.version_id;
            if is_other || self.has_another(&ahead.stream, ahead.plugin.as_ref()) {
                return None;
            }
            tokio::select! {
                made = &mut ahead.task => break made.ok().flatten()?,
                _ = self.signals.stream.changed() => {}
                _ = self.signals.plugins.changed() => {}
                _ = self.signals.stop.wait_for(|stop| *stop) => return None,
            }
        };
        if made.cut.from != from || made.cut.number != self.lane.next_cut {
            return None;
        }
        self.state.waits(&made.cut.gathering());
        let DeliveryStream {
            destination, plan, ..
        } = &*ahead.stream;
        let open = OpenCut::decided(made.cut.clone(), destination.clone(), &plan.zone);
        self.made = Some(made);
        Some(open)
    }

    /// Forgets what was begun of the cuts that come next: others may need what it holds. Whether
    /// anything was.
    pub(super) fn forget_ahead(&mut self) -> bool {
        let was_begun = self.ahead.is_some() || self.made.is_some() || self.held.is_some();
        (self.ahead, self.made, self.held) = (None, None, None);
        was_begun
    }

    /// What the open cut became, if it was worked on ahead.
    pub(super) fn take_made(&mut self, cut: &Cut) -> Option<(Done, Arc<Room>)> {
        let made = self.made.take().filter(|made| made.cut == *cut)?;
        self.held = made.held;
        made.done
    }
}

/// What it takes to work ahead.
struct Making {
    work: Work,
    stream: Arc<DeliveryStream>,
    show: watch::Sender<Option<Gathering>>,
    begin: oneshot::Receiver<()>,
}

impl Making {
    /// Decides the cut that begins where `next` does and works on it; `None` if there is not
    /// enough.
    async fn make(self, next: Cut, held: Option<Held>) -> Option<Made> {
        let hints = Hints::of(&self.stream.plan);
        if hints.size_bytes > AHEAD_BYTES_MAX {
            let mut gathering = Gathering::new(next.from);
            let looking = self.work.look(&mut gathering, &self.stream, |_| {});
            let looked = looking.await.ok()?;
            let oldest = gathering.oldest.filter(|_| looked == Looked::UntilFull)?;
            let cut = self.decide(next, gathering, oldest);
            let (done, held) = (None, None);
            return Some(Made { cut, done, held });
        }
        let destination = &self.stream.destination;
        let held = match held {
            Some(held) => held,
            None => hold(&self.work, &next, &self.stream).await?,
        };
        let cut = self.decide(next, held.gathering, held.oldest);
        self.begin.await.ok()?;
        let open = OpenCut::decided(cut.clone(), destination.clone(), &self.stream.plan.zone);
        let working = self.work.run_on(held.frames, &open, &held.room);
        // What is read meanwhile need not be waited for the next time.
        let after = Cut {
            from: cut.to,
            ..cut.clone()
        };
        let (done, after) = tokio::join!(working, hold(&self.work, &after, &self.stream));
        let done = match done {
            Ok(done) => Some((done, held.room)),
            // It is worked on in its turn, with as much room as it needs.
            Err(Halt::NoRoom(_) | Halt::Slow | Halt::SlowPut | Halt::Anew | Halt::Refused) => None,
            Err(Halt::Undone(_)) => return None,
        };
        Some(Made {
            cut,
            done,
            held: after,
        })
    }

    fn decide(&self, next: Cut, gathering: Gathering, oldest: Timestamp) -> Cut {
        self.show.send_replace(Some(gathering));
        Cut {
            from: gathering.from,
            to: gathering.to,
            oldest,
            decided_at: self.work.tools.clock.now(),
            records: gathering.records,
            unpacked: gathering.unpacked(self.work.unpacks()),
            divided: gathering.extra.divided,
            bytes: gathering.bytes,
            object_bytes_max: need::object_bytes_max(
                (gathering.bytes, next.plugin.as_ref()),
                &self.stream.destination,
            ),
            ..next
        }
    }
}

/// Reads as much as goes together from where a cut begins, if that much waits and nobody waits for
/// the room.
async fn hold(work: &Work, next: &Cut, stream: &DeliveryStream) -> Option<Held> {
    let hints = Hints::of(&stream.plan);
    let likely = Cut {
        bytes: hints.size_bytes,
        object_bytes_max: need::object_bytes_max(
            (hints.size_bytes, next.plugin.as_ref()),
            &stream.destination,
        ),
        ..next.clone()
    };
    let room = work.spare_room(&likely, &stream.destination)?;
    let (mut gathering, mut frames) = (Gathering::new(next.from), Vec::new());
    let looking = work.look(&mut gathering, stream, |frame| frames.push(frame.clone()));
    let looked = looking.await.ok()?;
    let oldest = gathering.oldest.filter(|_| looked == Looked::UntilFull)?;
    Some(Held {
        from: next.from,
        gathering,
        oldest,
        frames,
        room,
    })
}
