//! Rows as points: their numeric columns as doubles.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array};

use crate::batch::Batch;
use crate::cell::{Cell, Cells};
use crate::fault::Invalid;
use crate::key::{take_array, take_u64};
use crate::ty::{RowType, SqlType};

/// The numeric columns of an input.
pub struct Points {
    columns: Vec<(usize, SqlType)>,
}

impl Points {
    /// Points of these columns, which the input has.
    ///
    /// # Errors
    ///
    /// A plan that is broken.
    pub fn new(columns: &[usize], input: &RowType) -> Result<Self, Invalid> {
        let typed = |index: &usize| {
            let column = input.columns().get(*index)?;
            column.ty.is_number().then_some((*index, column.ty))
        };
        let columns: Option<Vec<_>> = columns.iter().map(typed).collect();
        match columns {
            Some(columns) if !columns.is_empty() => Ok(Self { columns }),
            _ => Err(Invalid::new(
                "internal: points of columns that are no numbers",
            )),
        }
    }

    /// How many coordinates a point has.
    pub fn dimensions(&self) -> usize {
        self.columns.len()
    }

    pub fn columns(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().map(|(index, _)| *index)
    }

    pub fn reader<'a>(&self, batch: &'a Batch) -> PointReader<'a> {
        let cells = |(index, ty): &(usize, SqlType)| (Cells::new(batch.column(*index), *ty), *ty);
        PointReader {
            cells: self.columns.iter().map(cells).collect(),
        }
    }
}

pub struct PointReader<'a> {
    cells: Vec<(Cells<'a>, SqlType)>,
}

impl PointReader<'_> {
    /// Puts the coordinates of a row behind what is there. False, with nothing put, for a row that
    /// is nowhere: one of its numbers is null or not finite.
    pub fn put(&self, row: usize, to: &mut Vec<f64>) -> bool {
        let begun = to.len();
        for (cells, ty) in &self.cells {
            let number = match (cells.get(row), ty) {
                (Cell::Whole(number), _) => number as f64,
                (Cell::Double(number), _) => number,
                (Cell::Decimal(digits), SqlType::Decimal { scale, .. }) => {
                    digits as f64 / 10_f64.powi(i32::from(*scale))
                }
                _ => f64::NAN,
            };
            if !number.is_finite() {
                to.truncate(begun);
                return false;
            }
            to.push(number);
        }
        true
    }
}

/// The batch with one more column.
pub fn with_column(batch: &Batch, column: ArrayRef) -> Batch {
    let mut columns = batch.columns().to_vec();
    columns.push(column);
    Batch::new(columns)
}

/// Numbers as a column.
pub fn doubles(values: Vec<Option<f64>>) -> ArrayRef {
    Arc::new(Float64Array::from(values))
}

/// Puts a number with all its bits.
pub fn put_f64(to: &mut Vec<u8>, number: f64) {
    to.extend_from_slice(&number.to_be_bytes());
}

/// What [`put_f64`] put.
///
/// # Errors
///
/// Bytes that end too early.
pub fn take_f64(from: &mut &[u8]) -> Result<f64, Invalid> {
    Ok(f64::from_be_bytes(take_array(from)?))
}

/// A number that is a place or a length.
///
/// # Errors
///
/// A number that no place has.
pub fn take_usize(from: &mut &[u8]) -> Result<usize, Invalid> {
    usize::try_from(take_u64(from)?).map_err(|_| Invalid::new("internal: a place without end"))
}
