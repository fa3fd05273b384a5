//! `+`, `-`, `*`, `/` and `%` of numbers.

use arrow_array::types::{Decimal128Type, Float64Type, Int64Type};

use super::cast;
use super::decimal;
use super::kernel::{broken, strict};
use super::types;
use crate::ast::BinaryOperator;
use crate::expr::Expr;
use crate::fault::{Fault, FaultKind, Invalid};
use crate::ty::{Family, SqlType};

/// An operator of two numbers.
pub(super) fn numbers(
    operator: BinaryOperator,
    left: Expr,
    right: Expr,
) -> Result<Option<Expr>, Invalid> {
    let (a, b) = (left.ty(), right.ty());
    let ty = match operator {
        BinaryOperator::Add | BinaryOperator::Subtract => types::sum(a, b),
        BinaryOperator::Multiply => types::product(a, b),
        BinaryOperator::Divide => types::quotient(a, b),
        BinaryOperator::Modulo => types::remainder(a, b),
        _ => None,
    };
    let Some(ty) = ty else { return Ok(None) };
    let done = match ty.family() {
        Family::Whole => whole(operator, left, right, ty),
        Family::Float => {
            let (left, right) = (double(left)?, double(right)?);
            float(operator, left, right, ty)
        }
        Family::Decimal => exact(operator, left, right, ty),
        _ => Err(broken("arithmetic gives numbers")),
    };
    done.map(Some)
}

fn double(expr: Expr) -> Result<Expr, Invalid> {
    if expr.ty().family() == Family::Float {
        Ok(expr)
    } else {
        cast::cast(expr, SqlType::Double)
    }
}

/// The name of an operator, and how it is written.
fn named(operator: BinaryOperator) -> (&'static str, &'static str) {
    match operator {
        BinaryOperator::Add => ("ADD", "+"),
        BinaryOperator::Subtract => ("SUBTRACT", "-"),
        BinaryOperator::Multiply => ("MULTIPLY", "*"),
        BinaryOperator::Divide => ("DIVIDE", "/"),
        BinaryOperator::Modulo => ("MOD", "%"),
        _ => ("OPERATOR", "?"),
    }
}

/// Why an operator has no result.
pub(super) fn fault(
    operator: BinaryOperator,
    by_zero: bool,
    (left, right): (String, String),
    ty: SqlType,
) -> Fault {
    let (_, sign) = named(operator);
    if by_zero && matches!(operator, BinaryOperator::Divide | BinaryOperator::Modulo) {
        let message = format!("{left} {sign} {right} divides by zero");
        return Fault::new(FaultKind::DivisionByZero, message);
    }
    let message = format!("{left} {sign} {right} is outside of {ty}");
    Fault::new(FaultKind::Overflow, message)
}

fn whole(operator: BinaryOperator, left: Expr, right: Expr, ty: SqlType) -> Result<Expr, Invalid> {
    match operator {
        BinaryOperator::Add => whole_by(operator, left, right, ty, i64::checked_add),
        BinaryOperator::Subtract => whole_by(operator, left, right, ty, i64::checked_sub),
        BinaryOperator::Multiply => whole_by(operator, left, right, ty, i64::checked_mul),
        BinaryOperator::Divide => whole_by(operator, left, right, ty, i64::checked_div),
        _ => whole_by(operator, left, right, ty, |a: i64, b: i64| {
            (b != 0).then(|| a.wrapping_rem(b))
        }),
    }
}

fn whole_by(
    operator: BinaryOperator,
    left: Expr,
    right: Expr,
    ty: SqlType,
    work: impl Fn(i64, i64) -> Option<i64> + Send + Sync + 'static,
) -> Result<Expr, Invalid> {
    let (low, high) = types::range(ty);
    strict(
        named(operator).0,
        vec![left, right],
        ty,
        move |inputs, faults| {
            inputs.map_two::<Int64Type, Int64Type, Int64Type>(
                faults,
                |a, b| work(a, b).filter(|number| *number >= low && *number <= high),
                |a, b| fault(operator, b == 0, (a.to_string(), b.to_string()), ty),
            )
        },
    )
}

fn float(operator: BinaryOperator, left: Expr, right: Expr, ty: SqlType) -> Result<Expr, Invalid> {
    match operator {
        BinaryOperator::Add => float_by(operator, left, right, ty, |a, b| a + b),
        BinaryOperator::Subtract => float_by(operator, left, right, ty, |a, b| a - b),
        BinaryOperator::Multiply => float_by(operator, left, right, ty, |a, b| a * b),
        BinaryOperator::Divide => float_by(operator, left, right, ty, |a, b| a / b),
        _ => Err(broken("a remainder is of exact numbers")),
    }
}

fn float_by(
    operator: BinaryOperator,
    left: Expr,
    right: Expr,
    ty: SqlType,
    work: impl Fn(f64, f64) -> f64 + Send + Sync + 'static,
) -> Result<Expr, Invalid> {
    let narrow = ty == SqlType::Real;
    strict(
        named(operator).0,
        vec![left, right],
        ty,
        move |inputs, faults| {
            let fault =
                |a: f64, b: f64| fault(operator, b == 0.0, (a.to_string(), b.to_string()), ty);
            let work = |a, b| Some(work(a, b)).filter(|number| number.is_finite());
            if narrow {
                let work = |a, b| work(a, b).and_then(cast::real);
                inputs.map_two::<Float64Type, Float64Type, Float64Type>(faults, work, fault)
            } else {
                inputs.map_two::<Float64Type, Float64Type, Float64Type>(faults, work, fault)
            }
        },
    )
}

/// Of exact numbers with a point: 128 bits.
fn exact(operator: BinaryOperator, left: Expr, right: Expr, ty: SqlType) -> Result<Expr, Invalid> {
    let (left, s1) = as_decimal(left)?;
    let (right, s2) = as_decimal(right)?;
    let SqlType::Decimal { precision, scale } = ty else {
        return Err(broken("an exact result is a decimal"));
    };
    let same = s1.max(s2);
    let work = move |a: i128, b: i128| {
        let both = || decimal::rescale(a, s1, same).zip(decimal::rescale(b, s2, same));
        let number = match operator {
            BinaryOperator::Add => both().and_then(|(a, b)| a.checked_add(b)),
            BinaryOperator::Subtract => both().and_then(|(a, b)| a.checked_sub(b)),
            BinaryOperator::Multiply => decimal::product(a, b, (s1 + s2).saturating_sub(scale)),
            // The scale of a quotient is at least that of what is divided.
            BinaryOperator::Divide => decimal::quotient(a, b, (scale + s2).checked_sub(s1)?),
            _ => both().and_then(|(a, b)| a.checked_rem(b)),
        };
        decimal::within(number?, precision)
    };
    strict(
        format!("{} {s1} {s2}", named(operator).0),
        vec![left, right],
        ty,
        move |inputs, faults| {
            inputs.map_two::<Decimal128Type, Decimal128Type, Decimal128Type>(
                faults,
                work,
                |a, b| {
                    let texts = (decimal::text(a, s1), decimal::text(b, s2));
                    fault(operator, b == 0, texts, ty)
                },
            )
        },
    )
}

/// The number as a decimal, with its scale.
fn as_decimal(expr: Expr) -> Result<(Expr, u8), Invalid> {
    let (precision, scale) = types::digits(expr.ty()).ok_or_else(|| broken("an exact number"))?;
    let expr = cast::cast(expr, SqlType::Decimal { precision, scale })?;
    Ok((expr, scale))
}

/// `-x`.
pub(super) fn negate(operand: Expr) -> Result<Option<Expr>, Invalid> {
    let ty = operand.ty();
    let zero = match ty.family() {
        Family::Whole => crate::cell::Value::Whole(0),
        Family::Decimal => crate::cell::Value::Decimal(0),
        Family::Float => crate::cell::Value::Double(-0.0),
        _ => return Ok(None),
    };
    let zero = Expr::literal(zero, ty);
    let difference = match ty.family() {
        // The type stays, though a difference could be wider.
        Family::Decimal => exact(BinaryOperator::Subtract, zero, operand, ty),
        Family::Float => float(BinaryOperator::Subtract, zero, operand, ty),
        _ => whole(BinaryOperator::Subtract, zero, operand, ty),
    };
    difference.map(Some)
}
