//! Conditions: what must hold of an item for a write to go through, or for it to be given back.

mod evaluate;
mod parse;

use std::sync::Arc;

use super::path::Path;
use crate::value::Value;

pub use parse::parse;

/// Something that holds of an item or does not.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Two things compare so.
    Compare(Operand, Comparison, Operand),
    /// The first is not below the second nor above the third.
    Between(Operand, Operand, Operand),
    /// The first is one of the others.
    In(Operand, Vec<Operand>),
    /// Something is there.
    Exists(Path),
    /// Nothing is there.
    NotExists(Path),
    /// What is there is of the type of this name.
    HasType(Path, String),
    /// The first begins with the second.
    BeginsWith(Operand, Operand),
    /// The first is text, a set or a list that has the second in it.
    Contains(Operand, Operand),
    /// All of these hold.
    All(Vec<Condition>),
    /// One of these holds.
    Any(Vec<Condition>),
    /// This does not hold.
    Not(Box<Condition>),
}

/// What is compared.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// What is there in the item.
    Path(Path),
    /// A value of the request.
    Value(Arc<Value>),
    /// How long or how many it is.
    Size(Path),
}

/// How two values compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Equal, in type and value.
    Equal,
    /// Not equal.
    NotEqual,
    /// Below.
    Less,
    /// Not above.
    LessOrEqual,
    /// Above.
    Greater,
    /// Not below.
    GreaterOrEqual,
}

impl Comparison {
    /// The sign of expressions.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// Whether it needs an order, which texts, numbers and bytes have.
    pub fn is_of_order(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }
}

impl Condition {
    /// The attributes that it looks at.
    pub fn attributes(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.gather(&mut names);
        names
    }

    fn gather<'a>(&'a self, names: &mut Vec<&'a str>) {
        let mut operand = |operand: &'a Operand| match operand {
            Operand::Path(path) | Operand::Size(path) => names.push(&path.attribute),
            Operand::Value(_) => {}
        };
        match self {
            Self::Compare(one, _, other)
            | Self::BeginsWith(one, other)
            | Self::Contains(one, other) => [one, other].into_iter().for_each(operand),
            Self::Between(one, low, high) => [one, low, high].into_iter().for_each(operand),
            Self::In(one, others) => {
                operand(one);
                others.iter().for_each(operand);
            }
            Self::Exists(path) | Self::NotExists(path) | Self::HasType(path, _) => {
                names.push(&path.attribute);
            }
            Self::All(all) | Self::Any(all) => all.iter().for_each(|it| it.gather(names)),
            Self::Not(one) => one.gather(names),
        }
    }
}
