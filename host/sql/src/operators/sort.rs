//! `ORDER BY`: rows leave in the order of a moment, held for as long as an earlier one may come.
//!
//! ```text
//! state: 00                         -> the greatest moment seen, the time, rows so far
//!        01 moment, keys, number    -> the row; the bytes of these keys have the order of the rows
//! ```

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{Array, ArrayRef};

use super::rows::{
    Changed, RowReader, RowSink, check_held, give_faults, put_moment, take_moment, types_of,
};
use crate::batch::{Batch, Millis, timestamps};
use crate::cell::{Cell, Cells};
use crate::expr::Expr;
use crate::fault::{Fault, FaultKind, Invalid, RowFaults};
use crate::key::{put_i64, put_key, put_u64, take_i64, take_u8, take_u64};
use crate::operator::{Operator, Out, StateWriter};
use crate::plan::{SortKey, SortStep};
use crate::ty::SqlType;

const HEADER: u8 = 0;
const ROW: u8 = 1;

/// About what an entry of the map costs besides its bytes.
const ENTRY_BYTES: usize = 64;

/// A sort that runs.
pub struct Sort {
    types: Vec<SqlType>,
    by: Expr,
    within: Millis,
    then: Vec<SortKey>,
    /// The row's place in the order, and the row.
    held: BTreeMap<Box<[u8]>, Box<[u8]>>,
    held_bytes: usize,
    clock: Clock,
    saved_clock: Option<Clock>,
    changed: Changed,
}

/// How far the order is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Clock {
    /// The greatest moment of a row.
    greatest: Option<Millis>,
    /// No row that comes has an earlier moment: what the time of the input said.
    time: Option<Millis>,
    /// Rows that were held so far, so that each has a number.
    rows: u64,
}

impl Sort {
    /// A sort of no rows yet.
    ///
    /// # Errors
    ///
    /// A plan that is broken.
    pub fn new(step: &SortStep) -> Result<Self, Invalid> {
        if step.by.ty() != SqlType::Timestamp {
            return Err(Invalid::new(
                "internal: a sort by something else than a timestamp",
            ));
        }
        Ok(Self {
            types: types_of(&step.input.rows),
            by: step.by.clone(),
            within: step.within,
            then: step.then.clone(),
            held: BTreeMap::new(),
            held_bytes: 0,
            clock: Clock {
                greatest: None,
                time: None,
                rows: 0,
            },
            saved_clock: None,
            changed: Changed::default(),
        })
    }

    /// Rows with an earlier moment than this one have left, or are late.
    fn bound(&self) -> Option<Millis> {
        let seen = self.clock.greatest;
        let seen = seen.map(|greatest| greatest.saturating_sub(self.within));
        seen.max(self.clock.time)
    }

    fn take_row(&mut self, place: Vec<u8>, row: Vec<u8>) {
        self.held_bytes += place.len() + row.len() + ENTRY_BYTES;
        self.changed.came(&place);
        self.held.insert(place.into(), row.into());
    }

    /// Gives the rows before a moment, or all.
    fn release(&mut self, before: Option<Millis>, out: &mut Out) -> Result<(), Invalid> {
        let mut sink = RowSink::new(&self.types);
        while let Some(entry) = self.held.first_entry() {
            let moment = moment_of(entry.key())?;
            if before.is_some_and(|before| moment >= before) {
                break;
            }
            let (place, row) = entry.remove_entry();
            self.held_bytes -= place.len() + row.len() + ENTRY_BYTES;
            self.changed.left(&place);
            sink.push(moment, &row, out)?;
        }
        sink.flush(out);
        Ok(())
    }

    /// What `by` is for all rows from this time on at least, if it depends on `ROWTIME` alone.
    fn moment_at(&self, time: Millis) -> Result<Option<Millis>, Invalid> {
        if self.by.columns() != [0] {
            return Ok(None);
        }
        let row = Batch::new(vec![timestamps(vec![time])]);
        let mut faults = RowFaults::default();
        let moments = self.by.evaluate(&row, &mut faults)?;
        let moments = moments.as_primitive::<TimestampMillisecondType>();
        let known = faults.is_empty() && moments.is_valid(0);
        Ok(known.then(|| moments.value(0)))
    }
}

impl Operator for Sort {
    fn on_batch(&mut self, _input: usize, batch: &Batch, out: &mut Out) -> Result<(), Invalid> {
        let mut faults = RowFaults::default();
        let moments = self.by.evaluate(batch, &mut faults)?;
        let moments = moments.as_primitive::<TimestampMillisecondType>();
        let mut keys: Vec<ArrayRef> = Vec::with_capacity(self.then.len());
        for key in &self.then {
            keys.push(key.value.evaluate(batch, &mut faults)?);
        }
        let types = self.types.clone();
        let reader = RowReader::new(batch, &types);
        let then = self.then.clone();
        let keys: Vec<(Cells<'_>, bool)> = keys
            .iter()
            .zip(&then)
            .map(|(column, key)| (Cells::new(column, key.value.ty()), key.descending))
            .collect();
        for row in 0..batch.rows() {
            if faults.has(row) {
                continue;
            }
            if moments.is_null(row) {
                out.dropped += 1;
                continue;
            }
            let moment = moments.value(row);
            if self.bound().is_some_and(|bound| moment < bound) {
                faults.add(row, late_row(self.within));
                continue;
            }
            self.clock.greatest = self.clock.greatest.max(Some(moment));
            let place = place_of(moment, &keys, row, self.clock.rows);
            self.clock.rows += 1;
            let mut values = Vec::new();
            reader.put(row, &mut values);
            self.take_row(place, values);
        }
        give_faults(batch, &types, &faults, out);
        if let Some(bound) = self.bound() {
            self.release(Some(bound), out)?;
        }
        check_held("ORDER BY", self.held.len(), self.held_bytes)
    }

    fn on_time(&mut self, time: Millis, out: &mut Out) -> Result<(), Invalid> {
        let Some(moment) = self.moment_at(time)? else {
            return Ok(());
        };
        self.clock.time = self
            .clock
            .time
            .max(Some(moment.saturating_sub(self.within)));
        self.release(self.bound(), out)
    }

    fn on_end(&mut self, out: &mut Out) -> Result<(), Invalid> {
        self.release(None, out)
    }

    fn time_after(&self, _time: Millis) -> Option<Millis> {
        self.bound()
    }

    fn save(&mut self, changes: &mut dyn StateWriter) {
        if self.saved_clock != Some(self.clock) {
            changes.put(&[HEADER], &self.clock.bytes());
            self.saved_clock = Some(self.clock);
        }
        for place in self.changed.take() {
            match self.held.get(&place) {
                Some(row) => changes.put(&place, row),
                None => changes.delete(&place),
            }
        }
    }

    fn restore(
        &mut self,
        rows: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<(), Invalid> {
        for (key, value) in rows {
            if key == [HEADER] {
                self.clock = Clock::of(&value)?;
                self.saved_clock = Some(self.clock);
            } else {
                moment_of(&key)?;
                self.held_bytes += key.len() + value.len() + ENTRY_BYTES;
                self.held.insert(key.into(), value.into());
            }
        }
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        self.held_bytes
    }
}

impl Clock {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_moment(&mut bytes, self.greatest);
        put_moment(&mut bytes, self.time);
        put_u64(&mut bytes, self.rows);
        bytes
    }

    fn of(mut bytes: &[u8]) -> Result<Self, Invalid> {
        Ok(Self {
            greatest: take_moment(&mut bytes)?,
            time: take_moment(&mut bytes)?,
            rows: take_u64(&mut bytes)?,
        })
    }
}

/// Bytes that have the order in which rows leave.
fn place_of(moment: Millis, keys: &[(Cells<'_>, bool)], row: usize, number: u64) -> Vec<u8> {
    let mut place = vec![ROW];
    put_i64(&mut place, moment);
    for (cells, descending) in keys {
        let start = place.len();
        match cells.get(row) {
            // Greater than the first byte of all other values.
            Cell::Null => place.push(u8::MAX),
            cell => put_key(&mut place, cell),
        }
        if *descending {
            place[start..].iter_mut().for_each(|byte| *byte = !*byte);
        }
    }
    put_u64(&mut place, number);
    place
}

/// The moment of a row, of its place in the order.
fn moment_of(mut place: &[u8]) -> Result<Millis, Invalid> {
    match take_u8(&mut place)? {
        ROW => take_i64(&mut place),
        _ => Err(Invalid::new(
            "internal: state of a sort is of no known kind",
        )),
    }
}

fn late_row(within: Millis) -> Fault {
    let message = format!("a row that is more than {within} ms older than one before it");
    Fault::new(FaultKind::LateRow, message)
}
