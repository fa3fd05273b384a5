//! Whether a condition holds.

use std::borrow::Cow;
use std::cmp::Ordering;

use memchr::memmem;

use super::{Comparison, Condition, Operand};
use crate::number::Number;
use crate::value::{Item, Value};

impl Condition {
    /// Whether it holds of an item; of one that is not there, as of one without attributes.
    pub fn holds(&self, item: &Item) -> bool {
        match self {
            Self::Compare(one, how, other) => compare(one.find(item), *how, other.find(item)),
            Self::Between(operand, low, high) => {
                let at_least = Comparison::GreaterOrEqual;
                let at_most = Comparison::LessOrEqual;
                compare(operand.find(item), at_least, low.find(item))
                    && compare(operand.find(item), at_most, high.find(item))
            }
            Self::In(operand, others) => others
                .iter()
                .any(|other| compare(operand.find(item), Comparison::Equal, other.find(item))),
            Self::Exists(path) => path.find(item).is_some(),
            Self::NotExists(path) => path.find(item).is_none(),
            Self::HasType(path, name) => path
                .find(item)
                .is_some_and(|value| value.type_name() == name),
            Self::BeginsWith(whole, beginning) => {
                match (whole.find(item).as_deref(), beginning.find(item).as_deref()) {
                    (Some(Value::S(whole)), Some(Value::S(beginning))) => {
                        whole.starts_with(beginning.as_str())
                    }
                    (Some(Value::B(whole)), Some(Value::B(beginning))) => {
                        whole.starts_with(beginning)
                    }
                    _ => false,
                }
            }
            Self::Contains(whole, part) => match (whole.find(item), part.find(item)) {
                (Some(whole), Some(part)) => contains(&whole, &part),
                _ => false,
            },
            Self::All(conditions) => conditions.iter().all(|it| it.holds(item)),
            Self::Any(conditions) => conditions.iter().any(|it| it.holds(item)),
            Self::Not(condition) => !condition.holds(item),
        }
    }
}

impl Operand {
    fn find<'a>(&'a self, item: &'a Item) -> Option<Cow<'a, Value>> {
        match self {
            Self::Path(path) => path.find(item).map(Cow::Borrowed),
            Self::Value(value) => Some(Cow::Borrowed(value)),
            Self::Size(path) => {
                let size = size(path.find(item)?)?;
                let size = Number::parse(&size.to_string()).ok()?;
                Some(Cow::Owned(Value::N(size)))
            }
        }
    }
}

/// What the function `size` gives; nothing of what has no size.
fn size(value: &Value) -> Option<usize> {
    match value {
        // In units of UTF-16, as DynamoDB Local counts.
        Value::S(text) => Some(text.encode_utf16().count()),
        Value::B(bytes) => Some(bytes.len()),
        Value::Ss(set) => Some(set.len()),
        Value::Ns(set) => Some(set.len()),
        Value::Bs(set) => Some(set.len()),
        Value::L(list) => Some(list.len()),
        Value::M(map) => Some(map.len()),
        Value::N(_) | Value::Bool(_) | Value::Null => None,
    }
}

/// What is not there is not equal to anything, and in no order with anything.
fn compare(one: Option<Cow<Value>>, how: Comparison, other: Option<Cow<Value>>) -> bool {
    let (one, other) = match (one.as_deref(), other.as_deref()) {
        (Some(one), Some(other)) => (one, other),
        _ => return how == Comparison::NotEqual,
    };
    match how {
        Comparison::Equal => one == other,
        Comparison::NotEqual => one != other,
        Comparison::Less => order(one, other) == Some(Ordering::Less),
        Comparison::LessOrEqual => order(one, other).is_some_and(Ordering::is_le),
        Comparison::Greater => order(one, other) == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => order(one, other).is_some_and(Ordering::is_ge),
    }
}

fn order(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::S(one), Value::S(other)) => Some(one.cmp(other)),
        (Value::N(one), Value::N(other)) => Some(one.cmp(other)),
        (Value::B(one), Value::B(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::S(whole), Value::S(part)) => {
            memmem::find(whole.as_bytes(), part.as_bytes()).is_some()
        }
        (Value::B(whole), Value::B(part)) => memmem::find(whole, part).is_some(),
        (Value::Ss(set), Value::S(part)) => set.contains(part),
        (Value::Ns(set), Value::N(part)) => set.contains(part),
        (Value::Bs(set), Value::B(part)) => set.contains(part),
        (Value::L(list), part) => list.contains(part),
        _ => false,
    }
}
