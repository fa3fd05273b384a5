//! Counts, and exact sums and averages of whole numbers and decimals.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use super::ArgumentRows;
use super::state::{State, add_row_by_row};
use crate::cell::{Cell, Value};
use crate::fault::{Fault, FaultKind, Invalid};
use crate::key::{put_i64, put_u64, take_array, take_i64, take_u64};
use crate::ty::SqlType;

/// How many rows have no null among the arguments.
#[derive(Clone, Default)]
pub struct Count {
    rows: u64,
}

impl State for Count {
    const HOLDS: bool = false;

    fn add(&mut self, cells: &[Cell<'_>], _: u64) -> Result<(), Invalid> {
        self.rows += u64::from(!cells.contains(&Cell::Null));
        Ok(())
    }

    fn remove(&mut self, cells: &[Cell<'_>]) -> Result<(), Invalid> {
        let left = self
            .rows
            .checked_sub(u64::from(!cells.contains(&Cell::Null)));
        self.rows = left.ok_or_else(not_there)?;
        Ok(())
    }

    fn merge(&mut self, other: &Self) -> Result<(), Invalid> {
        self.rows += other.rows;
        Ok(())
    }

    fn result(&self) -> Result<Value, Fault> {
        let rows = i64::try_from(self.rows).map_err(|_| overflow(SqlType::BigInt))?;
        Ok(Value::Whole(rows))
    }

    fn save(&self, to: &mut Vec<u8>) {
        put_u64(to, self.rows);
    }

    fn restore(&mut self, from: &mut &[u8]) -> Result<(), Invalid> {
        self.rows = take_u64(from)?;
        Ok(())
    }

    fn add_rows(
        states: &mut [Self],
        groups: &[usize],
        rows: &ArgumentRows<'_>,
    ) -> Result<(), Invalid> {
        let may_be_null =
            |column: &ArrayRef| column.null_count() > 0 || column.data_type() == &DataType::Null;
        if rows.columns.iter().any(may_be_null) {
            return add_row_by_row(states, groups, rows);
        }
        for group in groups {
            states[*group].rows += 1;
        }
        Ok(())
    }
}

/// A sum that cannot overflow: `high` counts how often `low` went around.
#[derive(Clone, Copy, Default)]
struct Wide {
    low: i128,
    high: i64,
}

impl Wide {
    fn add(&mut self, number: i128) {
        let (low, around) = self.low.overflowing_add(number);
        self.low = low;
        if around {
            self.high += if number < 0 { -1 } else { 1 };
        }
    }

    fn subtract(&mut self, number: i128) {
        let (low, around) = self.low.overflowing_sub(number);
        self.low = low;
        if around {
            self.high += if number < 0 { 1 } else { -1 };
        }
    }

    fn get(self) -> Option<i128> {
        (self.high == 0).then_some(self.low)
    }
}

/// `SUM` or `AVG` of whole numbers, intervals and decimals.
#[derive(Clone)]
pub struct Total {
    sum: Wide,
    rows: u64,
    average: bool,
    /// Digits behind the point that an average has more than its argument.
    digits_more: u8,
    result: SqlType,
}

impl Total {
    pub fn new(average: bool, argument: SqlType, result: SqlType) -> Self {
        let digits_more = match (argument, result) {
            (SqlType::Decimal { scale: has, .. }, SqlType::Decimal { scale: wants, .. }) => {
                wants.saturating_sub(has)
            }
            _ => 0,
        };
        Self {
            sum: Wide::default(),
            rows: 0,
            average,
            digits_more,
            result,
        }
    }

    fn average(&self, sum: i128) -> Option<i128> {
        let rows = i128::from(self.rows);
        if !matches!(self.result, SqlType::Decimal { .. }) {
            // As a division of whole numbers: towards zero.
            return Some(sum / rows);
        }
        let sum = sum.checked_mul(10_i128.checked_pow(u32::from(self.digits_more))?)?;
        let (whole, rest) = (sum / rows, sum % rows);
        let away = i128::from(rest.unsigned_abs() >= rows.unsigned_abs().div_ceil(2));
        Some(whole + away * rest.signum())
    }
}

impl State for Total {
    const HOLDS: bool = false;

    fn add(&mut self, cells: &[Cell<'_>], _: u64) -> Result<(), Invalid> {
        if let Some(number) = exact(cells)? {
            self.sum.add(number);
            self.rows += 1;
        }
        Ok(())
    }

    fn remove(&mut self, cells: &[Cell<'_>]) -> Result<(), Invalid> {
        if let Some(number) = exact(cells)? {
            self.sum.subtract(number);
            self.rows = self.rows.checked_sub(1).ok_or_else(not_there)?;
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self) -> Result<(), Invalid> {
        self.sum.add(other.sum.low);
        self.sum.high += other.sum.high;
        self.rows += other.rows;
        Ok(())
    }

    fn result(&self) -> Result<Value, Fault> {
        if self.rows == 0 {
            return Ok(Value::Null);
        }
        let sum = self.sum.get();
        let number = if self.average {
            sum.and_then(|sum| self.average(sum))
        } else {
            sum
        };
        number
            .and_then(|number| in_range(number, self.result))
            .ok_or_else(|| overflow(self.result))
    }

    fn save(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.sum.low.to_be_bytes());
        put_i64(to, self.sum.high);
        put_u64(to, self.rows);
    }

    fn restore(&mut self, from: &mut &[u8]) -> Result<(), Invalid> {
        self.sum.low = i128::from_be_bytes(take_array(from)?);
        self.sum.high = take_i64(from)?;
        self.rows = take_u64(from)?;
        Ok(())
    }

    fn add_rows(
        states: &mut [Self],
        groups: &[usize],
        rows: &ArgumentRows<'_>,
    ) -> Result<(), Invalid> {
        let [column] = rows.columns else {
            return add_row_by_row(states, groups, rows);
        };
        let Some(numbers) = column.as_primitive_opt::<Int64Type>() else {
            return add_row_by_row(states, groups, rows);
        };
        for (row, (group, number)) in groups.iter().zip(numbers.values()).enumerate() {
            if numbers.is_valid(row) {
                let state = &mut states[*group];
                state.sum.add(i128::from(*number));
                state.rows += 1;
            }
        }
        Ok(())
    }
}

fn exact(cells: &[Cell<'_>]) -> Result<Option<i128>, Invalid> {
    match cells {
        [Cell::Null] => Ok(None),
        [Cell::Whole(number)] => Ok(Some(i128::from(*number))),
        [Cell::Decimal(number)] => Ok(Some(*number)),
        other => Err(Invalid::new(format!(
            "internal: a sum is taken of {other:?}"
        ))),
    }
}

/// A number as a value of a type, if the type can hold it.
fn in_range(number: i128, ty: SqlType) -> Option<Value> {
    let fits = match ty {
        SqlType::Decimal { precision, .. } => {
            let end = 10_u128.checked_pow(u32::from(precision))?;
            return (number.unsigned_abs() < end).then_some(Value::Decimal(number));
        }
        SqlType::TinyInt => i8::try_from(number).is_ok(),
        SqlType::SmallInt => i16::try_from(number).is_ok(),
        SqlType::Integer | SqlType::YearInterval => i32::try_from(number).is_ok(),
        _ => true,
    };
    let number = i64::try_from(number).ok()?;
    fits.then_some(Value::Whole(number))
}

pub fn overflow(ty: SqlType) -> Fault {
    Fault::new(FaultKind::Overflow, format!("a sum does not fit in {ty}"))
}

pub fn not_there() -> Invalid {
    Invalid::new("internal: a row leaves that was not there")
}
