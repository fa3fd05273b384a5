//! Values as values of another type: `CAST`, and what becomes a value of a stream's column.

mod from_text;
mod resize;
mod to_text;

#[cfg(test)]
pub(super) use to_text::written;

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, DurationMillisecondType, Float64Type,
    Int64Type, IntervalYearMonthType, Time32MillisecondType, TimestampMillisecondType,
};

use super::calendar::DAY;
use super::decimal;
use super::kernel::{broken, strict, sure};
use super::types;
use crate::cell::Value;
use crate::expr::Expr;
use crate::fault::{Fault, FaultKind, Invalid};
use crate::ty::{Family, SqlType};

/// `CAST`: numbers are rounded to the nearest (half goes away from zero) and must fit, texts are
/// cut to the length, anything else that becomes a text must fit in it.
pub(crate) fn cast(operand: Expr, to: SqlType) -> Result<Expr, Invalid> {
    let from = operand.ty();
    if from == to {
        return Ok(operand);
    }
    if from == SqlType::Null || operand.as_literal() == Some(&Value::Null) {
        return Ok(Expr::literal(Value::Null, to));
    }
    match (from.family(), to.family()) {
        (Family::Whole, Family::Whole) => whole_to_whole(operand, to),
        (Family::Whole, Family::Decimal) => whole_to_decimal(operand, to),
        (Family::Whole, Family::Float) => whole_to_float(operand, to),
        (Family::Decimal, Family::Whole) => decimal_to_whole(operand, to),
        (Family::Decimal, Family::Decimal) => decimal_to_decimal(operand, to),
        (Family::Decimal, Family::Float) => decimal_to_float(operand, to),
        (Family::Float, Family::Whole) => float_to_whole(operand, to),
        (Family::Float, Family::Decimal) => float_to_decimal(operand, to),
        (Family::Float, Family::Float) => float_to_float(operand, to),
        (Family::Text, Family::Text) => resize::texts(operand, to),
        (Family::Text, Family::Bytes) | (Family::Bytes, Family::Text) => Err(impossible(from, to)),
        (Family::Text, _) => from_text::cast(operand, to),
        (Family::Bytes, Family::Bytes) => resize::bytes(operand, to),
        (_, Family::Text) => to_text::cast(operand, to),
        (Family::DayInterval, Family::Whole | Family::Decimal | Family::Float) => {
            let millis = as_number::<DurationMillisecondType>(operand)?;
            cast(millis, to)
        }
        (Family::YearInterval, Family::Whole | Family::Decimal | Family::Float) => {
            let months = as_number::<IntervalYearMonthType>(operand)?;
            cast(months, to)
        }
        _ => moments(operand, to),
    }
}

/// A value that goes into a column of a stream: numbers are rounded and must fit, texts are cut.
///
/// # Errors
///
/// A value of another kind than the column.
pub(crate) fn assign(operand: Expr, to: SqlType) -> Result<Expr, Invalid> {
    let from = operand.ty();
    let fits = match (from.family(), to.family()) {
        (Family::Null, _) | (Family::Date, Family::Timestamp) => true,
        (a, b) => a == b || from.is_number() && to.is_number(),
    };
    if fits {
        return cast(operand, to);
    }
    Err(Invalid::new(format!(
        "a column of type {to} does not take a value of type {from}; CAST converts it"
    )))
}

fn impossible(from: SqlType, to: SqlType) -> Invalid {
    Invalid::new(format!("CAST does not convert {from} to {to}"))
}

pub(super) fn outside(value: impl std::fmt::Display, to: SqlType) -> Fault {
    Fault::new(FaultKind::Overflow, format!("{value} is outside of {to}"))
}

/// The same column, of another type that lies the same way.
pub(super) fn retype(operand: Expr, to: SqlType) -> Result<Expr, Invalid> {
    sure("AS", vec![operand], to, |inputs, _| {
        Ok(inputs.column(0)?.clone())
    })
}

fn whole_to_whole(operand: Expr, to: SqlType) -> Result<Expr, Invalid> {
    let (low, high) = types::range(to);
    let (least, most) = types::range(operand.ty());
    if low <= least && most <= high {
        return retype(operand, to);
    }
    strict(
        format!("CAST {to}"),
        vec![operand],
        to,
        move |inputs, faults| {
            inputs.map::<Int64Type, Int64Type>(
                faults,
                |number| (number >= low && number <= high).then_some(number),
                |number| outside(number, to),
            )
        },
    )
}

fn whole_to_decimal(operand: Expr, to: SqlType) -> Result<Expr, Invalid> {
    let (precision, scale) = types::digits(to).ok_or_else(|| broken("a decimal"))?;
    let power = decimal::power_of_ten(scale).ok_or_else(|| broken("a scale of 38 digits"))?;
    let bound = decimal::power_of_ten(precision).ok_or_else(|| broken("38 digits"))?;
    strict(
        format!("CAST {to}"),
        vec![operand],
        to,
        move |inputs, faults| {
            inputs.map::<Int64Type, Decimal128Type>(
                faults,
                |number| {
                    let number = i128::from(number).checked_mul(power)?;
                    (number > -bound && number < bound).then_some(number)
                },
                |number| outside(number, to),
            )
        },
    )
}

fn whole_to_float(operand: Expr, to: SqlType) -> Result<Expr, Invalid> {
    let narrow = to == SqlType::Real;
    strict(
        format!("CAST {to}"),
        vec![operand],
        to,
        move |inputs, faults| {
            let wide = |number: i64| Some(number as f64);
            let fault = |number| outside(number, to);
            if narrow {
                let work = |number| wide(number).and_then(real);
                inputs.map::<Int64Type, Float64Type>(faults, work, fault)
            } else {
                inputs.map::<Int64Type, Float64Type>(faults, wide, fault)
            }
        },
    )
}

fn scale_of(ty: SqlType) -> Result<u8, Invalid> {
    let digits = types::digits(ty).ok_or_else(|| broken("an exact number"))?;
    Ok(digits.1)
}

fn decimal_to_whole(operand: Expr, to: SqlType) -> Result<Expr, Invalid> {
    let scale = scale_of(operand.ty())?;
    let (low, high) = types::range(to);
    let name = format!("CAST {} {to}", operand.ty());
    strict(name, vec![operand], to, move |inputs, faults| {
        inputs.map::<Decimal128Type, Int64Type>(
            faults,
            |number| {
                let number = i64::try_from(decimal::rescale(number, scale, 0)?).ok()?;
                (number >= low && number <= high).then_some(number)
            },
            |number| outside(decimal::text(number, scale), to),
        )
    })
}

fn decimal_to_decimal(operand: Expr, to: SqlType) -> Result<Expr, Invalid> {
    let from = scale_of(operand.ty())?;
    let (precision, scale) = types::digits(to).ok_or_else(|| broken("a decimal"))?;
    let name = format!("CAST {} {to}", operand.ty());
    strict(name, vec![operand], to, move |inputs, faults| {
        inputs.map::<Decimal128Type, Decimal128Type>(
            faults,
            |number| decimal::within(decimal::rescale(number, from, scale)?, precision),
            |number| outside(decimal::text(number, from), to),
        )
    })
}

fn decimal_to_float(operand: Expr, to: SqlType) -> Result<Expr, Invalid> {
    let scale = scale_of(operand.ty())?;
    let power = decimal::power_of_ten(scale).ok_or_else(|| broken("a scale of 38 digits"))?;
    let narrow = to == SqlType::Real;
    let name = format!("CAST {} {to}", operand.ty());
    strict(name, vec![operand], to, move |inputs, faults| {
        inputs.map::<Decimal128Type, Float64Type>(
            faults,
            |number| {
                let number = number as f64 / power as f64;
                if narrow { real(number) } else { Some(number) }
            },
            |number| outside(decimal::text(number, scale), to),
        )
    })
}

fn float_to_whole(operand: Expr, to: SqlType) -> Result<Expr, Invalid> {
    let (low, high) = types::range(to);
    strict(
        format!("CAST {to}"),
        vec![operand],
        to,
        move |inputs, faults| {
            inputs.map::<Float64Type, Int64Type>(
                faults,
                |number| nearest(number).filter(|number| *number >= low && *number <= high),
                |number| outside(number, to),
            )
        },
    )
}

fn float_to_decimal(operand: Expr, to: SqlType) -> Result<Expr, Invalid> {
    let (precision, scale) = types::digits(to).ok_or_else(|| broken("a decimal"))?;
    let power = decimal::power_of_ten(scale).ok_or_else(|| broken("a scale of 38 digits"))?;
    strict(
        format!("CAST {to}"),
        vec![operand],
        to,
        move |inputs, faults| {
            inputs.map::<Float64Type, Decimal128Type>(
                faults,
                |number| decimal::within(nearest_wide(number * power as f64)?, precision),
                |number| outside(number, to),
            )
        },
    )
}

fn float_to_float(operand: Expr, to: SqlType) -> Result<Expr, Invalid> {
    if to == SqlType::Double {
        return retype(operand, to);
    }
    strict(
        format!("CAST {to}"),
        vec![operand],
        to,
        move |inputs, faults| {
            inputs.map::<Float64Type, Float64Type>(faults, real, |number| outside(number, to))
        },
    )
}

/// The nearest number of 32 bits, if they hold one.
#[allow(
    clippy::cast_possible_truncation,
    reason = "REAL has the precision of 32 bits"
)]
pub(super) fn real(number: f64) -> Option<f64> {
    let narrow = f64::from(number as f32);
    narrow.is_finite().then_some(narrow)
}

/// The nearest whole number, if 64 bits hold it; half goes away from zero.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the range is checked before"
)]
pub(super) fn nearest(number: f64) -> Option<i64> {
    // 2^63: the first number beyond, which a double holds exactly.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    let number = number.round();
    (-BEYOND..BEYOND).contains(&number).then_some(number as i64)
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the range is checked before"
)]
fn nearest_wide(number: f64) -> Option<i128> {
    let number = number.round();
    (number.abs() < 1e38).then_some(number as i128)
}

/// The number of an interval.
fn as_number<A: ArrowPrimitiveType>(operand: Expr) -> Result<Expr, Invalid>
where
    A::Native: Into<i64>,
{
    strict(
        "AS NUMBER",
        vec![operand],
        SqlType::BigInt,
        |inputs, faults| {
            let fault = |_| outside("an interval", SqlType::BigInt);
            inputs.map::<A, Int64Type>(faults, |number| Some(number.into()), fault)
        },
    )
}

/// Days, times and timestamps. A time without a day is one of 1970-01-01.
fn moments(operand: Expr, to: SqlType) -> Result<Expr, Invalid> {
    let from = operand.ty();
    let fault = move |_| outside("a moment", to);
    let wide_fault = move |_: i64| outside("a moment", to);
    match (from, to) {
        (SqlType::Date, SqlType::Timestamp) => strict(
            "DATE AS TIMESTAMP",
            vec![operand],
            to,
            move |inputs, faults| {
                let work = |days: i32| i64::from(days).checked_mul(DAY);
                inputs.map::<Date32Type, TimestampMillisecondType>(faults, work, fault)
            },
        ),
        (SqlType::Time, SqlType::Timestamp) => strict(
            "TIME AS TIMESTAMP",
            vec![operand],
            to,
            move |inputs, faults| {
                let work = |millis: i32| Some(i64::from(millis));
                inputs.map::<Time32MillisecondType, TimestampMillisecondType>(faults, work, fault)
            },
        ),
        (SqlType::Timestamp, SqlType::Date) => strict(
            "TIMESTAMP AS DATE",
            vec![operand],
            to,
            move |inputs, faults| {
                let work = |millis: i64| i32::try_from(millis.div_euclid(DAY)).ok();
                inputs.map::<TimestampMillisecondType, Date32Type>(faults, work, wide_fault)
            },
        ),
        (SqlType::Timestamp, SqlType::Time) => strict(
            "TIMESTAMP AS TIME",
            vec![operand],
            to,
            move |inputs, faults| {
                let work = |millis: i64| i32::try_from(millis.rem_euclid(DAY)).ok();
                inputs.map::<TimestampMillisecondType, Time32MillisecondType>(
                    faults, work, wide_fault,
                )
            },
        ),
        _ => Err(impossible(from, to)),
    }
}
