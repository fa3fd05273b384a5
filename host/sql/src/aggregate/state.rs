//! The state of one aggregate over one group, and what makes accumulators of it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{Accumulator, Accumulators, ArgumentRows};
use crate::cell::{Cell, Cells, Value};
use crate::fault::{Fault, Invalid};
use crate::key::{put_bytes, put_key, put_u64, take_bytes, take_u64, take_values};

/// What an aggregate knows of the rows of a group.
pub trait State: Clone + Send + 'static {
    /// Whether it holds memory besides itself.
    const HOLDS: bool;

    /// Takes a row; `order` is its number since the beginning.
    fn add(&mut self, cells: &[Cell<'_>], order: u64) -> Result<(), Invalid>;

    /// Takes the oldest row out.
    fn remove(&mut self, cells: &[Cell<'_>]) -> Result<(), Invalid>;

    /// Takes over what another one knows.
    fn merge(&mut self, other: &Self) -> Result<(), Invalid>;

    fn result(&self) -> Result<Value, Fault>;

    fn save(&self, to: &mut Vec<u8>);

    fn restore(&mut self, from: &mut &[u8]) -> Result<(), Invalid>;

    /// Bytes that it holds besides itself, about.
    fn held_bytes(&self) -> usize {
        0
    }

    /// Takes rows of many groups.
    fn add_rows(
        states: &mut [Self],
        groups: &[usize],
        rows: &ArgumentRows<'_>,
    ) -> Result<(), Invalid> {
        add_row_by_row(states, groups, rows)
    }
}

/// For states that have no faster way.
pub fn add_row_by_row<S: State>(
    states: &mut [S],
    groups: &[usize],
    rows: &ArgumentRows<'_>,
) -> Result<(), Invalid> {
    add_counting(states, groups, rows, &mut 0)
}

/// The same, and counts in `held` what the states hold besides themselves.
fn add_counting<S: State>(
    states: &mut [S],
    groups: &[usize],
    rows: &ArgumentRows<'_>,
    held: &mut usize,
) -> Result<(), Invalid> {
    let columns: Vec<Cells<'_>> = rows
        .columns
        .iter()
        .zip(rows.types)
        .map(|(column, ty)| Cells::new(column, *ty))
        .collect();
    let mut cells = Vec::with_capacity(columns.len());
    for (order, (row, group)) in (rows.order..).zip(groups.iter().enumerate()) {
        cells.clear();
        cells.extend(columns.iter().map(|column| column.get(row)));
        let state = &mut states[*group];
        let before = state.held_bytes();
        state.add(&cells, order)?;
        *held = (*held + state.held_bytes()).saturating_sub(before);
    }
    Ok(())
}

/// Of one group.
pub struct Single<S> {
    state: S,
    /// How many rows were added.
    rows: u64,
}

impl<S> Single<S> {
    pub fn new(state: S) -> Self {
        Self { state, rows: 0 }
    }
}

impl<S: State> Accumulator for Single<S> {
    fn add(&mut self, arguments: &[Cell<'_>]) -> Result<(), Invalid> {
        self.state.add(arguments, self.rows)?;
        self.rows += 1;
        Ok(())
    }

    fn remove(&mut self, arguments: &[Cell<'_>]) -> Result<(), Invalid> {
        self.state.remove(arguments)
    }

    fn result(&self) -> Result<Value, Fault> {
        self.state.result()
    }

    fn save(&self, to: &mut Vec<u8>) {
        put_u64(to, self.rows);
        self.state.save(to);
    }

    fn restore(&mut self, from: &mut &[u8]) -> Result<(), Invalid> {
        self.rows = take_u64(from)?;
        self.state.restore(from)
    }

    fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.state.held_bytes()
    }
}

/// Of many groups.
pub struct Grouped<S> {
    fresh: S,
    states: Vec<S>,
    /// Bytes that the states hold besides themselves.
    held: usize,
}

impl<S> Grouped<S> {
    pub fn new(fresh: S) -> Self {
        Self {
            fresh,
            states: Vec::new(),
            held: 0,
        }
    }
}

impl<S: State> Grouped<S> {
    fn change<T>(&mut self, group: usize, change: impl FnOnce(&mut S) -> T) -> T {
        self.held -= self.states[group].held_bytes();
        let changed = change(&mut self.states[group]);
        self.held += self.states[group].held_bytes();
        changed
    }
}

impl<S: State> Accumulators for Grouped<S> {
    fn grow(&mut self) {
        self.states.push(self.fresh.clone());
    }

    fn clear(&mut self, group: usize) {
        let fresh = self.fresh.clone();
        self.change(group, |state| *state = fresh);
    }

    fn add(&mut self, groups: &[usize], rows: &ArgumentRows<'_>) -> Result<(), Invalid> {
        if S::HOLDS {
            add_counting(&mut self.states, groups, rows, &mut self.held)
        } else {
            S::add_rows(&mut self.states, groups, rows)
        }
    }

    fn merge(&mut self, from: usize, into: usize) -> Result<(), Invalid> {
        let other = self.states[from].clone();
        self.change(into, |state| state.merge(&other))
    }

    fn result(&self, group: usize) -> Result<Value, Fault> {
        self.states[group].result()
    }

    fn save(&self, group: usize, to: &mut Vec<u8>) {
        self.states[group].save(to);
    }

    fn restore(&mut self, group: usize, from: &mut &[u8]) -> Result<(), Invalid> {
        self.change(group, |state| state.restore(from))
    }

    fn held_bytes(&self) -> usize {
        self.states.capacity() * size_of::<S>() + self.held
    }
}

/// `DISTINCT`: what is inside takes each value once. Values are counted, so that a value stays
/// until the last row that has it leaves.
#[derive(Clone)]
pub struct Distinct<S> {
    seen: BTreeMap<Box<[u8]>, u64>,
    inner: S,
    key_bytes: usize,
}

/// What an entry of a map costs besides its key, about.
const ENTRY_BYTES: usize = 40;

impl<S> Distinct<S> {
    pub fn new(inner: S) -> Self {
        Self {
            seen: BTreeMap::new(),
            inner,
            key_bytes: 0,
        }
    }
}

fn key_of(cells: &[Cell<'_>]) -> Option<Box<[u8]>> {
    if cells.contains(&Cell::Null) {
        return None;
    }
    let mut key = Vec::new();
    for cell in cells {
        put_key(&mut key, *cell);
    }
    Some(key.into())
}

impl<S: State> State for Distinct<S> {
    const HOLDS: bool = true;

    fn add(&mut self, cells: &[Cell<'_>], order: u64) -> Result<(), Invalid> {
        let Some(key) = key_of(cells) else {
            return Ok(());
        };
        match self.seen.entry(key) {
            Entry::Occupied(mut times) => *times.get_mut() += 1,
            Entry::Vacant(place) => {
                self.key_bytes += place.key().len();
                place.insert(1);
                self.inner.add(cells, order)?;
            }
        }
        Ok(())
    }

    fn remove(&mut self, cells: &[Cell<'_>]) -> Result<(), Invalid> {
        let Some(key) = key_of(cells) else {
            return Ok(());
        };
        let Entry::Occupied(mut times) = self.seen.entry(key) else {
            return Err(Invalid::new("internal: a row leaves that was not there"));
        };
        if *times.get() > 1 {
            *times.get_mut() -= 1;
        } else {
            self.key_bytes -= times.key().len();
            times.remove();
            self.inner.remove(cells)?;
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self) -> Result<(), Invalid> {
        for (key, times) in &other.seen {
            match self.seen.entry(key.clone()) {
                Entry::Occupied(mut own) => *own.get_mut() += times,
                Entry::Vacant(place) => {
                    place.insert(*times);
                    self.key_bytes += key.len();
                    let values = take_values(key)?;
                    let cells: Vec<Cell<'_>> = values.iter().map(Value::cell).collect();
                    self.inner.add(&cells, 0)?;
                }
            }
        }
        Ok(())
    }

    fn result(&self) -> Result<Value, Fault> {
        self.inner.result()
    }

    fn save(&self, to: &mut Vec<u8>) {
        put_u64(to, self.seen.len() as u64);
        for (key, times) in &self.seen {
            put_bytes(to, key);
            put_u64(to, *times);
        }
        self.inner.save(to);
    }

    fn restore(&mut self, from: &mut &[u8]) -> Result<(), Invalid> {
        self.seen.clear();
        self.key_bytes = 0;
        for _ in 0..take_u64(from)? {
            let key = take_bytes(from)?;
            self.key_bytes += key.len();
            self.seen.insert(key.into(), take_u64(from)?);
        }
        self.inner.restore(from)
    }

    fn held_bytes(&self) -> usize {
        self.key_bytes + self.seen.len() * ENTRY_BYTES + self.inner.held_bytes()
    }
}
