//! Reading updates.

use super::super::parser::Parser;
use super::super::projection::all_apart;
use super::super::{Fault, Kind, Substitutes};
use super::{Source, Update};
use crate::value::Value;

const KIND: Kind = Kind::Update;

/// Reads an update.
///
/// # Errors
/// The text is none, a part of it comes twice, or a path is within another.
pub fn parse(text: &str, substitutes: &mut Substitutes) -> Result<Update, Fault> {
    let mut parser = Parser::new(KIND, text, substitutes)?;
    let mut update = Update::default();
    let mut seen = Vec::new();
    while parser.peek().is_some() {
        let sections = ["SET", "REMOVE", "ADD", "DELETE"];
        let section = sections.into_iter().find(|word| parser.takes_word(word));
        let section = section.ok_or_else(|| parser.unexpected())?;
        if seen.contains(&section) {
            let what =
                format!("The \"{section}\" section can only be used once in an update expression;");
            return Err(Fault::invalid(KIND, what));
        }
        seen.push(section);
        loop {
            clause(&mut parser, section, &mut update)?;
            if !parser.takes_sign(",") {
                break;
            }
        }
    }
    all_apart(KIND, &update.paths())?;
    Ok(update)
}

fn clause(parser: &mut Parser<'_>, section: &str, update: &mut Update) -> Result<(), Fault> {
    let path = parser.path()?;
    match section {
        "SET" => {
            parser.expect_sign("=")?;
            update.set.push((path, sum(parser)?));
        }
        "REMOVE" => update.remove.push(path),
        "ADD" => {
            let value = parser.value()?;
            if !matches!(
                *value,
                Value::N(_) | Value::Ss(_) | Value::Ns(_) | Value::Bs(_)
            ) {
                return Err(wrong_operand("ADD", &value));
            }
            update.add.push((path, value));
        }
        _ => {
            let value = parser.value()?;
            if !matches!(*value, Value::Ss(_) | Value::Ns(_) | Value::Bs(_)) {
                return Err(wrong_operand("DELETE", &value));
            }
            update.delete.push((path, value));
        }
    }
    Ok(())
}

fn wrong_operand(section: &str, value: &Value) -> Fault {
    let kind = long_name(value);
    let what = format!(
        "Incorrect operand type for operator or function; operator: {section}, operand type: \
         {kind}, typeSet: ALLOWED_FOR_{section}_OPERAND"
    );
    Fault::invalid(KIND, what)
}

/// What the texts about ADD and DELETE call a type.
fn long_name(value: &Value) -> &'static str {
    match value {
        Value::S(_) => "STRING",
        Value::N(_) => "NUMBER",
        Value::B(_) => "BINARY",
        Value::Bool(_) => "BOOLEAN",
        Value::Null => "NULL",
        Value::L(_) => "LIST",
        Value::M(_) => "MAP",
        Value::Ss(_) | Value::Ns(_) | Value::Bs(_) => "SET",
    }
}

/// What a sign makes of what stands on its two sides.
type OfTwo = fn(Box<Source>, Box<Source>) -> Source;

fn sum(parser: &mut Parser<'_>) -> Result<Source, Fault> {
    let one = source(parser)?;
    let (sign, make): (_, OfTwo) = if parser.takes_sign("+") {
        ("+", Source::Plus)
    } else if parser.takes_sign("-") {
        ("-", Source::Minus)
    } else {
        return Ok(one);
    };
    let other = source(parser)?;
    for operand in [&one, &other] {
        if let Source::Value(value) = operand
            && !matches!(**value, Value::N(_))
        {
            return Err(Fault::operand(KIND, sign, value.type_name()));
        }
    }
    Ok(make(Box::new(one), Box::new(other)))
}

fn source(parser: &mut Parser<'_>) -> Result<Source, Fault> {
    if let Some(value) = parser.takes_value()? {
        return Ok(Source::Value(value));
    }
    parser.descend()?;
    let source = if parser.takes_sign("(") {
        let within = sum(parser)?;
        parser.expect_sign(")")?;
        within
    } else {
        match parser.takes_function() {
            None => Source::Path(parser.path()?),
            Some("if_not_exists") => {
                let path = parser.path()?;
                parser.expect_sign(",")?;
                let other = source(parser)?;
                parser.expect_sign(")")?;
                Source::IfNotExists(path, Box::new(other))
            }
            Some("list_append") => {
                let one = list(parser)?;
                parser.expect_sign(",")?;
                let other = list(parser)?;
                parser.expect_sign(")")?;
                Source::ListAppend(Box::new(one), Box::new(other))
            }
            Some(name) if is_of_conditions(name) => {
                let what = format!(
                    "The function is not allowed in an update expression; function: {name}"
                );
                return Err(Fault::invalid(KIND, what));
            }
            Some(name) => return Err(parser.unknown_function(name)),
        }
    };
    parser.ascend();
    Ok(source)
}

fn list(parser: &mut Parser<'_>) -> Result<Source, Fault> {
    let source = source(parser)?;
    match &source {
        Source::Value(value) if !matches!(**value, Value::L(_)) => {
            Err(Fault::operand(KIND, "list_append", value.type_name()))
        }
        _ => Ok(source),
    }
}

fn is_of_conditions(name: &str) -> bool {
    [
        "attribute_exists",
        "attribute_not_exists",
        "attribute_type",
        "begins_with",
        "contains",
        "size",
    ]
    .contains(&name)
}
