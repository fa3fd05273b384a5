//! Operators of two values.

use super::arguments::truth;
use super::{arithmetic, comparison, interval, text};
use crate::ast::BinaryOperator;
use crate::cell::Value;
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::ty::SqlType;

/// `left operator right`.
///
/// # Errors
///
/// The operator does not take values of these types.
pub(crate) fn binary(operator: BinaryOperator, left: Expr, right: Expr) -> Result<Expr, Invalid> {
    match operator {
        BinaryOperator::And => Ok(Expr::and(truth(left, "AND")?, truth(right, "AND")?)),
        BinaryOperator::Or => Ok(Expr::or(truth(left, "OR")?, truth(right, "OR")?)),
        BinaryOperator::Concatenate => text::concatenate(left, right),
        BinaryOperator::Equal
        | BinaryOperator::NotEqual
        | BinaryOperator::Less
        | BinaryOperator::LessOrEqual
        | BinaryOperator::Greater
        | BinaryOperator::GreaterOrEqual => {
            let types = (left.ty(), right.ty());
            comparison::compare(operator, left, right)?.ok_or_else(|| {
                let (left, right) = types;
                Invalid::new(format!(
                    "a value of type {left} is not compared with one of {right}"
                ))
            })
        }
        BinaryOperator::Add
        | BinaryOperator::Subtract
        | BinaryOperator::Multiply
        | BinaryOperator::Divide
        | BinaryOperator::Modulo => arithmetic_of(operator, left, right),
    }
}

fn arithmetic_of(operator: BinaryOperator, left: Expr, right: Expr) -> Result<Expr, Invalid> {
    let (a, b) = (left.ty(), right.ty());
    if a == SqlType::Null || b == SqlType::Null {
        let other = if a == SqlType::Null { b } else { a };
        let ty = if other == SqlType::Null {
            SqlType::Integer
        } else {
            other
        };
        return Ok(Expr::literal(Value::Null, ty));
    }
    let done = if a.is_number() && b.is_number() {
        arithmetic::numbers(operator, left, right)?
    } else if operator == BinaryOperator::Subtract && a.is_moment() && b.is_moment() {
        return Err(Invalid::new(
            "a difference of moments needs a unit: (a - b) SECOND",
        ));
    } else {
        interval::binary(operator, left, right)?
    };
    done.ok_or_else(|| {
        Invalid::new(format!(
            "the operator {operator:?} does not take {a} and {b}"
        ))
    })
}

/// `left = right`.
pub(crate) fn equal(left: Expr, right: Expr) -> Result<Expr, Invalid> {
    binary(BinaryOperator::Equal, left, right)
}
