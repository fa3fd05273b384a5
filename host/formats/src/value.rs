//! A value of JSON goes into its column, as the type of that says.

use std::collections::HashMap;

use crate::column::{Column, Members, Values};
use crate::json::{Json, Kind};
use crate::meter::Meter;
use crate::number::{self, NoNumber};
use crate::reading::Reading;
use crate::refusal::{Refusal, Unconverted};

/// What it takes to read a record.
pub struct Reader<'r, 'a, 'h> {
    pub json: Json<'a>,
    pub reading: &'r Reading,
    pub meter: &'r mut Meter<'h>,
}

type Added = Result<(), Unconverted>;

/// Bytes that a key of a map takes while it is looked for, besides its own.
const KEY_BYTES: usize = 64;

impl Reader<'_, '_, '_> {
    /// Adds the members of the object that comes next to columns that have so many values each.
    /// A column that no member is for gets none; of two for one column the last counts.
    pub fn object(&mut self, into: &mut Members, row: usize) -> Added {
        let mut more = self.json.begin_object()?;
        while more {
            let name = self.json.member()?;
            match into.places.get(&*self.reading.key(&name)).copied() {
                Some(place) => self.field(into, place, row)?,
                None => self.json.pass()?,
            }
            more = self.json.next_member()?;
        }
        self.fill(into, row)
    }

    /// Adds what comes next to the column of that place.
    fn field(&mut self, into: &mut Members, place: usize, row: usize) -> Added {
        let column = into.columns.get_mut(place);
        let column = column.ok_or_else(|| Unconverted::Broken("a column is not there".into()))?;
        column.truncate(row);
        let added = self.value(column);
        added.map_err(|error| match (error, into.names.get(place)) {
            (Unconverted::Refused(refusal), Some(name)) => refusal.in_column(name).into(),
            (error, _) => error,
        })
    }

    /// Columns that have got nothing get a value that is not there.
    fn fill(&mut self, into: &mut Members, row: usize) -> Added {
        for column in &mut into.columns {
            if column.len() == row {
                column.push_null(self.meter)?;
            }
        }
        Ok(())
    }

    /// Adds the value that comes next.
    fn value(&mut self, column: &mut Column) -> Added {
        let kind = self.json.kind()?;
        if kind == Kind::Null {
            self.json.null()?;
            return column.push_null(self.meter);
        }
        match &column.values {
            Values::Struct(_) => self.members(column, kind),
            Values::Array(..) => self.array(column, kind),
            Values::Map(..) => self.map(column, kind),
            Values::Text(..) | Values::Binary(_) => self.text(column, kind),
            _ => self.scalar(column, kind),
        }
    }

    fn members(&mut self, column: &mut Column, kind: Kind) -> Added {
        self.meter.take(crate::limits::VALUE_BYTES)?;
        let row = column.len();
        let Values::Struct(members) = &mut column.values else {
            return Err(Unconverted::Broken("a struct is none".to_owned()));
        };
        match kind {
            Kind::Object => self.object(members, row)?,
            Kind::Array if self.reading.is_lenient() => self.positions(members, row)?,
            _ if self.reading.is_lenient() => {
                let what = format!("Data is not JSONObject  but {}", kind.name());
                return Err(Refusal::mismatch(&what).into());
            }
            _ => {
                let what = "java.io.IOException: Start of Object expected";
                return Err(Refusal::mismatch(what).into());
            }
        }
        column.is_there();
        Ok(())
    }

    /// The items of an array are the fields of a struct in their order.
    fn positions(&mut self, into: &mut Members, row: usize) -> Added {
        let mut more = self.json.begin_array()?;
        let mut place = 0;
        while more {
            if place < into.columns.len() {
                self.field(into, place, row)?;
            } else {
                self.json.pass()?;
            }
            place += 1;
            more = self.json.next_item()?;
        }
        self.fill(into, row)
    }

    fn array(&mut self, column: &mut Column, kind: Kind) -> Added {
        self.meter.take(crate::limits::VALUE_BYTES)?;
        let Values::Array(_, items) = &mut column.values else {
            return Err(Unconverted::Broken("an array is none".to_owned()));
        };
        if kind == Kind::Array {
            let mut more = self.json.begin_array()?;
            while more {
                self.value(items)?;
                more = self.json.next_item()?;
            }
        } else if self.reading.is_lenient() {
            self.value(items)?;
        } else {
            let what = "java.io.IOException: Start of Array expected";
            return Err(Refusal::mismatch(what).into());
        }
        column.ends_list()
    }

    fn map(&mut self, column: &mut Column, kind: Kind) -> Added {
        self.meter.take(crate::limits::VALUE_BYTES)?;
        let Values::Map(_, keys, items) = &mut column.values else {
            return Err(Unconverted::Broken("a map is none".to_owned()));
        };
        if kind != Kind::Object {
            let what = if self.reading.is_lenient() {
                format!("A map column cannot hold {}.", kind.name())
            } else {
                "java.io.IOException: Start of Object expected".to_owned()
            };
            return Err(Refusal::mismatch(&what).into());
        }
        let last = self.last_places()?;
        let mut place = 0_usize;
        let mut more = self.json.begin_object()?;
        while more {
            let name = self.json.member()?;
            let key = self.map_key(&name);
            if last.get(&key) == Some(&place) {
                self.key(keys, &key)?;
                self.value(items)?;
            } else {
                self.json.pass()?;
            }
            place += 1;
            more = self.json.next_member()?;
        }
        column.ends_list()
    }

    fn map_key(&self, name: &str) -> String {
        if self.reading.lowers_keys() {
            name.to_lowercase()
        } else {
            name.to_owned()
        }
    }

    /// Where each key of the object that comes next stands the last time: a map has each once.
    fn last_places(&mut self) -> Result<HashMap<String, usize>, Unconverted> {
        let mut ahead = self.json.clone();
        let mut last = HashMap::new();
        let mut place = 0_usize;
        let mut more = ahead.begin_object()?;
        while more {
            let key = self.map_key(&ahead.member()?);
            self.meter.take(KEY_BYTES + key.len())?;
            last.insert(key, place);
            ahead.pass()?;
            place += 1;
            more = ahead.next_member()?;
        }
        Ok(last)
    }

    /// Adds a key of a map, which is a text in JSON whatever type it has.
    fn key(&mut self, column: &mut Column, key: &str) -> Added {
        if matches!(column.values, Values::Text(..) | Values::Binary(_)) {
            return column.push_text(key, self.meter);
        }
        self.meter.take(crate::limits::VALUE_BYTES)?;
        let is_lenient = true;
        push_scalar(column, (key, Kind::Text), self.reading, is_lenient)
    }

    fn text(&mut self, column: &mut Column, kind: Kind) -> Added {
        match kind {
            Kind::Text => {
                let text = self.json.text()?;
                column.push_text(&text, self.meter)
            }
            Kind::Object | Kind::Array if !self.reading.is_lenient() => {
                let what = "One or more fields have incorrect format";
                Err(Refusal::mismatch(what).into())
            }
            _ => {
                // The text without its space is no longer than with it, in lower case a little.
                let mut text = String::new();
                let in_lower_case = self.reading.lowers_keys();
                self.json.pass_into(Some(&mut text), in_lower_case)?;
                column.push_text(&text, self.meter)
            }
        }
    }

    fn scalar(&mut self, column: &mut Column, kind: Kind) -> Added {
        self.meter.take(crate::limits::VALUE_BYTES)?;
        let is_lenient = self.reading.is_lenient();
        match kind {
            Kind::Text => {
                let text = self.json.text()?;
                push_scalar(column, (&text, kind), self.reading, is_lenient)
            }
            Kind::Number => {
                let text = self.json.number()?;
                push_scalar(column, (text, kind), self.reading, is_lenient)
            }
            Kind::Boolean => {
                let text = if self.json.boolean()? {
                    "true"
                } else {
                    "false"
                };
                push_scalar(column, (text, kind), self.reading, is_lenient)
            }
            Kind::Object | Kind::Array | Kind::Null => {
                let what = format!("A column of single values cannot hold {}.", kind.name());
                Err(Refusal::mismatch(&what).into())
            }
        }
    }
}

/// Adds a single value that is written so.
fn push_scalar(
    column: &mut Column,
    (text, kind): (&str, Kind),
    reading: &Reading,
    is_lenient: bool,
) -> Added {
    let refused = || Unconverted::from(Refusal::input(text));
    let is_number = match &column.values {
        Values::Boolean(_) | Values::Date(_) | Values::Timestamp(_) => true,
        _ => kind == Kind::Number || (kind == Kind::Text && is_lenient),
    };
    if !is_number {
        return Err(if kind == Kind::Text {
            let what = "Current token (VALUE_STRING) not numeric, can not use numeric value \
                        accessors";
            Refusal::mismatch(what).into()
        } else {
            refused()
        });
    }
    // Texts may have space around numbers.
    let trimmed = text.trim();
    match &mut column.values {
        Values::Boolean(values) => {
            values.append(boolean((trimmed, kind), is_lenient).ok_or_else(refused)?)
        }
        Values::TinyInt(values) => values.push(integer(trimmed)?),
        Values::SmallInt(values) => values.push(integer(trimmed)?),
        Values::Int(values) => values.push(integer(trimmed)?),
        Values::BigInt(values) => values.push(integer(trimmed)?),
        Values::Float(values) => {
            let value = float::<f32>(trimmed).filter(|value| value.is_finite());
            values.push(value.ok_or_else(refused)?);
        }
        Values::Double(values) => {
            let value = float::<f64>(trimmed).filter(|value| value.is_finite());
            values.push(value.ok_or_else(refused)?);
        }
        Values::Decimal(values, precision, scale) => {
            values.push(decimal(trimmed, (*precision, *scale))?);
        }
        Values::Date(values) => {
            let day = (kind != Kind::Boolean).then(|| reading.day(text)).flatten();
            values.push(day.ok_or_else(refused)?);
        }
        Values::Timestamp(values) => {
            let micros = match kind {
                Kind::Text => reading.micros_of_text(text),
                Kind::Number => reading.micros_of_number(text),
                _ => None,
            };
            let micros = micros.ok_or_else(refused)?;
            if !reading.has_moment(micros) {
                let what = "ORC has no moments of the last second before 1970";
                return Err(Refusal::mismatch(what).into());
            }
            values.push(micros);
        }
        Values::Text(..)
        | Values::Binary(_)
        | Values::Array(..)
        | Values::Map(..)
        | Values::Struct(_) => {
            return Err(Unconverted::Broken(
                "a column is none of single values".into(),
            ));
        }
    }
    column.is_there();
    Ok(())
}

fn boolean((text, kind): (&str, Kind), is_lenient: bool) -> Option<bool> {
    match kind {
        Kind::Boolean => Some(text == "true"),
        Kind::Text if is_lenient && text.eq_ignore_ascii_case("true") => Some(true),
        Kind::Text if is_lenient && text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// A number that is the integer itself: one with a fraction is none, however it is written.
fn integer<T: TryFrom<i128> + std::str::FromStr>(text: &str) -> Result<T, Unconverted> {
    if let Ok(value) = text.parse() {
        return Ok(value);
    }
    let refused = || Refusal::input(text);
    let out_of_range = || Refusal::mismatch(&format!("Value {} is out of range", shown(text)));
    let scaled = number::scaled(text, 0).map_err(|none| match none {
        NoNumber::NotANumber => refused(),
        NoNumber::TooLarge => out_of_range(),
    })?;
    if !scaled.is_exact {
        return Err(refused().into());
    }
    Ok(T::try_from(scaled.value).map_err(|_| out_of_range())?)
}

/// The beginning of a number in a sentence.
fn shown(text: &str) -> &str {
    const CHARS_MAX: usize = 60;
    text.get(..text.len().min(CHARS_MAX)).unwrap_or_default()
}

/// The number next to the one that is written. Names of what is no number are none here.
fn float<T: std::str::FromStr>(text: &str) -> Option<T> {
    let last = text.bytes().last()?;
    let is_number = last.is_ascii_digit() || last == b'.';
    is_number.then(|| text.parse().ok()).flatten()
}

/// The decimal next to a number, away from zero of two, as Hive has it. One with more digits than
/// its column is none.
fn decimal(text: &str, (precision, scale): (u8, u8)) -> Result<i128, Unconverted> {
    let out_of_range = || {
        let what = format!(
            "Value {} is out of range of decimal({precision},{scale})",
            shown(text)
        );
        Refusal::mismatch(&what)
    };
    let scaled = number::scaled(text, u32::from(scale)).map_err(|none| match none {
        NoNumber::NotANumber => Refusal::input(text),
        NoNumber::TooLarge => out_of_range(),
    })?;
    let most = number::power_of_ten(u32::from(precision));
    if most.is_none_or(|most| scaled.value.abs() >= most) {
        return Err(out_of_range().into());
    }
    Ok(scaled.value)
}
