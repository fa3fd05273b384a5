//! What the operators between two values give (jq's manual, "Builtin operators and functions").

use std::cmp::Ordering;
use std::rc::Rc;

use super::collection::split;
use super::compare::compare;
use super::meter::{Meter, Spent};
use super::number;
use super::run::Stop;
use super::syntax::Operator;
use super::value::{VALUE_BYTES, Value, set};

/// What an operator gives.
pub fn operate(
    operator: Operator,
    one: &Value,
    other: &Value,
    meter: &mut Meter<'_>,
) -> Result<Value, Stop> {
    use Operator as Is;
    let order = match operator {
        Is::Add => return add(one, other, meter),
        Is::Subtract => return subtract(one, other, meter),
        Is::Multiply => return multiply(one, other, meter),
        Is::Divide => return divide(one, other, meter),
        Is::Remainder => return remainder(one, other),
        _ => compare(one, other, meter)?,
    };
    Ok(Value::Bool(match operator {
        Is::Equal => order == Ordering::Equal,
        Is::NotEqual => order != Ordering::Equal,
        Is::Less => order == Ordering::Less,
        Is::LessOrEqual => order != Ordering::Greater,
        Is::Greater => order == Ordering::Greater,
        _ => order != Ordering::Less,
    }))
}

fn none_between(what: &str, one: &Value, other: &Value) -> Stop {
    let (one, other) = (one.kind(), other.kind());
    Stop::error(&format!("{one} and {other} cannot be {what}"))
}

fn add(one: &Value, other: &Value, meter: &mut Meter<'_>) -> Result<Value, Stop> {
    Ok(match (one, other) {
        (Value::Null, value) | (value, Value::Null) => value.clone(),
        (Value::Number(one), Value::Number(other)) => Value::Number(one + other),
        (Value::Text(one), Value::Text(other)) => {
            meter.hold(one.len() + other.len())?;
            Value::text(&format!("{one}{other}"), meter)?
        }
        (Value::Array(one), Value::Array(other)) => {
            let items = one.items().iter().chain(other.items());
            meter.hold(VALUE_BYTES * (one.items().len() + other.items().len()))?;
            Value::array(items.cloned().collect(), meter)?
        }
        (Value::Object(one), Value::Object(other)) => {
            meter.hold(2 * VALUE_BYTES * (one.entries().len() + other.entries().len()))?;
            let mut entries = one.entries().to_vec();
            for (name, value) in other.entries() {
                meter.step(1 + entries.len() / 8)?;
                set(&mut entries, Rc::clone(name), value.clone());
            }
            Value::object(entries, meter)?
        }
        (one, other) => return Err(none_between("added", one, other)),
    })
}

fn subtract(one: &Value, other: &Value, meter: &mut Meter<'_>) -> Result<Value, Stop> {
    Ok(match (one, other) {
        (Value::Number(one), Value::Number(other)) => Value::Number(one - other),
        (Value::Array(one), Value::Array(other)) => {
            meter.hold(VALUE_BYTES * one.items().len())?;
            let mut left = Vec::new();
            for item in one.items() {
                let mut is_in = false;
                for gone in other.items() {
                    is_in |= compare(item, gone, meter)? == Ordering::Equal;
                }
                if !is_in {
                    left.push(item.clone());
                }
            }
            Value::array(left, meter)?
        }
        (one, other) => return Err(none_between("subtracted", one, other)),
    })
}

fn multiply(one: &Value, other: &Value, meter: &mut Meter<'_>) -> Result<Value, Stop> {
    Ok(match (one, other) {
        (Value::Number(one), Value::Number(other)) => Value::Number(one * other),
        (Value::Text(text), Value::Number(times)) | (Value::Number(times), Value::Text(text)) => {
            if *times <= 0.0 {
                return Ok(Value::Null);
            }
            let times = number::to_whole(*times).ok_or(Stop::Spent(Spent::Bytes))?;
            let times = usize::try_from(times.max(1)).map_err(|_| Spent::Bytes)?;
            meter.hold(text.len().saturating_mul(times))?;
            Value::text(&text.repeat(times), meter)?
        }
        (Value::Object(one), Value::Object(other)) => {
            meter.hold(2 * VALUE_BYTES * (one.entries().len() + other.entries().len()))?;
            let mut entries = one.entries().to_vec();
            for (name, value) in other.entries() {
                meter.step(1 + entries.len() / 8)?;
                let value = match (one.get(name), value) {
                    (Some(known @ Value::Object(_)), Value::Object(_)) => {
                        multiply(known, value, meter)?
                    }
                    _ => value.clone(),
                };
                set(&mut entries, Rc::clone(name), value);
            }
            Value::object(entries, meter)?
        }
        (one, other) => return Err(none_between("multiplied", one, other)),
    })
}

fn divide(one: &Value, other: &Value, meter: &mut Meter<'_>) -> Result<Value, Stop> {
    match (one, other) {
        (Value::Number(_), Value::Number(0.0)) => Err(none_between(
            "divided because the divisor is zero",
            one,
            other,
        )),
        (Value::Number(one), Value::Number(other)) => Ok(Value::Number(one / other)),
        (Value::Text(text), Value::Text(with)) => {
            meter.hold(text.len())?;
            split(text, with, meter)
        }
        (one, other) => Err(none_between("divided", one, other)),
    }
}

fn remainder(one: &Value, other: &Value) -> Result<Value, Stop> {
    let wrong = || none_between("divided because the divisor is zero", one, other);
    let (Value::Number(number), Value::Number(by)) = (one, other) else {
        return Err(none_between("divided", one, other));
    };
    let (number, by) = (
        number::to_nearest_whole(*number),
        number::to_nearest_whole(*by),
    );
    if by == 0 {
        return Err(wrong());
    }
    // The least by -1 has no rest.
    let rest = number.wrapping_rem(by);
    Ok(Value::Number(number::of_whole(rest)))
}

/// All of them added up; null of none.
pub fn sum<'a>(
    values: impl Iterator<Item = &'a Value>,
    meter: &mut Meter<'_>,
) -> Result<Value, Stop> {
    let mut sum = Value::Null;
    for value in values {
        sum = operate(Operator::Add, &sum, value, meter)?;
    }
    Ok(sum)
}
