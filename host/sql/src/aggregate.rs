//! Aggregates: values of many rows as one.

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

/// Gathers what one aggregate of one group needs.
pub trait Accumulator: Send {
    /// Takes the arguments of a row. Nulls are left out by the accumulator, as SQL wants.
    fn add(&mut self, arguments: &[Cell<'_>]) -> Result<(), Fault>;
    /// Takes a row out again that was added before, oldest first (windows that slide).
    fn remove(&mut self, arguments: &[Cell<'_>]) -> Result<(), Fault>;
    /// Takes over what another one of the same aggregate has gathered.
    fn merge(&mut self, other: &[u8]) -> Result<(), Invalid>;
    /// What came of it.
    fn result(&self) -> Result<Value, Fault>;
    /// Its state as bytes, behind what is there.
    fn save(&self, to: &mut Vec<u8>);
    /// A state that was saved, in the place of its own.
    fn restore(&mut self, from: &[u8]) -> Result<(), Invalid>;
    /// Bytes that it holds, about.
    fn held_bytes(&self) -> usize;
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
