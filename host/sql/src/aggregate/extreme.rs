//! The least, the greatest, the first and the last value.

use std::cmp::Ordering;
use std::collections::VecDeque;

use super::state::State;
use crate::cell::{Cell, Value};
use crate::fault::{Fault, Invalid};
use crate::key::{put_cell, put_u64, take_u64, take_value};

/// `MIN` or `MAX` of rows that stay.
#[derive(Clone)]
pub struct Extreme {
    best: Value,
    greatest: bool,
}

impl Extreme {
    pub fn new(greatest: bool) -> Self {
        let best = Value::Null;
        Self { best, greatest }
    }
}

impl State for Extreme {
    const HOLDS: bool = true;

    fn add(&mut self, cells: &[Cell<'_>], _: u64) -> Result<(), Invalid> {
        let cell = only(cells)?;
        if cell != Cell::Null
            && (self.best == Value::Null || beats(self.greatest, cell, self.best.cell()))
        {
            self.best = cell.to_value();
        }
        Ok(())
    }

    fn remove(&mut self, _: &[Cell<'_>]) -> Result<(), Invalid> {
        Err(only_grows())
    }

    fn merge(&mut self, other: &Self) -> Result<(), Invalid> {
        let cell = other.best.cell();
        if cell != Cell::Null
            && (self.best == Value::Null || beats(self.greatest, cell, self.best.cell()))
        {
            self.best = other.best.clone();
        }
        Ok(())
    }

    fn result(&self) -> Result<Value, Fault> {
        Ok(self.best.clone())
    }

    fn save(&self, to: &mut Vec<u8>) {
        put_cell(to, self.best.cell());
    }

    fn restore(&mut self, from: &mut &[u8]) -> Result<(), Invalid> {
        self.best = take_value(from)?;
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        held(&self.best)
    }
}

/// `MIN` or `MAX` of rows that leave in the order in which they came.
///
/// Kept are the values that will be the best one as soon as those before them have left: each one
/// is at least as good as those behind it. Since rows leave oldest first, neither a sorted set of
/// all values nor two stacks are needed: a value goes in once and out once, and most are gone at
/// once.
#[derive(Clone)]
pub struct SlidingExtreme {
    best: VecDeque<Value>,
    greatest: bool,
    held: usize,
}

impl SlidingExtreme {
    pub fn new(greatest: bool) -> Self {
        Self {
            best: VecDeque::new(),
            greatest,
            held: 0,
        }
    }

    fn push(&mut self, cell: Cell<'_>) {
        while let Some(last) = self.best.back() {
            if !beats(self.greatest, cell, last.cell()) {
                break;
            }
            self.held -= held(last);
            self.best.pop_back();
        }
        let value = cell.to_value();
        self.held += held(&value);
        self.best.push_back(value);
    }
}

impl State for SlidingExtreme {
    const HOLDS: bool = true;

    fn add(&mut self, cells: &[Cell<'_>], _: u64) -> Result<(), Invalid> {
        let cell = only(cells)?;
        if cell != Cell::Null {
            self.push(cell);
        }
        Ok(())
    }

    fn remove(&mut self, cells: &[Cell<'_>]) -> Result<(), Invalid> {
        let cell = only(cells)?;
        if cell == Cell::Null {
            return Ok(());
        }
        if let Some(first) = self.best.front()
            && compare(first.cell(), cell) == Ordering::Equal
        {
            self.held -= held(first);
            self.best.pop_front();
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self) -> Result<(), Invalid> {
        other.best.iter().for_each(|value| self.push(value.cell()));
        Ok(())
    }

    fn result(&self) -> Result<Value, Fault> {
        Ok(self.best.front().cloned().unwrap_or(Value::Null))
    }

    fn save(&self, to: &mut Vec<u8>) {
        save_all(&self.best, to);
    }

    fn restore(&mut self, from: &mut &[u8]) -> Result<(), Invalid> {
        self.best = take_all(from)?;
        self.held = self.best.iter().map(held).sum();
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        self.best.capacity() * size_of::<Value>() + self.held
    }
}

/// `FIRST` or `LAST` of rows that stay.
#[derive(Clone)]
pub struct Edge {
    value: Value,
    /// The number of the row that had it.
    order: u64,
    last: bool,
}

impl Edge {
    pub fn new(last: bool) -> Self {
        Self {
            value: Value::Null,
            order: 0,
            last,
        }
    }

    fn is_replaced_by(&self, order: u64) -> bool {
        self.value == Value::Null
            || if self.last {
                order > self.order
            } else {
                order < self.order
            }
    }
}

impl State for Edge {
    const HOLDS: bool = true;

    fn add(&mut self, cells: &[Cell<'_>], order: u64) -> Result<(), Invalid> {
        let cell = only(cells)?;
        if cell != Cell::Null && self.is_replaced_by(order) {
            self.value = cell.to_value();
            self.order = order;
        }
        Ok(())
    }

    fn remove(&mut self, _: &[Cell<'_>]) -> Result<(), Invalid> {
        Err(only_grows())
    }

    fn merge(&mut self, other: &Self) -> Result<(), Invalid> {
        if other.value != Value::Null && self.is_replaced_by(other.order) {
            self.value = other.value.clone();
            self.order = other.order;
        }
        Ok(())
    }

    fn result(&self) -> Result<Value, Fault> {
        Ok(self.value.clone())
    }

    fn save(&self, to: &mut Vec<u8>) {
        put_cell(to, self.value.cell());
        put_u64(to, self.order);
    }

    fn restore(&mut self, from: &mut &[u8]) -> Result<(), Invalid> {
        self.value = take_value(from)?;
        self.order = take_u64(from)?;
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        held(&self.value)
    }
}

/// `FIRST` or `LAST` of rows that leave in the order in which they came.
#[derive(Clone)]
pub struct SlidingEdge {
    values: VecDeque<Value>,
    last: bool,
    held: usize,
}

impl SlidingEdge {
    pub fn new(last: bool) -> Self {
        Self {
            values: VecDeque::new(),
            last,
            held: 0,
        }
    }
}

impl State for SlidingEdge {
    const HOLDS: bool = true;

    fn add(&mut self, cells: &[Cell<'_>], _: u64) -> Result<(), Invalid> {
        let cell = only(cells)?;
        if cell != Cell::Null {
            let value = cell.to_value();
            self.held += held(&value);
            self.values.push_back(value);
        }
        Ok(())
    }

    fn remove(&mut self, cells: &[Cell<'_>]) -> Result<(), Invalid> {
        if only(cells)? != Cell::Null {
            let value = self.values.pop_front();
            let value = value.ok_or_else(super::total::not_there)?;
            self.held -= held(&value);
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self) -> Result<(), Invalid> {
        self.values.extend(other.values.iter().cloned());
        self.held += other.held;
        Ok(())
    }

    fn result(&self) -> Result<Value, Fault> {
        let value = if self.last {
            self.values.back()
        } else {
            self.values.front()
        };
        Ok(value.cloned().unwrap_or(Value::Null))
    }

    fn save(&self, to: &mut Vec<u8>) {
        save_all(&self.values, to);
    }

    fn restore(&mut self, from: &mut &[u8]) -> Result<(), Invalid> {
        self.values = take_all(from)?;
        self.held = self.values.iter().map(held).sum();
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        self.values.capacity() * size_of::<Value>() + self.held
    }
}

fn only<'a>(cells: &[Cell<'a>]) -> Result<Cell<'a>, Invalid> {
    match cells {
        [cell] => Ok(*cell),
        _ => Err(Invalid::new("internal: not one argument of an aggregate")),
    }
}

fn beats(greatest: bool, cell: Cell<'_>, best: Cell<'_>) -> bool {
    let wanted = if greatest {
        Ordering::Greater
    } else {
        Ordering::Less
    };
    compare(cell, best) == wanted
}

/// The order of cells of one type; NaN is above all numbers, both zeros are one.
fn compare(a: Cell<'_>, b: Cell<'_>) -> Ordering {
    match (a, b) {
        (Cell::Boolean(a), Cell::Boolean(b)) => a.cmp(&b),
        (Cell::Whole(a), Cell::Whole(b)) => a.cmp(&b),
        (Cell::Decimal(a), Cell::Decimal(b)) => a.cmp(&b),
        (Cell::Text(a), Cell::Text(b)) => a.cmp(b),
        (Cell::Bytes(a), Cell::Bytes(b)) => a.cmp(b),
        (Cell::Double(a), Cell::Double(b)) => match a.partial_cmp(&b) {
            Some(order) => order,
            None => a.is_nan().cmp(&b.is_nan()),
        },
        // Cells of one column are of one kind: its builder and its reader see to that.
        _ => Ordering::Equal,
    }
}

fn held(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        _ => 0,
    }
}

fn save_all(values: &VecDeque<Value>, to: &mut Vec<u8>) {
    put_u64(to, values.len() as u64);
    values.iter().for_each(|value| put_cell(to, value.cell()));
}

fn take_all(from: &mut &[u8]) -> Result<VecDeque<Value>, Invalid> {
    let count = take_u64(from)?;
    (0..count).map(|_| take_value(from)).collect()
}

fn only_grows() -> Invalid {
    Invalid::new("internal: a row leaves an aggregate that only grows")
}
