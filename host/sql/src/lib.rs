//! Continuous SQL: a program in the dialect of Kinesis Data Analytics becomes steps that take rows
//! and give rows. Pure: no I/O, no clock, no threads.
//!
//! ```text
//! lex, parse   text -> ast: statements as they are written, with places for errors
//! bind         ast -> plan: names resolved, types known, unbounded state refused
//! expr         expressions over columns; functions, aggregate, analytic: what they call
//! operators    plan -> steps that run, whose state can be kept and taken up again
//! input        JSON and CSV records become rows; output: rows become JSON and CSV
//! program      streams, pumps and queries of one application, run together
//! ```

mod aggregate;
mod analytic;
mod ast;
mod batch;
mod bind;
mod cell;
mod expr;
mod fault;
mod functions;
pub mod input;
mod key;
mod lex;
mod moment;
mod operator;
mod operators;
pub mod output;
mod parse;
mod plan;
mod program;
pub mod reference;
mod running;
mod ty;

pub use batch::{BATCH_ROWS_MAX, Batch, Millis, first_moment};
pub use fault::{Fault, FaultKind, Invalid, Place};
pub use operator::{FaultedRow, StateWriter};
pub use plan::{StreamId, TableId};
pub use program::{InStream, Outcome, Program, Restored, Running, Source};
pub use ty::{Column, RowType, SqlType};
