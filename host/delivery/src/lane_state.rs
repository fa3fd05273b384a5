//! What a lane is doing, as pages and metrics show it. The lane and its supervisor write it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use store::{Engine, LogId, Position, StoreError};
use types::Timestamp;

use crate::counts::{Counts, VersionCounts};
use crate::cut::Gathering;
use crate::open_cut::OpenCut;
use crate::rows;

/// A lane as it is at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaneStatus {
    /// What became of all records before the lane's position.
    pub counts: Counts,
    /// The same by version of the transform.
    pub by_version: Vec<VersionCounts>,
    /// Records from the position on: as many as the log holds at the moment.
    pub waiting_records: u64,
    /// Bytes of the frames of those that were looked at.
    pub waiting_bytes: u64,
    /// When the oldest of them arrived.
    pub waiting_since: Option<Timestamp>,
    /// Why the lane does not get on, if it does not.
    pub trouble: Option<String>,
    /// The cut that it does not get rid of, while there is one that an order would reach.
    pub stuck: Option<StuckCut>,
    /// Deliveries that failed and were tried again, since the start.
    pub retries: u64,
    /// The name of the object that was put last, since the start.
    pub last_object: Option<String>,
}

/// A cut whose delivery failed the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StuckCut {
    /// Its number in the lane.
    pub number: u64,
    /// Records in it.
    pub records: u64,
    /// Objects of it that may exist.
    pub objects: u32,
    /// It is not a cut but what comes next in the log and cannot be read.
    pub is_unreadable: bool,
}

impl StuckCut {
    pub(crate) fn of(open: &OpenCut) -> Self {
        Self {
            number: open.cut.number,
            records: open.cut.records,
            objects: open.objects_that_may_exist(),
            is_unreadable: false,
        }
    }
}

/// The place where a lane writes how it is.
#[derive(Debug, Default)]
pub(crate) struct LaneState(Mutex<Shown>);

#[derive(Debug, Default)]
struct Shown {
    status: LaneStatus,
    /// Everything before this is counted and durable; `None` until the lane has looked where it
    /// was, and once its log is gone and counted.
    position: Option<Position>,
    /// The furthest tip of the log that was seen.
    tip: Position,
    /// Where records were lost in the life of this process, in order.
    losses: VecDeque<Loss>,
    /// The log is gone, or the delivery stream is, and all of it is counted.
    has_ended: bool,
}

/// Losses that are remembered for those who wait for what was in the log. Beyond it the two oldest
/// become one: who waits for a part of that may be told of more lost records than there are.
const LOSSES_KEPT_MAX: usize = 64;

/// Records that came to nothing between two positions.
#[derive(Clone, Copy, Debug)]
struct Loss {
    from: Position,
    to: Position,
    lost: u64,
}

impl Loss {
    /// How many of them lie between two positions, at most.
    fn between(&self, from: Position, to: Position) -> u64 {
        let (first, end) = (self.from.max(from), self.to.min(to));
        self.lost.min(end.0.saturating_sub(first.0))
    }
}

impl LaneStatus {
    fn is_well(&mut self) {
        self.waiting_bytes = 0;
        self.waiting_since = None;
        self.gets_on();
    }

    fn gets_on(&mut self) {
        self.trouble = None;
        self.stuck = None;
    }
}

impl Shown {
    /// Remembers what was lost on the way to a position, with the counts as they are there.
    fn note_loss(&mut self, to: Position, counts: Counts) {
        let Some(from) = self.position else {
            // What was lost before the lane was looked at is nothing new.
            return;
        };
        let lost = counts.lost.saturating_sub(self.status.counts.lost);
        if lost == 0 {
            return;
        }
        self.losses.push_back(Loss { from, to, lost });
        if self.losses.len() > LOSSES_KEPT_MAX
            && let Some(oldest) = self.losses.pop_front()
            && let Some(next) = self.losses.front_mut()
        {
            next.from = oldest.from;
            next.lost += oldest.lost;
        }
    }

    fn stands_at(&mut self, at: Position, counts: Counts, by_version: Vec<VersionCounts>) {
        self.note_loss(at, counts);
        self.has_ended = false;
        self.position = Some(at);
        self.tip = self.tip.max(at);
        self.status.counts = counts;
        self.status.by_version = by_version;
    }
}

impl LaneState {
    /// How the lane is, with what waits in its log at this moment.
    pub(crate) fn status(&self, engine: &dyn Engine, log: Option<LogId>) -> LaneStatus {
        let mut shown = self.lock();
        // After the position was read the tip can only be later. A log that is gone has the tip
        // that was seen last, until the lane has counted what was in it.
        if let Some(tip) = log.and_then(|log| engine.tip(log).ok()) {
            shown.tip = shown.tip.max(tip);
        }
        let mut status = shown.status.clone();
        let waiting = shown.position.map(|at| shown.tip.0.saturating_sub(at.0));
        status.waiting_records = waiting.unwrap_or(0);
        status
    }

    /// How the lane is, as it was shown last.
    pub(crate) fn shown(&self) -> LaneStatus {
        self.lock().status.clone()
    }

    /// Everything before this is delivered and durable; `None` while that is not known.
    pub(crate) fn position(&self) -> Option<Position> {
        self.lock().position
    }

    /// The furthest tip of the log that was seen.
    pub(crate) fn tip(&self) -> Position {
        self.lock().tip
    }

    /// Whether the log or its delivery stream is gone and all of it is counted.
    pub(crate) fn has_ended(&self) -> bool {
        self.lock().has_ended
    }

    /// How many records between two positions were lost since the start, at most.
    pub(crate) fn lost_between(&self, from: Position, to: Position) -> u64 {
        let shown = self.lock();
        shown.losses.iter().map(|loss| loss.between(from, to)).sum()
    }

    /// The log reaches as far as this.
    pub(crate) fn saw_tip(&self, tip: Position) {
        let mut shown = self.lock();
        shown.tip = shown.tip.max(tip);
    }

    /// The lane stands at a position, and these became of the records before it.
    pub(crate) fn stands_at(&self, at: Position, counts: Counts, by_version: Vec<VersionCounts>) {
        self.lock().stands_at(at, counts, by_version);
    }

    /// The lane is done with all before a position: nothing waits that was looked at, and nothing
    /// stands in the way. A reader sees both at once, never the new position with the old trouble.
    pub(crate) fn got_to(&self, at: Position, counts: Counts, by_version: Vec<VersionCounts>) {
        let mut shown = self.lock();
        shown.stands_at(at, counts, by_version);
        shown.status.is_well();
    }

    /// The log or its delivery stream is gone, and all of it is counted: nothing waits any more.
    pub(crate) fn is_over(&self, counts: Counts, by_version: Vec<VersionCounts>) {
        let mut shown = self.lock();
        let tip = shown.tip;
        shown.note_loss(tip, counts);
        shown.has_ended = true;
        shown.position = None;
        shown.status.counts = counts;
        shown.status.by_version = by_version;
        shown.status.is_well();
    }

    pub(crate) fn waits(&self, gathering: &Gathering) {
        let mut shown = self.lock();
        shown.status.waiting_bytes = gathering.bytes;
        shown.status.waiting_since = gathering.oldest;
    }

    /// Nothing waits that was looked at, and nothing stands in the way.
    pub(crate) fn is_well(&self) {
        self.lock().status.is_well();
    }

    /// Nothing stands in the way of what waits.
    pub(crate) fn gets_on(&self) {
        self.lock().status.gets_on();
    }

    pub(crate) fn put(&self, object: String) {
        self.lock().status.last_object = Some(object);
    }

    /// Something else than its destination stands in the way of a lane, or nothing any more.
    pub(crate) fn has_trouble(&self, why: Option<String>) {
        let status = &mut self.lock().status;
        status.trouble = why;
        status.stuck = None;
    }

    /// It gets on with a cut, which takes so long that an operator may want to decide about it.
    pub(crate) fn takes_long(&self, why: String, cut: StuckCut) {
        let status = &mut self.lock().status;
        (status.trouble, status.stuck) = (Some(why), Some(cut));
    }

    /// Its row was written by another build, and this one does not read it.
    pub(crate) fn is_unreadable(&self, error: &StoreError) {
        self.has_trouble(Some(rows::told_unreadable(&error.to_string())));
    }

    /// No cut is there that an order would reach: if one was shown, an operator has decided.
    pub(crate) fn has_no_stuck_cut(&self) {
        let status = &mut self.lock().status;
        if status.stuck.is_some() {
            status.gets_on();
        }
    }

    /// A delivery failed and is tried again.
    pub(crate) fn retries(&self, why: String, stuck: Option<StuckCut>) {
        let status = &mut self.lock().status;
        status.trouble = Some(why);
        status.stuck = stuck;
        status.retries += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        // Each statement under the lock leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
