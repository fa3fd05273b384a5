//! Rows on their way, as columns.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef, BooleanArray, TimestampMillisecondArray, UInt32Array};
use arrow_schema::ArrowError;

/// Milliseconds since 1970-01-01T00:00:00.
pub type Millis = i64;

/// Rows that are worked on at once, at most. What gives more gives several batches.
pub const BATCH_ROWS_MAX: usize = 8_192;

/// Some rows of one type. The first column is `ROWTIME`; it is never null and does not fall from
/// one row to the next.
#[derive(Clone, Debug)]
pub struct Batch {
    columns: Vec<ArrayRef>,
    rows: usize,
}

impl Batch {
    /// Rows of these columns, which are equally long.
    pub fn new(columns: Vec<ArrayRef>) -> Self {
        let rows = columns.first().map_or(0, |column| column.len());
        assert!(
            columns.iter().all(|column| column.len() == rows),
            "the columns of a batch are equally long"
        );
        Self { columns, rows }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// All columns, `ROWTIME` first.
    pub fn columns(&self) -> &[ArrayRef] {
        &self.columns
    }

    /// A column by its number.
    pub fn column(&self, index: usize) -> &ArrayRef {
        &self.columns[index]
    }

    /// When each row came to be.
    pub fn rowtimes(&self) -> &TimestampMillisecondArray {
        self.columns[0].as_primitive::<TimestampMillisecondType>()
    }

    /// The rows of which the mask says true.
    pub fn filter(&self, mask: &BooleanArray) -> Result<Self, ArrowError> {
        let columns = self.columns.iter();
        let columns = columns.map(|column| arrow_select::filter::filter(column, mask));
        Ok(Self::new(columns.collect::<Result<_, _>>()?))
    }

    /// The rows with these numbers, in this order.
    pub fn take(&self, rows: &UInt32Array) -> Result<Self, ArrowError> {
        let columns = self.columns.iter();
        let columns = columns.map(|column| arrow_select::take::take(column, rows, None));
        Ok(Self::new(columns.collect::<Result<_, _>>()?))
    }

    /// Some rows that follow each other.
    pub fn slice(&self, offset: usize, length: usize) -> Self {
        let columns = self.columns.iter();
        Self::new(columns.map(|column| column.slice(offset, length)).collect())
    }

    /// All rows of some batches of one type, one after the other.
    pub fn concat(batches: &[Self]) -> Result<Self, ArrowError> {
        let [first, ..] = batches else {
            return Err(ArrowError::InvalidArgumentError(
                "no batch to put together".to_owned(),
            ));
        };
        let mut columns = Vec::with_capacity(first.columns.len());
        for index in 0..first.columns.len() {
            let parts: Vec<&dyn Array> = batches
                .iter()
                .map(|batch| batch.columns[index].as_ref())
                .collect();
            columns.push(arrow_select::concat::concat(&parts)?);
        }
        Ok(Self::new(columns))
    }
}

/// The moment that a column has in the first row: a timestamp, or milliseconds since 1970. None if
/// there is no row, or no moment in it.
pub fn first_moment(batch: &Batch, column: usize) -> Option<Millis> {
    let column = batch.columns.get(column)?;
    if batch.rows == 0 || column.is_null(0) {
        return None;
    }
    let timestamps = column.as_primitive_opt::<TimestampMillisecondType>();
    let numbers = column.as_primitive_opt::<Int64Type>();
    match (timestamps, numbers) {
        (Some(timestamps), _) => Some(timestamps.value(0)),
        (None, Some(numbers)) => Some(numbers.value(0)),
        (None, None) => None,
    }
}

/// A column of moments.
pub fn timestamps(values: Vec<Millis>) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from(values))
}
