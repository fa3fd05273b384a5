//! The rows of one partition of a window that slides, and what its calls know of them.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::window::{CallKind, WindowCalls};
use crate::aggregate::Accumulator;
use crate::batch::Millis;
use crate::cell::{Cell, Value};
use crate::fault::{Fault, Invalid};
use crate::key::{put_cell, put_i64, put_u64, take_i64, take_u64, take_values};
use crate::operators::analytic::FrameValues;

/// Arguments that an aggregate has, at most.
pub const ARGUMENTS_MAX: usize = 4;

/// About what a partition costs besides its key, its rows and its calls.
const PARTITION_BYTES: usize = 192;

/// The rows of a partition that are in the frame of its newest row.
pub struct Partition {
    pub key: Arc<[u8]>,
    /// Empty for a frame that no row leaves.
    rows: VecDeque<FrameRow>,
    /// The number of the first of `rows`, counted in the partition.
    first: u64,
    calls: Vec<CallState>,
    row_bytes: usize,
    /// The state has a value of this partition.
    saved: bool,
    /// So many of `rows`, the oldest, are in the saved state.
    saved_rows: usize,
}

struct FrameRow {
    rowtime: Millis,
    /// What the calls took of it.
    values: Box<[Value]>,
}

enum CallState {
    Aggregate(Box<dyn Accumulator>),
    Analytic(FrameValues),
}

impl Partition {
    /// Of no rows yet.
    pub fn new(key: Arc<[u8]>, calls: &WindowCalls) -> Result<Self, Invalid> {
        let mut states = Vec::with_capacity(calls.calls.len());
        for call in &calls.calls {
            states.push(match &call.kind {
                CallKind::Aggregate(call) if calls.grows => {
                    CallState::Aggregate(call.growing_accumulator())
                }
                CallKind::Aggregate(call) => CallState::Aggregate(call.accumulator()),
                CallKind::Analytic(call) => {
                    CallState::Analytic(FrameValues::new(call, calls.grows)?)
                }
            });
        }
        Ok(Self {
            key,
            rows: VecDeque::new(),
            first: 0,
            calls: states,
            row_bytes: 0,
            saved: false,
            saved_rows: 0,
        })
    }

    pub fn held_rows(&self) -> usize {
        self.rows.len()
    }

    pub fn held_bytes(&self) -> usize {
        let calls = self.calls.iter().map(|call| match call {
            CallState::Aggregate(accumulator) => accumulator.held_bytes(),
            CallState::Analytic(values) => values.held_bytes(),
        });
        PARTITION_BYTES + self.key.len() + self.row_bytes + calls.sum::<usize>()
    }

    /// Takes a row, of which these are the values that the calls want.
    pub fn add(
        &mut self,
        rowtime: Millis,
        values: &[Cell<'_>],
        calls: &WindowCalls,
    ) -> Result<(), Invalid> {
        let number = self.first + self.rows.len() as u64;
        for (state, call) in self.calls.iter_mut().zip(&calls.calls) {
            match state {
                CallState::Aggregate(accumulator) => {
                    accumulator.add(part(values, &call.columns)?)?;
                }
                CallState::Analytic(frame) => {
                    for value in part(values, &call.columns)? {
                        frame.add(number, *value);
                    }
                }
            }
        }
        if calls.grows {
            self.first += 1;
        } else {
            let values: Box<[Value]> = values.iter().map(|value| value.to_value()).collect();
            self.row_bytes += bytes_of(&values);
            self.rows.push_back(FrameRow { rowtime, values });
        }
        Ok(())
    }

    /// Takes the oldest row out; the number that it had in the saved state, if it was there.
    pub fn remove_oldest(&mut self, calls: &WindowCalls) -> Result<Option<u64>, Invalid> {
        let Some(row) = self.rows.pop_front() else {
            return Err(Invalid::new("internal: a window that slides over no rows"));
        };
        let number = self.first;
        self.first += 1;
        self.row_bytes -= bytes_of(&row.values);
        for (state, call) in self.calls.iter_mut().zip(&calls.calls) {
            match state {
                CallState::Aggregate(accumulator) => {
                    let mut arguments = [Cell::Null; ARGUMENTS_MAX];
                    let values = part(&row.values, &call.columns)?;
                    for (argument, value) in arguments.iter_mut().zip(values) {
                        *argument = value.cell();
                    }
                    accumulator.remove(part(&arguments, &(0..values.len()))?)?;
                }
                CallState::Analytic(frame) => frame.remove(number),
            }
        }
        if self.saved_rows == 0 {
            return Ok(None);
        }
        self.saved_rows -= 1;
        Ok(Some(number))
    }

    /// What the calls give for the newest row. `defaults`: what `LAG` gives where there is no row.
    pub fn results(
        &self,
        calls: &WindowCalls,
        defaults: &[Cell<'_>],
        results: &mut Vec<Value>,
    ) -> Result<Option<Fault>, Invalid> {
        let mut failed = None;
        for (state, call) in self.calls.iter().zip(&calls.calls) {
            results.push(match state {
                CallState::Aggregate(accumulator) => match accumulator.result() {
                    Ok(value) => value,
                    Err(fault) => {
                        failed.get_or_insert(fault);
                        Value::Null
                    }
                },
                CallState::Analytic(frame) => {
                    let default = match call.default {
                        Some(place) => *defaults.get(place).ok_or_else(missing)?,
                        None => Cell::Null,
                    };
                    frame.result(default)
                }
            });
        }
        Ok(failed)
    }

    /// What the state holds of it besides its rows.
    pub fn bytes(&self, calls: &WindowCalls) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_u64(&mut bytes, self.first);
        for state in &self.calls {
            match state {
                CallState::Aggregate(accumulator) => accumulator.save(&mut bytes),
                // Those of other frames are made of the rows again.
                CallState::Analytic(frame) if calls.grows => frame.save(&mut bytes),
                CallState::Analytic(_) => {}
            }
        }
        bytes
    }

    /// Takes up what [`Partition::bytes`] gave.
    pub fn restore(&mut self, mut bytes: &[u8], calls: &WindowCalls) -> Result<(), Invalid> {
        self.saved = true;
        self.first = take_u64(&mut bytes)?;
        for state in &mut self.calls {
            match state {
                CallState::Aggregate(accumulator) => accumulator.restore(&mut bytes)?,
                CallState::Analytic(frame) if calls.grows => frame.restore(&mut bytes)?,
                CallState::Analytic(_) => {}
            }
        }
        Ok(())
    }

    /// The rows that no save has written yet, with their numbers.
    pub fn unsaved_rows(&self) -> impl Iterator<Item = (u64, Vec<u8>)> {
        let rows = (self.first..).zip(&self.rows).skip(self.saved_rows);
        rows.map(|(number, row)| {
            let mut bytes = Vec::new();
            put_i64(&mut bytes, row.rowtime);
            for value in &row.values {
                put_cell(&mut bytes, value.cell());
            }
            (number, bytes)
        })
    }

    /// Its value and all its rows are in the saved state now.
    pub fn set_saved(&mut self) {
        self.saved = true;
        self.saved_rows = self.rows.len();
    }

    pub fn is_saved(&self) -> bool {
        self.saved
    }

    /// Takes up a row that was saved, behind those before it; its `ROWTIME`.
    pub fn restore_row(
        &mut self,
        number: u64,
        mut bytes: &[u8],
        calls: &WindowCalls,
    ) -> Result<Millis, Invalid> {
        if number != self.first + self.rows.len() as u64 {
            return Err(Invalid::new(
                "internal: a row of a window is missing in its state",
            ));
        }
        let rowtime = take_i64(&mut bytes)?;
        let values: Box<[Value]> = take_values(bytes)?.into();
        for (state, call) in self.calls.iter_mut().zip(&calls.calls) {
            if let CallState::Analytic(frame) = state {
                for value in part(&values, &call.columns)? {
                    frame.add(number, value.cell());
                }
            }
        }
        self.row_bytes += bytes_of(&values);
        self.rows.push_back(FrameRow { rowtime, values });
        self.saved_rows += 1;
        Ok(rowtime)
    }
}

fn part<'a, T>(values: &'a [T], columns: &Range<usize>) -> Result<&'a [T], Invalid> {
    values.get(columns.clone()).ok_or_else(missing)
}

fn missing() -> Invalid {
    Invalid::new("internal: a call of a window lacks its arguments")
}

fn bytes_of(values: &[Value]) -> usize {
    let own = size_of::<FrameRow>() + size_of_val(values);
    let more = values.iter().map(|value| match value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        _ => 0,
    });
    own + more.sum::<usize>()
}
