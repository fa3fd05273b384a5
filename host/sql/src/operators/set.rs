//! `DISTINCT`, `EXCEPT` and `INTERSECT`: rows that are told apart within each window of `ROWTIME`.
//!
//! Rows are the same when their values behind `ROWTIME` are; two nulls are the same here. Rows of
//! `DISTINCT` and `INTERSECT` leave as soon as they are known to belong to the answer, those of
//! `EXCEPT` when their window is over.
//!
//! ```text
//! state: 00                -> the window, rows so far
//!        01 window, row    -> inputs that had it, its number, the row as it came first
//! ```

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use arrow_array::UInt32Array;

use super::rows::{Changed, RowReader, RowSink, check_held, put_moment, take_moment, types_of};
use crate::batch::{Batch, Millis};
use crate::expr::evaluate::of_arrow;
use crate::fault::Invalid;
use crate::key::{RowKeys, put_i64, put_u64, take_i64, take_u8, take_u64};
use crate::operator::{Operator, Out, StateWriter};
use crate::plan::{SetKind, SetStep};
use crate::ty::SqlType;

const HEADER: u8 = 0;
const ROW: u8 = 1;

/// Queries that one set operation can have: one bit for each.
const INPUTS_MAX: usize = 63;

/// About what an entry of the map costs besides its bytes.
const ENTRY_BYTES: usize = 96;

/// A set operation that runs.
pub struct Set {
    kind: SetKind,
    types: Vec<SqlType>,
    /// The bit of each input, all set.
    all: u64,
    /// None: rows of the same `ROWTIME`, which are windows of one millisecond.
    window: Option<Millis>,
    clock: Clock,
    saved_clock: Option<Clock>,
    /// By the bytes of the row.
    seen: HashMap<Box<[u8]>, Seen>,
    seen_bytes: usize,
    changed: Changed,
}

/// A row of the window.
struct Seen {
    /// A bit for each input that had it.
    inputs: u64,
    number: u64,
    /// Its values as they came first; only `EXCEPT` gives them later.
    row: Box<[u8]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Clock {
    /// When the window began that is open.
    start: Option<Millis>,
    /// Different rows so far.
    rows: u64,
}

impl Set {
    /// A set operation of no rows yet.
    ///
    /// # Errors
    ///
    /// More inputs than a set operation can have, or a plan that is broken.
    pub fn new(step: &SetStep) -> Result<Self, Invalid> {
        let [first, ..] = step.inputs.as_slice() else {
            return Err(Invalid::new("internal: a set operation over nothing"));
        };
        if step.inputs.len() > INPUTS_MAX {
            return Err(Invalid::new(format!(
                "more than {INPUTS_MAX} queries in one set operation"
            )));
        }
        if step.window.is_some_and(|window| window <= 0) {
            return Err(Invalid::new("internal: a window without length"));
        }
        Ok(Self {
            kind: step.kind,
            types: types_of(&first.rows),
            all: (1 << step.inputs.len()) - 1,
            window: step.window,
            clock: Clock {
                start: None,
                rows: 0,
            },
            saved_clock: None,
            seen: HashMap::new(),
            seen_bytes: 0,
            changed: Changed::default(),
        })
    }

    /// Ends the window if it lies before `time`.
    fn advance(&mut self, time: Millis, out: &mut Out) -> Result<(), Invalid> {
        let Some(start) = self.clock.start else {
            return Ok(());
        };
        let end = start.saturating_add(self.window.unwrap_or(1));
        if time < end {
            return Ok(());
        }
        if self.kind == SetKind::Except {
            // Rows of one ROWTIME keep it; those of a longer window leave at its end.
            let rowtime = if self.window.is_some() { end } else { start };
            self.give_remaining(rowtime, out)?;
        }
        for row in self.seen.keys() {
            self.changed.left(&state_key(start, row));
        }
        self.seen.clear();
        self.seen_bytes = 0;
        self.clock.start = None;
        Ok(())
    }

    /// Gives the rows that only the first input had, in the order in which they came.
    fn give_remaining(&self, rowtime: Millis, out: &mut Out) -> Result<(), Invalid> {
        let mut rows: Vec<&Seen> = self.seen.values().filter(|seen| seen.inputs == 1).collect();
        rows.sort_unstable_by_key(|seen| seen.number);
        let mut sink = RowSink::new(&self.types);
        for seen in rows {
            sink.push(rowtime, &seen.row, out)?;
        }
        sink.flush(out);
        Ok(())
    }

    /// Notes a row of an input; whether it belongs to the answer, and now for the first time.
    fn note(&mut self, input: u64, start: Millis, key: &[u8], row: impl Fn() -> Box<[u8]>) -> bool {
        if let Some(seen) = self.seen.get_mut(key) {
            let before = seen.inputs;
            seen.inputs |= input;
            if seen.inputs == before {
                return false;
            }
            let complete = seen.inputs == self.all;
            self.changed.changed(&state_key(start, key));
            return self.kind == SetKind::Intersect && complete;
        }
        let row = if self.kind == SetKind::Except && input == 1 {
            row()
        } else {
            Box::default()
        };
        self.seen_bytes += key.len() + row.len() + ENTRY_BYTES;
        let seen = Seen {
            inputs: input,
            number: self.clock.rows,
            row,
        };
        self.clock.rows += 1;
        self.changed.came(&state_key(start, key));
        self.seen.insert(key.into(), seen);
        match self.kind {
            SetKind::Distinct => true,
            SetKind::Intersect => input == self.all,
            SetKind::Except => false,
        }
    }

    fn start_of(&self, rowtime: Millis) -> Millis {
        let length = self.window.unwrap_or(1);
        rowtime.saturating_sub(rowtime.rem_euclid(length))
    }
}

impl Operator for Set {
    fn on_batch(&mut self, input: usize, batch: &Batch, out: &mut Out) -> Result<(), Invalid> {
        let input = 1_u64 << input;
        if self.all & input == 0 {
            return Err(Invalid::new(
                "internal: rows of an input that a set does not have",
            ));
        }
        let types = self.types.clone();
        let keys = RowKeys::new(&batch.columns()[1..], &types[1..], batch.rows());
        let reader = RowReader::new(batch, &types);
        let rowtimes = batch.rowtimes();
        let mut given: Vec<u32> = Vec::new();
        for row in 0..batch.rows() {
            let rowtime = rowtimes.value(row);
            self.advance(rowtime, out)?;
            let start = self.start_of(rowtime);
            self.clock.start = Some(start);
            let values = || {
                let mut values = Vec::new();
                reader.put(row, &mut values);
                values.into()
            };
            if self.note(input, start, keys.get(row), values) {
                let number = u32::try_from(row);
                given.push(number.map_err(|_| Invalid::new("internal: a batch without end"))?);
            }
        }
        if given.len() == batch.rows() {
            out.batches.push(batch.clone());
        } else if !given.is_empty() {
            let rows = batch.take(&UInt32Array::from(given)).map_err(of_arrow)?;
            out.batches.push(rows);
        }
        check_held(self.name(), self.seen.len(), self.seen_bytes)
    }

    fn on_time(&mut self, time: Millis, out: &mut Out) -> Result<(), Invalid> {
        self.advance(time, out)
    }

    fn on_end(&mut self, out: &mut Out) -> Result<(), Invalid> {
        self.advance(Millis::MAX, out)
    }

    fn save(&mut self, changes: &mut dyn StateWriter) {
        if self.saved_clock != Some(self.clock) {
            changes.put(&[HEADER], &self.clock.bytes());
            self.saved_clock = Some(self.clock);
        }
        for key in self.changed.take() {
            let row = key.get(STATE_KEY_HEAD..).and_then(|row| self.seen.get(row));
            let open = self
                .clock
                .start
                .is_some_and(|start| key.starts_with(&state_key(start, &[])));
            match row {
                Some(seen) if open => changes.put(&key, &seen.bytes()),
                _ => changes.delete(&key),
            }
        }
    }

    fn restore(
        &mut self,
        rows: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<(), Invalid> {
        for (key, value) in rows {
            let mut rest = key.as_slice();
            match take_u8(&mut rest)? {
                HEADER => {
                    self.clock = Clock::of(&value)?;
                    self.saved_clock = Some(self.clock);
                }
                ROW => {
                    take_i64(&mut rest)?;
                    let seen = Seen::of(&value)?;
                    self.seen_bytes += rest.len() + seen.row.len() + ENTRY_BYTES;
                    self.seen.insert(rest.into(), seen);
                }
                _ => return Err(Invalid::new("internal: state of a set is of no known kind")),
            }
        }
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        self.seen_bytes
    }
}

impl Set {
    fn name(&self) -> &'static str {
        match self.kind {
            SetKind::Distinct => "DISTINCT",
            SetKind::Except => "EXCEPT",
            SetKind::Intersect => "INTERSECT",
        }
    }
}

/// The bytes of a key before those of the row.
const STATE_KEY_HEAD: usize = 9;

fn state_key(start: Millis, row: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(STATE_KEY_HEAD + row.len());
    key.push(ROW);
    put_i64(&mut key, start);
    key.extend_from_slice(row);
    key
}

impl Seen {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_u64(&mut bytes, self.inputs);
        put_u64(&mut bytes, self.number);
        bytes.extend_from_slice(&self.row);
        bytes
    }

    fn of(mut bytes: &[u8]) -> Result<Self, Invalid> {
        Ok(Self {
            inputs: take_u64(&mut bytes)?,
            number: take_u64(&mut bytes)?,
            row: bytes.into(),
        })
    }
}

impl Clock {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_moment(&mut bytes, self.start);
        put_u64(&mut bytes, self.rows);
        bytes
    }

    fn of(mut bytes: &[u8]) -> Result<Self, Invalid> {
        Ok(Self {
            start: take_moment(&mut bytes)?,
            rows: take_u64(&mut bytes)?,
        })
    }
}
