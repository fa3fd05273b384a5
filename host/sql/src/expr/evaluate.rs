//! The values of an expression for all rows of a batch at once.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, NullArray, UInt32Array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::ArrowError;
use arrow_select::interleave::interleave;
use arrow_select::take::take;

use super::{Arguments, Expr, Node};
use crate::batch::Batch;
use crate::cell::{ColumnBuilder, Value};
use crate::fault::{Invalid, RowFaults};
use crate::ty::SqlType;

impl Expr {
    /// Its value for each row. Rows that have none are noted in `faults`; their value means
    /// nothing.
    ///
    /// # Errors
    ///
    /// A broken invariant: columns that do not lie as their types say.
    pub fn evaluate(&self, batch: &Batch, faults: &mut RowFaults) -> Result<ArrayRef, Invalid> {
        match &self.node {
            Node::Column(index) => Ok(batch.column(*index).clone()),
            Node::Literal(value) => constant(value, self.ty, batch.rows()),
            Node::Call {
                function,
                arguments,
            } => {
                let mut columns = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    columns.push(argument.evaluate(batch, faults)?);
                }
                let types: Vec<SqlType> = arguments.iter().map(Self::ty).collect();
                let arguments = Arguments {
                    columns: &columns,
                    types: &types,
                    rows: batch.rows(),
                    result: self.ty,
                };
                function.evaluate(&arguments, faults)
            }
            Node::And(left, right) => decided(left, right, false, batch, faults),
            Node::Or(left, right) => decided(left, right, true, batch, faults),
            Node::Case {
                branches,
                otherwise,
            } => self.case_of(branches, otherwise, batch, faults),
        }
    }

    /// For a condition: true for the rows that make it true, false for all others, null included.
    ///
    /// # Errors
    ///
    /// As [`Expr::evaluate`].
    pub fn holds(&self, batch: &Batch, faults: &mut RowFaults) -> Result<BooleanArray, Invalid> {
        let truths = self.evaluate(batch, faults)?;
        if self.ty == SqlType::Null {
            return Ok(BooleanArray::from(vec![false; batch.rows()]));
        }
        let truths = truths.as_boolean();
        let holds = match truths.nulls() {
            Some(nulls) => truths.values() & nulls.inner(),
            None => truths.values().clone(),
        };
        Ok(BooleanArray::new(holds, None))
    }

    fn case_of(
        &self,
        branches: &[(Expr, Expr)],
        otherwise: &Expr,
        batch: &Batch,
        faults: &mut RowFaults,
    ) -> Result<ArrayRef, Invalid> {
        let mut open: Vec<u32> = (0..u32::try_from(batch.rows()).map_err(too_many)?).collect();
        let mut taken = Taken {
            values: Vec::new(),
            places: vec![(0, 0); batch.rows()],
        };
        for (condition, value) in branches {
            if open.is_empty() {
                break;
            }
            let part = Part::of(batch, &open, condition)?;
            let holds = part.run(faults, |rows, faults| condition.holds(rows, faults))?;
            let (takes, left): (Vec<_>, Vec<_>) =
                (0..open.len()).partition(|row| holds.value(*row));
            let takes: Vec<u32> = takes.into_iter().map(|row| open[row]).collect();
            open = left.into_iter().map(|row| open[row]).collect();
            taken.add(value, batch, &takes, faults)?;
        }
        taken.add(otherwise, batch, &open, faults)?;
        if taken.values.is_empty() {
            return Ok(ColumnBuilder::new(self.ty).finish());
        }
        let values: Vec<&dyn Array> = taken.values.iter().map(AsRef::as_ref).collect();
        interleave(&values, &taken.places).map_err(of_arrow)
    }
}

/// Values of the branches of CASE.
struct Taken {
    values: Vec<ArrayRef>,
    /// For each row: which of the values, and which row of those.
    places: Vec<(usize, usize)>,
}

impl Taken {
    /// Evaluates a branch for the rows that take it.
    fn add(
        &mut self,
        value: &Expr,
        batch: &Batch,
        rows: &[u32],
        faults: &mut RowFaults,
    ) -> Result<(), Invalid> {
        if rows.is_empty() {
            return Ok(());
        }
        let part = Part::of(batch, rows, value)?;
        let column = part.run(faults, |rows, faults| value.evaluate(rows, faults))?;
        for (place, row) in part.rows.iter().enumerate() {
            self.places[*row] = (self.values.len(), place);
        }
        self.values.push(column);
        Ok(())
    }
}

/// `AND` and `OR`: the right side is evaluated where the left one is not already the `decisive`
/// truth.
fn decided(
    left: &Expr,
    right: &Expr,
    decisive: bool,
    batch: &Batch,
    faults: &mut RowFaults,
) -> Result<ArrayRef, Invalid> {
    if !right.can_fail() {
        let left = known(left, batch, faults)?;
        let right = known(right, batch, faults)?;
        return Ok(both_known(&left, &right, decisive));
    }
    let truths = truths_of(left, batch, faults)?;
    let open: Vec<u32> = (0..u32::try_from(batch.rows()).map_err(too_many)?)
        .zip(&truths)
        .filter(|(_, truth)| **truth != Some(decisive))
        .map(|(row, _)| row)
        .collect();
    let mut both = truths;
    if !open.is_empty() {
        let part = Part::of(batch, &open, right)?;
        let others = part.run(faults, |rows, faults| truths_of(right, rows, faults))?;
        for (other, row) in others.into_iter().zip(&part.rows) {
            both[*row] = match (both[*row], other) {
                (_, Some(truth)) if truth == decisive => Some(decisive),
                (Some(_), Some(truth)) => Some(truth),
                _ => None,
            };
        }
    }
    Ok(Arc::new(BooleanArray::from(both)))
}

/// The rows of which something is true, and those of which it is false.
struct Known {
    holds: BooleanBuffer,
    fails: BooleanBuffer,
}

fn known(expr: &Expr, batch: &Batch, faults: &mut RowFaults) -> Result<Known, Invalid> {
    let column = expr.evaluate(batch, faults)?;
    if expr.ty == SqlType::Null {
        let none = BooleanBuffer::new_unset(batch.rows());
        return Ok(Known {
            holds: none.clone(),
            fails: none,
        });
    }
    let truths = column.as_boolean();
    let (holds, fails) = (truths.values().clone(), !truths.values());
    Ok(match truths.nulls() {
        Some(nulls) => Known {
            holds: &holds & nulls.inner(),
            fails: &fails & nulls.inner(),
        },
        None => Known { holds, fails },
    })
}

/// `AND` and `OR` of what is known of all rows.
fn both_known(left: &Known, right: &Known, decisive: bool) -> ArrayRef {
    let (holds, fails) = if decisive {
        (&left.holds | &right.holds, &left.fails & &right.fails)
    } else {
        (&left.holds & &right.holds, &left.fails | &right.fails)
    };
    let valid = NullBuffer::new(&holds | &fails);
    Arc::new(BooleanArray::new(holds, Some(valid)))
}

fn truths_of(
    expr: &Expr,
    batch: &Batch,
    faults: &mut RowFaults,
) -> Result<Vec<Option<bool>>, Invalid> {
    let column = expr.evaluate(batch, faults)?;
    if expr.ty == SqlType::Null {
        return Ok(vec![None; batch.rows()]);
    }
    let truths = column.as_boolean();
    let truth = |row| truths.is_valid(row).then(|| truths.value(row));
    Ok((0..batch.rows()).map(truth).collect())
}

/// Some rows of a batch, as a batch.
struct Part {
    batch: Batch,
    rows: Vec<usize>,
}

impl Part {
    /// Columns that `reader` does not read are left out: nulls are in their places.
    fn of(batch: &Batch, rows: &[u32], reader: &Expr) -> Result<Self, Invalid> {
        let numbers = rows.iter().map(|row| usize::try_from(*row));
        let numbers: Vec<usize> = numbers.collect::<Result<_, _>>().map_err(too_many)?;
        let batch = if rows.len() == batch.rows() {
            batch.clone()
        } else {
            let nothing: ArrayRef = Arc::new(NullArray::new(rows.len()));
            let mut columns = vec![nothing; batch.columns().len()];
            let rows = UInt32Array::from(rows.to_vec());
            for index in reader.columns() {
                columns[index] = take(batch.column(index), &rows, None).map_err(of_arrow)?;
            }
            Batch::new(columns)
        };
        let rows = numbers;
        Ok(Self { batch, rows })
    }

    /// Does something with them, and notes what failed by the rows' numbers in the whole batch.
    fn run<T>(
        &self,
        faults: &mut RowFaults,
        work: impl FnOnce(&Batch, &mut RowFaults) -> Result<T, Invalid>,
    ) -> Result<T, Invalid> {
        let mut part = RowFaults::default();
        let done = work(&self.batch, &mut part)?;
        faults.add_part(part, &self.rows);
        Ok(done)
    }
}

/// A column of the same value.
fn constant(value: &Value, ty: SqlType, rows: usize) -> Result<ArrayRef, Invalid> {
    let mut builder = ColumnBuilder::new(ty);
    for _ in 0..rows {
        builder.push(value.cell())?;
    }
    Ok(builder.finish())
}

/// What Arrow's functions refuse here is a mistake of ours.
pub(crate) fn of_arrow(error: ArrowError) -> Invalid {
    Invalid::new(format!("internal: {error}"))
}

fn too_many(_: std::num::TryFromIntError) -> Invalid {
    Invalid::new("internal: a batch of more rows than can be counted")
}
