//! What storage must hold, known from nothing but what was asked of it and what it answered.
//!
//! Time is a number that only grows: the length of the simulated disk's recording, or 0 where
//! only the end is looked at. A change is *durable since* the moment at which its answer, or a
//! read of it, was seen; a disk of that moment or later must have it.

#![allow(dead_code, reason = "each test uses its part")]

pub mod check;
pub mod session;

use std::collections::BTreeMap;

use bytes::Bytes;
use store::disk::simulated::Random;
use store::{BodyBuilder, Committed, LogId, NewFrame, Position, Records, TableId, Version};
use types::Timestamp;

/// The table with one row per transaction that has [`Commit::has_row`].
pub const OWN_ROWS: TableId = TableId(1);
/// The table whose rows are written again and again.
pub const SHARED_ROWS: TableId = TableId(2);

/// A moment.
pub type At = usize;

/// What is known of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It may be there or not, but whole.
    Uncertain,
    /// It was there at this moment, and is for ever.
    Durable(At),
    /// It was refused, or is known to be lost: it must never be seen.
    Never,
}

impl Fate {
    /// Whether a disk of this moment must have the change.
    pub fn is_sure(self, at: At) -> bool {
        matches!(self, Self::Durable(since) if since <= at)
    }
}

/// A transaction that was sent.
#[derive(Clone, Debug)]
pub struct Commit {
    pub sent_at: At,
    /// One frame for each.
    pub logs: Vec<LogId>,
    /// How many bytes the first record of each frame has; how many records there are follows.
    pub sizes: Vec<usize>,
    /// Whether it wrote a row of its own.
    pub has_row: bool,
    /// Rows of [`SHARED_ROWS`]: written, or removed.
    pub shared: Vec<(u64, SharedWrite)>,
    pub fate: Fate,
    /// Where its frames were seen.
    pub positions: Vec<Option<Position>>,
    pub version: Option<Version>,
}

/// What a transaction does to a shared row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedWrite {
    Put,
    Remove,
}

/// A step in the life of a log.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub sent_at: At,
    pub fate: Fate,
}

/// The life of a log.
#[derive(Clone, Debug)]
pub struct Life {
    pub created: Step,
    pub seals: Vec<Step>,
    pub deletes: Vec<Step>,
    pub trims: Vec<(Position, Step)>,
}

/// Everything that was asked of a store, and what is known to have come of it.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub commits: Vec<Commit>,
    pub logs: BTreeMap<LogId, Life>,
}

impl History {
    /// Notes what a transaction was answered.
    pub fn committed(&mut self, id: usize, answer: &Committed, at: At) {
        let commit = &mut self.commits[id];
        assert_ne!(commit.fate, Fate::Never, "commit {id} came back");
        assert_eq!(
            answer.positions.len(),
            commit.positions.len(),
            "commit {id}"
        );
        for (known, position) in commit.positions.iter_mut().zip(&answer.positions) {
            let earlier = known.replace(*position);
            assert!(
                earlier.is_none_or(|known| known == *position),
                "commit {id} moved"
            );
        }
        commit.version = Some(answer.version);
        self.seen(id, at);
    }

    /// Notes that something of a transaction was read.
    pub fn seen(&mut self, id: usize, at: At) {
        let fate = &mut self.commits[id].fate;
        *fate = match *fate {
            Fate::Durable(since) => Fate::Durable(since.min(at)),
            Fate::Uncertain => Fate::Durable(at),
            Fate::Never => panic!("commit {id} was refused and is there"),
        };
    }

    /// Begins time anew: what was durable is so from the start.
    fn restart(&mut self) {
        let sooner = |fate: &mut Fate| {
            if let Fate::Durable(since) = fate {
                *since = 0;
            }
        };
        for commit in &mut self.commits {
            commit.sent_at = 0;
            sooner(&mut commit.fate);
        }
        for life in self.logs.values_mut() {
            let steps = life.seals.iter_mut().chain(&mut life.deletes);
            let trims = life.trims.iter_mut().map(|(_, step)| step);
            for step in steps.chain(trims).chain([&mut life.created]) {
                step.sent_at = 0;
                sooner(&mut step.fate);
            }
        }
    }

    /// The highest position of a log that is known to be taken at a moment.
    pub fn highest_position(&self, log: LogId, at: At) -> Option<Position> {
        let sure = self.commits.iter().filter(|commit| commit.fate.is_sure(at));
        let frames = sure.flat_map(|commit| commit.logs.iter().zip(&commit.positions));
        frames
            .filter(|(of, _)| **of == log)
            .filter_map(|(_, position)| *position)
            .max()
    }
}

/// How many records the body of so many bytes has.
pub fn records(size: usize) -> u16 {
    u16::try_from(1 + size % 3).unwrap()
}

/// The body of a transaction's frame: made of its numbers alone, so that a reader knows it.
pub fn body(commit: usize, index: usize, size: usize) -> NewFrame {
    let mut random = Random::new((commit as u64) << 8 | index as u64);
    let data: Vec<u8> = (0..size)
        .map(|_| random.number().to_le_bytes()[0])
        .collect();
    let mut body = BodyBuilder::default();
    body.push(&format!("{commit}.{index}"), &data).unwrap();
    for _ in 1..records(size) {
        body.push("beside it", b"").unwrap();
    }
    let (body, count) = body.finish();
    NewFrame {
        count,
        arrival: Timestamp(1_000 + commit as u64),
        body,
        key: None,
    }
}

/// Which transaction wrote a body, and as which of its frames.
pub fn author(body: &Bytes) -> Option<(usize, usize)> {
    let record = Records::new(body).next()?;
    let (commit, index) = record.partition_key.split_once('.')?;
    Some((commit.parse().ok()?, index.parse().ok()?))
}
