//! Operators of intervals, and of moments and intervals.

use arrow_array::ArrowPrimitiveType;
use arrow_array::types::{DurationMillisecondType, Float64Type, Int64Type, IntervalYearMonthType};

use super::arithmetic::fault;
use super::kernel::{broken, strict};
use super::{cast, moment};
use crate::ast::BinaryOperator;
use crate::cell::Value;
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::ty::{Family, SqlType};

/// An operator with an interval on one of its sides.
pub(super) fn binary(
    operator: BinaryOperator,
    left: Expr,
    right: Expr,
) -> Result<Option<Expr>, Invalid> {
    let interval = |ty: SqlType| matches!(ty, SqlType::DayInterval | SqlType::YearInterval);
    let (a, b) = (left.ty(), right.ty());
    let done = match operator {
        BinaryOperator::Add if a.is_moment() && interval(b) => moment::add(left, right),
        BinaryOperator::Add if interval(a) && b.is_moment() => moment::add(right, left),
        BinaryOperator::Subtract if a.is_moment() && interval(b) => {
            moment::add(left, negate(right)?)
        }
        BinaryOperator::Add | BinaryOperator::Subtract if interval(a) && a == b => {
            sum(operator, left, right)
        }
        BinaryOperator::Multiply | BinaryOperator::Divide if interval(a) && b.is_number() => {
            scale(operator, left, right)
        }
        BinaryOperator::Multiply if a.is_number() && interval(b) => scale(operator, right, left),
        _ => return Ok(None),
    };
    done.map(Some)
}

/// `-x`.
pub(super) fn negate(interval: Expr) -> Result<Expr, Invalid> {
    let zero = Expr::literal(Value::Whole(0), interval.ty());
    sum(BinaryOperator::Subtract, zero, interval)
}

fn sum(operator: BinaryOperator, left: Expr, right: Expr) -> Result<Expr, Invalid> {
    let ty = left.ty();
    let adds = operator == BinaryOperator::Add;
    let name = if adds {
        "ADD INTERVALS"
    } else {
        "SUBTRACT INTERVALS"
    };
    let fault = move |a: i64, b: i64| fault(operator, false, (a.to_string(), b.to_string()), ty);
    strict(
        name,
        vec![left, right],
        ty,
        move |inputs, faults| match ty {
            SqlType::DayInterval => {
                type Days = DurationMillisecondType;
                let work = if adds {
                    i64::checked_add
                } else {
                    i64::checked_sub
                };
                inputs.map_two::<Days, Days, Days>(faults, work, fault)
            }
            _ => {
                type Years = IntervalYearMonthType;
                let work = if adds {
                    i32::checked_add
                } else {
                    i32::checked_sub
                };
                inputs
                    .map_two::<Years, Years, Years>(faults, work, |a, b| fault(a.into(), b.into()))
            }
        },
    )
}

/// An interval times a number, or divided by one.
fn scale(operator: BinaryOperator, interval: Expr, number: Expr) -> Result<Expr, Invalid> {
    match interval.ty() {
        SqlType::DayInterval => scale_of::<DurationMillisecondType>(operator, interval, number),
        SqlType::YearInterval => scale_of::<IntervalYearMonthType>(operator, interval, number),
        _ => Err(broken("an interval is scaled")),
    }
}

fn scale_of<A: ArrowPrimitiveType>(
    operator: BinaryOperator,
    interval: Expr,
    number: Expr,
) -> Result<Expr, Invalid>
where
    A::Native: Into<i64> + TryFrom<i64>,
{
    let ty = interval.ty();
    let multiplies = operator == BinaryOperator::Multiply;
    let native = |number: i64| A::Native::try_from(number).ok();
    if number.ty().family() == Family::Whole {
        let name = if multiplies {
            "SCALE"
        } else {
            "DIVIDE INTERVAL"
        };
        return strict(name, vec![interval, number], ty, move |inputs, faults| {
            inputs.map_two::<A, Int64Type, A>(
                faults,
                |length, by| {
                    let length: i64 = length.into();
                    let scaled = if multiplies {
                        length.checked_mul(by)
                    } else {
                        length.checked_div(by)
                    };
                    native(scaled?)
                },
                |length, by| {
                    let length: i64 = length.into();
                    fault(operator, by == 0, (length.to_string(), by.to_string()), ty)
                },
            )
        });
    }
    let number = cast::cast(number, SqlType::Double)?;
    let name = if multiplies {
        "SCALE PART"
    } else {
        "DIVIDE INTERVAL PART"
    };
    strict(name, vec![interval, number], ty, move |inputs, faults| {
        inputs.map_two::<A, Float64Type, A>(
            faults,
            |length, by| {
                let length: i64 = length.into();
                let length = length as f64;
                let scaled = if multiplies { length * by } else { length / by };
                native(cast::nearest(scaled)?)
            },
            |length, by| {
                let length: i64 = length.into();
                fault(
                    operator,
                    by == 0.0,
                    (length.to_string(), by.to_string()),
                    ty,
                )
            },
        )
    })
}
