//! `TOP_K_ITEMS_TUMBLING`: the values that came most often.
//!
//! Counts are exact while all values of a window fit. Beyond that they are kept as Metwally,
//! Agrawal and El Abbadi's "space saving" does: a new value takes the place of the rarest one and
//! its count, so that a value that is frequent is never missed and no count is too small.
//!
//! ```text
//! state: 01 value -> its count, the number of its first row
//!        02       -> rows so far
//! ```

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};

use super::tumbling::{TALLY, Tally, Tumbling};
use crate::batch::Millis;
use crate::cell::Cell;
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::functions::cast;
use crate::key::{put_cell, put_u64, take_u64};
use crate::operator::StateWriter;
use crate::operators::rows::{HELD_BYTES_MAX, check_held, types_of};
use crate::ty::RowType;

/// Values of a window that are counted, at most: twice as many as AWS gives. Beyond that counts are
/// estimates.
pub const ITEMS_HELD_MAX: usize = 200_000;

const ROWS: u8 = 2;

/// About what a value costs besides its bytes, which are held twice.
const ENTRY_BYTES: usize = 160;

/// The operator for a column of the input.
///
/// # Errors
///
/// A plan that is broken.
pub fn build(
    column: usize,
    count: u64,
    window: Millis,
    (input, output): (&RowType, &RowType),
) -> Result<Tumbling<TopItems>, Invalid> {
    let [_, item, _] = output.columns() else {
        return Err(Invalid::new(
            "internal: top items are a value and its count",
        ));
    };
    let Some(of) = input.columns().get(column) else {
        return Err(Invalid::new(
            "internal: top items of a column that is not there",
        ));
    };
    let value = cast(Expr::column(column, of.ty), item.ty)?;
    let count = usize::try_from(count).map_err(|_| Invalid::new("internal: too many items"))?;
    let tally = TopItems::new(count, ITEMS_HELD_MAX.max(count));
    Tumbling::new(tally, value, window, (types_of(input), types_of(output)))
}

/// A count, how late the value came first, and the value: the rarest and latest one is the least.
type Counted = (u64, u64, Box<[u8]>);

/// Counts of values.
pub struct TopItems {
    /// How many are given.
    count: usize,
    /// How many are held.
    held_max: usize,
    items: HashMap<Box<[u8]>, Item>,
    /// Count, first row and value of all items, once they do not fit.
    by_count: Option<BTreeSet<Counted>>,
    rows: u64,
    bytes: usize,
    saved_rows: u64,
    dirty: Vec<Box<[u8]>>,
    /// Values that the saved state has and that are not held any more.
    gone: HashSet<Box<[u8]>>,
}

struct Item {
    count: u64,
    /// The number of the row that it came with.
    first: u64,
    /// It is in the list of what is to be saved.
    dirty: bool,
    /// The saved state has it.
    saved: bool,
}

impl TopItems {
    fn new(count: usize, held_max: usize) -> Self {
        Self {
            count,
            held_max,
            items: HashMap::new(),
            by_count: None,
            rows: 0,
            bytes: 0,
            saved_rows: 0,
            dirty: Vec::new(),
            gone: HashSet::new(),
        }
    }

    /// Takes the rarest value out, of several the latest, and gives its count.
    fn evict(&mut self) -> Result<u64, Invalid> {
        let items = &self.items;
        let by_count = self.by_count.get_or_insert_with(|| {
            let all = items.iter();
            all.map(|(value, item)| (item.count, u64::MAX - item.first, value.clone()))
                .collect()
        });
        let rarest = by_count.pop_first();
        let Some((count, _, value)) = rarest else {
            return Err(Invalid::new("internal: no value to take out"));
        };
        let Some(item) = self.items.remove(&value) else {
            return Err(Invalid::new("internal: a value is held only once"));
        };
        self.bytes -= value.len() * 2 + ENTRY_BYTES;
        if item.saved {
            self.gone.insert(value);
        }
        Ok(count)
    }

    fn insert(&mut self, value: &[u8], count: u64) {
        let item = Item {
            count,
            first: self.rows,
            dirty: true,
            saved: self.gone.remove(value),
        };
        if let Some(by_count) = &mut self.by_count {
            by_count.insert((count, u64::MAX - item.first, value.into()));
        }
        self.bytes += value.len() * 2 + ENTRY_BYTES;
        self.items.insert(value.into(), item);
        self.dirty.push(value.into());
        if self.dirty.len() > self.held_max.saturating_mul(2) {
            // Most of them were taken out again.
            let dirty = self.items.iter().filter(|(_, item)| item.dirty);
            self.dirty = dirty.map(|(value, _)| value.clone()).collect();
        }
    }
}

impl Tally for TopItems {
    fn add(&mut self, value: &[u8]) -> Result<(), Invalid> {
        self.rows += 1;
        if let Some(item) = self.items.get_mut(value) {
            if let Some(by_count) = &mut self.by_count {
                let last = u64::MAX - item.first;
                by_count.remove(&(item.count, last, value.into()));
                by_count.insert((item.count + 1, last, value.into()));
            }
            item.count += 1;
            if !item.dirty {
                item.dirty = true;
                self.dirty.push(value.into());
            }
            return Ok(());
        }
        let inherited = if self.items.len() < self.held_max {
            0
        } else {
            self.evict()?
        };
        self.insert(value, inherited + 1);
        check_held(
            "TOP_K_ITEMS_TUMBLING",
            self.items.len(),
            self.bytes.min(HELD_BYTES_MAX + 1),
        )
    }

    fn answer(&mut self) -> Result<Vec<Vec<u8>>, Invalid> {
        self.by_count = None;
        (self.rows, self.bytes) = (0, 0);
        self.dirty.clear();
        let mut items: Vec<_> = self.items.drain().collect();
        items.sort_unstable_by_key(|(_, item)| (u64::MAX - item.count, item.first));
        let given = items.iter().take(self.count).map(|(value, item)| {
            let mut row = value.to_vec();
            let count = i64::try_from(item.count);
            let count = count.map_err(|_| Invalid::new("internal: a count without end"))?;
            put_cell(&mut row, Cell::Whole(count));
            Ok(row)
        });
        let given = given.collect();
        let saved = items.into_iter().filter(|(_, item)| item.saved);
        self.gone.extend(saved.map(|(value, _)| value));
        given
    }

    fn save(&mut self, changes: &mut dyn StateWriter) {
        for value in self.gone.drain() {
            changes.delete(&key_of(&value));
        }
        for value in std::mem::take(&mut self.dirty) {
            // What was taken out again is in `gone`, or was never saved.
            let Some(item) = self.items.get_mut(&value) else {
                continue;
            };
            if !item.dirty {
                continue;
            }
            (item.dirty, item.saved) = (false, true);
            let mut state = Vec::new();
            put_u64(&mut state, item.count);
            put_u64(&mut state, item.first);
            changes.put(&key_of(&value), &state);
        }
        if self.saved_rows != self.rows {
            self.saved_rows = self.rows;
            changes.put(&[ROWS], &self.rows.to_be_bytes());
        }
    }

    fn restore(&mut self, key: &[u8], mut value: &[u8]) -> Result<(), Invalid> {
        match key {
            [ROWS] => {
                self.rows = take_u64(&mut value)?;
                self.saved_rows = self.rows;
            }
            [TALLY, text @ ..] => {
                let item = Item {
                    count: take_u64(&mut value)?,
                    first: take_u64(&mut value)?,
                    dirty: false,
                    saved: true,
                };
                self.bytes += text.len() * 2 + ENTRY_BYTES;
                self.items.insert(text.into(), item);
            }
            _ => {
                return Err(Invalid::new(
                    "internal: state of top items is of no known kind",
                ));
            }
        }
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        self.bytes
    }
}

fn key_of(value: &[u8]) -> Vec<u8> {
    [&[TALLY], value].concat()
}
