//! Functions of numbers.

use arrow_array::types::{Decimal128Type, Float64Type, Int64Type};

use super::arguments::{number, wrong};
use super::cast::{self, outside};
use super::decimal;
use super::kernel::{broken, strict};
use super::types;
use crate::expr::Expr;
use crate::fault::{Fault, FaultKind, Invalid};
use crate::ty::{Family, SqlType};

/// The size of a number, of the same type.
pub(super) fn abs(operand: Expr) -> Result<Expr, Invalid> {
    let operand = number(operand, "ABS")?;
    let ty = operand.ty();
    strict("ABS", vec![operand], ty, move |inputs, faults| {
        match ty.family() {
            Family::Whole => {
                let (_, high) = types::range(ty);
                let work = |number: i64| number.checked_abs().filter(|size| *size <= high);
                inputs.map::<Int64Type, Int64Type>(faults, work, |number| outside(number, ty))
            }
            Family::Decimal => {
                let work = i128::checked_abs;
                inputs.map::<Decimal128Type, Decimal128Type>(faults, work, |number| {
                    outside(number, ty)
                })
            }
            Family::Float => {
                let work = |number: f64| Some(number.abs());
                inputs.map::<Float64Type, Float64Type>(faults, work, |number| outside(number, ty))
            }
            _ => Err(broken("ABS is of numbers")),
        }
    })
}

/// `FLOOR` and `CEIL`: the whole number next to it, below or above.
pub(super) fn round(operand: Expr, up: bool) -> Result<Expr, Invalid> {
    let name = if up { "CEIL" } else { "FLOOR" };
    let operand = number(operand, name)?;
    match operand.ty() {
        SqlType::Decimal { precision, scale } => {
            let precision = precision.saturating_sub(scale).saturating_add(1);
            let ty = SqlType::Decimal {
                precision: precision.min(types::DIGITS_MAX),
                scale: 0,
            };
            let power = decimal::power_of_ten(scale).ok_or_else(|| broken("38 digits"))?;
            strict(
                format!("{name} {scale}"),
                vec![operand],
                ty,
                move |inputs, faults| {
                    let work = |number: i128| {
                        let floor = number.div_euclid(power);
                        let above = up && number.rem_euclid(power) != 0;
                        Some(floor + i128::from(above))
                    };
                    inputs.map::<Decimal128Type, Decimal128Type>(faults, work, |number| {
                        outside(number, ty)
                    })
                },
            )
        }
        ty if ty.family() == Family::Float => {
            strict(name, vec![operand], ty, move |inputs, faults| {
                let work = |number: f64| Some(if up { number.ceil() } else { number.floor() });
                inputs.map::<Float64Type, Float64Type>(faults, work, |number| outside(number, ty))
            })
        }
        _ => Ok(operand),
    }
}

/// A function of a number that is a double, with what it does not take.
fn of_double(
    name: &'static str,
    operand: Expr,
    taken: fn(f64) -> bool,
    work: fn(f64) -> f64,
) -> Result<Expr, Invalid> {
    let operand = cast::cast(number(operand, name)?, SqlType::Double)?;
    strict(
        name,
        vec![operand],
        SqlType::Double,
        move |inputs, faults| {
            inputs.map::<Float64Type, Float64Type>(
                faults,
                |number| {
                    let result = work(number);
                    (taken(number) && result.is_finite()).then_some(result)
                },
                |number| {
                    let message = format!("{name}({number}) has no value");
                    let kind = if taken(number) {
                        FaultKind::Overflow
                    } else {
                        FaultKind::Argument
                    };
                    Fault::new(kind, message)
                },
            )
        },
    )
}

pub(super) fn exp(operand: Expr) -> Result<Expr, Invalid> {
    of_double("EXP", operand, |_| true, f64::exp)
}

pub(super) fn ln(operand: Expr) -> Result<Expr, Invalid> {
    of_double("LN", operand, |number| number > 0.0, f64::ln)
}

pub(super) fn log10(operand: Expr) -> Result<Expr, Invalid> {
    of_double("LOG10", operand, |number| number > 0.0, f64::log10)
}

pub(super) fn sqrt(operand: Expr) -> Result<Expr, Invalid> {
    of_double("SQRT", operand, |number| number >= 0.0, f64::sqrt)
}

/// The first number to the power of the second one.
pub(super) fn power(base: Expr, exponent: Expr) -> Result<Expr, Invalid> {
    let base = cast::cast(number(base, "POWER")?, SqlType::Double)?;
    let exponent = cast::cast(number(exponent, "POWER")?, SqlType::Double)?;
    strict(
        "POWER",
        vec![base, exponent],
        SqlType::Double,
        |inputs, faults| {
            let taken = |base: f64, exponent: f64| {
                base > 0.0
                    || (base == 0.0 && exponent >= 0.0)
                    || (base < 0.0 && exponent.fract() == 0.0)
            };
            inputs.map_two::<Float64Type, Float64Type, Float64Type>(
                faults,
                |base, exponent| {
                    let result = base.powf(exponent);
                    (taken(base, exponent) && result.is_finite()).then_some(result)
                },
                |base, exponent| {
                    let message = format!("POWER({base}, {exponent}) has no value");
                    let kind = if taken(base, exponent) {
                        FaultKind::Overflow
                    } else {
                        FaultKind::Argument
                    };
                    Fault::new(kind, message)
                },
            )
        },
    )
}

/// `STEP(x BY n)`: the greatest multiple of `n` that is not above.
pub(super) fn step(operand: Expr, by: Expr) -> Result<Expr, Invalid> {
    let ty = operand.ty();
    let both = [&operand, &by];
    if both.iter().any(|expr| expr.ty().family() != Family::Whole) {
        return Err(wrong(
            "STEP",
            &[operand, by],
            "whole numbers, or a moment and an interval",
        ));
    }
    strict("STEP", vec![operand, by], ty, move |inputs, faults| {
        let (low, high) = types::range(ty);
        inputs.map_two::<Int64Type, Int64Type, Int64Type>(
            faults,
            |number, by| {
                let above = number.checked_rem_euclid(by.checked_abs().filter(|by| *by > 0)?)?;
                let step = number.checked_sub(above)?;
                (step >= low && step <= high).then_some(step)
            },
            |number, by| {
                let message = format!("STEP({number} BY {by}) has no value");
                let kind = if by == 0 {
                    FaultKind::DivisionByZero
                } else {
                    FaultKind::Overflow
                };
                Fault::new(kind, message)
            },
        )
    })
}
