//! Evaluates an expression without columns as it is written: enough of a binder for tests.

use arrow_array::Array;

use crate::ast::{Expression, ExpressionKind, UnaryOperator};
use crate::batch::{Batch, timestamps};
use crate::cell::{Cell, Cells};
use crate::expr::Expr;
use crate::fault::{Invalid, RowFaults};
use crate::functions;
use crate::parse::parse_expression;
use crate::ty::{Column, SqlType};

/// The value as a text, `NULL`, or `error: …` of a row or a program.
pub(super) fn evaluate(code: &str) -> String {
    match bound(code, &[]) {
        Ok(expr) => value(&expr),
        Err(invalid) => format!("error: {}", invalid.message),
    }
}

/// An expression over some columns.
pub(super) fn bound(code: &str, columns: &[Column]) -> Result<Expr, Invalid> {
    bind(&parse_expression(code)?, columns)
}

fn value(expr: &Expr) -> String {
    let mut faults = RowFaults::default();
    let batch = Batch::new(vec![timestamps(vec![0])]);
    let column = expr.evaluate(&batch, &mut faults).unwrap();
    assert_eq!(column.len(), 1, "a value for each row");
    if let Some((_, fault)) = faults.iter().next() {
        return format!("error: {} {}", fault.kind.name(), fault.message);
    }
    match Cells::new(&column, expr.ty()).get(0) {
        Cell::Null => "NULL".to_owned(),
        Cell::Bytes(bytes) => format!("{bytes:02X?}"),
        cell => super::super::cast::written(cell, expr.ty()).unwrap(),
    }
}

fn bind(expression: &Expression, columns: &[Column]) -> Result<Expr, Invalid> {
    let one = |expression: &Expression| bind(expression, columns);
    let optional = |expression: &Option<Box<Expression>>| match expression {
        Some(expression) => bind(expression, columns).map(Some),
        None => Ok(None),
    };
    let negated = |expr: Expr, negated: bool| {
        if negated {
            functions::not(expr)
        } else {
            Ok(expr)
        }
    };
    match &expression.kind {
        ExpressionKind::Literal(literal) => functions::literal(literal),
        ExpressionKind::Column(names) => {
            let name = &names.last().unwrap().text;
            let index = columns.iter().position(|column| column.name == *name);
            let index = index.ok_or_else(|| Invalid::new(format!("no column {name}")))?;
            Ok(Expr::column(index, columns[index].ty))
        }
        ExpressionKind::Unary { operator, operand } => match operator {
            UnaryOperator::Plus => one(operand),
            UnaryOperator::Minus => functions::negate(one(operand)?),
            UnaryOperator::Not => functions::not(one(operand)?),
        },
        ExpressionKind::Binary {
            operator,
            left,
            right,
        } => functions::binary(*operator, one(left)?, one(right)?),
        ExpressionKind::IsNull { operand, negated } => {
            Ok(functions::is_null(one(operand)?, *negated))
        }
        ExpressionKind::IsTruth {
            operand,
            truth,
            negated,
        } => functions::is_truth(one(operand)?, *truth, *negated),
        ExpressionKind::IsDistinct {
            left,
            right,
            negated,
        } => functions::is_distinct(one(left)?, one(right)?, *negated),
        ExpressionKind::Between {
            operand,
            low,
            high,
            negated: not,
        } => negated(
            functions::between(one(operand)?, one(low)?, one(high)?)?,
            *not,
        ),
        ExpressionKind::InList {
            operand,
            list,
            negated: not,
        } => {
            let list = list
                .iter()
                .map(one)
                .collect::<Result<Vec<Expr>, Invalid>>()?;
            negated(functions::in_list(one(operand)?, list)?, *not)
        }
        ExpressionKind::Like {
            operand,
            pattern,
            escape,
            similar,
            negated: not,
        } => {
            let like = functions::like(one(operand)?, one(pattern)?, optional(escape)?, *similar)?;
            negated(like, *not)
        }
        ExpressionKind::Case {
            operand,
            branches,
            otherwise,
        } => case(operand.as_deref(), branches, otherwise.as_deref(), columns),
        ExpressionKind::Cast { operand, ty } => functions::cast(one(operand)?, *ty),
        ExpressionKind::Round { operand, up, unit } => {
            functions::round_to(one(operand)?, *up, *unit)
        }
        ExpressionKind::Step { operand, by } => functions::step(one(operand)?, one(by)?),
        ExpressionKind::Extract { unit, operand } => functions::extract(*unit, one(operand)?),
        ExpressionKind::Trim {
            side,
            characters,
            operand,
        } => functions::trim(*side, optional(characters)?, one(operand)?),
        ExpressionKind::Substring {
            operand,
            from,
            length,
        } => functions::substring(one(operand)?, one(from)?, optional(length)?),
        ExpressionKind::Position {
            wanted,
            within,
            from,
        } => functions::position(one(wanted)?, one(within)?, optional(from)?),
        ExpressionKind::Overlay {
            operand,
            placing,
            from,
            length,
        } => functions::overlay(one(operand)?, one(placing)?, one(from)?, optional(length)?),
        ExpressionKind::Difference { left, right, unit } => {
            functions::difference(one(left)?, one(right)?, *unit)
        }
        ExpressionKind::Call(call) => {
            let arguments = call
                .arguments
                .iter()
                .map(one)
                .collect::<Result<_, Invalid>>()?;
            functions::call(&call.name.text, arguments)
        }
        other => Err(Invalid::new(format!("not a value: {other:?}"))),
    }
}

fn case(
    operand: Option<&Expression>,
    branches: &[(Expression, Expression)],
    otherwise: Option<&Expression>,
    columns: &[Column],
) -> Result<Expr, Invalid> {
    let operand = operand.map(|operand| bind(operand, columns)).transpose()?;
    let mut bound = Vec::new();
    for (condition, value) in branches {
        let condition = bind(condition, columns)?;
        let condition = match &operand {
            Some(operand) => functions::equal(operand.clone(), condition)?,
            None => condition,
        };
        bound.push((condition, bind(value, columns)?));
    }
    let otherwise = match otherwise {
        Some(otherwise) => bind(otherwise, columns)?,
        None => Expr::literal(crate::cell::Value::Null, SqlType::Null),
    };
    let mut types: Vec<SqlType> = bound.iter().map(|(_, value)| value.ty()).collect();
    types.push(otherwise.ty());
    let ty = functions::common_type(&types)
        .ok_or_else(|| Invalid::new("the values of CASE are not of one type"))?;
    let mut typed = Vec::new();
    for (condition, value) in bound {
        typed.push((condition, functions::cast(value, ty)?));
    }
    Ok(Expr::case(typed, functions::cast(otherwise, ty)?, ty))
}
