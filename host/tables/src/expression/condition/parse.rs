//! Reading conditions, with the checks that need no item.

use super::super::lexer::Token;
use super::super::parser::Parser;
use super::super::{Fault, Kind, Substitutes};
use super::{Comparison, Condition, Operand};
use crate::value::Value;

/// The operands of IN at most
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>).
const IN_MAX: usize = 100;
/// The names that the function `attribute_type` takes.
const TYPES: [&str; 10] = ["S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M"];

/// Reads a condition.
///
/// # Errors
/// The text is none, or compares what cannot be compared.
pub fn parse(kind: Kind, text: &str, substitutes: &mut Substitutes) -> Result<Condition, Fault> {
    let mut parser = Parser::new(kind, text, substitutes)?;
    let condition = any(&mut parser)?;
    parser.end()?;
    Ok(condition)
}

fn any(parser: &mut Parser<'_>) -> Result<Condition, Fault> {
    let mut conditions = vec![all(parser)?];
    while parser.takes_word("OR") {
        conditions.push(all(parser)?);
    }
    Ok(one_or(conditions, Condition::Any))
}

fn all(parser: &mut Parser<'_>) -> Result<Condition, Fault> {
    let mut conditions = vec![negated(parser)?];
    while parser.takes_word("AND") {
        conditions.push(negated(parser)?);
    }
    Ok(one_or(conditions, Condition::All))
}

fn one_or(mut conditions: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    match conditions.pop() {
        Some(only) if conditions.is_empty() => only,
        last => {
            conditions.extend(last);
            many(conditions)
        }
    }
}

fn negated(parser: &mut Parser<'_>) -> Result<Condition, Fault> {
    parser.descend()?;
    let condition = if parser.takes_word("NOT") {
        Condition::Not(Box::new(negated(parser)?))
    } else if parser.takes_sign("(") {
        if parser.is_redundant() {
            let what = "The expression has redundant parentheses;";
            return Err(Fault::invalid(parser.kind(), what));
        }
        let within = any(parser)?;
        parser.expect_sign(")")?;
        within
    } else {
        simple(parser)?
    };
    parser.ascend();
    Ok(condition)
}

fn simple(parser: &mut Parser<'_>) -> Result<Condition, Fault> {
    let function = match (parser.peek(), parser.peek_second()) {
        (Some(Token::Word("size")), _) => None,
        _ => parser.takes_function(),
    };
    if let Some(name) = function {
        return self::function(parser, name);
    }
    let operand = operand(parser)?;
    if parser.takes_word("BETWEEN") {
        return between(parser, operand);
    }
    if parser.takes_word("IN") {
        return one_of(parser, operand);
    }
    let how = comparison(parser)?;
    let other = self::operand(parser)?;
    if how.is_of_order() {
        ordered(parser.kind(), how.sign(), &operand)?;
        ordered(parser.kind(), how.sign(), &other)?;
    }
    distinct(parser.kind(), how.sign(), &operand, &other)?;
    Ok(Condition::Compare(operand, how, other))
}

fn comparison(parser: &mut Parser<'_>) -> Result<Comparison, Fault> {
    let all = [
        Comparison::Equal,
        Comparison::NotEqual,
        Comparison::Less,
        Comparison::LessOrEqual,
        Comparison::Greater,
        Comparison::GreaterOrEqual,
    ];
    let found = all.into_iter().find(|how| parser.takes_sign(how.sign()));
    found.ok_or_else(|| parser.unexpected())
}

fn between(parser: &mut Parser<'_>, operand: Operand) -> Result<Condition, Fault> {
    let low = self::operand(parser)?;
    if !parser.takes_word("AND") {
        return Err(parser.unexpected());
    }
    let high = self::operand(parser)?;
    for operand in [&operand, &low, &high] {
        ordered(parser.kind(), "BETWEEN", operand)?;
    }
    if let (Operand::Value(low), Operand::Value(high)) = (&low, &high) {
        bounds(parser.kind(), low, high)?;
    }
    Ok(Condition::Between(operand, low, high))
}

/// The bounds of BETWEEN are of one type and in order.
fn bounds(kind: Kind, low: &Value, high: &Value) -> Result<(), Fault> {
    if low.type_name() != high.type_name() {
        let what = format!(
            "The BETWEEN operator requires same data type for lower and upper bounds; lower \
             bound operand: AttributeValue: {}, upper bound operand: AttributeValue: {}",
            shown(low),
            shown(high)
        );
        return Err(Fault::invalid(kind, what));
    }
    let is_backward = match (low, high) {
        (Value::S(low), Value::S(high)) => low > high,
        (Value::N(low), Value::N(high)) => low > high,
        (Value::B(low), Value::B(high)) => low > high,
        _ => false,
    };
    if is_backward {
        let what = format!(
            "The BETWEEN operator requires upper bound to be greater than or equal to lower \
             bound; lower bound operand: AttributeValue: {}, upper bound operand: \
             AttributeValue: {}",
            shown(low),
            shown(high)
        );
        return Err(Fault::invalid(kind, what));
    }
    Ok(())
}

/// A value as DynamoDB's texts show it.
fn shown(value: &Value) -> String {
    match value {
        Value::S(text) => format!("{{S:{text}}}"),
        Value::N(number) => format!("{{N:{number}}}"),
        other => format!("{{{}}}", other.type_name()),
    }
}

fn one_of(parser: &mut Parser<'_>, operand: Operand) -> Result<Condition, Fault> {
    parser.expect_sign("(")?;
    let mut others = vec![self::operand(parser)?];
    while parser.takes_sign(",") {
        others.push(self::operand(parser)?);
    }
    parser.expect_sign(")")?;
    if others.len() > IN_MAX {
        let what = format!(
            "The IN operator is provided with too many operands; number of operands: {}",
            others.len()
        );
        return Err(Fault::invalid(parser.kind(), what));
    }
    Ok(Condition::In(operand, others))
}

fn function(parser: &mut Parser<'_>, name: &str) -> Result<Condition, Fault> {
    let kind = parser.kind();
    let arguments = arguments(parser)?;
    let count = arguments.len();
    let wrong_count = || {
        let what = format!(
            "Incorrect number of operands for operator or function; operator or function: {name}, \
             number of operands: {count}"
        );
        Fault::invalid(kind, what)
    };
    let mut arguments = arguments.into_iter();
    let mut next = || arguments.next().ok_or_else(wrong_count);
    let condition = match name {
        "attribute_exists" => Condition::Exists(path(kind, name, next()?)?),
        "attribute_not_exists" => Condition::NotExists(path(kind, name, next()?)?),
        "attribute_type" => {
            let path = path(kind, name, next()?)?;
            Condition::HasType(path, type_name(kind, next()?)?)
        }
        "begins_with" => {
            let (whole, beginning) = (next()?, next()?);
            for operand in [&whole, &beginning] {
                typed(kind, name, operand, &["S", "B"])?;
            }
            distinct(kind, name, &whole, &beginning)?;
            Condition::BeginsWith(whole, beginning)
        }
        "contains" => {
            let (whole, part) = (next()?, next()?);
            typed(kind, name, &whole, &["S", "B", "SS", "NS", "BS", "L"])?;
            distinct(kind, name, &whole, &part)?;
            Condition::Contains(whole, part)
        }
        "size" | "if_not_exists" | "list_append" => {
            let what = format!(
                "The function is not allowed to be used this way in an expression; function: {name}"
            );
            return Err(Fault::invalid(kind, what));
        }
        _ => return Err(parser.unknown_function(name)),
    };
    match arguments.next() {
        Some(_) => Err(wrong_count()),
        None => Ok(condition),
    }
}

fn arguments(parser: &mut Parser<'_>) -> Result<Vec<Operand>, Fault> {
    let mut arguments = vec![operand(parser)?];
    while parser.takes_sign(",") {
        arguments.push(operand(parser)?);
    }
    parser.expect_sign(")")?;
    Ok(arguments)
}

fn path(kind: Kind, name: &str, operand: Operand) -> Result<super::super::path::Path, Fault> {
    match operand {
        Operand::Path(path) => Ok(path),
        Operand::Value(_) | Operand::Size(_) => Err(Fault::invalid(
            kind,
            format!("Operator or function requires a document path; operator or function: {name}"),
        )),
    }
}

fn type_name(kind: Kind, operand: Operand) -> Result<String, Fault> {
    let Operand::Value(value) = operand else {
        return Err(Fault::operand(kind, "attribute_type", "document path"));
    };
    match &*value {
        Value::S(name) if TYPES.contains(&name.as_str()) => Ok(name.clone()),
        Value::S(name) => Err(Fault::invalid(
            kind,
            format!(
                "Invalid attribute type name found; type: {name}, valid types: \
                 {{B,NULL,SS,BOOL,L,BS,N,NS,S,M}}"
            ),
        )),
        other => Err(Fault::operand(kind, "attribute_type", other.type_name())),
    }
}

fn operand(parser: &mut Parser<'_>) -> Result<Operand, Fault> {
    if let Some(value) = parser.takes_value()? {
        return Ok(Operand::Value(value));
    }
    match parser.takes_function() {
        Some("size") => {
            let argument = operand(parser)?;
            parser.expect_sign(")")?;
            Ok(Operand::Size(path(parser.kind(), "size", argument)?))
        }
        Some(name) if is_function(name) => {
            let what = format!(
                "The function is not allowed to be used this way in an expression; function: {name}"
            );
            Err(Fault::invalid(parser.kind(), what))
        }
        Some(name) => Err(parser.unknown_function(name)),
        None => parser.path().map(Operand::Path),
    }
}

fn is_function(name: &str) -> bool {
    [
        "attribute_exists",
        "attribute_not_exists",
        "attribute_type",
        "begins_with",
        "contains",
        "if_not_exists",
        "list_append",
    ]
    .contains(&name)
}

/// A value that has no order is not compared by one.
fn ordered(kind: Kind, operator: &str, operand: &Operand) -> Result<(), Fault> {
    typed(kind, operator, operand, &["S", "N", "B"])
}

/// A value of the request is of one of these types. What is in the item is looked at later.
fn typed(kind: Kind, operator: &str, operand: &Operand, types: &[&str]) -> Result<(), Fault> {
    match operand {
        Operand::Value(value) if !types.contains(&value.type_name()) => {
            Err(Fault::operand(kind, operator, value.type_name()))
        }
        _ => Ok(()),
    }
}

/// The two sides are not the same path.
fn distinct(kind: Kind, operator: &str, one: &Operand, other: &Operand) -> Result<(), Fault> {
    match (one, other) {
        (Operand::Path(one), Operand::Path(other)) if one == other => Err(Fault::invalid(
            kind,
            format!(
                "The first operand must be distinct from the remaining operands for this operator \
                 or function; operator: {operator}, first operand: {one}"
            ),
        )),
        _ => Ok(()),
    }
}
