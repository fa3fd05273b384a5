//! `JOIN`: rows of two sides that match.
//!
//! Input 0 is the left side and input 1 the right one, also where the other is a table. A row that
//! comes meets the rows of the other side that are kept, so each pair is found once: when the later
//! of its rows comes.

mod kept;
mod lookup;
#[cfg(test)]
mod tests;
mod window;

use arrow_array::{Array, ArrayRef, BooleanArray};

use super::rows::{give_faults, types_of};
use crate::batch::Batch;
use crate::expr::Expr;
use crate::fault::{Invalid, RowFaults};
use crate::key::RowKeys;
use crate::operator::{Operator, Out};
use crate::plan::{self, JoinInput, JoinSide};
use crate::ty::SqlType;

/// Pairs that the rows of one batch may be looked at in; a query that needs more stands still with
/// the reason.
const PAIRS_MAX: usize = 1 << 22;

/// A join of two streams, or of a stream and a table.
///
/// # Errors
///
/// A join whose rows could never be forgotten, or a plan that is broken.
pub fn new(join: &plan::Join) -> Result<Box<dyn Operator>, Invalid> {
    let tables = [&join.left, &join.right].map(|side| matches!(side.input, JoinInput::Table(..)));
    Ok(match tables {
        [false, false] => Box::new(window::WindowJoin::new(join)?),
        [false, true] => Box::new(lookup::LookupJoin::new(join, Side::Left)?),
        [true, false] => Box::new(lookup::LookupJoin::new(join, Side::Right)?),
        [true, true] => return Err(Invalid::new("a join of two tables has no rows of a stream")),
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Left,
    Right,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }

    fn of_input(input: usize) -> Result<Self, Invalid> {
        match input {
            0 => Ok(Self::Left),
            1 => Ok(Self::Right),
            _ => Err(Invalid::new(
                "internal: rows of an input that a join does not have",
            )),
        }
    }
}

/// The types of all columns of a side.
fn side_types(side: &JoinSide) -> Vec<SqlType> {
    match &side.input {
        JoinInput::Stream(plan) => types_of(&plan.rows),
        JoinInput::Table(_, rows) => types_of(rows),
    }
}

/// What has to be equal, of one side.
#[derive(Clone)]
struct SideKey {
    values: Vec<Expr>,
}

impl SideKey {
    fn of(join: &plan::Join, side: Side) -> Self {
        let values = join.equal.iter().map(|(left, right)| match side {
            Side::Left => left.clone(),
            Side::Right => right.clone(),
        });
        Self {
            values: values.collect(),
        }
    }

    /// The key of each row; rows that have none are noted in `faults`.
    fn keys_of(&self, batch: &Batch, faults: &mut RowFaults) -> Result<BatchKeys, Invalid> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.values.len());
        for value in &self.values {
            columns.push(value.evaluate(batch, faults)?);
        }
        let types: Vec<SqlType> = self.values.iter().map(Expr::ty).collect();
        let keys = RowKeys::new(&columns, &types, batch.rows());
        Ok(BatchKeys { columns, keys })
    }
}

/// The keys of the rows of a batch.
struct BatchKeys {
    columns: Vec<ArrayRef>,
    keys: RowKeys,
}

impl BatchKeys {
    /// None for a row that equals no other, since a value of its key is null.
    fn get(&self, row: usize) -> Option<&[u8]> {
        let null = self.columns.iter().any(|column| column.is_null(row));
        (!null).then(|| self.keys.get(row))
    }
}

/// What has to be true of a pair besides its key.
struct Condition {
    condition: Option<Expr>,
    /// Of the columns of the join's rows.
    types: Vec<SqlType>,
}

impl Condition {
    fn of(join: &plan::Join) -> Self {
        let mut types = vec![SqlType::Timestamp];
        types.extend(side_types(&join.left));
        types.extend(side_types(&join.right));
        Self {
            condition: join.condition.clone(),
            types,
        }
    }

    /// The pairs that match. Those that fail go to the error stream, and do not match.
    fn holds(&self, pairs: &Batch, out: &mut Out) -> Result<BooleanArray, Invalid> {
        let Some(condition) = &self.condition else {
            return Ok(BooleanArray::from(vec![true; pairs.rows()]));
        };
        let mut faults = RowFaults::default();
        let holds = condition.holds(pairs, &mut faults)?;
        if faults.is_empty() {
            return Ok(holds);
        }
        give_faults(pairs, &self.types, &faults, out);
        let holds = (0..pairs.rows()).map(|row| holds.value(row) && !faults.has(row));
        Ok(holds.collect::<Vec<bool>>().into())
    }
}

/// Counts the pairs of a batch.
struct PairCount {
    pairs: usize,
}

impl PairCount {
    fn add(&mut self, pairs: usize) -> Result<(), Invalid> {
        self.pairs += pairs;
        if self.pairs > PAIRS_MAX {
            return Err(Invalid::new(format!(
                "a join would look at more than {PAIRS_MAX} pairs for the rows of one batch"
            )));
        }
        Ok(())
    }
}
