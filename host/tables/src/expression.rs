//! Expressions: what a request says about the attributes of an item
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html>). Pure.

pub mod condition;
pub mod key_condition;
mod lexer;
mod parser;
pub mod path;
pub mod projection;
mod reserved;
mod substitutes;
pub mod update;

use std::fmt;

pub use substitutes::Substitutes;

/// Bytes of an expression at most
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>).
pub const EXPRESSION_BYTES_MAX: usize = 4 * 1024;
/// Parentheses and negations within each other at most; ours, so that a small text cannot use up a
/// thread's stack.
pub const DEPTH_MAX: usize = 100;

/// Which of a request's expressions a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What must hold for a write.
    Condition,
    /// What must hold of an item that is given back.
    Filter,
    /// Which items are looked at.
    KeyCondition,
    /// Which attributes are given back.
    Projection,
    /// What becomes of an item.
    Update,
}

impl Kind {
    /// The member that holds it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Condition => "ConditionExpression",
            Self::Filter => "FilterExpression",
            Self::KeyCondition => "KeyConditionExpression",
            Self::Projection => "ProjectionExpression",
            Self::Update => "UpdateExpression",
        }
    }
}

/// Why an expression is refused, or cannot be applied to the item at hand: DynamoDB's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(pub String);

impl Fault {
    /// The text of that kind is wrong.
    pub fn invalid(kind: Kind, what: impl fmt::Display) -> Self {
        Self(format!("Invalid {}: {what}", kind.name()))
    }

    /// An operand is of a type that an operator does not take.
    pub fn operand(kind: Kind, operator: &str, type_name: &str) -> Self {
        Self::invalid(
            kind,
            format!(
                "Incorrect operand type for operator or function; operator or function: \
                 {operator}, operand type: {type_name}"
            ),
        )
    }
}
