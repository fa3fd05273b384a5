//! Rows that are held one by one: as bytes, back into batches, and how many of them may be held.

use std::collections::BTreeMap;

use crate::batch::{BATCH_ROWS_MAX, Batch, Millis, timestamps};
use crate::cell::{Cell, Cells, ColumnBuilder, Value};
use crate::fault::{Fault, Invalid, RowFaults};
use crate::key::{put_cell, take_value};
use crate::operator::{FaultedRow, Out};
use crate::ty::{RowType, SqlType};

/// Rows that one operator holds, at most; a query that would hold more stands still with the
/// reason.
pub const HELD_ROWS_MAX: usize = 8_000_000;

/// Bytes that one operator holds, at most, likewise.
pub const HELD_BYTES_MAX: usize = 1 << 30;

/// Refuses to hold more than the limits allow. `what` names what holds them.
///
/// # Errors
///
/// More rows or bytes than the limits.
pub fn check_held(what: &str, rows: usize, bytes: usize) -> Result<(), Invalid> {
    if rows > HELD_ROWS_MAX {
        return Err(Invalid::new(format!(
            "{what} would hold {rows} rows, more than {HELD_ROWS_MAX}"
        )));
    }
    if bytes > HELD_BYTES_MAX {
        return Err(Invalid::new(format!(
            "{what} would hold {bytes} bytes, more than {HELD_BYTES_MAX}"
        )));
    }
    Ok(())
}

/// Puts a moment that may not be known yet.
pub fn put_moment(to: &mut Vec<u8>, moment: Option<Millis>) {
    put_cell(to, moment.map_or(Cell::Null, Cell::Whole));
}

/// What [`put_moment`] put.
///
/// # Errors
///
/// Bytes that it did not write.
pub fn take_moment(from: &mut &[u8]) -> Result<Option<Millis>, Invalid> {
    match take_value(from)? {
        Value::Null => Ok(None),
        Value::Whole(moment) => Ok(Some(moment)),
        _ => Err(Invalid::new(
            "internal: state holds something else for a moment",
        )),
    }
}

/// The types of all columns, `ROWTIME` first.
pub fn types_of(rows: &RowType) -> Vec<SqlType> {
    rows.columns().iter().map(|column| column.ty).collect()
}

/// The columns of a batch, for reading whole rows.
pub struct RowReader<'a> {
    cells: Vec<Cells<'a>>,
}

impl<'a> RowReader<'a> {
    /// All columns of a batch, whose types are these.
    pub fn new(batch: &'a Batch, types: &[SqlType]) -> Self {
        let columns = batch.columns().iter().zip(types);
        let cells = columns.map(|(column, ty)| Cells::new(column, *ty));
        Self {
            cells: cells.collect(),
        }
    }

    /// Puts the values of a row behind what is there, without its `ROWTIME`.
    pub fn put(&self, row: usize, to: &mut Vec<u8>) {
        for cells in &self.cells[1..] {
            put_cell(to, cells.get(row));
        }
    }

    /// A row for the error stream.
    pub fn faulted(&self, row: usize, rowtime: Millis, fault: Fault) -> FaultedRow {
        let values = self.cells[1..].iter();
        let row = values.map(|cells| cells.get(row).to_value()).collect();
        FaultedRow {
            fault,
            rowtime,
            row,
        }
    }
}

/// Gives the rows that failed to the error stream.
pub fn give_faults(batch: &Batch, types: &[SqlType], faults: &RowFaults, out: &mut Out) {
    if faults.is_empty() {
        return;
    }
    let reader = RowReader::new(batch, types);
    let rowtimes = batch.rowtimes();
    for (row, fault) in faults.iter() {
        let faulted = reader.faulted(row, rowtimes.value(row), fault.clone());
        out.faults.push(faulted);
    }
}

/// Makes batches of rows that were held.
pub struct RowSink {
    rowtimes: Vec<Millis>,
    builders: Vec<ColumnBuilder>,
}

impl RowSink {
    /// For rows of these columns, `ROWTIME` first.
    pub fn new(types: &[SqlType]) -> Self {
        let builders = types[1..].iter().map(|ty| ColumnBuilder::new(*ty));
        Self {
            rowtimes: Vec::new(),
            builders: builders.collect(),
        }
    }

    /// Adds a row of what [`RowReader::put`] gave.
    ///
    /// # Errors
    ///
    /// Bytes of other columns.
    pub fn push(&mut self, rowtime: Millis, mut row: &[u8], out: &mut Out) -> Result<(), Invalid> {
        for builder in &mut self.builders {
            builder.push(take_value(&mut row)?.cell())?;
        }
        self.rowtimes.push(rowtime);
        if self.rowtimes.len() == BATCH_ROWS_MAX {
            self.flush(out);
        }
        Ok(())
    }

    /// Gives what there is.
    pub fn flush(&mut self, out: &mut Out) {
        if self.rowtimes.is_empty() {
            return;
        }
        let mut columns = vec![timestamps(std::mem::take(&mut self.rowtimes))];
        columns.extend(self.builders.iter_mut().map(ColumnBuilder::finish));
        out.batches.push(Batch::new(columns));
    }
}

/// Which entries of a state are to be written. What comes and leaves between two saves never is.
#[derive(Debug, Default)]
pub struct Changed {
    /// For each key that changed: whether the saved state has it.
    keys: BTreeMap<Box<[u8]>, bool>,
}

impl Changed {
    /// An entry came that was not there.
    pub fn came(&mut self, key: &[u8]) {
        self.keys.entry(key.into()).or_insert(false);
    }

    /// An entry that is there has another value.
    pub fn changed(&mut self, key: &[u8]) {
        self.keys.entry(key.into()).or_insert(true);
    }

    pub fn left(&mut self, key: &[u8]) {
        match self.keys.get(key) {
            Some(false) => {
                self.keys.remove(key);
            }
            Some(true) => {}
            None => {
                self.keys.insert(key.into(), true);
            }
        }
    }

    /// The keys that changed, in their order, for the last time.
    pub fn take(&mut self) -> impl Iterator<Item = Box<[u8]>> {
        std::mem::take(&mut self.keys).into_keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_limits_is_refused_with_the_reason() {
        assert!(check_held("JOIN", HELD_ROWS_MAX, HELD_BYTES_MAX).is_ok());
        let refused = check_held("JOIN", HELD_ROWS_MAX + 1, 0).unwrap_err();
        assert!(refused.message.starts_with("JOIN would hold 8000001 rows"));
        assert!(check_held("JOIN", 0, HELD_BYTES_MAX + 1).is_err());
    }

    #[test]
    fn an_entry_that_came_and_left_between_two_saves_is_not_written() {
        let mut changed = Changed::default();
        let mut take = |steps: &[fn(&mut Changed, &[u8])]| {
            for step in steps {
                step(&mut changed, b"key");
            }
            changed.take().count()
        };
        assert_eq!(take(&[Changed::came, Changed::left]), 0);
        assert_eq!(take(&[Changed::changed, Changed::left]), 1);
        assert_eq!(take(&[Changed::left, Changed::came, Changed::left]), 1);
    }
}
