//! Windows that lie on the line of time, the same for all groups: tumbling, hopping, cumulating.
//!
//! Time is cut into panes so that each window consists of whole panes. A row is taken once, into
//! its pane; the panes of a window are put together when it is answered.
//!
//! ```text
//! size 60 s, slide 20 s       |  pane  |  pane  |  pane  |  pane  |
//! windows                     |------------ 1 -----------|
//!                                      |------------ 2 -----------|
//! ```

use std::collections::BTreeMap;
use std::ops::Range;

use super::answers::{Answered, Answers};
use super::groups::Groups;
use super::index::{Key, KeyIndex, KeyShape, Keys};
use crate::batch::Millis;
use crate::fault::Invalid;
use crate::operator::Out;

/// How long the panes of answered windows are kept where late rows make them be answered again.
/// Rows that are later than that are faults.
pub const REVISED_MILLIS_MAX: Millis = 60 * 60 * 1_000;

/// A time that does not come.
pub const NEVER: Millis = Millis::MAX;

/// Where windows begin and end.
#[derive(Clone, Copy)]
pub struct Line {
    pub size: Millis,
    /// From one end to the next.
    pub step: Millis,
    pub offset: Millis,
    /// Windows begin together each `size`, rather than each `step`.
    pub cumulates: bool,
}

impl Line {
    fn pane(self) -> Millis {
        if self.cumulates {
            self.step
        } else {
            greatest_common_divisor(self.size, self.step)
        }
    }

    /// The first end of a window behind a moment.
    fn end_after(self, at: Millis) -> Millis {
        let origin = if self.cumulates {
            self.offset
        } else {
            self.offset.saturating_add(self.size)
        };
        floor(at, self.step, origin).saturating_add(self.step)
    }

    fn start_of(self, end: Millis) -> Millis {
        if self.cumulates {
            floor(end.saturating_sub(1), self.size, self.offset)
        } else {
            end.saturating_sub(self.size)
        }
    }

    /// The end of the last window that begins at a moment or before it. It is not behind the moment
    /// where windows leave gaps.
    fn last_end(self, at: Millis) -> Millis {
        let every = if self.cumulates { self.size } else { self.step };
        floor(at, every, self.offset).saturating_add(self.size)
    }
}

/// The greatest multiple of `by`, counted from `origin`, that is not above `at`.
fn floor(at: Millis, by: Millis, origin: Millis) -> Millis {
    at.saturating_sub(at.saturating_sub(origin).rem_euclid(by))
}

fn greatest_common_divisor(mut a: Millis, mut b: Millis) -> Millis {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// What became of a row.
#[derive(Debug, PartialEq)]
pub enum Placed {
    In(usize),
    /// In a group of which answered windows have to be answered again.
    Revises(usize),
    /// All its windows were answered.
    Late,
    /// Between two windows.
    Nowhere,
}

#[derive(Default)]
struct Pane {
    index: KeyIndex,
    /// In the order in which they came.
    groups: Vec<usize>,
}

pub struct Panes {
    line: Line,
    pane: Millis,
    shape: KeyShape,
    /// How long panes are kept behind their last window.
    kept: Millis,
    open: BTreeMap<Millis, Pane>,
    /// When the next window that has rows ends.
    due: Millis,
    /// Of the row before; most rows are in the same pane.
    spot: Option<Spot>,
}

/// A pane and the windows that it is in.
#[derive(Clone, Copy)]
struct Spot {
    pane: Millis,
    first_end: Millis,
    last_end: Millis,
}

impl Panes {
    pub fn new(line: Line, shape: KeyShape, revises: bool) -> Result<Self, Invalid> {
        if line.size <= 0 || line.step <= 0 {
            return Err(Invalid::new("a window is longer than nothing"));
        }
        if line.cumulates && line.size % line.step != 0 {
            return Err(Invalid::new(
                "the size of a cumulating window is a multiple of its step",
            ));
        }
        Ok(Self {
            line,
            pane: line.pane(),
            shape,
            kept: if revises { REVISED_MILLIS_MAX } else { 0 },
            open: BTreeMap::new(),
            due: NEVER,
            spot: None,
        })
    }

    pub fn due(&self) -> Millis {
        self.due
    }

    /// Finds the group of a row, whose windows up to `clock` were answered.
    pub fn place(
        &mut self,
        key: Key<'_>,
        at: Millis,
        clock: Millis,
        (order, groups): (u64, &mut Groups),
    ) -> Placed {
        let spot = match self.spot {
            Some(spot) if at >= spot.pane && at - spot.pane < self.pane => spot,
            _ => {
                let spot = Spot {
                    pane: floor(at, self.pane, self.line.offset),
                    first_end: self.line.end_after(at),
                    last_end: self.line.last_end(at),
                };
                self.spot = Some(spot);
                spot
            }
        };
        if spot.last_end <= at {
            return Placed::Nowhere;
        }
        if spot.last_end.saturating_add(self.kept) <= clock {
            return Placed::Late;
        }
        let pane = self.open.entry(spot.pane).or_default();
        let group = if let Some(group) = pane.index.get(key) {
            group
        } else {
            let end = spot.pane.saturating_add(self.pane);
            let group = groups.open(key.to_bytes(), order, spot.pane, end);
            pane.index.insert(key, group);
            pane.groups.push(group);
            if spot.last_end > clock {
                let due = self.line.end_after(clock.max(spot.pane));
                self.due = self.due.min(due);
            }
            group
        };
        if self.kept > 0 && spot.first_end <= clock {
            Placed::Revises(group)
        } else {
            Placed::In(group)
        }
    }

    /// Until when rows in order are in the same pane as the one before, and end no window.
    pub fn end_of_spot(&self, clock: Millis) -> Millis {
        let Some(spot) = self.spot else {
            return clock;
        };
        if spot.last_end <= clock || !self.open.contains_key(&spot.pane) {
            return clock;
        }
        self.due.min(spot.pane.saturating_add(self.pane))
    }

    /// Finds the groups of rows that follow each other in the pane of the row before them.
    pub fn place_run(
        &mut self,
        keys: &Keys<'_>,
        rows: Range<usize>,
        (order, groups): (u64, &mut Groups),
        taken: &mut Vec<usize>,
    ) {
        let Some(spot) = self.spot else {
            return;
        };
        let (start, end) = (spot.pane, spot.pane.saturating_add(self.pane));
        let pane = self.open.entry(start).or_default();
        for row in rows {
            let key = keys.get(row);
            let group = pane.index.get(key).unwrap_or_else(|| {
                let group = groups.open(key.to_bytes(), order + row as u64, start, end);
                pane.index.insert(key, group);
                pane.groups.push(group);
                group
            });
            taken.push(group);
        }
    }

    /// Answers all windows that end at `clock` or before it.
    pub fn answer(
        &mut self,
        clock: Millis,
        groups: &mut Groups,
        answers: &mut Answers,
        out: &mut Out,
    ) -> Result<(), Invalid> {
        while self.due <= clock && self.due != NEVER {
            let end = self.due;
            self.answer_window(end, groups, answers, out)?;
            let next = self
                .open
                .keys()
                .find(|pane| self.line.last_end(**pane) > end);
            self.due = next.map_or(NEVER, |pane| self.line.end_after(end.max(*pane)));
            self.forget(end, groups);
        }
        Ok(())
    }

    /// Forgets the panes that no window needs any more.
    fn forget(&mut self, clock: Millis, groups: &mut Groups) {
        while let Some(first) = self.open.first_entry()
            && self.line.last_end(*first.key()).saturating_add(self.kept) <= clock
        {
            let pane = first.remove();
            pane.groups
                .into_iter()
                .for_each(|group| groups.close(group));
        }
    }

    /// No row comes any more.
    pub fn end(&mut self, groups: &mut Groups) {
        self.due = NEVER;
        self.forget(NEVER, groups);
    }

    fn answer_window(
        &mut self,
        end: Millis,
        groups: &mut Groups,
        answers: &mut Answers,
        out: &mut Out,
    ) -> Result<(), Invalid> {
        let start = self.line.start_of(end);
        let rowtime = end;
        let window = Answered {
            rowtime,
            start,
            end,
        };
        let mut panes = self.open.range(start..end).map(|(_, pane)| pane);
        let (first, second) = (panes.next(), panes.next());
        if let (Some(pane), None) = (first, second) {
            for group in &pane.groups {
                answers.give(groups, *group, window, out)?;
            }
            return Ok(());
        }
        let parts: Vec<usize> = self
            .open
            .range(start..end)
            .flat_map(|(_, pane)| pane.groups.iter().copied())
            .collect();
        let mut merged = self.merge(&parts, groups)?;
        merged.sort_unstable_by_key(|group| groups.first(*group));
        for group in merged {
            answers.give(groups, group, window, out)?;
            groups.close(group);
        }
        Ok(())
    }

    /// For each key a group of all the parts that have it.
    fn merge(&self, parts: &[usize], groups: &mut Groups) -> Result<Vec<usize>, Invalid> {
        let mut index = KeyIndex::default();
        let mut merged = Vec::new();
        for part in parts {
            let key: Box<[u8]> = groups.key(*part).into();
            let whole = Key::Bytes(&key);
            let into = if let Some(group) = index.get(whole) {
                group
            } else {
                let group = groups.open_transient(*part);
                index.insert(whole, group);
                merged.push(group);
                group
            };
            groups.merge(*part, into)?;
        }
        Ok(merged)
    }

    /// Answers again, for one group, the windows around a moment that were answered. The moment of
    /// the answer is now, since rows never go back in time.
    pub fn revise(
        &mut self,
        key: Key<'_>,
        (at, clock): (Millis, Millis),
        (groups, answers): (&mut Groups, &mut Answers),
        out: &mut Out,
    ) -> Result<(), Invalid> {
        let mut end = self.line.end_after(at);
        while end <= self.line.last_end(at) && end <= clock {
            let start = self.line.start_of(end);
            let panes = self.open.range(start..end);
            let parts: Vec<usize> = panes.filter_map(|(_, pane)| pane.index.get(key)).collect();
            let window = Answered {
                rowtime: clock,
                start,
                end,
            };
            for group in self.merge(&parts, groups)? {
                answers.give(groups, group, window, out)?;
                groups.close(group);
            }
            end = end.saturating_add(self.line.step);
        }
        Ok(())
    }

    /// Takes up groups that were saved, in the order in which they came.
    pub fn restore(
        &mut self,
        places: &[usize],
        clock: Millis,
        groups: &Groups,
    ) -> Result<(), Invalid> {
        for group in places {
            let start = groups.start(*group);
            let pane = self.open.entry(start).or_default();
            pane.index
                .insert_kept(self.shape, groups.key(*group), *group)?;
            pane.groups.push(*group);
            if self.line.last_end(start) > clock {
                let due = self.line.end_after(clock.max(start));
                self.due = self.due.min(due);
            }
        }
        Ok(())
    }
}
