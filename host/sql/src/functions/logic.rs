//! What is asked of truths and nulls, and values that depend on them.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_buffer::BooleanBuffer;

use super::arguments::{self, wrong};
use super::cast;
use super::kernel::sure;
use super::operators::equal;
use super::types::common_type;
use crate::cell::Value;
use crate::expr::{Arguments, Expr, Scalar};
use crate::fault::{Invalid, RowFaults};
use crate::ty::{Family, SqlType};

/// `NOT`: unknown stays unknown.
pub(super) fn not(operand: Expr) -> Result<Expr, Invalid> {
    let operand = arguments::truth(operand, "NOT")?;
    sure("NOT", vec![operand], SqlType::Boolean, |inputs, _| {
        let column = inputs.column(0)?.as_boolean();
        let truths = BooleanArray::new(!column.values(), column.nulls().cloned());
        Ok(Arc::new(truths))
    })
}

/// A question whose answer is never null.
#[derive(Debug)]
enum Question {
    IsNull,
    IsNotNull,
    /// `IS TRUE` or `IS FALSE`, or not so.
    Is {
        truth: bool,
        negated: bool,
    },
}

impl Scalar for Question {
    fn can_fail(&self) -> bool {
        false
    }

    fn evaluate(&self, arguments: &Arguments<'_>, _: &mut RowFaults) -> Result<ArrayRef, Invalid> {
        let [column] = arguments.columns else {
            return Err(super::kernel::broken("one value is asked about"));
        };
        let rows = arguments.rows;
        let all = |truth| match truth {
            true => BooleanBuffer::new_set(rows),
            false => BooleanBuffer::new_unset(rows),
        };
        let nulls = match column.nulls() {
            _ if arguments.types == [SqlType::Null] => all(true),
            Some(nulls) => !nulls.inner(),
            None => all(false),
        };
        let truths = match self {
            Self::IsNull => nulls,
            Self::IsNotNull => !&nulls,
            Self::Is { truth, negated } => {
                let truths = column.as_boolean().values();
                let truths = if *truth { truths.clone() } else { !truths };
                let truths = &truths & &!&nulls;
                if *negated { !&truths } else { truths }
            }
        };
        Ok(Arc::new(BooleanArray::new(truths, None)))
    }
}

fn ask(question: Question, operand: Expr) -> Expr {
    Expr::call(Arc::new(question), vec![operand], SqlType::Boolean)
}

/// `IS NULL` and `IS NOT NULL`.
pub(super) fn is_null(operand: Expr, negated: bool) -> Expr {
    if let Some(value) = operand.as_literal() {
        let truth = (*value == Value::Null) != negated;
        return Expr::literal(Value::Boolean(truth), SqlType::Boolean);
    }
    let question = if negated {
        Question::IsNotNull
    } else {
        Question::IsNull
    };
    ask(question, operand)
}

/// `IS TRUE`, `IS FALSE` and `IS UNKNOWN`.
pub(super) fn is_truth(operand: Expr, truth: Option<bool>, negated: bool) -> Result<Expr, Invalid> {
    let operand = arguments::truth(operand, "IS TRUE, FALSE or UNKNOWN")?;
    let Some(truth) = truth else {
        return Ok(is_null(operand, negated));
    };
    if let Some(value) = operand.as_literal() {
        let holds = (*value == Value::Boolean(truth)) != negated;
        return Ok(Expr::literal(Value::Boolean(holds), SqlType::Boolean));
    }
    Ok(ask(Question::Is { truth, negated }, operand))
}

/// The first of the values that is not null. Those after it are not computed.
pub(super) fn coalesce(arguments: Vec<Expr>) -> Result<Expr, Invalid> {
    let types: Vec<SqlType> = arguments.iter().map(Expr::ty).collect();
    let ty =
        common_type(&types).ok_or_else(|| wrong("COALESCE", &arguments, "values of one type"))?;
    let mut values = arguments
        .into_iter()
        .map(|argument| cast::cast(argument, ty));
    let Some(mut last) = values.next_back().transpose()? else {
        return Err(Invalid::new("COALESCE takes at least one value"));
    };
    if ty.family() == Family::Null {
        return Ok(last);
    }
    let mut branches = Vec::new();
    for value in values {
        let value = value?;
        match value.as_literal() {
            Some(Value::Null) => {}
            Some(_) => {
                last = value;
                break;
            }
            None => branches.push((is_null(value.clone(), true), value)),
        }
    }
    if branches.is_empty() {
        return Ok(last);
    }
    Ok(Expr::case(branches, last, ty))
}

/// Null where both values are equal, the first one otherwise.
pub(super) fn null_if(left: Expr, right: Expr) -> Result<Expr, Invalid> {
    let ty = left.ty();
    let equal = equal(left.clone(), right)?;
    let null = Expr::literal(Value::Null, ty);
    if equal.as_literal() == Some(&Value::Null) || ty == SqlType::Null {
        return Ok(left);
    }
    Ok(Expr::case(vec![(equal, null)], left, ty))
}

/// `IS DISTINCT FROM`: two nulls are the same, a null and a value are not.
pub(super) fn is_distinct(left: Expr, right: Expr, negated: bool) -> Result<Expr, Invalid> {
    let equal = equal(left.clone(), right.clone())?;
    let same = |truth: bool| Expr::literal(Value::Boolean(truth), SqlType::Boolean);
    let compared = if negated { equal } else { not(equal)? };
    let both_null = Expr::and(is_null(left.clone(), false), is_null(right.clone(), false));
    let one_null = Expr::or(is_null(left, false), is_null(right, false));
    let branches = vec![(both_null, same(negated)), (one_null, same(!negated))];
    Ok(Expr::case(branches, compared, SqlType::Boolean))
}
