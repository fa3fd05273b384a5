//! The members that came before expressions, as the same conditions and updates
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html>).

use std::sync::Arc;

use serde::Deserialize;
use wire::ApiError;
use wire::members::Text;

use super::error;
use super::shapes::Named;
use crate::attribute::GivenValue;
use crate::expression::condition::{Comparison, Condition, Operand};
use crate::expression::path::Path;
use crate::expression::update::{Source, Update};
use crate::value::{Item, Value};

/// What is expected of an attribute.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct Expected {
    value: Option<GivenValue>,
    exists: Option<bool>,
    comparison_operator: Option<String>,
    attribute_value_list: Option<Vec<GivenValue>>,
}

/// What a filter wants of an attribute.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct FilterCondition {
    comparison_operator: Option<String>,
    attribute_value_list: Option<Vec<GivenValue>>,
}

/// What becomes of an attribute.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct AttributeUpdate {
    value: Option<GivenValue>,
    action: Option<String>,
}

/// The condition of `Expected` and `ConditionalOperator`; none of an empty one.
///
/// # Errors
/// They are none.
pub fn expected(
    all: Named<Expected>,
    operator: Option<&Text<'_>>,
) -> Result<Option<Condition>, ApiError> {
    if all.0.is_empty() && operator.is_some() {
        let text = "ConditionalOperator cannot be used without Filter or Expected";
        return Err(error::invalid(text));
    }
    let conditions = all
        .0
        .into_iter()
        .map(|(name, expected)| one_expected(name, expected));
    combined(conditions.collect::<Result<_, _>>()?, operator)
}

/// The condition of `QueryFilter` or `ScanFilter`; none of an empty one.
///
/// # Errors
/// They are none.
pub fn filter(
    all: Named<FilterCondition>,
    operator: Option<&Text<'_>>,
) -> Result<Option<Condition>, ApiError> {
    combined(conditions(all)?, operator)
}

/// The conditions of `KeyConditions` and the like, each on one attribute.
///
/// # Errors
/// One of them is none.
pub fn conditions(all: Named<FilterCondition>) -> Result<Vec<Condition>, ApiError> {
    let each = all.0.into_iter().map(|(name, condition)| {
        let operator = condition.comparison_operator.ok_or_else(|| {
            error::invalid_values("COMPARISON_OPERATOR must be specified for each condition")
        })?;
        let values = values(condition.attribute_value_list.unwrap_or_default())?;
        compare(Path::attribute(name), &operator, values)
    });
    each.collect()
}

fn combined(
    mut conditions: Vec<Condition>,
    operator: Option<&Text<'_>>,
) -> Result<Option<Condition>, ApiError> {
    Ok(match conditions.len() {
        0 => None,
        1 => conditions.pop(),
        _ if operator.is_some_and(|operator| operator.as_str() == "OR") => {
            Some(Condition::Any(conditions))
        }
        _ => Some(Condition::All(conditions)),
    })
}

fn one_expected(name: String, expected: Expected) -> Result<Condition, ApiError> {
    let path = Path::attribute(&name);
    let Expected {
        value,
        exists,
        comparison_operator,
        attribute_value_list,
    } = expected;
    if let Some(operator) = comparison_operator {
        if exists.is_some() {
            return Err(error::invalid_values(format!(
                "Exists and ComparisonOperator cannot be used together for Attribute: {name}"
            )));
        }
        let list = match (value, attribute_value_list) {
            (Some(_), Some(_)) => {
                return Err(error::invalid_values(format!(
                    "Value and AttributeValueList cannot be used together for Attribute: {name}"
                )));
            }
            (Some(value), None) => vec![value],
            (None, list) => list.unwrap_or_default(),
        };
        return compare(path, &operator, values(list)?);
    }
    if attribute_value_list.is_some() {
        return Err(error::invalid_values(format!(
            "AttributeValueList can only be used with a ComparisonOperator for Attribute: {name}"
        )));
    }
    match (exists, value) {
        (None | Some(true), Some(value)) => {
            let value = value.0.map_err(error::invalid)?;
            Ok(Condition::Compare(
                Operand::Path(path),
                Comparison::Equal,
                Operand::Value(Arc::new(value)),
            ))
        }
        (Some(false), None) => Ok(Condition::NotExists(path)),
        (Some(false), Some(_)) => Err(error::invalid_values(format!(
            "Value cannot be used when Exists is false for Attribute: {name}"
        ))),
        (Some(true), None) => Err(error::invalid_values(format!(
            "Value must be provided when Exists is true for Attribute: {name}"
        ))),
        (None, None) => Err(error::invalid_values(format!(
            "Value must be provided when Exists is null for Attribute: {name}"
        ))),
    }
}

fn values(given: Vec<GivenValue>) -> Result<Vec<Value>, ApiError> {
    given
        .into_iter()
        .map(|value| value.0.map_err(error::invalid))
        .collect()
}

fn compare(path: Path, operator: &str, values: Vec<Value>) -> Result<Condition, ApiError> {
    let count = values.len();
    let wrong_count = || {
        error::invalid_values(format!(
            "Invalid number of argument(s) for the {operator} ComparisonOperator"
        ))
    };
    let mut values = values.into_iter();
    let mut one = || {
        values
            .next()
            .map(Arc::new)
            .map(Operand::Value)
            .ok_or_else(wrong_count)
    };
    let subject = Operand::Path(path.clone());
    let (wanted, condition) = match operator {
        "NULL" => (0, Condition::NotExists(path)),
        "NOT_NULL" => (0, Condition::Exists(path)),
        "EQ" => (1, Condition::Compare(subject, Comparison::Equal, one()?)),
        "NE" => (1, Condition::Compare(subject, Comparison::NotEqual, one()?)),
        "LT" => (1, Condition::Compare(subject, Comparison::Less, one()?)),
        "LE" => (
            1,
            Condition::Compare(subject, Comparison::LessOrEqual, one()?),
        ),
        "GT" => (1, Condition::Compare(subject, Comparison::Greater, one()?)),
        "GE" => (
            1,
            Condition::Compare(subject, Comparison::GreaterOrEqual, one()?),
        ),
        "CONTAINS" => (1, Condition::Contains(subject, one()?)),
        "NOT_CONTAINS" => {
            let contains = Condition::Contains(subject, one()?);
            let does_not = Condition::Not(Box::new(contains));
            (1, Condition::All(vec![Condition::Exists(path), does_not]))
        }
        "BEGINS_WITH" => (1, Condition::BeginsWith(subject, one()?)),
        "BETWEEN" => (2, Condition::Between(subject, one()?, one()?)),
        "IN" if count == 0 => return Err(wrong_count()),
        "IN" => {
            let all: Vec<_> = values.by_ref().map(Arc::new).map(Operand::Value).collect();
            (count, Condition::In(subject, all))
        }
        _ => {
            return Err(error::invalid(format!(
                "1 validation error detected: Value '{operator}' at 'comparisonOperator' failed \
                 to satisfy constraint: Member must satisfy enum value set: [IN, NULL, BETWEEN, \
                 LT, NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS]"
            )));
        }
    };
    if wanted != count {
        return Err(wrong_count());
    }
    match wrong_type(operator, &condition) {
        None => Ok(condition),
        Some(value) => Err(error::invalid_values(format!(
            "ComparisonOperator {operator} is not valid for {} AttributeValue type",
            value.type_name()
        ))),
    }
}

/// A value of a type that the operator does not take, if there is one.
fn wrong_type<'c>(operator: &str, condition: &'c Condition) -> Option<&'c Value> {
    let unless = |operand: &'c Operand, types: &[&str]| match operand {
        Operand::Value(value) if !types.contains(&value.type_name()) => Some(&**value),
        _ => None,
    };
    const ORDERED: &[&str] = &["S", "N", "B"];
    match condition {
        Condition::Compare(_, how, value) if how.is_of_order() => unless(value, ORDERED),
        Condition::Between(_, low, high) => unless(low, ORDERED).or_else(|| unless(high, ORDERED)),
        Condition::BeginsWith(_, value) if operator == "BEGINS_WITH" => unless(value, &["S", "B"]),
        _ => None,
    }
}

/// The update of `AttributeUpdates`.
///
/// # Errors
/// One of them is none.
pub fn update(all: Named<AttributeUpdate>) -> Result<Update, ApiError> {
    let mut update = Update::default();
    for (name, AttributeUpdate { value, action }) in all.0 {
        let path = Path::attribute(&name);
        let value = value
            .map(|value| value.0)
            .transpose()
            .map_err(error::invalid)?;
        match (action.as_deref().unwrap_or("PUT"), value) {
            ("PUT", Some(value)) => update.set.push((path, Source::Value(Arc::new(value)))),
            ("DELETE", None) => update.remove.push(path),
            ("DELETE", Some(value @ (Value::Ss(_) | Value::Ns(_) | Value::Bs(_)))) => {
                update.delete.push((path, Arc::new(value)));
            }
            ("DELETE", Some(value)) => {
                return Err(error::invalid_values(format!(
                    "DELETE action with value is not supported for the type {}",
                    value.type_name()
                )));
            }
            (
                "ADD",
                Some(
                    value
                    @ (Value::N(_) | Value::Ss(_) | Value::Ns(_) | Value::Bs(_) | Value::L(_)),
                ),
            ) => update.add.push((path, Arc::new(value))),
            ("ADD", Some(value)) => {
                return Err(error::invalid_values(format!(
                    "ADD action is not supported for the type {}",
                    value.type_name()
                )));
            }
            ("PUT" | "ADD", None) => {
                return Err(error::invalid_values(
                    "Only DELETE action is allowed when no attribute value is specified",
                ));
            }
            (action, _) => {
                return Err(error::invalid(format!(
                    "1 validation error detected: Value '{action}' at \
                     'attributeUpdates.{name}.member.action' failed to satisfy constraint: Member \
                     must satisfy enum value set: [ADD, PUT, DELETE]"
                )));
            }
        }
    }
    Ok(update)
}

/// An item of the attributes of these names.
pub fn named<T: AsRef<str>>(item: &Item, names: &[T]) -> Item {
    let found = names
        .iter()
        .filter_map(|name| item.get_key_value(name.as_ref()));
    Item(
        found
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}
