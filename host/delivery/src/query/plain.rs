//! The functions of values alone: each gives one value for its input and its argument, or fails.

use std::cmp::Ordering;
use std::rc::Rc;

use super::collection::{contains, entry, extreme, firsts, flatten, join, place_of, split};
use super::compare::sort;
use super::json::{self, Unread};
use super::meter::Meter;
use super::number;
use super::operator::sum;
use super::run::Stop;
use super::text;
use super::time::Parts;
use super::value::{VALUE_BYTES, Value, set};

/// What jq says of what is no time.
const NO_TIME: &str = "strftime/1 requires parsed datetime inputs";

/// A function of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    Length,
    Utf8ByteLength,
    Not,
    Keys,
    KeysUnsorted,
    ToText,
    ToNumber,
    ToJson,
    FromJson,
    Type,
    Floor,
    Ceil,
    Round,
    Sqrt,
    Abs,
    Add,
    Min,
    Max,
    Reverse,
    Sort,
    Unique,
    Flatten,
    ToEntries,
    FromEntries,
    Downcase,
    Upcase,
    Explode,
    Implode,
    GmTime,
    MkTime,
    Error,
    Has,
    Split,
    Join,
    StartsWith,
    EndsWith,
    TrimStart,
    TrimEnd,
    Contains,
    Inside,
    Index,
    LastIndex,
    StrFTime,
    StrPTime,
}

impl Plain {
    /// The function of a name that takes no argument.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "length" => Self::Length,
            "utf8bytelength" => Self::Utf8ByteLength,
            "not" => Self::Not,
            "keys" => Self::Keys,
            "keys_unsorted" => Self::KeysUnsorted,
            "tostring" => Self::ToText,
            "tonumber" => Self::ToNumber,
            "tojson" => Self::ToJson,
            "fromjson" => Self::FromJson,
            "type" => Self::Type,
            "floor" => Self::Floor,
            "ceil" => Self::Ceil,
            "round" => Self::Round,
            "sqrt" => Self::Sqrt,
            "fabs" => Self::Abs,
            "add" => Self::Add,
            "min" => Self::Min,
            "max" => Self::Max,
            "reverse" => Self::Reverse,
            "sort" => Self::Sort,
            "unique" => Self::Unique,
            "flatten" => Self::Flatten,
            "to_entries" => Self::ToEntries,
            "from_entries" => Self::FromEntries,
            "ascii_downcase" => Self::Downcase,
            "ascii_upcase" => Self::Upcase,
            "explode" => Self::Explode,
            "implode" => Self::Implode,
            "gmtime" => Self::GmTime,
            "mktime" => Self::MkTime,
            "error" => Self::Error,
            _ => return None,
        })
    }

    /// The function of a name that takes one value.
    pub fn of_value_named(name: &str) -> Option<Self> {
        Some(match name {
            "has" => Self::Has,
            "split" => Self::Split,
            "join" => Self::Join,
            "startswith" => Self::StartsWith,
            "endswith" => Self::EndsWith,
            "ltrimstr" => Self::TrimStart,
            "rtrimstr" => Self::TrimEnd,
            "contains" => Self::Contains,
            "inside" => Self::Inside,
            "index" => Self::Index,
            "rindex" => Self::LastIndex,
            "flatten" => Self::Flatten,
            "strftime" => Self::StrFTime,
            "strptime" => Self::StrPTime,
            _ => return None,
        })
    }

    /// What it gives for a value and its argument, if it takes one.
    pub fn apply(
        self,
        input: &Value,
        argument: Option<&Value>,
        meter: &mut Meter<'_>,
    ) -> Result<Value, Stop> {
        match argument {
            Some(argument) => self.of_two(input, argument, meter),
            None => match input {
                Value::Number(number) => self.of_number(*number, meter),
                Value::Text(text) => self.of_text(text, meter),
                other => self.of_other(other, meter),
            },
        }
    }

    fn of_number(self, number: f64, meter: &mut Meter<'_>) -> Result<Value, Stop> {
        let number = match self {
            Self::Length | Self::Abs => number.abs(),
            Self::ToNumber => number,
            Self::Floor => number.floor(),
            Self::Ceil => number.ceil(),
            Self::Round => number.round(),
            Self::Sqrt => number.sqrt(),
            Self::GmTime => {
                let none = || Stop::error("a number is no time");
                let parts = Parts::of_seconds(number).ok_or_else(none)?;
                let mut numbers = parts.numbers();
                // Seconds keep their fraction.
                numbers[5] += number - number.floor();
                return Ok(Value::array(numbers.map(Value::Number).to_vec(), meter)?);
            }
            _ => return self.of_other(&Value::Number(number), meter),
        };
        Ok(Value::Number(number))
    }

    fn of_text(self, text: &Rc<str>, meter: &mut Meter<'_>) -> Result<Value, Stop> {
        meter.hold(text.len())?;
        Ok(match self {
            Self::Length => Value::count(text.chars().count()),
            Self::Utf8ByteLength => Value::count(text.len()),
            Self::ToText => Value::Text(Rc::clone(text)),
            Self::ToNumber => {
                let number = number::read(text);
                Value::Number(number.ok_or_else(|| Stop::error("a string is no number"))?)
            }
            Self::FromJson => match json::read(text.as_bytes(), meter) {
                Ok(value) => value,
                Err(Unread::Spent(spent)) => return Err(spent.into()),
                Err(_) => return Err(Stop::error("a string is no JSON")),
            },
            Self::Downcase => Value::text(&text.to_ascii_lowercase(), meter)?,
            Self::Upcase => Value::text(&text.to_ascii_uppercase(), meter)?,
            Self::Explode => {
                meter.hold(VALUE_BYTES * text.chars().count())?;
                let codes = text.chars();
                let codes = codes.map(|it| Value::Number(f64::from(u32::from(it))));
                Value::counted_array(codes.collect(), meter)?
            }
            _ => return self.of_other(&Value::Text(Rc::clone(text)), meter),
        })
    }

    fn of_other(self, input: &Value, meter: &mut Meter<'_>) -> Result<Value, Stop> {
        Ok(match (self, input) {
            (Self::Not, input) => Value::Bool(!input.is_true()),
            (Self::Type, input) => Value::text(input.kind(), meter)?,
            (Self::Error, input) => return Err(Stop::Error(input.clone())),
            (Self::ToText | Self::ToJson, input) => {
                let json = text::to_json(input, meter)?;
                Value::text(&json, meter)?
            }
            (Self::Length, Value::Null) => Value::Number(0.0),
            (Self::Length, Value::Array(array)) => Value::count(array.items().len()),
            (Self::Length, Value::Object(object)) => Value::count(object.entries().len()),
            (Self::Keys | Self::KeysUnsorted, Value::Object(object)) => {
                meter.hold(64 * object.entries().len())?;
                let entries = match self {
                    Self::Keys => object.sorted(),
                    _ => object.entries().to_vec(),
                };
                let names = entries.into_iter().map(|(name, _)| Value::Text(name));
                Value::array(names.collect(), meter)?
            }
            (Self::Keys | Self::KeysUnsorted, Value::Array(array)) => {
                meter.hold(VALUE_BYTES * array.items().len())?;
                let places = (0..array.items().len()).map(Value::count);
                Value::counted_array(places.collect(), meter)?
            }
            (Self::Add, Value::Object(object)) => {
                sum(object.entries().iter().map(|(_, value)| value), meter)?
            }
            (Self::ToEntries, Value::Object(object)) => {
                let mut all = Vec::new();
                for (name, value) in object.entries() {
                    let name = ("key".into(), Value::Text(Rc::clone(name)));
                    let entry = vec![name, ("value".into(), value.clone())];
                    all.push(Value::object(entry, meter)?);
                }
                Value::array(all, meter)?
            }
            (Self::ToEntries, Value::Array(array)) => {
                let mut all = Vec::new();
                for (place, value) in array.items().iter().enumerate() {
                    let place = ("key".into(), Value::count(place));
                    let entry = vec![place, ("value".into(), value.clone())];
                    all.push(Value::object(entry, meter)?);
                }
                Value::array(all, meter)?
            }
            (Self::Flatten, Value::Object(object)) => {
                let mut flat = Vec::new();
                meter.hold(VALUE_BYTES * object.entries().len())?;
                let values: Vec<Value> = object
                    .entries()
                    .iter()
                    .map(|(_, value)| value.clone())
                    .collect();
                flatten(&values, f64::INFINITY, &mut flat, meter)?;
                Value::array(flat, meter)?
            }
            (Self::Reverse, Value::Object(object)) if object.entries().is_empty() => {
                Value::array(Vec::new(), meter)?
            }
            (Self::Reverse, Value::Null | Value::Number(0.0)) => Value::array(Vec::new(), meter)?,
            (Self::Reverse, Value::Text(text)) if text.is_empty() => {
                Value::array(Vec::new(), meter)?
            }
            (_, Value::Array(array)) => return self.of_array(array.items(), input, meter),
            (_, input) => return Err(self.not_of(input)),
        })
    }

    fn of_array(
        self,
        items: &[Value],
        input: &Value,
        meter: &mut Meter<'_>,
    ) -> Result<Value, Stop> {
        // All that is made of them here is no more than a list of pairs.
        meter.hold(2 * VALUE_BYTES * items.len())?;
        let keyed = || -> Vec<(Value, Value)> {
            let both = items.iter().map(|item| (item.clone(), item.clone()));
            both.collect()
        };
        let values = |keyed: Vec<(Value, Value)>| keyed.into_iter().map(|(_, value)| value);
        Ok(match self {
            Self::Add => sum(items.iter(), meter)?,
            Self::Min => extreme(keyed(), Ordering::Less, meter)?,
            Self::Max => extreme(keyed(), Ordering::Greater, meter)?,
            Self::Reverse => Value::array(items.iter().rev().cloned().collect(), meter)?,
            Self::Sort => {
                let sorted = sort(keyed(), meter)?;
                Value::array(values(sorted).collect(), meter)?
            }
            Self::Unique => {
                let sorted = sort(keyed(), meter)?;
                Value::array(values(firsts(sorted, meter)?).collect(), meter)?
            }
            Self::Flatten => {
                let mut flat = Vec::new();
                flatten(items, f64::INFINITY, &mut flat, meter)?;
                Value::array(flat, meter)?
            }
            Self::FromEntries => {
                let mut entries = Vec::new();
                for item in items {
                    let (name, value) = entry(item, meter)?;
                    meter.step(entries.len() / 8)?;
                    set(&mut entries, name.into(), value);
                }
                Value::object(entries, meter)?
            }
            Self::Implode => {
                let mut out = String::new();
                for item in items {
                    let Value::Number(code) = item else {
                        return Err(Stop::error("implode needs numbers"));
                    };
                    let code = number::to_whole(*code).and_then(|code| u32::try_from(code).ok());
                    let character = code.and_then(char::from_u32);
                    let none = || Stop::error("a number is no character");
                    out.push(character.ok_or_else(none)?);
                }
                Value::text(&out, meter)?
            }
            Self::MkTime => {
                let none = || Stop::error("mktime needs the parts of a time");
                let parts = parts_of(items).ok_or_else(none)?;
                Value::Number(parts.seconds().ok_or_else(none)?)
            }
            _ => return Err(self.not_of(input)),
        })
    }

    fn of_two(self, input: &Value, argument: &Value, meter: &mut Meter<'_>) -> Result<Value, Stop> {
        if let (Value::Text(text), Value::Text(with)) = (input, argument) {
            meter.hold(text.len() + with.len())?;
            return self.of_texts(text, with, meter);
        }
        Ok(match (self, input, argument) {
            (Self::Has, Value::Object(object), Value::Text(name)) => {
                meter.step(object.entries().len() / 8)?;
                Value::Bool(object.get(name).is_some())
            }
            (Self::Has, Value::Array(array), Value::Number(index)) => {
                let place = number::to_whole(*index).and_then(|place| usize::try_from(place).ok());
                Value::Bool(place.is_some_and(|place| place < array.items().len()))
            }
            // What is no string is left as it is.
            (Self::TrimStart | Self::TrimEnd, input, _) => input.clone(),
            (Self::Contains, input, within) => Value::Bool(contains(input, within, meter)?),
            (Self::Inside, input, whole) => Value::Bool(contains(whole, input, meter)?),
            (
                Self::Index | Self::LastIndex,
                Value::Null,
                Value::Text(_) | Value::Number(_) | Value::Object(_),
            ) => Value::Null,
            (Self::Index | Self::LastIndex, Value::Array(whole), part) => {
                let part = match part {
                    Value::Array(part) => part.items(),
                    other => std::slice::from_ref(other),
                };
                let place = place_of(whole.items(), part, self == Self::LastIndex, meter)?;
                place.map_or(Value::Null, Value::count)
            }
            (Self::Flatten, Value::Array(array), Value::Number(levels)) if *levels >= 0.0 => {
                let mut flat = Vec::new();
                flatten(array.items(), *levels, &mut flat, meter)?;
                Value::array(flat, meter)?
            }
            (Self::Join, Value::Array(array), between) => {
                join(array.items().iter(), between, meter)?
            }
            (Self::Join, Value::Object(object), between) => join(
                object.entries().iter().map(|(_, item)| item),
                between,
                meter,
            )?,
            (Self::StrFTime, input, Value::Text(format)) => {
                let parts = match input {
                    Value::Number(seconds) => Parts::of_seconds(*seconds),
                    Value::Array(array) => parts_of(array.items()),
                    _ => None,
                };
                let none = || Stop::error(NO_TIME);
                let parts = parts.ok_or_else(none)?;
                let unknown = || Stop::error("strftime/1: unknown system failure");
                meter.hold(32 * format.len())?;
                Value::text(&parts.write(format).ok_or_else(unknown)?, meter)?
            }
            (_, input, _) => return Err(self.not_of(input)),
        })
    }

    fn of_texts(self, text: &str, with: &str, meter: &mut Meter<'_>) -> Result<Value, Stop> {
        Ok(match self {
            Self::Split => split(text, with, meter)?,
            Self::StartsWith => Value::Bool(text.starts_with(with)),
            Self::EndsWith => Value::Bool(text.ends_with(with)),
            Self::TrimStart => Value::text(text.strip_prefix(with).unwrap_or(text), meter)?,
            Self::TrimEnd => Value::text(text.strip_suffix(with).unwrap_or(text), meter)?,
            Self::Contains => Value::Bool(text.contains(with)),
            Self::Inside => Value::Bool(with.contains(text)),
            // In bytes, as jq 1.6 has it.
            Self::Index | Self::LastIndex if with.is_empty() => Value::Null,
            Self::Index => text.find(with).map_or(Value::Null, Value::count),
            Self::LastIndex => text.rfind(with).map_or(Value::Null, Value::count),
            Self::StrPTime => {
                let parts = Parts::read(text, with);
                let none = || Stop::error("a string does not match the format of a time");
                let numbers = parts.ok_or_else(none)?.numbers();
                Value::array(numbers.map(Value::Number).to_vec(), meter)?
            }
            Self::StrFTime => return Err(Stop::error(NO_TIME)),
            _ => return Err(self.not_of(&Value::text(text, meter)?)),
        })
    }

    fn not_of(self, input: &Value) -> Stop {
        let kind = input.kind();
        let name = format!("{self:?}").to_lowercase();
        Stop::error(&format!("{name} cannot be had of a value of type {kind}"))
    }
}

fn parts_of(items: &[Value]) -> Option<Parts> {
    let numbers = items.iter().map(|item| match item {
        Value::Number(number) => Some(*number),
        _ => None,
    });
    Parts::of_numbers(&numbers.collect::<Option<Vec<f64>>>()?)
}
