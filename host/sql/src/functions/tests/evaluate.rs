//! Evaluates an expression without columns as it is written: enough of a binder for tests.

use arrow_array::Array;

use crate::ast::{Expression, ExpressionKind, Literal, UnaryOperator};
use crate::batch::{Batch, timestamps};
use crate::cell::{Cell, Cells, ColumnBuilder, Value};
use crate::expr::Expr;
use crate::fault::{Invalid, RowFaults};
use crate::functions;
use crate::parse::parse_expression;
use crate::ty::SqlType;

/// Where the literals of an expression are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Literals {
    /// In the expression, so that it is computed once.
    Inside,
    /// In columns, each of its own.
    InColumns,
    /// Every other one in a column, from the first or from the second on.
    EveryOther { first: bool },
}

pub(super) const LITERALS: [Literals; 4] = [
    Literals::Inside,
    Literals::InColumns,
    Literals::EveryOther { first: true },
    Literals::EveryOther { first: false },
];

/// The value as a text, `NULL`, or `error: …` of a row or a program. Of several rows, with one of
/// nulls among them.
pub(super) fn evaluate_with(code: &str, literals: Literals) -> String {
    let expression = match parse_expression(code) {
        Ok(expression) => expression,
        Err(invalid) => return format!("error: {}", invalid.message),
    };
    let mut binder = Binder {
        literals,
        seen: 0,
        taken: Vec::new(),
    };
    match binder.bind(&expression) {
        Ok(expr) => value(&expr, &binder.taken),
        Err(invalid) => format!("error: {}", invalid.message),
    }
}

/// An expression without columns.
pub(super) fn bound(code: &str) -> Result<Expr, Invalid> {
    let mut binder = Binder {
        literals: Literals::Inside,
        seen: 0,
        taken: Vec::new(),
    };
    binder.bind(&parse_expression(code)?)
}

/// The row that has all values.
const ROW: usize = 2;
const ROWS: usize = 4;

pub(super) fn value(expr: &Expr, taken: &[(Value, SqlType)]) -> String {
    let mut columns = vec![timestamps(vec![0; ROWS])];
    for (value, ty) in taken {
        let mut builder = ColumnBuilder::new(*ty);
        for row in 0..ROWS {
            let cell = if row == 0 { Cell::Null } else { value.cell() };
            builder.push(cell).unwrap();
        }
        columns.push(builder.finish());
    }
    let mut faults = RowFaults::default();
    let column = expr.evaluate(&Batch::new(columns), &mut faults).unwrap();
    assert_eq!(column.len(), ROWS, "a value for each row");
    if let Some((_, fault)) = faults.iter().find(|(row, _)| *row == ROW) {
        return format!("error: {} {}", fault.kind.name(), fault.message);
    }
    match Cells::new(&column, expr.ty()).get(ROW) {
        Cell::Null => "NULL".to_owned(),
        Cell::Bytes(bytes) => format!("{bytes:02X?}"),
        cell => super::super::cast::written(cell, expr.ty()).unwrap(),
    }
}

struct Binder {
    literals: Literals,
    seen: usize,
    /// What was put into columns, from the second column on.
    taken: Vec<(Value, SqlType)>,
}

impl Binder {
    fn literal(&mut self, literal: &Literal) -> Result<Expr, Invalid> {
        let expr = functions::literal(literal)?;
        self.seen += 1;
        let in_column = match self.literals {
            Literals::Inside => false,
            Literals::InColumns => true,
            Literals::EveryOther { first } => (self.seen % 2 == 1) == first,
        };
        match expr.as_literal() {
            Some(value) if in_column && *value != Value::Null => {
                self.taken.push((value.clone(), expr.ty()));
                Ok(Expr::column(self.taken.len(), expr.ty()))
            }
            _ => Ok(expr),
        }
    }

    fn optional(&mut self, expression: Option<&Expression>) -> Result<Option<Expr>, Invalid> {
        expression
            .map(|expression| self.bind(expression))
            .transpose()
    }

    fn list(&mut self, list: &[Expression]) -> Result<Vec<Expr>, Invalid> {
        list.iter()
            .map(|expression| self.bind(expression))
            .collect()
    }

    fn bind(&mut self, expression: &Expression) -> Result<Expr, Invalid> {
        match &expression.kind {
            ExpressionKind::Literal(literal) => self.literal(literal),
            ExpressionKind::Unary { operator, operand } => match operator {
                UnaryOperator::Plus => self.bind(operand),
                UnaryOperator::Minus => functions::negate(self.bind(operand)?),
                UnaryOperator::Not => functions::not(self.bind(operand)?),
            },
            ExpressionKind::Binary {
                operator,
                left,
                right,
            } => functions::binary(*operator, self.bind(left)?, self.bind(right)?),
            ExpressionKind::IsNull { operand, negated } => {
                Ok(functions::is_null(self.bind(operand)?, *negated))
            }
            ExpressionKind::IsTruth {
                operand,
                truth,
                negated,
            } => functions::is_truth(self.bind(operand)?, *truth, *negated),
            ExpressionKind::IsDistinct {
                left,
                right,
                negated,
            } => functions::is_distinct(self.bind(left)?, self.bind(right)?, *negated),
            ExpressionKind::Between {
                operand,
                low,
                high,
                negated: not,
            } => negated(
                functions::between(self.bind(operand)?, self.bind(low)?, self.bind(high)?)?,
                *not,
            ),
            ExpressionKind::InList {
                operand,
                list,
                negated: not,
            } => {
                let list = self.list(list)?;
                negated(functions::in_list(self.bind(operand)?, list)?, *not)
            }
            ExpressionKind::Like {
                operand,
                pattern,
                escape,
                similar,
                negated: not,
            } => {
                let like = functions::like(
                    self.bind(operand)?,
                    self.bind(pattern)?,
                    self.optional(escape.as_deref())?,
                    *similar,
                )?;
                negated(like, *not)
            }
            ExpressionKind::Case {
                operand,
                branches,
                otherwise,
            } => self.case(operand.as_deref(), branches, otherwise.as_deref()),
            _ => self.bind_function(expression),
        }
    }

    fn bind_function(&mut self, expression: &Expression) -> Result<Expr, Invalid> {
        match &expression.kind {
            ExpressionKind::Cast { operand, ty } => functions::cast(self.bind(operand)?, *ty),
            ExpressionKind::Round { operand, up, unit } => {
                functions::round_to(self.bind(operand)?, *up, *unit)
            }
            ExpressionKind::Step { operand, by } => {
                functions::step(self.bind(operand)?, self.bind(by)?)
            }
            ExpressionKind::Extract { unit, operand } => {
                functions::extract(*unit, self.bind(operand)?)
            }
            ExpressionKind::Trim {
                side,
                characters,
                operand,
            } => functions::trim(
                *side,
                self.optional(characters.as_deref())?,
                self.bind(operand)?,
            ),
            ExpressionKind::Substring {
                operand,
                from,
                length,
            } => functions::substring(
                self.bind(operand)?,
                self.bind(from)?,
                self.optional(length.as_deref())?,
            ),
            ExpressionKind::Position {
                wanted,
                within,
                from,
            } => functions::position(
                self.bind(wanted)?,
                self.bind(within)?,
                self.optional(from.as_deref())?,
            ),
            ExpressionKind::Overlay {
                operand,
                placing,
                from,
                length,
            } => functions::overlay(
                self.bind(operand)?,
                self.bind(placing)?,
                self.bind(from)?,
                self.optional(length.as_deref())?,
            ),
            ExpressionKind::Difference { left, right, unit } => {
                functions::difference(self.bind(left)?, self.bind(right)?, *unit)
            }
            ExpressionKind::Call(call) => {
                let arguments = self.list(&call.arguments)?;
                functions::call(&call.name.text, arguments)
            }
            other => Err(Invalid::new(format!("not a value: {other:?}"))),
        }
    }

    fn case(
        &mut self,
        operand: Option<&Expression>,
        branches: &[(Expression, Expression)],
        otherwise: Option<&Expression>,
    ) -> Result<Expr, Invalid> {
        let operand = self.optional(operand)?;
        let mut bound = Vec::new();
        for (condition, value) in branches {
            let condition = self.bind(condition)?;
            let condition = match &operand {
                Some(operand) => functions::equal(operand.clone(), condition)?,
                None => condition,
            };
            bound.push((condition, self.bind(value)?));
        }
        let otherwise = match otherwise {
            Some(otherwise) => self.bind(otherwise)?,
            None => Expr::literal(Value::Null, SqlType::Null),
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
}

fn negated(expr: Expr, negated: bool) -> Result<Expr, Invalid> {
    if negated {
        functions::not(expr)
    } else {
        Ok(expr)
    }
}
