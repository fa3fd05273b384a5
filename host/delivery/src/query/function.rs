//! The functions that a query may call, by name.

use super::plain::Plain;
use super::syntax::{Expr, Function, Piece};
use super::text::Format;

fn plain(function: Plain, arguments: Vec<Expr>) -> Expr {
    Expr::Plain(function, arguments)
}

fn piped(first: Expr, then: Expr) -> Expr {
    Expr::Pipe(Box::new(first), Box::new(then))
}

fn each() -> Expr {
    Expr::Iterate(Box::new(Expr::Identity))
}

/// What is within, and nothing where nothing can be.
fn each_if_any() -> Expr {
    Expr::Optional(Box::new(each()))
}

/// `..`.
pub fn recursive() -> Expr {
    Expr::Call(Function::Recurse, vec![each_if_any()])
}

/// A call by name, as jq 1.6 defines it (`builtin.jq`); `None` where it is not known here.
pub fn call(name: &str, arguments: Vec<Expr>) -> Option<Expr> {
    match arguments.len() {
        0 => without_arguments(name),
        1 => {
            let argument = arguments.into_iter().next()?;
            with_value(name, argument)
        }
        2 => {
            let mut both = arguments.into_iter();
            with_two(name, both.next()?, both.next()?)
        }
        _ => None,
    }
}

fn without_arguments(name: &str) -> Option<Expr> {
    if let Some(function) = Plain::named(name) {
        return Some(plain(function, Vec::new()));
    }
    let of_types = |types| Expr::Call(Function::OfTypes(types), Vec::new());
    Some(match name {
        "null" => Expr::Null,
        "true" => Expr::Bool(true),
        "false" => Expr::Bool(false),
        "empty" => Expr::Call(Function::Empty, Vec::new()),
        "recurse" => recursive(),
        "first" => at(0.0),
        "last" => at(-1.0),
        "any" => Expr::Call(Function::Any, vec![each(), Expr::Identity]),
        "all" => Expr::Call(Function::All, vec![each(), Expr::Identity]),
        "arrays" => of_types(&["array"]),
        "objects" => of_types(&["object"]),
        "iterables" => of_types(&["array", "object"]),
        "booleans" => of_types(&["boolean"]),
        "numbers" => of_types(&["number"]),
        "strings" => of_types(&["string"]),
        "nulls" => of_types(&["null"]),
        "values" => of_types(&["boolean", "number", "string", "array", "object"]),
        "scalars" => of_types(&["null", "boolean", "number", "string"]),
        "todate" | "todateiso8601" | "date" => plain(Plain::StrFTime, vec![iso_8601()]),
        "fromdate" | "fromdateiso8601" => piped(
            plain(Plain::StrPTime, vec![iso_8601()]),
            plain(Plain::MkTime, Vec::new()),
        ),
        _ => return None,
    })
}

fn at(index: f64) -> Expr {
    Expr::Index(Box::new(Expr::Identity), Box::new(Expr::Number(index)))
}

fn iso_8601() -> Expr {
    let text = Piece::Text("%Y-%m-%dT%H:%M:%SZ".to_owned());
    Expr::Text(vec![text], Format::Text)
}

fn with_value(name: &str, argument: Expr) -> Option<Expr> {
    if let Some(function) = Plain::of_value_named(name) {
        return Some(plain(function, vec![argument]));
    }
    let calls = |function| Expr::Call(function, vec![argument.clone()]);
    Some(match name {
        "select" => Expr::If(
            Box::new(argument),
            Box::new(Expr::Identity),
            Box::new(Expr::Call(Function::Empty, Vec::new())),
        ),
        "map" => Expr::Array(Some(Box::new(piped(each(), argument)))),
        "recurse" => calls(Function::Recurse),
        "first" => calls(Function::First),
        "last" => calls(Function::Last),
        "nth" => Expr::Index(Box::new(Expr::Identity), Box::new(argument)),
        "any" => Expr::Call(Function::Any, vec![each(), argument]),
        "all" => Expr::Call(Function::All, vec![each(), argument]),
        "range" => Expr::Call(Function::Range, vec![Expr::Number(0.0), argument]),
        "sort_by" => calls(Function::SortBy),
        "group_by" => calls(Function::GroupBy),
        "unique_by" => calls(Function::UniqueBy),
        "min_by" => calls(Function::MinBy),
        "max_by" => calls(Function::MaxBy),
        "with_entries" => piped(
            plain(Plain::ToEntries, Vec::new()),
            piped(
                Expr::Array(Some(Box::new(piped(each(), argument)))),
                plain(Plain::FromEntries, Vec::new()),
            ),
        ),
        "error" => piped(argument, plain(Plain::Error, Vec::new())),
        _ => return None,
    })
}

fn with_two(name: &str, one: Expr, other: Expr) -> Option<Expr> {
    let function = match name {
        "limit" => Function::Limit,
        "any" => Function::Any,
        "all" => Function::All,
        "range" => Function::Range,
        _ => return None,
    };
    Some(Expr::Call(function, vec![one, other]))
}
