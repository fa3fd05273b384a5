//! From what is written to what is done: names become columns, expressions get types, queries
//! become plans, and what would need state without an end is refused.

mod expression;
mod function;
mod grouping;
mod joining;
mod monotonic;
mod output;
mod over;
mod query;
mod relation;
mod scope;
mod table;
mod walk;
mod window;

use std::cell::Cell;
use std::collections::HashMap;

use crate::ast::Name;
use crate::batch::Millis;
use crate::expr::Expr;
use crate::fault::{Invalid, Place};
use crate::plan::{Plan, StreamId, TableId};
use crate::ty::{ROWTIME, RowType};

pub use self::function::UserFunction;
pub use self::window::interval as constant_interval;

/// How deep queries may lie in each other.
const DEPTH_MAX: usize = 32;

/// Expressions in one, after functions were put where they are called. Several forms use an operand
/// more than once, so that some hundred characters could come to more than there is memory for.
const EXPRESSION_NODES_MAX: usize = 50_000;

/// Expressions that lie in each other after that.
const EXPRESSION_DEPTH_MAX: usize = 500;

/// Expressions that are made for one program, those that are not kept included.
const PROGRAM_NODES_MAX: usize = 1_000_000;

/// A stream that queries may read.
#[derive(Clone, Debug)]
pub struct Readable {
    pub id: StreamId,
    pub rows: RowType,
    /// The column whose values may be out of order, and by how much.
    pub watermark: Option<(usize, Millis)>,
    /// How many of the last columns `*` leaves out.
    pub hidden: usize,
    /// The columns that are never null.
    pub required: Vec<usize>,
}

/// A table of reference data that queries may join.
#[derive(Clone, Debug)]
pub struct Joinable {
    pub id: TableId,
    pub rows: RowType,
}

/// What names mean in a program, at the place of a query.
pub struct Binder<'a> {
    pub streams: &'a HashMap<String, Readable>,
    pub tables: &'a HashMap<String, Joinable>,
    pub functions: &'a HashMap<String, UserFunction>,
    /// Expressions that were made for the program so far.
    made: &'a Cell<usize>,
    depth: Cell<usize>,
    calls: Cell<usize>,
}

/// A bound query.
#[derive(Debug)]
pub struct Bound {
    pub plan: Plan,
    /// For each item of the list, whether it was called ROWTIME: it may be left out where fewer
    /// columns are wanted.
    pub rowtimes: Vec<bool>,
    /// For each item, the item that has it among several values.
    pub groups: Vec<Option<String>>,
}

impl<'a> Binder<'a> {
    pub fn new(
        streams: &'a HashMap<String, Readable>,
        tables: &'a HashMap<String, Joinable>,
        functions: &'a HashMap<String, UserFunction>,
        made: &'a Cell<usize>,
    ) -> Self {
        Self {
            streams,
            tables,
            functions,
            made,
            depth: Cell::new(0),
            calls: Cell::new(0),
        }
    }

    /// Lets an expression through that is not too much for a program.
    fn counted(&self, expr: Expr, at: Place) -> Result<Expr, Invalid> {
        let made = self.made.get().saturating_add(expr.size());
        self.made.set(made);
        if expr.size() > EXPRESSION_NODES_MAX
            || expr.depth() > EXPRESSION_DEPTH_MAX
            || made > PROGRAM_NODES_MAX
        {
            return Err(Invalid::at(
                at,
                "the expression is too large, with what stands for the functions in it",
            ));
        }
        Ok(expr)
    }

    /// Whether so many more expressions may be made.
    fn room_for(&self, more: usize) -> Result<(), Invalid> {
        if more > EXPRESSION_NODES_MAX {
            return Err(Invalid::new(
                "the expression is too large, with what stands for the functions in it",
            ));
        }
        Ok(())
    }

    /// Does something one query deeper.
    fn deeper<T>(
        &self,
        at: Place,
        work: impl FnOnce() -> Result<T, Invalid>,
    ) -> Result<T, Invalid> {
        let depth = self.depth.get();
        if depth == DEPTH_MAX {
            return Err(Invalid::at(
                at,
                format!("queries may lie {DEPTH_MAX} deep in each other"),
            ));
        }
        self.depth.set(depth + 1);
        let done = work();
        self.depth.set(depth);
        done
    }
}

/// The name of the rows' own time, as if it were written.
pub fn rowtime_name(at: Place) -> Name {
    Name {
        text: ROWTIME.to_owned(),
        quoted: false,
        at,
    }
}
