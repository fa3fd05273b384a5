//! Table functions: steps that take the rows of a cursor and give rows of their own, or the same
//! ones with more columns.

mod distinct_items;
mod forest;
mod group_rank;
mod hash;
mod hotspots;
mod points;
mod top_items;
mod tumbling;

use crate::fault::Invalid;
use crate::operator::Operator;
use crate::plan::{TableFunction, TableStep};
use crate::ty::RowType;

/// The operator of a table function, whose rows look like `rows`.
///
/// # Errors
///
/// A plan that is broken.
pub fn build(step: &TableStep, rows: &RowType) -> Result<Box<dyn Operator>, Invalid> {
    let input = &step.input.rows;
    Ok(match &step.function {
        TableFunction::GroupRank(function) => {
            Box::new(group_rank::Ranking::new(function, input, rows)?)
        }
        TableFunction::TopItems {
            column,
            count,
            window,
        } => Box::new(top_items::build(*column, *count, *window, (input, rows))?),
        TableFunction::DistinctItems { column, window } => {
            Box::new(distinct_items::build(*column, *window, (input, rows))?)
        }
        TableFunction::RandomCutForest(function) => {
            Box::new(forest::Scoring::new(function, input, rows)?)
        }
        TableFunction::Hotspots(function) => {
            Box::new(hotspots::Finding::new(function, input, rows)?)
        }
    })
}
