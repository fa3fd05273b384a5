//! `OVER`: each row leaves at once, with values of the rows around it behind its own.
//!
//! A `RANGE` frame has the rows that are less than its length older, and those of the same
//! `ROWTIME` that came before: in AWS's page of sliding windows a row is no longer counted when it
//! is as old as the window is long.
//!
//! A row whose values cannot be evaluated belongs to no frame. One for which only the result
//! cannot be given, since a sum is too large, leaves for the error stream and stays in the frames.

mod partition;
mod partitions;
#[cfg(test)]
mod tests;
mod window;

use self::window::{WindowCells, WindowRows};
use super::rows::{check_held, give_faults, types_of};
use crate::batch::{Batch, Millis};
use crate::cell::{ColumnBuilder, Value};
use crate::expr::evaluate::of_arrow;
use crate::fault::{Fault, Invalid, RowFaults};
use crate::operator::{Operator, Out, StateWriter};
use crate::plan;
use crate::ty::SqlType;

/// Sliding windows that run.
pub struct Over {
    types: Vec<SqlType>,
    windows: Vec<WindowRows>,
    /// Of the values that are added.
    added: Vec<SqlType>,
}

impl Over {
    /// Windows of no rows yet.
    ///
    /// # Errors
    ///
    /// More windows or calls than there can be, or a plan that is broken.
    pub fn new(over: &plan::Over) -> Result<Self, Invalid> {
        let mut windows = Vec::with_capacity(over.windows.len());
        for (number, window) in over.windows.iter().enumerate() {
            let number = u8::try_from(number);
            let number = number.map_err(|_| Invalid::new("more than 256 windows in one SELECT"))?;
            windows.push(WindowRows::new(number, window)?);
        }
        Ok(Self {
            types: types_of(&over.input.rows),
            added: windows.iter().flat_map(WindowRows::result_types).collect(),
            windows,
        })
    }

    /// Lets all windows take a row, and adds what their calls give for it.
    fn take_row(
        &mut self,
        cells: &mut [WindowCells<'_>],
        row: usize,
        rowtime: Millis,
        results: &mut Vec<Value>,
    ) -> Result<Option<Fault>, Invalid> {
        let mut failed = None;
        for (window, cells) in self.windows.iter_mut().zip(cells) {
            let fault = window.take_row(cells, row, rowtime, results)?;
            failed = failed.or(fault);
        }
        Ok(failed)
    }
}

impl Operator for Over {
    fn on_batch(&mut self, _input: usize, batch: &Batch, out: &mut Out) -> Result<(), Invalid> {
        let mut faults = RowFaults::default();
        let mut columns = Vec::with_capacity(self.windows.len());
        for window in &self.windows {
            columns.push(window.evaluate(batch, &mut faults)?);
        }
        let mut cells: Vec<WindowCells<'_>> = columns.iter().map(WindowCells::new).collect();
        let added = self.added.iter();
        let mut builders: Vec<ColumnBuilder> = added.map(|ty| ColumnBuilder::new(*ty)).collect();
        let rowtimes = batch.rowtimes();
        let mut results = Vec::with_capacity(self.added.len());
        for row in 0..batch.rows() {
            if faults.has(row) {
                continue;
            }
            results.clear();
            let fault = self.take_row(&mut cells, row, rowtimes.value(row), &mut results)?;
            if let Some(fault) = fault {
                faults.add(row, fault);
                continue;
            }
            for (builder, result) in builders.iter_mut().zip(&results) {
                builder.push(result.cell())?;
            }
        }
        let mut given = batch.clone();
        if !faults.is_empty() {
            give_faults(batch, &self.types, &faults, out);
            let good = (0..batch.rows()).map(|row| !faults.has(row));
            given = batch
                .filter(&good.collect::<Vec<bool>>().into())
                .map_err(of_arrow)?;
        }
        if given.rows() > 0 {
            let mut columns = given.columns().to_vec();
            columns.extend(builders.iter_mut().map(ColumnBuilder::finish));
            out.batches.push(Batch::new(columns));
        }
        let rows = self.windows.iter().map(WindowRows::held_rows).sum();
        check_held("OVER", rows, self.state_bytes())
    }

    fn on_time(&mut self, time: Millis, _out: &mut Out) -> Result<(), Invalid> {
        for window in &mut self.windows {
            window.pass_time(time)?;
        }
        Ok(())
    }

    fn on_end(&mut self, _out: &mut Out) -> Result<(), Invalid> {
        Ok(())
    }

    fn save(&mut self, changes: &mut dyn StateWriter) {
        for window in &mut self.windows {
            window.save(changes);
        }
    }

    fn restore(
        &mut self,
        rows: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<(), Invalid> {
        let mut held: Vec<Vec<(Vec<u8>, Vec<u8>)>> = vec![Vec::new(); self.windows.len()];
        for (key, value) in rows {
            let number = key.first().map(|number| usize::from(*number));
            let held = number.and_then(|number| held.get_mut(number));
            let unknown = || Invalid::new("internal: state of a window that is not there");
            held.ok_or_else(unknown)?.push((key, value));
        }
        for (window, held) in self.windows.iter_mut().zip(held) {
            window.restore(held)?;
        }
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        self.windows.iter().map(WindowRows::held_bytes).sum()
    }
}
