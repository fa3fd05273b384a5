//! Texts as values.

use arrow_array::types::{
    Date32Type, Decimal128Type, DurationMillisecondType, Float64Type, Int64Type,
    Time32MillisecondType, TimestampMillisecondType,
};
use arrow_array::{ArrayRef, ArrowPrimitiveType};

use super::super::calendar;
use super::super::decimal;
use super::super::kernel::{Inputs, broken, strict};
use super::super::types;
use crate::expr::Expr;
use crate::fault::{Fault, FaultKind, Invalid, RowFaults};
use crate::ty::{Family, SqlType};

/// The value that the text writes, spaces around it aside.
pub(super) fn cast(operand: Expr, to: SqlType) -> Result<Expr, Invalid> {
    let from = operand.ty();
    if to.family() == Family::YearInterval {
        return Err(super::impossible(from, to));
    }
    strict(
        format!("CAST TEXT {to}"),
        vec![operand],
        to,
        move |inputs, faults| parse_all(inputs, faults, to),
    )
}

fn parse_all(
    inputs: &Inputs<'_>,
    faults: &mut RowFaults,
    to: SqlType,
) -> Result<ArrayRef, Invalid> {
    match to.family() {
        Family::Boolean => {
            let texts = inputs.texts(0)?;
            Ok(inputs.truths(faults, |row| {
                let text = texts.get(row).trim();
                truth(text).ok_or_else(|| not_one(text, to)).map(Some)
            }))
        }
        Family::Whole => parse_whole(inputs, faults, to),
        Family::Decimal => {
            let (precision, scale) = types::digits(to).ok_or_else(|| broken("a decimal"))?;
            rows::<Decimal128Type>(inputs, faults, to, |text| {
                decimal::within(decimal::parse(text, scale)?, precision)
            })
        }
        Family::Float => {
            let narrow = to == SqlType::Real;
            rows::<Float64Type>(inputs, faults, to, |text| {
                let number = double(text)?;
                if narrow {
                    super::real(number)
                } else {
                    Some(number)
                }
            })
        }
        Family::Date => rows::<Date32Type>(inputs, faults, to, |text| {
            i32::try_from(calendar::parse_date(text)?).ok()
        }),
        Family::Time => rows::<Time32MillisecondType>(inputs, faults, to, |text| {
            i32::try_from(calendar::parse_time(text)?).ok()
        }),
        Family::Timestamp => {
            rows::<TimestampMillisecondType>(inputs, faults, to, calendar::parse_timestamp)
        }
        Family::DayInterval => {
            rows::<DurationMillisecondType>(inputs, faults, to, calendar::parse_day_interval)
        }
        _ => Err(broken("a text is not parsed as this")),
    }
}

fn rows<R: ArrowPrimitiveType>(
    inputs: &Inputs<'_>,
    faults: &mut RowFaults,
    to: SqlType,
    parse: impl Fn(&str) -> Option<R::Native>,
) -> Result<ArrayRef, Invalid> {
    let texts = inputs.texts(0)?;
    Ok(inputs.rows::<R>(faults, |row| {
        let text = texts.get(row).trim();
        parse(text).ok_or_else(|| not_one(text, to)).map(Some)
    }))
}

fn parse_whole(
    inputs: &Inputs<'_>,
    faults: &mut RowFaults,
    to: SqlType,
) -> Result<ArrayRef, Invalid> {
    let texts = inputs.texts(0)?;
    let (low, high) = types::range(to);
    Ok(inputs.rows::<Int64Type>(faults, |row| {
        let text = texts.get(row).trim();
        let number = whole(text).ok_or_else(|| not_one(text, to))?;
        let number = i64::try_from(number).ok();
        let number = number.filter(|number| *number >= low && *number <= high);
        number.ok_or_else(|| super::outside(text, to)).map(Some)
    }))
}

fn not_one(text: &str, to: SqlType) -> Fault {
    let start: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    Fault::new(FaultKind::Coercion, format!("'{start}' is not a {to}"))
}

/// How much of a text a message shows.
const SHOWN_CHARS_MAX: usize = 100;

fn truth(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Also one with a point or an exponent, which is rounded.
fn whole(text: &str) -> Option<i128> {
    match text.parse::<i64>() {
        Ok(number) => Some(i128::from(number)),
        Err(_) => decimal::parse(text, 0),
    }
}

/// A number without a sign of infinity and the like.
fn double(text: &str) -> Option<f64> {
    let plain = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    if !text.bytes().all(plain) {
        return None;
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}
