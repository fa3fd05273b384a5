//! What functions are called with: how many arguments, and of which kinds.

use super::cast;
use crate::cell::Value;
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::ty::{Family, SqlType};

pub(super) fn one(name: &str, arguments: Vec<Expr>) -> Result<Expr, Invalid> {
    match <[Expr; 1]>::try_from(arguments) {
        Ok([argument]) => Ok(argument),
        Err(arguments) => Err(wrong(name, &arguments, "one argument")),
    }
}

pub(super) fn two(name: &str, arguments: Vec<Expr>) -> Result<(Expr, Expr), Invalid> {
    match <[Expr; 2]>::try_from(arguments) {
        Ok([left, right]) => Ok((left, right)),
        Err(arguments) => Err(wrong(name, &arguments, "two arguments")),
    }
}

/// The operand, if it is a number.
pub(super) fn number(operand: Expr, of: &str) -> Result<Expr, Invalid> {
    match operand.ty() {
        SqlType::Null => cast::cast(operand, SqlType::Integer),
        ty if ty.is_number() => Ok(operand),
        _ => Err(wrong(of, &[operand], "a number")),
    }
}

/// The operand, if it is a whole number.
pub(super) fn whole_number(operand: Expr, of: &str) -> Result<Expr, Invalid> {
    match operand.ty().family() {
        Family::Null | Family::Whole => cast::cast(operand, SqlType::BigInt),
        _ => Err(wrong(of, &[operand], "a whole number")),
    }
}

/// The operand, if it is a text.
pub(super) fn text(operand: Expr, of: &str) -> Result<Expr, Invalid> {
    match operand.ty().family() {
        Family::Text => Ok(operand),
        Family::Null => cast::cast(operand, SqlType::TEXT),
        _ => Err(wrong(of, std::slice::from_ref(&operand), "a text")),
    }
}

/// The operand as a truth; `NULL` is unknown.
pub(super) fn truth(operand: Expr, of: &str) -> Result<Expr, Invalid> {
    match operand.ty() {
        SqlType::Boolean => Ok(operand),
        SqlType::Null => Ok(Expr::literal(Value::Null, SqlType::Boolean)),
        ty => Err(Invalid::new(format!("{of} takes a BOOLEAN, not {ty}"))),
    }
}

/// What is wrong with the arguments of a function.
pub(super) fn wrong(name: &str, arguments: &[Expr], takes: &str) -> Invalid {
    let types: Vec<String> = arguments
        .iter()
        .map(|argument| argument.ty().to_string())
        .collect();
    Invalid::new(format!("{name} takes {takes}, not ({})", types.join(", ")))
}
