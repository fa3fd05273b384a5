//! Which items of a table or an index a query looks at: all of one hash key, or a part of them in
//! the order of the range key.

use std::sync::Arc;

use super::condition::{Comparison, Condition, Operand, parse};
use super::{Fault, Kind, Substitutes};
use crate::schema::{KeyAttribute, KeySchema};
use crate::value::Value;

/// A key condition, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyCondition {
    /// The hash key.
    pub hash: Value,
    /// Which range keys.
    pub range: RangeCondition,
}

/// Which range keys a query wants.
#[derive(Clone, Debug, PartialEq)]
pub enum RangeCondition {
    /// All.
    All,
    /// Those that compare so. Never with [`Comparison::NotEqual`].
    Compare(Comparison, Value),
    /// From the first to the second.
    Between(Value, Value),
    /// Those that begin so.
    BeginsWith(Value),
}

const NOT_SUPPORTED: &str = "Query key condition not supported";

impl KeyCondition {
    /// Reads a key condition for a table or an index with these keys.
    ///
    /// # Errors
    /// The text is none, names other attributes, or asks for what a query cannot find.
    pub fn parse(
        text: &str,
        keys: &KeySchema,
        substitutes: &mut Substitutes,
    ) -> Result<Self, Fault> {
        let condition = parse(Kind::KeyCondition, text, substitutes)?;
        let parts = match condition {
            Condition::All(parts) => parts,
            one => vec![one],
        };
        Self::of(parts, keys)
    }

    /// Of the conditions that must all hold.
    ///
    /// # Errors
    /// As [`KeyCondition::parse`].
    pub fn of(parts: Vec<Condition>, keys: &KeySchema) -> Result<Self, Fault> {
        let mut hash = None;
        let mut range = None;
        let mut others = 0;
        for part in parts {
            let (name, wanted) = simple(part)?;
            if name == keys.hash.name {
                if hash.is_some() {
                    return Err(too_many());
                }
                hash = Some(wanted);
            } else if keys.range.as_ref().is_some_and(|it| it.name == name) {
                if range.is_some() {
                    return Err(too_many());
                }
                range = Some(wanted);
            } else {
                others += 1;
            }
        }
        let Some(hash) = hash else {
            return Err(missed(&keys.hash));
        };
        if others > 0 {
            return Err(match (&keys.range, &range) {
                (Some(attribute), None) => missed(attribute),
                _ => Fault(NOT_SUPPORTED.to_owned()),
            });
        }
        let RangeCondition::Compare(Comparison::Equal, hash) = hash else {
            return Err(Fault(NOT_SUPPORTED.to_owned()));
        };
        typed(&keys.hash, [&hash])?;
        let range = range.unwrap_or(RangeCondition::All);
        if let Some(attribute) = &keys.range {
            match &range {
                RangeCondition::All => {}
                RangeCondition::Compare(_, value) => typed(attribute, [value])?,
                RangeCondition::Between(low, high) => typed(attribute, [low, high])?,
                RangeCondition::BeginsWith(value) => typed(attribute, [value])?,
            }
        }
        Ok(Self { hash, range })
    }
}

/// One condition on one attribute, with its name.
fn simple(condition: Condition) -> Result<(String, RangeCondition), Fault> {
    let not_supported = || Fault(NOT_SUPPORTED.to_owned());
    let name = |operand: Operand| match operand {
        Operand::Path(path) if path.steps.is_empty() => Ok(path.attribute),
        _ => Err(not_supported()),
    };
    let value = |operand: Operand| match operand {
        Operand::Value(value) => Ok(Arc::unwrap_or_clone(value)),
        _ => Err(not_supported()),
    };
    match condition {
        Condition::Compare(_, Comparison::NotEqual, _) => Err(Fault(
            "Unsupported operator on KeyCondition: operator: <>".to_owned(),
        )),
        Condition::Compare(one @ Operand::Value(_), how, other) => {
            let turned = match how {
                Comparison::Less => Comparison::Greater,
                Comparison::LessOrEqual => Comparison::GreaterOrEqual,
                Comparison::Greater => Comparison::Less,
                Comparison::GreaterOrEqual => Comparison::LessOrEqual,
                how => how,
            };
            Ok((name(other)?, RangeCondition::Compare(turned, value(one)?)))
        }
        Condition::Compare(one, how, other) => {
            Ok((name(one)?, RangeCondition::Compare(how, value(other)?)))
        }
        Condition::Between(one, low, high) => Ok((
            name(one)?,
            RangeCondition::Between(value(low)?, value(high)?),
        )),
        Condition::BeginsWith(one, beginning) => {
            Ok((name(one)?, RangeCondition::BeginsWith(value(beginning)?)))
        }
        Condition::In(..) => Err(unsupported("IN")),
        Condition::Any(_) => Err(unsupported("OR")),
        Condition::Not(_) => Err(unsupported("NOT")),
        Condition::Exists(_) => Err(unsupported("attribute_exists")),
        Condition::NotExists(_) => Err(unsupported("attribute_not_exists")),
        Condition::HasType(..) => Err(unsupported("attribute_type")),
        Condition::Contains(..) => Err(unsupported("contains")),
        Condition::All(_) => Err(not_supported()),
    }
}

fn unsupported(operator: &str) -> Fault {
    Fault(format!(
        "Invalid operator used in KeyConditionExpression: {operator}"
    ))
}

fn too_many() -> Fault {
    Fault("KeyConditionExpressions must only contain one condition per key".to_owned())
}

fn missed(attribute: &KeyAttribute) -> Fault {
    let name = &attribute.name;
    Fault(format!("Query condition missed key schema element: {name}"))
}

fn typed<const COUNT: usize>(
    attribute: &KeyAttribute,
    values: [&Value; COUNT],
) -> Result<(), Fault> {
    for value in values {
        if !attribute.kind.is_of(value) {
            let text = "One or more parameter values were invalid: Condition parameter type does \
                        not match schema type";
            return Err(Fault(text.to_owned()));
        }
    }
    Ok(())
}
