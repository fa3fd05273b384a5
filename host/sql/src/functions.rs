//! Functions and operators of the dialect: from names and types to what runs over columns.
//!
//! Everything here gives an [`Expr`]; what is the same for every row is computed at once.

mod arguments;
mod arithmetic;
mod calendar;
mod cast;
mod characters;
mod comparison;
mod date_format;
mod decimal;
mod in_list;
mod interval;
mod kernel;
mod literal;
mod log;
mod logic;
mod moment;
mod number;
mod operators;
mod pattern;
mod regex;
mod rounding;
mod text;
mod types;
mod written_moment;

#[cfg(test)]
mod tests;

pub(crate) use cast::{assign, cast};
pub(crate) use literal::literal;
pub(crate) use operators::binary;
#[cfg(test)]
pub(crate) use operators::equal;
pub(crate) use types::common_type;

use arguments::{one, two};

use crate::ast::{BinaryOperator, TimeUnit, TrimSide};
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::ty::{Family, SqlType};

/// A function by its name in capitals. Values that depend on others (COALESCE, NULLIF) are
/// computed only for rows that need them.
///
/// # Errors
///
/// There is no such function, or it does not take these arguments.
pub(crate) fn call(name: &str, arguments: Vec<Expr>) -> Result<Expr, Invalid> {
    match name {
        "ABS" => number::abs(one(name, arguments)?),
        "CEIL" | "CEILING" => number::round(one(name, arguments)?, true),
        "FLOOR" => number::round(one(name, arguments)?, false),
        "EXP" => number::exp(one(name, arguments)?),
        "LN" => number::ln(one(name, arguments)?),
        "LOG10" => number::log10(one(name, arguments)?),
        "SQRT" => number::sqrt(one(name, arguments)?),
        "POWER" => two(name, arguments).and_then(|(a, b)| number::power(a, b)),
        "MOD" => two(name, arguments).and_then(|(a, b)| binary(BinaryOperator::Modulo, a, b)),
        "STEP" => two(name, arguments).and_then(|(a, b)| step(a, b)),
        "MONOTONIC" => one(name, arguments),
        "UPPER" => text::upper(one(name, arguments)?),
        "LOWER" => text::lower(one(name, arguments)?),
        "INITCAP" => text::initcap(one(name, arguments)?),
        "CHAR_LENGTH" | "CHARACTER_LENGTH" => text::char_length(one(name, arguments)?),
        "TRIM" => trim(TrimSide::Both, None, one(name, arguments)?),
        "SUBSTRING" | "OVERLAY" | "POSITION" => by_places(name, arguments),
        "COALESCE" => logic::coalesce(arguments),
        "NULLIF" => two(name, arguments).and_then(|(a, b)| logic::null_if(a, b)),
        "REGEX_REPLACE" => regex::replace(arguments),
        "CHAR_TO_TIMESTAMP" | "CHAR_TO_DATE" | "CHAR_TO_TIME" | "TIMESTAMP_TO_CHAR"
        | "DATE_TO_CHAR" | "TIME_TO_CHAR" => by_pattern(name, arguments),
        "TSDIFF" => two(name, arguments).and_then(|(a, b)| moment::tsdiff(a, b)),
        "UNIX_TIMESTAMP" => moment::unix_timestamp(one(name, arguments)?),
        "TO_TIMESTAMP" => moment::to_timestamp(one(name, arguments)?),
        _ => Err(Invalid::new(format!("there is no function {name}"))),
    }
}

/// Functions of a pattern of letters and a moment or a text.
fn by_pattern(name: &str, arguments: Vec<Expr>) -> Result<Expr, Invalid> {
    let (pattern, of) = two(name, arguments)?;
    match name {
        "CHAR_TO_TIMESTAMP" => written_moment::from_char(name, pattern, of, SqlType::Timestamp),
        "CHAR_TO_DATE" => written_moment::from_char(name, pattern, of, SqlType::Date),
        "CHAR_TO_TIME" => written_moment::from_char(name, pattern, of, SqlType::Time),
        _ => written_moment::to_char(name, pattern, of),
    }
}

/// Functions whose arguments are also written with words between them.
fn by_places(name: &str, arguments: Vec<Expr>) -> Result<Expr, Invalid> {
    let count = arguments.len();
    let mut arguments = arguments.into_iter();
    let mut next = || arguments.next();
    match (name, next(), next(), next(), next()) {
        ("SUBSTRING", Some(operand), Some(from), length, None) => substring(operand, from, length),
        ("POSITION", Some(wanted), Some(within), from, None) => position(wanted, within, from),
        ("OVERLAY", Some(operand), Some(placing), Some(from), length) if count <= 4 => {
            overlay(operand, placing, from, length)
        }
        _ => Err(Invalid::new(format!(
            "{name} does not take {count} arguments"
        ))),
    }
}

/// `-operand`.
pub(crate) fn negate(operand: Expr) -> Result<Expr, Invalid> {
    match operand.ty().family() {
        Family::Null => Ok(operand),
        Family::DayInterval | Family::YearInterval => interval::negate(operand),
        _ => {
            let ty = operand.ty();
            arithmetic::negate(operand)?
                .ok_or_else(|| Invalid::new(format!("- takes a number or an interval, not {ty}")))
        }
    }
}

/// `NOT operand`.
pub(crate) fn not(operand: Expr) -> Result<Expr, Invalid> {
    logic::not(operand)
}

/// `operand IS [NOT] NULL`.
pub(crate) fn is_null(operand: Expr, negated: bool) -> Expr {
    logic::is_null(operand, negated)
}

/// `operand IS [NOT] TRUE`, `FALSE` or `UNKNOWN` (None).
pub(crate) fn is_truth(operand: Expr, truth: Option<bool>, negated: bool) -> Result<Expr, Invalid> {
    logic::is_truth(operand, truth, negated)
}

/// `left IS DISTINCT FROM right`; negated: `IS NOT DISTINCT FROM`.
pub(crate) fn is_distinct(left: Expr, right: Expr, negated: bool) -> Result<Expr, Invalid> {
    logic::is_distinct(left, right, negated)
}

/// `operand IN (list)`. `NOT` is the caller's.
pub(crate) fn in_list(operand: Expr, list: Vec<Expr>) -> Result<Expr, Invalid> {
    in_list::in_list(operand, list)
}

/// `operand BETWEEN low AND high`. `NOT` is the caller's.
pub(crate) fn between(operand: Expr, low: Expr, high: Expr) -> Result<Expr, Invalid> {
    in_list::between(operand, low, high)
}

/// `operand LIKE pattern`, or `SIMILAR TO`. `NOT` is the caller's.
pub(crate) fn like(
    operand: Expr,
    pattern: Expr,
    escape: Option<Expr>,
    similar: bool,
) -> Result<Expr, Invalid> {
    if similar {
        return regex::similar(operand, pattern, escape);
    }
    pattern::like(operand, pattern, escape)
}

/// `FLOOR(operand TO unit)`, or `CEIL`.
pub(crate) fn round_to(operand: Expr, up: bool, unit: TimeUnit) -> Result<Expr, Invalid> {
    rounding::round(operand, up, unit)
}

/// `STEP(operand BY by)`.
pub(crate) fn step(operand: Expr, by: Expr) -> Result<Expr, Invalid> {
    if operand.ty().is_moment() {
        rounding::step(operand, by)
    } else {
        number::step(operand, by)
    }
}

/// `EXTRACT(unit FROM operand)`.
pub(crate) fn extract(unit: TimeUnit, operand: Expr) -> Result<Expr, Invalid> {
    moment::extract(unit, operand)
}

/// `TRIM(side characters FROM operand)`.
pub(crate) fn trim(
    side: TrimSide,
    characters: Option<Expr>,
    operand: Expr,
) -> Result<Expr, Invalid> {
    text::trim(side, characters, operand)
}

/// `SUBSTRING(operand FROM from FOR length)`; where `from` is a text, the form with a pattern.
pub(crate) fn substring(operand: Expr, from: Expr, length: Option<Expr>) -> Result<Expr, Invalid> {
    if from.ty().family() == Family::Text {
        return regex::substring(operand, from, length);
    }
    text::substring(operand, from, length)
}

/// `POSITION(wanted IN within FROM from)`.
pub(crate) fn position(wanted: Expr, within: Expr, from: Option<Expr>) -> Result<Expr, Invalid> {
    text::position(wanted, within, from)
}

/// `OVERLAY(operand PLACING placing FROM from FOR length)`.
pub(crate) fn overlay(
    operand: Expr,
    placing: Expr,
    from: Expr,
    length: Option<Expr>,
) -> Result<Expr, Invalid> {
    text::overlay(operand, placing, from, length)
}

/// `(left - right) unit`.
pub(crate) fn difference(left: Expr, right: Expr, unit: TimeUnit) -> Result<Expr, Invalid> {
    moment::difference(left, right, unit)
}

/// The columns of a function that gives several: their names and values. None if it is not one.
pub(crate) fn row_columns(
    name: &str,
    arguments: &[Expr],
) -> Option<Result<Vec<(String, Expr)>, Invalid>> {
    log::columns(name, arguments)
}
