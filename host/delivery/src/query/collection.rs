//! What several values come to.

use std::cmp::Ordering;

use super::compare::compare;
use super::meter::Meter;
use super::run::Stop;
use super::text;
use super::value::{VALUE_BYTES, Value};

/// The first of the least, or the last of the greatest, by keys; null of none.
pub fn extreme(
    keyed: Vec<(Value, Value)>,
    which: Ordering,
    meter: &mut Meter<'_>,
) -> Result<Value, Stop> {
    let mut found: Option<(Value, Value)> = None;
    for (key, value) in keyed {
        let is_it = match &found {
            None => true,
            Some((known, _)) => {
                let order = compare(&key, known, meter)?;
                order == which || (which == Ordering::Greater && order == Ordering::Equal)
            }
        };
        if is_it {
            found = Some((key, value));
        }
    }
    Ok(found.map_or(Value::Null, |(_, value)| value))
}

/// The first of each stretch of equal keys.
pub fn firsts(
    sorted: Vec<(Value, Value)>,
    meter: &mut Meter<'_>,
) -> Result<Vec<(Value, Value)>, Stop> {
    let mut firsts: Vec<(Value, Value)> = Vec::new();
    for (key, value) in sorted {
        let is_known = match firsts.last() {
            Some((known, _)) => compare(known, &key, meter)? == Ordering::Equal,
            None => false,
        };
        if !is_known {
            firsts.push((key, value));
        }
    }
    Ok(firsts)
}

pub fn flatten(
    items: &[Value],
    levels: f64,
    flat: &mut Vec<Value>,
    meter: &mut Meter<'_>,
) -> Result<(), Stop> {
    // Twice, as a list that grows is copied.
    meter.hold(2 * VALUE_BYTES * items.len())?;
    for item in items {
        match item {
            Value::Array(array) if levels > 0.0 => {
                flatten(array.items(), levels - 1.0, flat, meter)?;
            }
            other => flat.push(other.clone()),
        }
    }
    Ok(())
}

/// Name and value of an entry, under whichever of their words they stand.
pub fn entry(item: &Value, meter: &mut Meter<'_>) -> Result<(String, Value), Stop> {
    let Value::Object(object) = item else {
        return Err(Stop::error("an entry is no object"));
    };
    // Those that jq 1.6 was seen to take.
    let words = ["key", "name", "Name", "Key"];
    let mut named = words.into_iter().filter_map(|word| object.get(word));
    let Some(Value::Text(name)) = named.find(|value| value.is_true()) else {
        return Err(Stop::error("an entry has no string for its key"));
    };
    meter.hold(name.len())?;
    let value = object.get("value").or_else(|| object.get("Value"));
    Ok((name.to_string(), value.cloned().unwrap_or(Value::Null)))
}

pub fn split(text: &str, with: &str, meter: &mut Meter<'_>) -> Result<Value, Stop> {
    let mut parts = Vec::new();
    if with.is_empty() {
        let mut buffer = [0; 4];
        for character in text.chars() {
            parts.push(Value::text(character.encode_utf8(&mut buffer), meter)?);
        }
    } else if !text.is_empty() {
        for part in text.split(with) {
            parts.push(Value::text(part, meter)?);
        }
    }
    Ok(Value::array(parts, meter)?)
}

/// The texts of all with a value between each two of them, which is a string unless there is
/// nothing to add it to, or null.
pub fn join<'a>(
    items: impl Iterator<Item = &'a Value>,
    between: &Value,
    meter: &mut Meter<'_>,
) -> Result<Value, Stop> {
    let mut out = String::new();
    for (place, item) in items.enumerate() {
        match between {
            _ if place == 0 => {}
            Value::Null => {}
            Value::Text(between) => {
                meter.hold(between.len())?;
                out.push_str(between);
            }
            other => return Err(not_joined(other)),
        }
        match item {
            Value::Null => {}
            Value::Array(_) | Value::Object(_) => return Err(not_joined(item)),
            other => out.push_str(&text::to_text(other, meter)?),
        }
    }
    Ok(Value::text(&out, meter)?)
}

fn not_joined(value: &Value) -> Stop {
    let kind = value.kind();
    Stop::error(&format!("a value of type {kind} cannot be joined"))
}

/// Where a stretch of items stands first, or last.
pub fn place_of(
    whole: &[Value],
    part: &[Value],
    is_last: bool,
    meter: &mut Meter<'_>,
) -> Result<Option<usize>, Stop> {
    let mut found = None;
    if part.is_empty() {
        return Ok(found);
    }
    for (place, stretch) in whole.windows(part.len()).enumerate() {
        let mut is_it = true;
        for (one, other) in stretch.iter().zip(part) {
            is_it = compare(one, other, meter)? == Ordering::Equal;
            if !is_it {
                break;
            }
        }
        if is_it {
            found = Some(place);
            if !is_last {
                break;
            }
        }
    }
    Ok(found)
}

pub fn contains(whole: &Value, part: &Value, meter: &mut Meter<'_>) -> Result<bool, Stop> {
    meter.step(1)?;
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            for (name, value) in part.entries() {
                meter.step(whole.entries().len() / 8)?;
                let is_in = match whole.get(name) {
                    Some(within) if within.kind() == value.kind() => {
                        contains(within, value, meter)?
                    }
                    _ => false,
                };
                if !is_in {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::Array(whole), Value::Array(part)) => {
            for value in part.items() {
                let mut is_in = false;
                for within in whole.items() {
                    is_in = within.kind() == value.kind() && contains(within, value, meter)?;
                    if is_in {
                        break;
                    }
                }
                if !is_in {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::Text(whole), Value::Text(part)) => {
            meter.step(whole.len() / 16)?;
            Ok(whole.contains(&**part))
        }
        (whole, part) if whole.kind() == part.kind() => {
            Ok(compare(whole, part, meter)? == Ordering::Equal)
        }
        (whole, part) => {
            let (whole, part) = (whole.kind(), part.kind());
            let what = format!("a value of type {whole} cannot contain one of type {part}");
            Err(Stop::error(&what))
        }
    }
}
