//! `IN` of a list, and `BETWEEN`.

use std::collections::HashSet;

use arrow_array::types::Int64Type;

use super::arguments::{text, wrong};
use super::cast::cast;
use super::kernel::sure;
use super::operators::{binary, equal};
use super::types::common_type;
use crate::ast::BinaryOperator;
use crate::cell::Value;
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::ty::{Family, SqlType};

/// A list from this length on is looked up instead of compared with.
const LOOKED_UP_MIN: usize = 4;

/// True where the operand equals one of the list; unknown where it equals none and one is null.
pub(super) fn in_list(operand: Expr, list: Vec<Expr>) -> Result<Expr, Invalid> {
    let types = std::iter::once(&operand).chain(&list).map(Expr::ty);
    let types: Vec<SqlType> = types.collect();
    let Some(ty) = common_type(&types) else {
        return Err(wrong(
            "IN",
            &[&[operand], &list[..]].concat(),
            "values of one type",
        ));
    };
    let literals = list
        .iter()
        .all(|item| item.as_literal().is_some_and(|v| *v != Value::Null));
    let padded = types.iter().any(|ty| matches!(ty, SqlType::Char { .. }));
    if literals && list.len() >= LOOKED_UP_MIN && !padded {
        let looked_up = match ty.family() {
            Family::Whole => whole(cast(operand.clone(), ty)?, &list)?,
            Family::Text => texts(text(operand.clone(), "IN")?, &list)?,
            _ => None,
        };
        if let Some(looked_up) = looked_up {
            return Ok(looked_up);
        }
    }
    let mut equals = Vec::with_capacity(list.len());
    for item in list {
        equals.push(equal(operand.clone(), item)?);
    }
    any(equals).ok_or_else(|| Invalid::new("IN takes at least one value"))
}

/// One of them is true. They are put together in pairs, so that the tree of a long list is flat.
fn any(mut truths: Vec<Expr>) -> Option<Expr> {
    while truths.len() > 1 {
        let mut pairs = Vec::with_capacity(truths.len().div_ceil(2));
        let mut rest = truths.into_iter();
        while let Some(left) = rest.next() {
            pairs.push(match rest.next() {
                Some(right) => Expr::or(left, right),
                None => left,
            });
        }
        truths = pairs;
    }
    truths.pop()
}

fn whole(operand: Expr, list: &[Expr]) -> Result<Option<Expr>, Invalid> {
    let mut numbers = Vec::with_capacity(list.len());
    for item in list {
        let Some(Value::Whole(number)) = item.as_literal() else {
            return Ok(None);
        };
        numbers.push(*number);
    }
    let name = format!("IN {numbers:?}");
    let numbers: HashSet<i64> = numbers.into_iter().collect();
    let found = sure(
        name,
        vec![operand],
        SqlType::Boolean,
        move |inputs, faults| {
            let values = inputs.numbers::<Int64Type>(0)?;
            Ok(inputs.truths(faults, |row| Ok(Some(numbers.contains(&values.get(row))))))
        },
    );
    found.map(Some)
}

fn texts(operand: Expr, list: &[Expr]) -> Result<Option<Expr>, Invalid> {
    let mut texts = Vec::with_capacity(list.len());
    for item in list {
        let Some(Value::Text(text)) = item.as_literal() else {
            return Ok(None);
        };
        texts.push(text.clone());
    }
    let name = format!("IN {texts:?}");
    let texts: HashSet<Box<str>> = texts.into_iter().collect();
    let found = sure(
        name,
        vec![operand],
        SqlType::Boolean,
        move |inputs, faults| {
            let values = inputs.texts(0)?;
            Ok(inputs.truths(faults, |row| Ok(Some(texts.contains(values.get(row))))))
        },
    );
    found.map(Some)
}

/// Not below the one and not above the other.
pub(super) fn between(operand: Expr, low: Expr, high: Expr) -> Result<Expr, Invalid> {
    let above = binary(BinaryOperator::GreaterOrEqual, operand.clone(), low)?;
    let below = binary(BinaryOperator::LessOrEqual, operand, high)?;
    Ok(Expr::and(above, below))
}
