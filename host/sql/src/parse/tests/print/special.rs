//! Predicates and calls that have words of their own.

use super::{expression, flag, list, time_unit};
use crate::ast::ExpressionKind as Kind;
use crate::ast::*;

pub fn predicate(kind: &Kind) -> String {
    let inner = expression;
    match kind {
        Kind::IsNull { operand, negated } => {
            format!("({} IS {}NULL)", inner(operand), not(negated))
        }
        Kind::IsTruth {
            operand,
            truth,
            negated,
        } => {
            let truth = match truth {
                Some(true) => "TRUE",
                Some(false) => "FALSE",
                None => "UNKNOWN",
            };
            format!("({} IS {}{truth})", inner(operand), not(negated))
        }
        Kind::IsDistinct {
            left,
            right,
            negated,
        } => format!(
            "({} IS {}DISTINCT FROM {})",
            inner(left),
            not(negated),
            inner(right)
        ),
        Kind::Between {
            operand,
            low,
            high,
            negated,
        } => {
            let (operand, not) = (inner(operand), not(negated));
            format!(
                "({operand} {not}BETWEEN {} AND {})",
                inner(low),
                inner(high)
            )
        }
        Kind::InList {
            operand,
            list: values,
            negated,
        } => format!(
            "({} {}IN ({}))",
            inner(operand),
            not(negated),
            list(values, inner)
        ),
        Kind::Like {
            operand,
            pattern,
            escape,
            similar,
            negated,
        } => {
            let like = if *similar { "SIMILAR TO" } else { "LIKE" };
            let escape = behind("ESCAPE", escape);
            let (operand, not, pattern) = (inner(operand), not(negated), inner(pattern));
            format!("({operand} {not}{like} {pattern}{escape})")
        }
        Kind::Case { .. } => case(kind),
        other => words(other),
    }
}

fn case(kind: &Kind) -> String {
    let inner = expression;
    match kind {
        Kind::Case {
            operand,
            branches,
            otherwise,
        } => {
            let branches: String = branches
                .iter()
                .map(|(when, then)| format!(" WHEN {} THEN {}", inner(when), inner(then)))
                .collect();
            let operand = behind("", operand);
            format!("CASE{operand}{branches}{} END", behind("ELSE", otherwise))
        }
        other => panic!("{other:?} is no CASE"),
    }
}

fn words(kind: &Kind) -> String {
    let inner = expression;
    match kind {
        Kind::Cast { operand, ty } => format!("CAST({} AS {ty})", inner(operand)),
        Kind::Round { operand, up, unit } => {
            let function = if *up { "CEIL" } else { "FLOOR" };
            format!("{function}({} TO {})", inner(operand), time_unit(*unit))
        }
        Kind::Step { operand, by } => format!("STEP({} BY {})", inner(operand), inner(by)),
        Kind::Extract { unit, operand } => {
            format!("EXTRACT({} FROM {})", time_unit(*unit), inner(operand))
        }
        Kind::Trim {
            side,
            characters,
            operand,
        } => {
            let side = format!("{side:?}").to_uppercase();
            format!(
                "TRIM({side}{} FROM {})",
                behind("", characters),
                inner(operand)
            )
        }
        Kind::Substring {
            operand,
            from,
            length,
        } => {
            let length = behind("FOR", length);
            format!("SUBSTRING({} FROM {}{length})", inner(operand), inner(from))
        }
        Kind::Position {
            wanted,
            within,
            from,
        } => {
            let from = behind("FROM", from);
            format!("POSITION({} IN {}{from})", inner(wanted), inner(within))
        }
        Kind::Overlay {
            operand,
            placing,
            from,
            length,
        } => {
            let (operand, placing, from) = (inner(operand), inner(placing), inner(from));
            let length = behind("FOR", length);
            format!("OVERLAY({operand} PLACING {placing} FROM {from}{length})")
        }
        Kind::Difference { left, right, unit } => {
            format!("({} - {}) {}", inner(left), inner(right), time_unit(*unit))
        }
        other => panic!("{other:?} is written elsewhere"),
    }
}

fn not(negated: &bool) -> &'static str {
    flag(*negated, "NOT ")
}

fn behind(word: &str, value: &Option<Box<Expression>>) -> String {
    match value {
        Some(value) if word.is_empty() => format!(" {}", expression(value)),
        Some(value) => format!(" {word} {}", expression(value)),
        None => String::new(),
    }
}
