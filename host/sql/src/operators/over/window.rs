//! One window that slides, with its partitions.
//!
//! ```text
//! state: window, 00, key           -> the first row's number, what the calls know
//!        window, 01, key, number   -> ROWTIME and what the calls took of the row
//! ```

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;

use super::partition::{ARGUMENTS_MAX, Partition};
use super::partitions::Partitions;
use crate::aggregate::AggregateCall;
use crate::analytic::AnalyticCall;
use crate::batch::{Batch, Millis};
use crate::cell::{Cell, Cells, Value};
use crate::expr::Expr;
use crate::fault::{Fault, Invalid, RowFaults};
use crate::key::{RowKeys, put_u64, take_bytes, take_u8, take_u64};
use crate::operator::StateWriter;
use crate::plan::{Frame, OverCall, OverWindow};
use crate::ty::SqlType;

const PARTITION: u8 = 0;
const ROW: u8 = 1;

/// A window and the rows in it.
pub struct WindowRows {
    number: u8,
    partition: Vec<Expr>,
    frame: Frame,
    calls: WindowCalls,
    /// Where the partition of a key is.
    index: HashMap<Arc<[u8]>, usize>,
    partitions: Partitions,
    /// For a `RANGE`: the `ROWTIME` and the partition of each row, oldest first.
    queue: VecDeque<(Millis, usize)>,
    rows: usize,
    /// Keys of the saved state that are gone.
    gone: Vec<Vec<u8>>,
}

/// The calls over a window.
pub struct WindowCalls {
    pub calls: Vec<Call>,
    /// No row leaves the frame.
    pub grows: bool,
    /// What is taken of each row: first what is kept, then the defaults of `LAG`.
    values: Vec<Expr>,
    kept: usize,
}

pub struct Call {
    pub kind: CallKind,
    /// Where its arguments are among the values of a row.
    pub columns: Range<usize>,
    /// Where the default of `LAG` is among the defaults.
    pub default: Option<usize>,
}

pub enum CallKind {
    Aggregate(AggregateCall),
    Analytic(AnalyticCall),
}

/// What a window takes of a batch.
pub struct WindowColumns {
    keys: RowKeys,
    columns: Vec<ArrayRef>,
    types: Vec<SqlType>,
    kept: usize,
}

/// The same, for reading it row by row.
pub struct WindowCells<'a> {
    keys: &'a RowKeys,
    cells: Vec<Cells<'a>>,
    kept: usize,
    /// The values of the row that was read last.
    values: Vec<Cell<'a>>,
}

impl WindowRows {
    /// A window of no rows yet, with its number among the windows.
    pub fn new(number: u8, window: &OverWindow) -> Result<Self, Invalid> {
        Ok(Self {
            number,
            partition: window.partition.clone(),
            frame: window.frame,
            calls: WindowCalls::new(window)?,
            index: HashMap::new(),
            partitions: Partitions::default(),
            queue: VecDeque::new(),
            rows: 0,
            gone: Vec::new(),
        })
    }

    /// The types of what its calls give.
    pub fn result_types(&self) -> impl Iterator<Item = SqlType> {
        self.calls.calls.iter().map(|call| match &call.kind {
            CallKind::Aggregate(call) => call.ty,
            CallKind::Analytic(call) => call.ty,
        })
    }

    /// Rows and partitions that are held.
    pub fn held_rows(&self) -> usize {
        self.rows + self.index.len()
    }

    pub fn held_bytes(&self) -> usize {
        self.partitions.held_bytes()
    }

    /// What the window takes of each row.
    pub fn evaluate(
        &self,
        batch: &Batch,
        faults: &mut RowFaults,
    ) -> Result<WindowColumns, Invalid> {
        let mut evaluate = |exprs: &[Expr]| -> Result<Vec<ArrayRef>, Invalid> {
            let columns = exprs.iter().map(|expr| expr.evaluate(batch, faults));
            columns.collect()
        };
        let keys = evaluate(&self.partition)?;
        let columns = evaluate(&self.calls.values)?;
        let key_types: Vec<SqlType> = self.partition.iter().map(Expr::ty).collect();
        Ok(WindowColumns {
            keys: RowKeys::new(&keys, &key_types, batch.rows()),
            columns,
            types: self.calls.values.iter().map(Expr::ty).collect(),
            kept: self.calls.kept,
        })
    }

    /// Takes a row and adds what the calls give for it; what went wrong with one of them.
    pub fn take_row(
        &mut self,
        cells: &mut WindowCells<'_>,
        row: usize,
        rowtime: Millis,
        results: &mut Vec<Value>,
    ) -> Result<Option<Fault>, Invalid> {
        self.pass_time(rowtime)?;
        let (key, values, defaults) = cells.read(row);
        let place = self.place_of(key)?;
        if let Frame::Rows(before) = self.frame
            && self.partitions.get(place)?.held_rows() as u64 > before
        {
            self.remove_oldest(place)?;
        }
        let partition = self.partitions.touch(place)?;
        partition.add(rowtime, values, &self.calls)?;
        let fault = partition.results(&self.calls, defaults, results)?;
        self.partitions.measure(place)?;
        match self.frame {
            Frame::Unbounded => {}
            Frame::Rows(_) => self.rows += 1,
            Frame::Range(_) => {
                self.rows += 1;
                self.queue.push_back((rowtime, place));
            }
        }
        Ok(fault)
    }

    /// Takes rows out that are too old at a time.
    pub fn pass_time(&mut self, time: Millis) -> Result<(), Invalid> {
        let Frame::Range(length) = self.frame else {
            return Ok(());
        };
        while let Some((rowtime, place)) = self.queue.front().copied()
            // A row of the same ROWTIME is in the frame also if that has no length.
            && rowtime.saturating_add(length.max(1)) <= time
        {
            self.queue.pop_front();
            self.remove_oldest(place)?;
            if self.partitions.get(place)?.held_rows() == 0 {
                let gone = self.partitions.remove(place)?;
                if gone.is_saved() {
                    self.gone.push(partition_key(self.number, &gone.key));
                }
                self.index.remove(&gone.key);
            }
        }
        Ok(())
    }

    fn remove_oldest(&mut self, place: usize) -> Result<(), Invalid> {
        let partition = self.partitions.touch(place)?;
        if let Some(number) = partition.remove_oldest(&self.calls)? {
            self.gone.push(row_key(self.number, &partition.key, number));
        }
        self.partitions.measure(place)?;
        self.rows -= 1;
        Ok(())
    }

    /// Where the partition of a key is; a new one if there is none.
    fn place_of(&mut self, key: &[u8]) -> Result<usize, Invalid> {
        if let Some(place) = self.index.get(key) {
            return Ok(*place);
        }
        let key: Arc<[u8]> = key.into();
        let partition = Partition::new(key.clone(), &self.calls)?;
        let place = self.partitions.insert(partition);
        self.index.insert(key, place);
        Ok(place)
    }

    /// Writes what changed since the last time.
    pub fn save(&mut self, changes: &mut dyn StateWriter) {
        for key in std::mem::take(&mut self.gone) {
            changes.delete(&key);
        }
        for place in self.partitions.take_touched_places() {
            let Some(partition) = self.partitions.take_touched(place) else {
                continue;
            };
            let key = partition_key(self.number, &partition.key);
            changes.put(&key, &partition.bytes(&self.calls));
            for (number, row) in partition.unsaved_rows() {
                changes.put(&row_key(self.number, &partition.key, number), &row);
            }
            partition.set_saved();
        }
    }

    /// Takes up what was saved, before the first row.
    pub fn restore(&mut self, mut state: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), Invalid> {
        // Partitions come before their rows, and those in the order of their numbers.
        state.sort();
        for (key, value) in &state {
            let mut key = key.get(1..).ok_or_else(unknown)?;
            let kind = take_u8(&mut key)?;
            let place = self.place_of(take_bytes(&mut key)?)?;
            let partition = self.partitions.get_mut(place)?;
            match kind {
                PARTITION => partition.restore(value, &self.calls)?,
                ROW => {
                    let number = take_u64(&mut key)?;
                    let rowtime = partition.restore_row(number, value, &self.calls)?;
                    self.rows += 1;
                    if matches!(self.frame, Frame::Range(_)) {
                        self.queue.push_back((rowtime, place));
                    }
                }
                _ => return Err(unknown()),
            }
            self.partitions.measure(place)?;
        }
        self.queue
            .make_contiguous()
            .sort_by_key(|(rowtime, _)| *rowtime);
        Ok(())
    }
}

impl WindowCalls {
    fn new(window: &OverWindow) -> Result<Self, Invalid> {
        let mut values = Vec::new();
        let mut defaults = Vec::new();
        let mut calls = Vec::with_capacity(window.calls.len());
        for call in &window.calls {
            let first = values.len();
            let mut default = None;
            let kind = match call {
                OverCall::Aggregate(call) => {
                    values.extend(call.inputs());
                    CallKind::Aggregate(call.clone())
                }
                OverCall::Analytic(call) => {
                    values.push(call.argument.clone());
                    if let Some(expr) = &call.default {
                        default = Some(defaults.len());
                        defaults.push(expr.clone());
                    }
                    CallKind::Analytic(call.clone())
                }
            };
            let columns = first..values.len();
            if columns.len() > ARGUMENTS_MAX {
                return Err(Invalid::new("internal: an aggregate of too many arguments"));
            }
            calls.push(Call {
                kind,
                columns,
                default,
            });
        }
        let kept = values.len();
        values.extend(defaults);
        Ok(Self {
            calls,
            grows: window.frame == Frame::Unbounded,
            values,
            kept,
        })
    }
}

impl<'a> WindowCells<'a> {
    pub fn new(columns: &'a WindowColumns) -> Self {
        let cells = columns.columns.iter().zip(&columns.types);
        Self {
            keys: &columns.keys,
            cells: cells.map(|(column, ty)| Cells::new(column, *ty)).collect(),
            kept: columns.kept,
            values: Vec::with_capacity(columns.columns.len()),
        }
    }

    /// The key of a row, what is kept of it, and the defaults of `LAG`.
    fn read(&mut self, row: usize) -> (&'a [u8], &[Cell<'a>], &[Cell<'a>]) {
        self.values.clear();
        self.values
            .extend(self.cells.iter().map(|cells| cells.get(row)));
        let (kept, defaults) = self.values.split_at(self.kept);
        (self.keys.get(row), kept, defaults)
    }
}

fn partition_key(window: u8, key: &[u8]) -> Vec<u8> {
    state_key(window, PARTITION, key)
}

fn row_key(window: u8, key: &[u8], number: u64) -> Vec<u8> {
    let mut key = state_key(window, ROW, key);
    put_u64(&mut key, number);
    key
}

fn state_key(window: u8, kind: u8, key: &[u8]) -> Vec<u8> {
    let mut bytes = vec![window, kind];
    put_u64(&mut bytes, key.len() as u64);
    bytes.extend_from_slice(key);
    bytes
}

fn unknown() -> Invalid {
    Invalid::new("internal: state of a window is of no known kind")
}
