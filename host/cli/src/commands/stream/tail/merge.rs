//! Lines of several shards put into the order in which their records arrived. Pure: it knows no
//! clock and reads nothing.
//!
//! A lane is a shard that is read. Within a lane lines keep their order; between lanes the one
//! goes first whose record arrived first, as far as that is known: while a lane that has more to
//! come has nothing here, the lines of others wait, unless nothing earlier can come of it. A lane
//! whose shard is read to its tip holds nobody up.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};

/// Lines that are held, at most. Beyond that those go whose record arrived first, though something
/// earlier may still come of a shard that was not read so far: with this many it is one whose
/// records are so large, or that has so many others beside it, that no more of each fits.
pub(super) const HELD_LINES_MAX: usize = 200_000;
/// Bytes of the lines that are held, at most; the same happens beyond it.
pub(super) const HELD_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Batches of a lane that wait at most, the one that is being taken among them: while one is
/// printed the next is read.
const BATCHES_MAX: usize = 2;

/// One shard that is read.
pub(super) type LaneId = u64;

/// What is still to come of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// There is more to read.
    Behind,
    /// All that there was is read.
    AtTip,
    /// Nothing will ever come any more.
    AtEnd,
}

/// Lines of records of one shard, in their order.
#[derive(Default)]
pub(super) struct Batch {
    text: Vec<u8>,
    lines: Vec<Line>,
    /// How many lines were taken, and their bytes.
    taken: usize,
    taken_bytes: usize,
}

struct Line {
    arrival_ms: u64,
    /// Where it ends in the text.
    end: usize,
}

impl Batch {
    /// Where the next line is written to, before [`Batch::end_line`].
    pub(super) fn text(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    /// How many lines there are.
    pub(super) fn lines(&self) -> usize {
        self.lines.len()
    }

    /// A line is written, of a record that arrived then.
    pub(super) fn end_line(&mut self, arrival_ms: u64) {
        self.lines.push(Line {
            arrival_ms,
            end: self.text.len(),
        });
    }

    fn next_arrival_ms(&self) -> Option<u64> {
        self.lines.get(self.taken).map(|line| line.arrival_ms)
    }
}

struct Lane {
    batches: VecDeque<Batch>,
    standing: Standing,
    /// What comes later arrived at this time or later.
    seen_to_ms: u64,
}

impl Lane {
    fn next_arrival_ms(&self) -> Option<u64> {
        self.batches.front()?.next_arrival_ms()
    }
}

/// All lanes.
pub(super) struct Merge {
    lanes: HashMap<LaneId, Lane>,
    /// Of each lane with lines the arrival of the first.
    heads: BinaryHeap<Reverse<(u64, LaneId)>>,
    /// The lanes without lines that have more to come: from when on, and which.
    awaited: BTreeSet<(u64, LaneId)>,
    held_lines: usize,
    held_bytes: usize,
    held_lines_max: usize,
    held_bytes_max: usize,
    /// Lanes of which a batch was taken to its end.
    freed: Vec<LaneId>,
    /// Lanes of which everything was taken. Nothing else is taken before somebody has asked for
    /// them, since other lanes may come after them.
    ended: Vec<LaneId>,
}

impl Merge {
    pub(super) fn new() -> Self {
        Self::holding(HELD_LINES_MAX, HELD_BYTES_MAX)
    }

    fn holding(held_lines_max: usize, held_bytes_max: usize) -> Self {
        Self {
            lanes: HashMap::new(),
            heads: BinaryHeap::new(),
            awaited: BTreeSet::new(),
            held_lines: 0,
            held_bytes: 0,
            held_lines_max,
            held_bytes_max,
            freed: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// A lane of which nothing has come yet.
    pub(super) fn add(&mut self, id: LaneId, standing: Standing) {
        let lane = Lane {
            batches: VecDeque::new(),
            standing,
            seen_to_ms: 0,
        };
        self.lanes.insert(id, lane);
        self.stands_empty(id);
    }

    /// How many lanes there are.
    pub(super) fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Whether the next batch of a lane should be read now: nothing of it is here, or little, and
    /// there is room beside all others.
    pub(super) fn wants(&self, id: LaneId) -> bool {
        let waiting = self.lanes.get(&id).map_or(0, |lane| lane.batches.len());
        let is_roomy =
            self.held_lines < self.held_lines_max / 2 && self.held_bytes < self.held_bytes_max / 2;
        waiting == 0 || (waiting < BATCHES_MAX && is_roomy)
    }

    /// Lines of a lane have come, or none; what follows them arrived at `seen_to_ms` or later.
    pub(super) fn come(&mut self, id: LaneId, batch: Batch, standing: Standing, seen_to_ms: u64) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return; // Nobody adds lines to a lane that has ended.
        };
        self.awaited.remove(&(lane.seen_to_ms, id));
        lane.standing = standing;
        lane.seen_to_ms = lane.seen_to_ms.max(seen_to_ms);
        if let Some(arrival_ms) = batch.next_arrival_ms() {
            if lane.batches.is_empty() {
                self.heads.push(Reverse((arrival_ms, id)));
            }
            self.held_lines += batch.lines.len();
            self.held_bytes += batch.text.len();
            lane.batches.push_back(batch);
        }
        if lane.batches.is_empty() {
            self.stands_empty(id);
        }
    }

    /// Lanes of which a batch was taken to its end since this was asked last.
    pub(super) fn freed(&mut self) -> Vec<LaneId> {
        std::mem::take(&mut self.freed)
    }

    /// Lanes of which everything was taken since this was asked last. They are no lanes any more.
    pub(super) fn ended(&mut self) -> Vec<LaneId> {
        std::mem::take(&mut self.ended)
    }

    /// Appends the lines that come next to `out`, until there are `lines_max` or it has
    /// `bytes_max`, something has to come first, or a lane has ended. Returns how many.
    pub(super) fn take(&mut self, out: &mut Vec<u8>, lines_max: usize, bytes_max: usize) -> usize {
        let mut taken = 0;
        while taken < lines_max && out.len() < bytes_max && self.ended.is_empty() {
            let Some(Reverse((arrival_ms, id))) = self.heads.pop() else {
                break;
            };
            let awaited_ms = self.awaited.first().map(|(from_ms, _)| *from_ms);
            let must_wait = awaited_ms.is_some_and(|from_ms| from_ms < arrival_ms);
            let is_over_full =
                self.held_lines > self.held_lines_max || self.held_bytes > self.held_bytes_max;
            if must_wait && !is_over_full {
                self.heads.push(Reverse((arrival_ms, id)));
                break;
            }
            // The lane goes on by itself for as long as no other could come between.
            let next_ms = self.heads.peek().map(|Reverse((next_ms, _))| *next_ms);
            let until_ms = if must_wait {
                arrival_ms
            } else {
                let others = next_ms.into_iter().chain(awaited_ms);
                others.min().unwrap_or(u64::MAX)
            };
            taken += self.take_from(id, until_ms, out, (lines_max - taken, bytes_max));
        }
        taken
    }

    /// Takes the first line of a lane, and those behind it that arrived up to `until_ms`.
    fn take_from(
        &mut self,
        id: LaneId,
        until_ms: u64,
        out: &mut Vec<u8>,
        (lines_max, bytes_max): (usize, usize),
    ) -> usize {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return 0; // A lane with a head is there.
        };
        let mut taken = 0;
        while taken < lines_max
            && out.len() < bytes_max
            && let Some(batch) = lane.batches.front_mut()
        {
            let (lines, bytes) = (batch.taken, batch.taken_bytes);
            while taken < lines_max
                && let Some(line) = batch.lines.get(batch.taken)
                && (taken == 0 || line.arrival_ms <= until_ms)
                && out.len() + (batch.taken_bytes - bytes) < bytes_max
            {
                batch.taken += 1;
                batch.taken_bytes = line.end;
                taken += 1;
            }
            out.extend_from_slice(&batch.text[bytes..batch.taken_bytes]);
            self.held_lines -= batch.taken - lines;
            self.held_bytes -= batch.taken_bytes - bytes;
            if batch.next_arrival_ms().is_some() {
                break;
            }
            lane.batches.pop_front();
            self.freed.push(id);
            if lane
                .next_arrival_ms()
                .is_some_and(|next_ms| next_ms > until_ms)
            {
                break;
            }
        }
        match lane.next_arrival_ms() {
            Some(next_ms) => self.heads.push(Reverse((next_ms, id))),
            None => self.stands_empty(id),
        }
        taken
    }

    /// Nothing of a lane is here.
    fn stands_empty(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get(&id) else {
            return;
        };
        match lane.standing {
            Standing::Behind => {
                self.awaited.insert((lane.seen_to_ms, id));
            }
            Standing::AtTip => {}
            Standing::AtEnd => {
                self.lanes.remove(&id);
                self.ended.push(id);
            }
        }
    }
}

#[cfg(test)]
mod tests;
