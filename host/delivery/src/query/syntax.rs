//! What a query is made of.

use super::plain::Plain;
use super::text::Format;

/// A filter: for a value it gives any number of values.
#[derive(Clone, Debug)]
pub enum Expr {
    Identity,
    Null,
    Bool(bool),
    Number(f64),
    /// A string, in which values stand.
    Text(Vec<Piece>, Format),
    /// `@base64` and the like as a filter.
    Format(Format),
    /// `$name`.
    Variable(String),
    /// `[…]`.
    Array(Option<Box<Expr>>),
    /// `{…}`.
    Object(Vec<(Expr, Expr)>),
    /// `….name`, `…[index]`.
    Index(Box<Expr>, Box<Expr>),
    /// `…[from:to]`.
    Slice(Box<Expr>, Option<Box<Expr>>, Option<Box<Expr>>),
    /// `…[]`.
    Iterate(Box<Expr>),
    /// `….name?`, `…[index]?`, `…[]?`: where that cannot be had it gives nothing. What it is had
    /// of, and what comes next, may fail.
    Optional(Box<Expr>),
    /// `try … catch …`, or `(…)?`.
    Try(Box<Expr>, Option<Box<Expr>>),
    Pipe(Box<Expr>, Box<Expr>),
    Comma(Box<Expr>, Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    /// `… // …`.
    Alternative(Box<Expr>, Box<Expr>),
    Negate(Box<Expr>),
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `… as $name | …`.
    Bind(Box<Expr>, String, Box<Expr>),
    /// `reduce … as $name (…; …)`.
    Reduce(Box<Expr>, String, Box<Expr>, Box<Expr>),
    /// A function that calls filters.
    Call(Function, Vec<Expr>),
    /// A function of values alone.
    Plain(Plain, Vec<Expr>),
}

/// A part of a string.
#[derive(Clone, Debug)]
pub enum Piece {
    Text(String),
    Value(Expr),
}

/// An operator between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A function that calls the filters that it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Empty,
    Recurse,
    First,
    Last,
    Limit,
    Any,
    All,
    Range,
    SortBy,
    GroupBy,
    UniqueBy,
    MinBy,
    MaxBy,
    /// What is of one of these types.
    OfTypes(&'static [&'static str]),
}

impl Expr {
    /// Whether it gives one value at most, and catches no error of what comes next.
    pub fn gives_one(&self) -> bool {
        match self {
            Self::Identity
            | Self::Null
            | Self::Bool(_)
            | Self::Number(_)
            | Self::Format(_)
            | Self::Variable(_)
            | Self::Array(_) => true,
            Self::Text(pieces, _) => pieces.iter().all(|piece| match piece {
                Piece::Text(_) => true,
                Piece::Value(of) => of.gives_one(),
            }),
            Self::Object(members) => members
                .iter()
                .all(|(name, value)| name.gives_one() && value.gives_one()),
            Self::Slice(of, from, to) => {
                let bounds = from.iter().chain(to);
                of.gives_one() && bounds.into_iter().all(|bound| bound.gives_one())
            }
            Self::Optional(of) => {
                matches!(**of, Self::Index(..) | Self::Slice(..)) && of.gives_one()
            }
            Self::Index(one, other)
            | Self::Pipe(one, other)
            | Self::Binary(_, one, other)
            | Self::And(one, other)
            | Self::Or(one, other)
            | Self::Alternative(one, other)
            | Self::Bind(one, _, other) => one.gives_one() && other.gives_one(),
            Self::Negate(of) | Self::Reduce(_, _, of, _) => of.gives_one(),
            Self::If(condition, then, otherwise) => {
                condition.gives_one() && then.gives_one() && otherwise.gives_one()
            }
            Self::Plain(_, arguments) => arguments.iter().all(Self::gives_one),
            Self::Call(function, _) => {
                use Function as Is;
                !matches!(function, Is::Recurse | Is::Limit | Is::Range)
            }
            Self::Iterate(_) | Self::Try(..) | Self::Comma(..) => false,
        }
    }

    /// The names of the members that what it gives has, where its text says them.
    pub fn keys(&self) -> Option<Vec<String>> {
        match self {
            Self::Object(members) => {
                let names = members.iter().map(|(name, _)| match name {
                    Self::Text(pieces, _) => match pieces.as_slice() {
                        [] => Some(String::new()),
                        [Piece::Text(text)] => Some(text.clone()),
                        _ => None,
                    },
                    _ => None,
                });
                names.collect()
            }
            Self::Pipe(_, last) | Self::Bind(_, _, last) => last.keys(),
            Self::If(_, one, other) => {
                let (one, other) = (one.keys()?, other.keys()?);
                (one == other).then_some(one)
            }
            _ => None,
        }
    }
}
