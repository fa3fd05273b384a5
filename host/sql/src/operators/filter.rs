//! `WHERE` and `HAVING`: the rows that make a condition true.

use arrow_array::BooleanArray;

use crate::batch::{Batch, Millis};
use crate::expr::Expr;
use crate::expr::evaluate::of_arrow;
use crate::fault::{Invalid, RowFaults};
use crate::operator::{Operator, Out, StateWriter};
use crate::operators::rows::{give_faults, types_of};
use crate::ty::{RowType, SqlType};

/// A filter that runs. It has no state.
pub struct Filter {
    condition: Expr,
    types: Vec<SqlType>,
}

impl Filter {
    /// Of rows of this type.
    pub fn new(condition: &Expr, rows: &RowType) -> Self {
        Self {
            condition: condition.clone(),
            types: types_of(rows),
        }
    }
}

impl Operator for Filter {
    fn on_batch(&mut self, _: usize, batch: &Batch, out: &mut Out) -> Result<(), Invalid> {
        let mut faults = RowFaults::default();
        let holds = self.condition.holds(batch, &mut faults)?;
        give_faults(batch, &self.types, &faults, out);
        let kept = without_faults(holds, &faults);
        match kept.true_count() {
            0 => {}
            count if count == batch.rows() => out.batches.push(batch.clone()),
            _ => out.batches.push(batch.filter(&kept).map_err(of_arrow)?),
        }
        Ok(())
    }

    fn on_time(&mut self, _: Millis, _: &mut Out) -> Result<(), Invalid> {
        Ok(())
    }

    fn on_end(&mut self, _: &mut Out) -> Result<(), Invalid> {
        Ok(())
    }

    fn save(&mut self, _: &mut dyn StateWriter) {}

    fn restore(&mut self, _: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>) -> Result<(), Invalid> {
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        0
    }
}

/// A mask in which no row that failed is true.
pub fn without_faults(mask: BooleanArray, faults: &RowFaults) -> BooleanArray {
    if faults.is_empty() {
        return mask;
    }
    let mut truths: Vec<bool> = mask.values().iter().collect();
    faults.iter().for_each(|(row, _)| truths[row] = false);
    truths.into()
}
