//! Windows that each group has for itself (stagger, session), and those that last as long as a
//! value does not change.

use std::collections::{BTreeSet, HashMap};

use super::answers::{Answered, Answers};
use super::groups::Groups;
use super::index::{Key, KeyIndex, KeyShape};
use super::panes::NEVER;
use crate::batch::Millis;
use crate::cell::{Cell, Value};
use crate::fault::Invalid;
use crate::operator::Out;

/// Windows by their ends. An entry may be out of date: of a group that is gone, or whose window
/// ends later by now; that is looked at when its time comes.
#[derive(Default)]
struct Queue {
    /// The end, the number of the group and its place.
    entries: BTreeSet<(Millis, u64, usize)>,
}

impl Queue {
    fn due(&self) -> Millis {
        self.entries.first().map_or(NEVER, |(end, ..)| *end)
    }

    fn insert(&mut self, group: usize, groups: &Groups) {
        let entry = (groups.end(group), groups.first(group), group);
        self.entries.insert(entry);
    }

    /// The next group whose window ends at `clock` or before it.
    fn pop(&mut self, clock: Millis, groups: &Groups) -> Option<usize> {
        while self.due() <= clock {
            let (end, first, group) = self.entries.pop_first()?;
            if !groups.holds(group, first) {
                continue;
            }
            if groups.end(group) == end {
                return Some(group);
            }
            self.insert(group, groups);
        }
        None
    }
}

/// `WINDOWED BY STAGGER`.
pub struct Stagger {
    range: Millis,
    shape: KeyShape,
    index: KeyIndex,
    queue: Queue,
}

impl Stagger {
    pub fn new(range: Millis, shape: KeyShape) -> Result<Self, Invalid> {
        if range <= 0 {
            return Err(Invalid::new("a window is longer than nothing"));
        }
        Ok(Self {
            range,
            shape,
            index: KeyIndex::default(),
            queue: Queue::default(),
        })
    }

    pub fn due(&self) -> Millis {
        self.queue.due()
    }

    pub fn place(&mut self, key: Key<'_>, at: Millis, order: u64, groups: &mut Groups) -> usize {
        if let Some(group) = self.index.get(key) {
            return group;
        }
        let end = at.saturating_add(self.range);
        let group = groups.open(key.to_bytes(), order, at, end);
        self.index.insert(key, group);
        self.queue.insert(group, groups);
        group
    }

    pub fn answer(
        &mut self,
        clock: Millis,
        groups: &mut Groups,
        answers: &mut Answers,
        out: &mut Out,
    ) -> Result<(), Invalid> {
        while let Some(group) = self.queue.pop(clock, groups) {
            answers.give(groups, group, window_of(groups, group), out)?;
            self.index.remove_kept(self.shape, groups.key(group))?;
            groups.close(group);
        }
        Ok(())
    }

    pub fn restore(&mut self, places: &[usize], groups: &Groups) -> Result<(), Invalid> {
        for group in places {
            self.index
                .insert_kept(self.shape, groups.key(*group), *group)?;
            self.queue.insert(*group, groups);
        }
        Ok(())
    }
}

/// Windows that end when a group had no row for a while.
pub struct Sessions {
    gap: Millis,
    /// The open ones of each key; mostly one.
    open: HashMap<Box<[u8]>, Vec<usize>>,
    queue: Queue,
}

/// What became of a row.
pub enum Seated {
    In(usize),
    /// It joins sessions that were apart: the others go into the first one.
    Joins(usize, Vec<usize>),
    Late,
}

impl Sessions {
    pub fn new(gap: Millis) -> Result<Self, Invalid> {
        if gap <= 0 {
            return Err(Invalid::new("the gap of a session is longer than nothing"));
        }
        Ok(Self {
            gap,
            open: HashMap::new(),
            queue: Queue::default(),
        })
    }

    pub fn due(&self) -> Millis {
        self.queue.due()
    }

    pub fn place(
        &mut self,
        key: Key<'_>,
        at: Millis,
        clock: Millis,
        (order, groups): (u64, &mut Groups),
    ) -> Seated {
        let end = at.saturating_add(self.gap);
        let encoded;
        let bytes = match key {
            Key::Bytes(bytes) => bytes,
            other => {
                encoded = other.to_bytes();
                &encoded
            }
        };
        let near = |group: &&usize| at < groups.end(**group) && end > groups.start(**group);
        let own = self.open.get(bytes);
        let touched: Vec<usize> =
            own.map_or_else(Vec::new, |own| own.iter().filter(near).copied().collect());
        let Some(oldest) = touched
            .iter()
            .copied()
            .min_by_key(|group| groups.first(*group))
        else {
            if end <= clock {
                return Seated::Late;
            }
            let group = groups.open(bytes.into(), order, at, end);
            self.open.entry(bytes.into()).or_default().push(group);
            self.queue.insert(group, groups);
            return Seated::In(group);
        };
        let start = at.min(groups.start(oldest));
        groups.stretch(oldest, start, end.max(groups.end(oldest)));
        if touched.len() == 1 {
            return Seated::In(oldest);
        }
        let others: Vec<usize> = touched
            .into_iter()
            .filter(|group| *group != oldest)
            .collect();
        if let Some(own) = self.open.get_mut(bytes) {
            own.retain(|group| !others.contains(group));
        }
        Seated::Joins(oldest, others)
    }

    pub fn answer(
        &mut self,
        clock: Millis,
        groups: &mut Groups,
        answers: &mut Answers,
        out: &mut Out,
    ) -> Result<(), Invalid> {
        while let Some(group) = self.queue.pop(clock, groups) {
            answers.give(groups, group, window_of(groups, group), out)?;
            let key = groups.key(group);
            if let Some(own) = self.open.get_mut(key) {
                own.retain(|other| *other != group);
                if own.is_empty() {
                    self.open.remove(key);
                }
            }
            groups.close(group);
        }
        Ok(())
    }

    pub fn restore(&mut self, places: &[usize], groups: &Groups) {
        for group in places {
            let own = self.open.entry(groups.key(*group).into()).or_default();
            own.push(*group);
            self.queue.insert(*group, groups);
        }
    }
}

/// Windows that last as long as one of the keys does not change.
pub struct Change {
    /// The number of that key.
    pub key: usize,
    shape: KeyShape,
    value: Option<Value>,
    index: KeyIndex,
    open: Vec<usize>,
}

impl Change {
    pub fn new(key: usize, shape: KeyShape) -> Self {
        Self {
            key,
            shape,
            value: None,
            index: KeyIndex::default(),
            open: Vec::new(),
        }
    }

    /// Whether a row with this value closes what is open.
    pub fn closes(&self, cell: Cell<'_>) -> bool {
        self.value
            .as_ref()
            .is_some_and(|value| value.cell() != cell)
    }

    pub fn place(
        &mut self,
        key: Key<'_>,
        (cell, at): (Cell<'_>, Millis),
        order: u64,
        groups: &mut Groups,
    ) -> usize {
        if self.value.is_none() {
            self.value = Some(cell.to_value());
        }
        if let Some(group) = self.index.get(key) {
            return group;
        }
        let group = groups.open(key.to_bytes(), order, at, at);
        self.index.insert(key, group);
        self.open.push(group);
        group
    }

    /// Answers all groups; `rowtime` is the moment that closed them.
    pub fn answer(
        &mut self,
        rowtime: Millis,
        groups: &mut Groups,
        answers: &mut Answers,
        out: &mut Out,
    ) -> Result<(), Invalid> {
        for group in std::mem::take(&mut self.open) {
            let window = Answered {
                rowtime,
                start: groups.start(group),
                end: rowtime,
            };
            answers.give(groups, group, window, out)?;
            groups.close(group);
        }
        self.index = KeyIndex::default();
        self.value = None;
        Ok(())
    }

    pub fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    pub fn restore(
        &mut self,
        places: &[usize],
        value: Option<Value>,
        groups: &Groups,
    ) -> Result<(), Invalid> {
        self.value = value;
        for group in places {
            self.index
                .insert_kept(self.shape, groups.key(*group), *group)?;
            self.open.push(*group);
        }
        Ok(())
    }
}

fn window_of(groups: &Groups, group: usize) -> Answered {
    let end = groups.end(group);
    Answered {
        rowtime: end,
        start: groups.start(group),
        end,
    }
}
