//! Aggregates: values of many rows as one.

mod build;
mod double;
mod extreme;
mod resolve;
mod state;
mod total;
mod twofold;

pub use resolve::{is_aggregate, resolve};

use arrow_array::ArrayRef;

use crate::cell::{Cell, Value};
use crate::expr::Expr;
use crate::fault::{Fault, Invalid};
use crate::ty::SqlType;

/// An aggregate in a query.
#[derive(Clone, Debug)]
pub struct AggregateCall {
    pub aggregate: Aggregate,
    /// Evaluated over the rows of the input. `COUNT(*)` has none.
    pub arguments: Vec<Expr>,
    pub distinct: bool,
    /// Rows that do not make it true are left out.
    pub filter: Option<Expr>,
    pub ty: SqlType,
}

/// Which aggregate, with what it was resolved for.
#[derive(Clone, Debug)]
pub struct Aggregate {
    pub kind: AggregateKind,
    /// The types of the arguments, after they were made what the aggregate wants.
    pub arguments: Vec<SqlType>,
    pub result: SqlType,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AggregateKind {
    Count,
    Sum,
    Average,
    Minimum,
    Maximum,
    VariancePopulation,
    VarianceSample,
    DeviationPopulation,
    DeviationSample,
    /// `EXP_AVG(x, INTERVAL …)`: its half-life in milliseconds. Its second argument is ROWTIME.
    ExponentialAverage {
        time_constant: i64,
    },
    /// The first and the last value of a group in the order of rows.
    First,
    Last,
}

/// Gathers what one aggregate needs of the rows of one window, row by row. For windows that slide.
pub trait Accumulator: Send {
    /// Takes the arguments of a row ([`AggregateCall::inputs`]). Nulls are left out here, as SQL
    /// wants it.
    ///
    /// # Errors
    ///
    /// A broken invariant: a value of another type.
    fn add(&mut self, arguments: &[Cell<'_>]) -> Result<(), Invalid>;

    /// Takes a row out again: the oldest one of those that were added.
    ///
    /// # Errors
    ///
    /// A broken invariant: a row that was not added, or an accumulator that only grows.
    fn remove(&mut self, arguments: &[Cell<'_>]) -> Result<(), Invalid>;

    /// What came of it so far.
    ///
    /// # Errors
    ///
    /// A number that its type cannot hold.
    fn result(&self) -> Result<Value, Fault>;

    /// Its state as bytes, behind what is there.
    fn save(&self, to: &mut Vec<u8>);

    /// A state that was saved, in the place of its own. Takes its bytes off `from`.
    ///
    /// # Errors
    ///
    /// Bytes that it did not write.
    fn restore(&mut self, from: &mut &[u8]) -> Result<(), Invalid>;

    /// Bytes that it holds, about.
    fn held_bytes(&self) -> usize;
}

/// Gathers what one aggregate needs of the rows of many groups, column by column. Groups are
/// numbered from 0.
pub trait Accumulators: Send {
    /// One more group, without rows.
    fn grow(&mut self);

    /// Forgets the rows of a group.
    fn clear(&mut self, group: usize);

    /// Takes rows; `groups` says for each which group it is of.
    ///
    /// # Errors
    ///
    /// A broken invariant: values of another type.
    fn add(&mut self, groups: &[usize], rows: &ArgumentRows<'_>) -> Result<(), Invalid>;

    /// Takes over the rows of another group, which keeps them.
    ///
    /// # Errors
    ///
    /// A broken invariant: a state that is not as it was made.
    fn merge(&mut self, from: usize, into: usize) -> Result<(), Invalid>;

    /// What came of a group.
    ///
    /// # Errors
    ///
    /// A number that its type cannot hold.
    fn result(&self, group: usize) -> Result<Value, Fault>;

    /// The state of a group as bytes, behind what is there.
    fn save(&self, group: usize, to: &mut Vec<u8>);

    /// A state that was saved, in the place of the group's own. Takes its bytes off `from`.
    ///
    /// # Errors
    ///
    /// Bytes that it did not write.
    fn restore(&mut self, group: usize, from: &mut &[u8]) -> Result<(), Invalid>;

    /// Bytes that all groups hold, about.
    fn held_bytes(&self) -> usize;
}

/// The arguments of an aggregate for some rows.
pub struct ArgumentRows<'a> {
    pub columns: &'a [ArrayRef],
    pub types: &'a [SqlType],
    /// How many rows came before these since the beginning: tells which value is the first one.
    pub order: u64,
}

impl AggregateCall {
    /// What its accumulators take of each row: the arguments, or nulls where the filter does not
    /// hold, since all aggregates leave nulls out.
    pub fn inputs(&self) -> Vec<Expr> {
        let Some(filter) = &self.filter else {
            return self.arguments.clone();
        };
        let filtered = |expr: &Expr| {
            let ty = expr.ty();
            let otherwise = Expr::literal(Value::Null, ty);
            Expr::case(vec![(filter.clone(), expr.clone())], otherwise, ty)
        };
        if self.arguments.is_empty() {
            let counted = Expr::literal(Value::Boolean(true), SqlType::Boolean);
            vec![filtered(&counted)]
        } else {
            self.arguments.iter().map(filtered).collect()
        }
    }

    /// For one window that slides.
    pub fn accumulator(&self) -> Box<dyn Accumulator> {
        build::build(self, true, build::OfOne)
    }

    /// For one window that no row leaves: keeps less.
    pub fn growing_accumulator(&self) -> Box<dyn Accumulator> {
        build::build(self, false, build::OfOne)
    }

    /// For the groups of a window, which no row leaves.
    pub fn accumulators(&self) -> Box<dyn Accumulators> {
        build::build(self, false, build::OfMany)
    }
}

#[cfg(test)]
mod tests;
