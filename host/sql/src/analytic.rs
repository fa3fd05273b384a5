//! Functions over the rows of a window that slides, which look at certain ones of them.

use crate::expr::Expr;
use crate::ty::SqlType;

/// One of them in a query.
#[derive(Clone, Debug)]
pub struct AnalyticCall {
    pub kind: AnalyticKind,
    pub argument: Expr,
    pub ignore_nulls: bool,
    /// What `LAG` gives where there is no such row; of the type of the argument.
    pub default: Option<Expr>,
    pub ty: SqlType,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnalyticKind {
    FirstValue,
    LastValue,
    /// The row so many before the current one; 0 is the current one.
    Lag(u64),
    /// The nth row of the window, counted from 1.
    NthValue(u64),
}
