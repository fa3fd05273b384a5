//! The order of values (jq's manual, `sort`): null, false, true, numbers, strings, arrays, objects.

use std::cmp::Ordering;
use std::collections::VecDeque;

use super::meter::{Meter, Spent};
use super::value::Value;

pub fn compare(one: &Value, other: &Value, meter: &mut Meter<'_>) -> Result<Ordering, Spent> {
    meter.step(1)?;
    let order = match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            // What is no number is less than any.
            one.partial_cmp(other).unwrap_or(Ordering::Less)
        }
        (Value::Text(one), Value::Text(other)) => {
            meter.step(one.len().min(other.len()) / 64)?;
            one.cmp(other)
        }
        (Value::Array(one), Value::Array(other)) => {
            for (one, other) in one.items().iter().zip(other.items()) {
                let order = compare(one, other, meter)?;
                if order != Ordering::Equal {
                    return Ok(order);
                }
            }
            one.items().len().cmp(&other.items().len())
        }
        (Value::Object(one), Value::Object(other)) => {
            meter.hold(32 * (one.entries().len() + other.entries().len()))?;
            let (one, other) = (one.sorted(), other.sorted());
            let names = one.iter().map(|(name, _)| name);
            let order = names.cmp(other.iter().map(|(name, _)| name));
            if order != Ordering::Equal {
                return Ok(order);
            }
            for ((_, one), (_, other)) in one.iter().zip(&other) {
                let order = compare(one, other, meter)?;
                if order != Ordering::Equal {
                    return Ok(order);
                }
            }
            Ordering::Equal
        }
        (one, other) => rank(one).cmp(&rank(other)),
    };
    Ok(order)
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(false) => 1,
        Value::Bool(true) => 2,
        Value::Number(_) => 3,
        Value::Text(_) => 4,
        Value::Array(_) => 5,
        Value::Object(_) => 6,
    }
}

/// Sorts by keys, which come with what they are of. Of equal ones the first stays first. The order
/// is none that a sort of the standard library takes: what is no number is less than itself.
///
/// # Errors
/// When it takes more than it may.
pub fn sort(
    keyed: Vec<(Value, Value)>,
    meter: &mut Meter<'_>,
) -> Result<Vec<(Value, Value)>, Spent> {
    meter.hold(128 * keyed.len())?;
    let mut runs: Vec<VecDeque<(Value, Value)>> =
        keyed.into_iter().map(|one| VecDeque::from([one])).collect();
    while runs.len() > 1 {
        let mut longer = Vec::new();
        let mut left = runs.into_iter();
        while let Some(one) = left.next() {
            longer.push(match left.next() {
                Some(other) => merge(one, other, meter)?,
                None => one,
            });
        }
        runs = longer;
    }
    Ok(runs.pop().unwrap_or_default().into())
}

fn merge(
    mut one: VecDeque<(Value, Value)>,
    mut other: VecDeque<(Value, Value)>,
    meter: &mut Meter<'_>,
) -> Result<VecDeque<(Value, Value)>, Spent> {
    let mut both = VecDeque::with_capacity(one.len() + other.len());
    while let (Some((first, _)), Some((second, _))) = (one.front(), other.front()) {
        let next = if compare(first, second, meter)? == Ordering::Greater {
            other.pop_front()
        } else {
            one.pop_front()
        };
        both.extend(next);
    }
    both.append(&mut one);
    both.append(&mut other);
    Ok(both)
}
