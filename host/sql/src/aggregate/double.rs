//! Sums, averages and deviations of doubles.
//!
//! Sums are kept with twice the digits of a double. So a row that leaves a window takes out what it
//! brought in, and the difference of two large sums of squares is still a variance.

use super::AggregateKind;
use super::ArgumentRows;
use super::state::{State, add_row_by_row};
use super::total::{not_there, overflow};
use super::twofold::{Specials, Twofold};
use crate::cell::{Cell, Value};
use crate::fault::{Fault, Invalid};
use crate::key::{put_i64, put_u64, take_i64, take_u64};
use crate::ty::SqlType;
use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;

/// `SUM` or `AVG` of doubles.
#[derive(Clone)]
pub struct DoubleTotal {
    sum: Twofold,
    rows: u64,
    specials: Specials,
    average: bool,
}

impl DoubleTotal {
    pub fn new(average: bool) -> Self {
        Self {
            sum: Twofold::default(),
            rows: 0,
            specials: Specials::default(),
            average,
        }
    }

    fn take_in(&mut self, number: f64) {
        self.rows += 1;
        if number.is_finite() {
            self.sum = self.sum.plus(number.into());
        } else {
            *self.specials.place(number) += 1;
        }
    }
}

impl State for DoubleTotal {
    const HOLDS: bool = false;

    fn add(&mut self, cells: &[Cell<'_>], _: u64) -> Result<(), Invalid> {
        if let Some(number) = number(cells.first(), 0)? {
            self.take_in(number);
        }
        Ok(())
    }

    fn remove(&mut self, cells: &[Cell<'_>]) -> Result<(), Invalid> {
        let Some(number) = number(cells.first(), 0)? else {
            return Ok(());
        };
        self.rows = self.rows.checked_sub(1).ok_or_else(not_there)?;
        if number.is_finite() {
            self.sum = self.sum.minus(number.into());
        } else {
            let place = self.specials.place(number);
            *place = place.checked_sub(1).ok_or_else(not_there)?;
        }
        if self.rows == 0 {
            self.sum = Twofold::default();
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self) -> Result<(), Invalid> {
        self.sum = self.sum.plus(other.sum);
        self.rows += other.rows;
        self.specials.merge(other.specials);
        Ok(())
    }

    fn result(&self) -> Result<Value, Fault> {
        if self.rows == 0 {
            return Ok(Value::Null);
        }
        if let Some(special) = self.specials.sum() {
            return Ok(Value::Double(special));
        }
        let sum = if self.average {
            self.sum.divided(self.rows as f64)
        } else {
            self.sum
        };
        finite(sum.get())
    }

    fn save(&self, to: &mut Vec<u8>) {
        self.sum.save(to);
        put_u64(to, self.rows);
        self.specials.save(to);
    }

    fn restore(&mut self, from: &mut &[u8]) -> Result<(), Invalid> {
        self.sum = Twofold::take(from)?;
        self.rows = take_u64(from)?;
        self.specials = Specials::take(from)?;
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
        let Some(numbers) = column.as_primitive_opt::<Float64Type>() else {
            return add_row_by_row(states, groups, rows);
        };
        for (row, (group, number)) in groups.iter().zip(numbers.values()).enumerate() {
            if numbers.is_valid(row) {
                states[*group].take_in(*number);
            }
        }
        Ok(())
    }
}

/// Variances and standard deviations, of the sum and the sum of squares.
#[derive(Clone)]
pub struct Spread {
    sum: Twofold,
    squares: Twofold,
    rows: u64,
    /// Rows that are no finite number: there is no spread with them.
    specials: u64,
    sample: bool,
    root: bool,
    scale: u8,
}

impl Spread {
    pub fn new(kind: AggregateKind, argument: SqlType) -> Self {
        Self {
            sum: Twofold::default(),
            squares: Twofold::default(),
            rows: 0,
            specials: 0,
            sample: matches!(
                kind,
                AggregateKind::VarianceSample | AggregateKind::DeviationSample
            ),
            root: matches!(
                kind,
                AggregateKind::DeviationPopulation | AggregateKind::DeviationSample
            ),
            scale: scale_of(argument),
        }
    }
}

impl State for Spread {
    const HOLDS: bool = false;

    fn add(&mut self, cells: &[Cell<'_>], _: u64) -> Result<(), Invalid> {
        let Some(number) = number(cells.first(), self.scale)? else {
            return Ok(());
        };
        self.rows += 1;
        if number.is_finite() {
            self.sum = self.sum.plus(number.into());
            self.squares = self.squares.plus(Twofold::product(number, number));
        } else {
            self.specials += 1;
        }
        Ok(())
    }

    fn remove(&mut self, cells: &[Cell<'_>]) -> Result<(), Invalid> {
        let Some(number) = number(cells.first(), self.scale)? else {
            return Ok(());
        };
        self.rows = self.rows.checked_sub(1).ok_or_else(not_there)?;
        if number.is_finite() {
            self.sum = self.sum.minus(number.into());
            self.squares = self.squares.minus(Twofold::product(number, number));
        } else {
            self.specials = self.specials.checked_sub(1).ok_or_else(not_there)?;
        }
        if self.rows == 0 {
            self.sum = Twofold::default();
            self.squares = Twofold::default();
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self) -> Result<(), Invalid> {
        self.sum = self.sum.plus(other.sum);
        self.squares = self.squares.plus(other.squares);
        self.rows += other.rows;
        self.specials += other.specials;
        Ok(())
    }

    fn result(&self) -> Result<Value, Fault> {
        if self.rows <= u64::from(self.sample) {
            return Ok(Value::Null);
        }
        if self.specials > 0 {
            return Ok(Value::Double(f64::NAN));
        }
        let rows = self.rows as f64;
        let around = self.squares.minus(self.sum.squared().divided(rows));
        let by = if self.sample { rows - 1.0 } else { rows };
        let variance = around.divided(by).get();
        // A difference of equal sums may be a little below zero.
        let variance = if variance < 0.0 { 0.0 } else { variance };
        finite(if self.root { variance.sqrt() } else { variance })
    }

    fn save(&self, to: &mut Vec<u8>) {
        self.sum.save(to);
        self.squares.save(to);
        put_u64(to, self.rows);
        put_u64(to, self.specials);
    }

    fn restore(&mut self, from: &mut &[u8]) -> Result<(), Invalid> {
        self.sum = Twofold::take(from)?;
        self.squares = Twofold::take(from)?;
        self.rows = take_u64(from)?;
        self.specials = take_u64(from)?;
        Ok(())
    }
}

/// `EXP_AVG`: a value weighs half as much for each half-life that it is older than the newest one.
#[derive(Clone)]
pub struct ExponentialAverage {
    /// Values by their weights, and the weights, both as of `at`.
    sum: f64,
    weight: f64,
    /// The time of the newest row.
    at: i64,
    rows: u64,
    half_life: i64,
    scale: u8,
}

impl ExponentialAverage {
    pub fn new(half_life: i64, argument: SqlType) -> Self {
        Self {
            sum: 0.0,
            weight: 0.0,
            at: i64::MIN,
            rows: 0,
            half_life,
            scale: scale_of(argument),
        }
    }

    /// What something of one time weighs at another.
    fn weight(&self, of: i64, at: i64) -> f64 {
        let age = i128::from(at) - i128::from(of);
        (-(age as f64) / self.half_life as f64).exp2()
    }

    fn age_to(&mut self, at: i64) {
        if at > self.at {
            if self.rows > 0 {
                let weight = self.weight(self.at, at);
                self.sum *= weight;
                self.weight *= weight;
            }
            self.at = at;
        }
    }

    fn row(&self, cells: &[Cell<'_>]) -> Result<Option<(f64, i64)>, Invalid> {
        let Some(number) = number(cells.first(), self.scale)? else {
            return Ok(None);
        };
        match cells.get(1) {
            Some(Cell::Whole(at)) => Ok(Some((number, *at))),
            // Where a filter does not hold.
            Some(Cell::Null) => Ok(None),
            other => Err(Invalid::new(format!("internal: a time is {other:?}"))),
        }
    }
}

impl State for ExponentialAverage {
    const HOLDS: bool = false;

    fn add(&mut self, cells: &[Cell<'_>], _: u64) -> Result<(), Invalid> {
        if let Some((number, at)) = self.row(cells)? {
            self.age_to(at);
            let weight = self.weight(at, self.at);
            self.sum += number * weight;
            self.weight += weight;
            self.rows += 1;
        }
        Ok(())
    }

    fn remove(&mut self, cells: &[Cell<'_>]) -> Result<(), Invalid> {
        let Some((number, at)) = self.row(cells)? else {
            return Ok(());
        };
        self.rows = self.rows.checked_sub(1).ok_or_else(not_there)?;
        let weight = self.weight(at, self.at);
        self.sum -= number * weight;
        self.weight -= weight;
        if self.rows == 0 {
            self.sum = 0.0;
            self.weight = 0.0;
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self) -> Result<(), Invalid> {
        if other.rows == 0 {
            return Ok(());
        }
        self.age_to(other.at);
        let weight = self.weight(other.at, self.at);
        self.sum += other.sum * weight;
        self.weight += other.weight * weight;
        self.rows += other.rows;
        Ok(())
    }

    fn result(&self) -> Result<Value, Fault> {
        if self.rows == 0 {
            return Ok(Value::Null);
        }
        finite(self.sum / self.weight)
    }

    fn save(&self, to: &mut Vec<u8>) {
        put_u64(to, self.sum.to_bits());
        put_u64(to, self.weight.to_bits());
        put_i64(to, self.at);
        put_u64(to, self.rows);
    }

    fn restore(&mut self, from: &mut &[u8]) -> Result<(), Invalid> {
        self.sum = f64::from_bits(take_u64(from)?);
        self.weight = f64::from_bits(take_u64(from)?);
        self.at = take_i64(from)?;
        self.rows = take_u64(from)?;
        Ok(())
    }
}

fn scale_of(ty: SqlType) -> u8 {
    match ty {
        SqlType::Decimal { scale, .. } => scale,
        _ => 0,
    }
}

fn number(cell: Option<&Cell<'_>>, scale: u8) -> Result<Option<f64>, Invalid> {
    match cell {
        Some(Cell::Null) => Ok(None),
        Some(Cell::Double(number)) => Ok(Some(*number)),
        Some(Cell::Whole(number)) => Ok(Some(*number as f64)),
        Some(Cell::Decimal(digits)) => Ok(Some(*digits as f64 / 10_f64.powi(i32::from(scale)))),
        other => Err(Invalid::new(format!("internal: a number is {other:?}"))),
    }
}

fn finite(number: f64) -> Result<Value, Fault> {
    if number.is_finite() {
        Ok(Value::Double(number))
    } else {
        Err(overflow(SqlType::Double))
    }
}
