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
    partitions: Vec<Option<Partition>>,
    free: Vec<usize>,
    /// For a `RANGE`: the `ROWTIME` and the partition of each row, oldest first.
    queue: VecDeque<(Millis, usize)>,
    rows: usize,
    bytes: usize,
    /// Partitions that changed since the last save.
    touched: Vec<usize>,
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
    kept: Vec<Cells<'a>>,
    defaults: Vec<Cells<'a>>,
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
            partitions: Vec::new(),
            free: Vec::new(),
            queue: VecDeque::new(),
            rows: 0,
            bytes: 0,
            touched: Vec::new(),
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
        self.bytes
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
        cells: &WindowCells<'_>,
        row: usize,
        rowtime: Millis,
        results: &mut Vec<Value>,
    ) -> Result<Option<Fault>, Invalid> {
        self.pass_time(rowtime)?;
        let place = self.place_of(cells.keys.get(row))?;
        let mut partition = self.take_out(place)?;
        if let Frame::Rows(before) = self.frame
            && partition.held_rows() as u64 > before
        {
            self.remove_oldest(&mut partition)?;
        }
        let values: Vec<Cell<'_>> = cells.kept.iter().map(|cells| cells.get(row)).collect();
        partition.add(rowtime, &values, &self.calls)?;
        let defaults: Vec<Cell<'_>> = cells.defaults.iter().map(|cells| cells.get(row)).collect();
        let fault = partition.results(&self.calls, &defaults, results)?;
        match self.frame {
            Frame::Unbounded => {}
            Frame::Rows(_) => self.rows += 1,
            Frame::Range(_) => {
                self.rows += 1;
                self.queue.push_back((rowtime, place));
            }
        }
        if !partition.touched {
            partition.touched = true;
            self.touched.push(place);
        }
        self.put_back(place, partition);
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
            let mut partition = self.take_out(place)?;
            self.remove_oldest(&mut partition)?;
            if partition.held_rows() > 0 {
                if !partition.touched {
                    partition.touched = true;
                    self.touched.push(place);
                }
                self.put_back(place, partition);
                continue;
            }
            if partition.saved {
                self.gone.push(self.partition_key(&partition.key));
            }
            self.index.remove(&partition.key);
            self.free.push(place);
        }
        Ok(())
    }

    fn remove_oldest(&mut self, partition: &mut Partition) -> Result<(), Invalid> {
        if let Some(number) = partition.remove_oldest(&self.calls)? {
            self.gone.push(self.row_key(&partition.key, number));
        }
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
        let place = self.free.pop().unwrap_or_else(|| {
            self.partitions.push(None);
            self.partitions.len() - 1
        });
        self.put_back(place, partition);
        self.index.insert(key, place);
        Ok(place)
    }

    /// A partition, to be changed and put back. Meanwhile its bytes are not counted.
    fn take_out(&mut self, place: usize) -> Result<Partition, Invalid> {
        let partition = self.partitions.get_mut(place).and_then(Option::take);
        let missing = || Invalid::new("internal: a partition of a window is missing");
        let partition = partition.ok_or_else(missing)?;
        self.bytes -= partition.held_bytes();
        Ok(partition)
    }

    fn put_back(&mut self, place: usize, partition: Partition) {
        self.bytes += partition.held_bytes();
        self.partitions[place] = Some(partition);
    }

    /// Writes what changed since the last time.
    pub fn save(&mut self, changes: &mut dyn StateWriter) {
        for key in std::mem::take(&mut self.gone) {
            changes.delete(&key);
        }
        for place in std::mem::take(&mut self.touched) {
            // It may have gone, and another one may be in its place.
            let Some(Some(mut partition)) = self.partitions.get_mut(place).map(Option::take) else {
                continue;
            };
            if partition.touched {
                changes.put(
                    &self.partition_key(&partition.key),
                    &partition.bytes(&self.calls),
                );
                for (number, row) in partition.unsaved_rows() {
                    changes.put(&self.row_key(&partition.key, number), &row);
                }
                partition.touched = false;
                partition.saved = true;
                partition.saved_rows = partition.held_rows();
            }
            self.partitions[place] = Some(partition);
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
            let mut partition = self.take_out(place)?;
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
            self.put_back(place, partition);
        }
        self.queue
            .make_contiguous()
            .sort_by_key(|(rowtime, _)| *rowtime);
        Ok(())
    }

    fn partition_key(&self, key: &[u8]) -> Vec<u8> {
        self.state_key(PARTITION, key)
    }

    fn row_key(&self, key: &[u8], number: u64) -> Vec<u8> {
        let mut key = self.state_key(ROW, key);
        put_u64(&mut key, number);
        key
    }

    fn state_key(&self, kind: u8, key: &[u8]) -> Vec<u8> {
        let mut bytes = vec![self.number, kind];
        put_u64(&mut bytes, key.len() as u64);
        bytes.extend_from_slice(key);
        bytes
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
        let mut kept: Vec<Cells<'a>> = cells.map(|(column, ty)| Cells::new(column, *ty)).collect();
        let defaults = kept.split_off(columns.kept);
        Self {
            keys: &columns.keys,
            kept,
            defaults,
        }
    }
}

fn unknown() -> Invalid {
    Invalid::new("internal: state of a window is of no known kind")
}
