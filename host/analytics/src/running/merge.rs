//! The records of all shards of a stream in one order: that of their arrivals. Pure: whoever reads
//! the logs hands in what they hold and what they promise.
//!
//! ```text
//! shard 0   .--[ 12 ]--[ 17 ]--------- read further on ->
//! shard 1   .--[ 14 ]--. all is read; nothing before 16 comes any more
//!
//! taken: 12, 14                not yet: 17, since shard 1 may still give a record of 16
//! the watermark: 16            no record of any shard that comes later is older
//! ```
//!
//! The turn of a frame is its arrival, then the number of its shard. A frame is taken when no other
//! shard can give one any more whose turn comes before. So the order depends on nothing but what
//! lies in the logs: not on when it was read, nor in which pieces. A shard that came of a split or
//! a merge begins when its parents are taken to their ends, at the moment of the change.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use store::{Coming, Frame, LogId, Position};
use streams::SourceShard;
use types::{ShardId, Timestamp};

/// When a frame comes among those of all shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    at: Timestamp,
    shard: ShardId,
}

/// A frame that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The shard that it lies in.
    pub shard: ShardId,
    pub frame: Frame,
    /// The first record of it that is wanted.
    pub from: Position,
    /// `ROWTIME` of its rows.
    pub rowtime: Timestamp,
}

/// How far all shards are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The next record of each shard that is at work.
    pub shards: BTreeMap<ShardId, Position>,
    /// Shards that are taken to their ends and are still listed.
    pub done: BTreeSet<ShardId>,
    /// No row that comes is older.
    pub time: Timestamp,
}

/// What is to be read next of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub shard: ShardId,
    pub log: LogId,
    pub from: Position,
}

/// The merge of the shards of one stream.
#[derive(Debug, Default)]
pub struct Merge {
    cursors: BTreeMap<ShardId, Cursor>,
    done: BTreeSet<ShardId>,
    time: Timestamp,
    /// Records that retention took before they were.
    lost: u64,
}

/// One shard on its way.
#[derive(Debug)]
struct Cursor {
    log: LogId,
    /// The next record to be taken.
    next: Position,
    /// Frames that were read and not taken.
    frames: VecDeque<Frame>,
    read_to: Position,
    /// Nothing that is not read yet has an earlier turn.
    coming: Timestamp,
    /// All that there will ever be was read.
    is_ended: bool,
}

impl Cursor {
    fn begins_at(shard: &SourceShard, position: Position) -> Self {
        // Before that its hash keys were its parents', unless it has none.
        let coming = if shard.parents.is_empty() {
            Timestamp(0)
        } else {
            shard.opened_at
        };
        Self {
            log: shard.log,
            next: position,
            frames: VecDeque::new(),
            read_to: position,
            coming,
            is_ended: false,
        }
    }

    /// No record of it that was not taken yet has an earlier moment.
    fn bound(&self) -> Timestamp {
        let first = self.frames.front();
        first.map_or(self.coming, |frame| frame.arrival.max(self.coming))
    }
}

impl Merge {
    /// Goes on from where all shards were taken to. [`Merge::meet`] says which there are.
    pub fn new(places: &Places, listed: &[SourceShard]) -> Self {
        let at_work = listed.iter().filter_map(|shard| {
            let position = places.shards.get(&shard.id)?;
            Some((shard.id, Cursor::begins_at(shard, *position)))
        });
        Self {
            cursors: at_work.collect(),
            done: places.done.clone(),
            time: places.time,
            lost: 0,
        }
    }

    /// How far all shards are taken.
    pub fn places(&self) -> Places {
        let shards = self.cursors.iter();
        Places {
            shards: shards.map(|(id, cursor)| (*id, cursor.next)).collect(),
            done: self.done.clone(),
            time: self.time,
        }
    }

    /// No row that comes is older.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// Records that retention took before they were taken.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Learns which shards the stream has: those that are taken to their ends make room for those
    /// that came of them. Whether there are others at work than before.
    pub fn meet(&mut self, listed: &[SourceShard]) -> bool {
        let by_id: BTreeMap<ShardId, &SourceShard> = listed.iter().map(|it| (it.id, it)).collect();
        let before = (self.cursors.len(), self.done.len());
        // While the list says that it is open, its children are not in the list either.
        let over = |id: &ShardId, cursor: &mut Cursor| {
            let shard = by_id.get(id);
            let is_taken = cursor.is_ended && cursor.frames.is_empty();
            shard.is_none_or(|shard| shard.is_closed && is_taken)
        };
        let ended = self.cursors.extract_if(.., over).map(|(id, _)| id);
        self.done.extend(ended.collect::<Vec<_>>());
        self.done.retain(|id| by_id.contains_key(id));
        for shard in listed {
            let is_known = self.done.contains(&shard.id) || self.cursors.contains_key(&shard.id);
            let mut parents = shard.parents.iter().filter(|id| by_id.contains_key(id));
            if !is_known && parents.all(|parent| self.done.contains(parent)) {
                let cursor = Cursor::begins_at(shard, Position::FIRST);
                self.cursors.insert(shard.id, cursor);
            }
        }
        before != (self.cursors.len(), self.done.len())
    }

    /// Whether a shard is taken to its end and still at work.
    pub fn has_ended(&self) -> bool {
        let mut cursors = self.cursors.values();
        cursors.any(|cursor| cursor.is_ended && cursor.frames.is_empty())
    }

    /// Whether frames were read and not taken.
    pub fn holds_frames(&self) -> bool {
        self.cursors
            .values()
            .any(|cursor| !cursor.frames.is_empty())
    }

    /// The shards of which nothing is in hand.
    pub fn wanted(&self) -> Vec<Wanted> {
        let empty = self.cursors.iter();
        let empty = empty.filter(|(_, cursor)| cursor.frames.is_empty() && !cursor.is_ended);
        let wanted = empty.map(|(shard, cursor)| Wanted {
            shard: *shard,
            log: cursor.log,
            from: cursor.read_to,
        });
        wanted.collect()
    }

    /// All logs that may give more, and how far they are read.
    pub fn open_logs(&self) -> Vec<(LogId, Position)> {
        let open = self.cursors.values().filter(|cursor| !cursor.is_ended);
        open.map(|cursor| (cursor.log, cursor.read_to)).collect()
    }

    /// What a log holds from [`Wanted::from`] on, up to `next`.
    pub fn fill(&mut self, shard: ShardId, frames: Vec<Frame>, next: Position) {
        let Some(cursor) = self.cursors.get_mut(&shard) else {
            return;
        };
        let begins = frames.first().map_or(next, |frame| frame.position);
        if begins > cursor.next {
            self.lost = self.lost.saturating_add(begins.0 - cursor.next.0);
            cursor.next = begins;
        }
        cursor.frames.extend(frames);
        cursor.read_to = next;
    }

    /// What a log promises. It counts if all before it was read.
    pub fn promise(&mut self, shard: ShardId, coming: Coming) {
        let Some(cursor) = self.cursors.get_mut(&shard) else {
            return;
        };
        if cursor.read_to < coming.from {
            return;
        }
        cursor.is_ended = coming.sealed;
        // What comes instead of a log that is at its end begins at the end of the log, which may
        // be long ago.
        if cursor.frames.is_empty() && !coming.sealed {
            cursor.coming = cursor.coming.max(coming.at);
        }
    }

    /// The frame whose turn it is, if it is known which one that is.
    pub fn take(&mut self) -> Option<Taken> {
        let (mut first, mut blocked) = (None, None);
        for (shard, cursor) in &self.cursors {
            let turn = Turn {
                at: cursor.bound(),
                shard: *shard,
            };
            let least = if cursor.frames.is_empty() {
                &mut blocked
            } else {
                &mut first
            };
            if least.is_none_or(|least| turn < least) {
                *least = Some(turn);
            }
        }
        let turn = first.filter(|first| blocked.is_none_or(|blocked| *first < blocked))?;
        let cursor = self.cursors.get_mut(&turn.shard)?;
        let frame = cursor.frames.pop_front()?;
        let from = cursor.next.max(frame.position);
        cursor.next = frame.end();
        cursor.coming = turn.at;
        self.time = self.time.max(turn.at);
        Some(Taken {
            shard: turn.shard,
            frame,
            from,
            rowtime: self.time,
        })
    }

    /// Moves the time to the moment before which no shard gives anything any more. That moment, if
    /// the time was not there yet.
    pub fn pass_time(&mut self) -> Option<Timestamp> {
        let watermark = self.cursors.values().map(Cursor::bound).min()?;
        let is_later = watermark > self.time;
        self.time = self.time.max(watermark);
        is_later.then_some(watermark)
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
