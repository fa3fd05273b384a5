//! Values as they are written in a program.

use super::{decimal, types};
use crate::ast::Literal;
use crate::cell::Value;
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::ty::SqlType;

/// A value as it is written. A number has the narrowest type of at least INTEGER; a text has its
/// own length.
pub(crate) fn literal(literal: &Literal) -> Result<Expr, Invalid> {
    let too_long = |_| Invalid::new("a literal of more than 4 billion characters");
    let (value, ty) = match literal {
        Literal::Null => (Value::Null, SqlType::Null),
        Literal::Boolean(truth) => (Value::Boolean(*truth), SqlType::Boolean),
        Literal::Whole(number) => return whole_literal(*number),
        Literal::Decimal { digits, scale } => return decimal_literal(*digits, *scale),
        Literal::Double(number) => (Value::Double(*number), SqlType::Double),
        Literal::Text(text) => {
            let length = u32::try_from(text.chars().count()).map_err(too_long)?;
            let length = length.max(1);
            (
                Value::Text(text.as_str().into()),
                SqlType::Varchar { length },
            )
        }
        Literal::Bytes(bytes) => {
            let length = u32::try_from(bytes.len()).map_err(too_long)?.max(1);
            let ty = SqlType::Varbinary { length };
            (Value::Bytes(bytes.as_slice().into()), ty)
        }
        Literal::Date(days) => (Value::Whole(i64::from(*days)), SqlType::Date),
        Literal::Time(millis) => (Value::Whole(i64::from(*millis)), SqlType::Time),
        Literal::Timestamp(millis) => (Value::Whole(*millis), SqlType::Timestamp),
        Literal::DayInterval(millis) => (Value::Whole(*millis), SqlType::DayInterval),
        Literal::YearInterval(months) => (Value::Whole(i64::from(*months)), SqlType::YearInterval),
    };
    Ok(Expr::literal(value, ty))
}

fn whole_literal(number: i128) -> Result<Expr, Invalid> {
    let Ok(value) = i64::try_from(number) else {
        return decimal_literal(number, 0);
    };
    let ty = match i32::try_from(value) {
        Ok(_) => SqlType::Integer,
        Err(_) => SqlType::BigInt,
    };
    Ok(Expr::literal(Value::Whole(value), ty))
}

fn decimal_literal(digits: i128, scale: u8) -> Result<Expr, Invalid> {
    let precision = (1..=types::DIGITS_MAX)
        .find(|precision| *precision >= scale && decimal::within(digits, *precision).is_some());
    let Some(precision) = precision else {
        return Err(Invalid::new("a number of more than 38 digits"));
    };
    let ty = SqlType::Decimal { precision, scale };
    Ok(Expr::literal(Value::Decimal(digits), ty))
}
