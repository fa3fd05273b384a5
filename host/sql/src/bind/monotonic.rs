//! Which expressions never fall from one row to the next, because ROWTIME does not.

use super::scope::Scope;
use crate::ast::{BinaryOperator, Expression, ExpressionKind, Literal, UnaryOperator};

/// Whether the value of an expression never falls, where `ROWTIME` of these rows does not. Written
/// `MONOTONIC(x)`, it is believed.
pub fn is_monotonic(expression: &Expression, scope: &Scope) -> bool {
    match &expression.kind {
        ExpressionKind::Column(names) => scope
            .resolve(names)
            .is_ok_and(|column| is_rowtime(column.as_column(), scope)),
        ExpressionKind::Call(call) => match (call.name.text.as_str(), call.arguments.as_slice()) {
            ("MONOTONIC", [_]) => true,
            ("FLOOR" | "CEIL" | "CEILING" | "UNIX_TIMESTAMP", [inner]) => {
                is_monotonic(inner, scope)
            }
            ("CURRENT_ROW_TIMESTAMP", []) => true,
            _ => false,
        },
        ExpressionKind::Round { operand, .. }
        | ExpressionKind::Cast { operand, .. }
        | ExpressionKind::Step { operand, .. } => is_monotonic(operand, scope),
        ExpressionKind::Unary {
            operator: UnaryOperator::Plus,
            operand,
        } => is_monotonic(operand, scope),
        ExpressionKind::Difference { left, right, .. } => {
            is_monotonic(left, scope) && is_constant(right)
        }
        ExpressionKind::Binary {
            operator,
            left,
            right,
        } => match operator {
            BinaryOperator::Add => {
                (is_monotonic(left, scope) && is_constant(right))
                    || (is_constant(left) && is_monotonic(right, scope))
            }
            BinaryOperator::Subtract => is_monotonic(left, scope) && is_constant(right),
            BinaryOperator::Multiply => {
                (is_monotonic(left, scope) && is_positive(right))
                    || (is_positive(left) && is_monotonic(right, scope))
            }
            BinaryOperator::Divide => is_monotonic(left, scope) && is_positive(right),
            _ => false,
        },
        _ => false,
    }
}

/// Whether a column is the time of the rows, or of one side of a join, which it never falls in.
fn is_rowtime(column: Option<usize>, scope: &Scope) -> bool {
    column == Some(0) && scope.columns.iter().any(|visible| visible.index == 0)
}

/// Whether an expression names no column.
pub fn is_constant(expression: &Expression) -> bool {
    match &expression.kind {
        ExpressionKind::Literal(_) => true,
        ExpressionKind::Unary { operand, .. } | ExpressionKind::Cast { operand, .. } => {
            is_constant(operand)
        }
        ExpressionKind::Binary { left, right, .. } => is_constant(left) && is_constant(right),
        _ => false,
    }
}

/// Whether it is written as a number or an interval above zero.
fn is_positive(expression: &Expression) -> bool {
    match &expression.kind {
        ExpressionKind::Literal(literal) => match literal {
            Literal::Whole(number) => *number > 0,
            Literal::Decimal { digits, .. } => *digits > 0,
            Literal::Double(number) => *number > 0.0,
            Literal::DayInterval(millis) => *millis > 0,
            Literal::YearInterval(months) => *months > 0,
            _ => false,
        },
        _ => false,
    }
}
