//! What must hold for a write to go through, as an expression or in the older way: the same
//! members of PutItem, UpdateItem and DeleteItem.

use std::collections::BTreeMap;

use wire::ApiError;
use wire::members::{Map, Text};

use super::error;
use super::legacy::{self, Expected};
use super::shapes::Named;
use crate::attribute::GivenItem;
use crate::expression::condition::{Condition, parse};
use crate::expression::{Kind, Substitutes};
use crate::value::Item;

/// The members that a condition is said with.
#[derive(Default)]
pub struct ConditionMembers<'a> {
    /// As an expression.
    pub expression: Option<&'a Text<'a>>,
    /// In the older way.
    pub expected: Option<Named<Expected>>,
    /// Whether all of them must hold, or one.
    pub operator: Option<&'a Text<'a>>,
    /// Whether a refusal says what the item is.
    pub on_failure: Option<&'a Text<'a>>,
}

/// A condition, and what a refusal says.
#[derive(Debug)]
pub struct Guard {
    condition: Option<Condition>,
    shows_item: bool,
}

impl ConditionMembers<'_> {
    /// The condition that the members say.
    ///
    /// # Errors
    /// They contradict each other, or are none.
    pub fn read(self, substitutes: &mut Substitutes) -> Result<Guard, ApiError> {
        let condition = match (self.expression, self.expected) {
            (Some(text), _) => {
                let condition = parse(Kind::Condition, text, substitutes);
                Some(condition.map_err(error::expression)?)
            }
            (None, Some(expected)) => legacy::expected(expected, self.operator)?,
            (None, None) => None,
        };
        Ok(Guard {
            condition,
            shows_item: self.on_failure.is_some_and(|on| on.as_str() == "ALL_OLD"),
        })
    }
}

impl Guard {
    /// Refuses an item of which the condition does not hold.
    ///
    /// # Errors
    /// ConditionalCheckFailedException.
    pub fn check(&self, item: Option<&Item>) -> Result<(), ApiError> {
        let nothing = Item::default();
        let holds = match &self.condition {
            Some(condition) => condition.holds(item.unwrap_or(&nothing)),
            None => true,
        };
        if holds {
            Ok(())
        } else {
            Err(error::condition_failed(item.filter(|_| self.shows_item)))
        }
    }
}

/// The names and values of the expressions of a request, none of which has `expressions` at all if
/// that is false.
///
/// # Errors
/// There are some without an expression, or they are none.
pub fn substitutes(
    names: Option<Map<'_>>,
    values: Option<GivenItem>,
    expressions: &[(&str, bool)],
) -> Result<Substitutes, ApiError> {
    let has_expression = expressions.iter().any(|(_, is_there)| *is_there);
    let without = |member: &str| {
        let names: Vec<_> = expressions.iter().map(|(name, _)| *name).collect();
        let verb = if names.len() == 1 { "is" } else { "are" };
        error::invalid(format!(
            "{member} can only be specified when using expressions: {} {verb} null",
            names.join(" and ")
        ))
    };
    if names.is_some() && !has_expression {
        return Err(error::invalid(
            "ExpressionAttributeNames can only be specified when using expressions",
        ));
    }
    if values.is_some() && !has_expression {
        return Err(without("ExpressionAttributeValues"));
    }
    let names = match names {
        Some(names) if names.is_empty() => {
            return Err(error::invalid("ExpressionAttributeNames must not be empty"));
        }
        Some(names) => own(names)?,
        None => BTreeMap::new(),
    };
    let values = match values {
        Some(values) if values.0.is_empty() => {
            return Err(error::invalid(
                "ExpressionAttributeValues must not be empty",
            ));
        }
        Some(values) => values.checked().map_err(|why| {
            error::invalid(format!(
                "ExpressionAttributeValues contains invalid value: {why}"
            ))
        })?,
        None => Item::default(),
    };
    for key in values.keys() {
        check_key("ExpressionAttributeValues", key, ':')?;
    }
    Ok(Substitutes::new(names, values))
}

fn own(names: Map<'_>) -> Result<BTreeMap<String, String>, ApiError> {
    let entries = names.into_entries().into_iter();
    let entries = entries.map(|(key, name)| {
        check_key("ExpressionAttributeNames", &key, '#')?;
        Ok((key.0.into_owned(), name.0.into_owned()))
    });
    entries.collect()
}

fn check_key(member: &str, key: &str, sign: char) -> Result<(), ApiError> {
    let rest = key.strip_prefix(sign).unwrap_or_default();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !rest.is_empty() && rest.bytes().all(allowed) {
        return Ok(());
    }
    Err(error::invalid(format!(
        "{member} contains invalid key: Syntax error; key: \"{key}\""
    )))
}

/// Refuses a request that has both expressions and members of the older way.
///
/// # Errors
/// Which of them it has.
pub fn not_mixed(older: &[(&str, bool)], expressions: &[(&str, bool)]) -> Result<(), ApiError> {
    let there = |members: &[(&str, bool)]| {
        let names = members.iter().filter(|(_, is_there)| *is_there);
        names
            .map(|(name, _)| (*name).to_owned())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let (older, expressions) = (there(older), there(expressions));
    if older.is_empty() || expressions.is_empty() {
        return Ok(());
    }
    Err(error::invalid(format!(
        "Can not use both expression and non-expression parameters in the same request: \
         Non-expression parameters: {{{older}}} Expression parameters: {{{expressions}}}"
    )))
}
