//! `NOT NULL`: a row without a value of the column fails.

use arrow_array::{Array, ArrayRef};

use crate::expr::{Arguments, Expr, Scalar};
use crate::fault::{Fault, FaultKind, Invalid, RowFaults};

/// The value that a column has to have.
#[derive(Debug)]
struct Required {
    column: String,
}

/// The same value; a row in which it is null fails.
pub(super) fn required(value: Expr, column: &str) -> Expr {
    let ty = value.ty();
    let column = column.to_owned();
    Expr::call(std::sync::Arc::new(Required { column }), vec![value], ty)
}

impl Scalar for Required {
    fn evaluate(
        &self,
        arguments: &Arguments<'_>,
        faults: &mut RowFaults,
    ) -> Result<ArrayRef, Invalid> {
        let [values] = arguments.columns else {
            return Err(Invalid::new("internal: one value is required"));
        };
        for row in (0..arguments.rows).filter(|row| values.is_null(*row)) {
            let message = format!("column '{}' is NOT NULL", self.column);
            faults.add(row, Fault::new(FaultKind::Coercion, message));
        }
        Ok(values.clone())
    }
}
