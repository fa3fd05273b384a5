//! The rows that windows are answered with.

use crate::batch::{BATCH_ROWS_MAX, Batch, Millis, timestamps};
use crate::cell::{ColumnBuilder, Value};
use crate::fault::Invalid;
use crate::key::take_values;
use crate::operator::{FaultedRow, Out};
use crate::plan::Aggregate;
use crate::ty::SqlType;

use super::groups::Groups;

/// Which window a group is answered for.
#[derive(Clone, Copy)]
pub struct Answered {
    pub rowtime: Millis,
    pub start: Millis,
    pub end: Millis,
}

pub struct Answers {
    bounds: bool,
    rowtimes: Vec<Millis>,
    starts: Vec<Millis>,
    ends: Vec<Millis>,
    /// Of the keys and the aggregates.
    columns: Vec<ColumnBuilder>,
    /// The values of one row.
    values: Vec<Value>,
}

impl Answers {
    pub fn new(step: &Aggregate, bounds: bool) -> Self {
        let keys = step.keys.iter().map(crate::expr::Expr::ty);
        let results = step.aggregates.iter().map(|call| call.ty);
        let types: Vec<SqlType> = keys.chain(results).collect();
        Self {
            bounds,
            rowtimes: Vec::new(),
            starts: Vec::new(),
            ends: Vec::new(),
            columns: types.into_iter().map(ColumnBuilder::new).collect(),
            values: Vec::new(),
        }
    }

    /// Answers a group. One whose values do not fit their types becomes a fault with its keys.
    pub fn give(
        &mut self,
        groups: &Groups,
        group: usize,
        window: Answered,
        out: &mut Out,
    ) -> Result<(), Invalid> {
        let keys = take_values(groups.key(group))?;
        self.values.clear();
        if let Err(fault) = groups.results(group, &mut self.values) {
            out.faults.push(FaultedRow {
                fault,
                rowtime: window.rowtime,
                row: keys,
            });
            return Ok(());
        }
        let values = keys.iter().chain(&self.values);
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.push(value.cell())?;
        }
        if self.bounds {
            self.starts.push(window.start);
            self.ends.push(window.end);
        }
        self.rowtimes.push(window.rowtime);
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
        if self.bounds {
            columns.push(timestamps(std::mem::take(&mut self.starts)));
            columns.push(timestamps(std::mem::take(&mut self.ends)));
        }
        columns.extend(self.columns.iter_mut().map(ColumnBuilder::finish));
        out.batches.push(Batch::new(columns));
    }
}
