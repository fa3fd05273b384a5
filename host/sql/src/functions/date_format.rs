//! Dates and times in a pattern of letters, as Java's SimpleDateFormat has them.

mod parse;

use chrono::Datelike;

use super::calendar::{self, HOUR, MINUTE, SECOND};

/// Characters of a pattern, at most.
const PATTERN_CHARS_MAX: usize = 1_000;

/// Times that one letter follows itself in a pattern, at most.
const LETTERS_MAX: usize = 20;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// How many letters of a name are its short form.
const SHORT_LETTERS: usize = 3;

/// A pattern, taken apart.
#[derive(Debug, PartialEq)]
pub(super) struct Format {
    parts: Vec<Part>,
}

#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    /// A letter, and how many times it stands there.
    Field(Field, usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Era,
    Year,
    Month,
    Day,
    DayOfYear,
    DayName,
    /// 0 to 23.
    Hour,
    /// 1 to 24.
    HourFromOne,
    /// 0 to 11, with AM and PM.
    HalfHour,
    /// 1 to 12, with AM and PM.
    HalfHourFromOne,
    Minute,
    Second,
    Millisecond,
    HalfDay,
    ZoneName,
    ZoneOffset,
    /// Like `+02:00`, or `Z`.
    ZoneIso,
}

impl Field {
    fn of(letter: char) -> Option<Self> {
        Some(match letter {
            'G' => Self::Era,
            'y' | 'Y' | 'u' => Self::Year,
            'M' | 'L' => Self::Month,
            'd' => Self::Day,
            'D' => Self::DayOfYear,
            'E' => Self::DayName,
            'H' => Self::Hour,
            'k' => Self::HourFromOne,
            'K' => Self::HalfHour,
            'h' => Self::HalfHourFromOne,
            'm' => Self::Minute,
            's' => Self::Second,
            'S' => Self::Millisecond,
            'a' => Self::HalfDay,
            'z' => Self::ZoneName,
            'Z' => Self::ZoneOffset,
            'X' => Self::ZoneIso,
            _ => return None,
        })
    }
}

impl Format {
    /// Takes a pattern apart. What stands between apostrophes means itself; two of them mean one.
    pub(super) fn parse(pattern: &str) -> Result<Self, String> {
        if pattern.chars().count() > PATTERN_CHARS_MAX {
            return Err(format!(
                "a pattern of dates has at most {PATTERN_CHARS_MAX} characters"
            ));
        }
        let mut parts = Vec::new();
        let mut letters = pattern.chars().peekable();
        while let Some(letter) = letters.next() {
            if letter == '\'' {
                let mut text = String::new();
                if letters.next_if_eq(&'\'').is_some() {
                    text.push('\'');
                } else {
                    loop {
                        match letters.next() {
                            Some('\'') if letters.next_if_eq(&'\'').is_some() => text.push('\''),
                            Some('\'') => break,
                            Some(letter) => text.push(letter),
                            None => return Err(format!("{pattern:?} lacks an apostrophe")),
                        }
                    }
                }
                push_text(&mut parts, &text);
            } else if letter.is_ascii_alphabetic() {
                let field = Field::of(letter)
                    .ok_or_else(|| format!("{letter} in {pattern:?} is no part of a date"))?;
                let mut count = 1;
                while letters.next_if_eq(&letter).is_some() {
                    count += 1;
                }
                if count > LETTERS_MAX {
                    return Err(format!("{letter} stands too often in {pattern:?}"));
                }
                parts.push(Part::Field(field, count));
            } else {
                push_text(&mut parts, letter.encode_utf8(&mut [0; 4]));
            }
        }
        Ok(Self { parts })
    }

    /// A timestamp as the pattern writes it; none outside of the calendar.
    pub(super) fn write(&self, millis: i64, out: &mut String) -> Option<()> {
        let (date, time) = calendar::split(millis)?;
        let hour = time / HOUR;
        let padded = |number: i64, count: usize| format!("{number:0count$}");
        for part in &self.parts {
            let (field, count) = match part {
                Part::Text(text) => {
                    out.push_str(text);
                    continue;
                }
                Part::Field(field, count) => (*field, *count),
            };
            let written = match field {
                Field::Era => "AD".to_owned(),
                Field::Year if count == 2 => padded(i64::from(date.year() % 100), 2),
                Field::Year => padded(i64::from(date.year()), count),
                Field::Month if count >= SHORT_LETTERS => {
                    name(MONTHS, usize::try_from(date.month0()).ok()?, count)?
                }
                Field::Month => padded(i64::from(date.month()), count),
                Field::Day => padded(i64::from(date.day()), count),
                Field::DayOfYear => padded(i64::from(date.ordinal()), count),
                Field::DayName => {
                    let day = date.weekday().num_days_from_sunday();
                    name(WEEKDAYS, usize::try_from(day).ok()?, count)?
                }
                Field::Hour => padded(hour, count),
                Field::HourFromOne => padded(if hour == 0 { 24 } else { hour }, count),
                Field::HalfHour => padded(hour % 12, count),
                Field::HalfHourFromOne => padded((hour + 11) % 12 + 1, count),
                Field::Minute => padded(time % HOUR / MINUTE, count),
                Field::Second => padded(time % MINUTE / SECOND, count),
                Field::Millisecond => padded(time % SECOND, count),
                Field::HalfDay => if hour < 12 { "AM" } else { "PM" }.to_owned(),
                Field::ZoneName => "UTC".to_owned(),
                Field::ZoneOffset => "+0000".to_owned(),
                Field::ZoneIso => "Z".to_owned(),
            };
            out.push_str(&written);
        }
        Some(())
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    if let Some(Part::Text(last)) = parts.last_mut() {
        last.push_str(text);
    } else {
        parts.push(Part::Text(text.to_owned()));
    }
}

/// The name with this number: all of it, or its first letters.
fn name<const N: usize>(names: [&str; N], index: usize, count: usize) -> Option<String> {
    let name = names.get(index)?;
    let end = if count > SHORT_LETTERS {
        name.len()
    } else {
        SHORT_LETTERS
    };
    name.get(..end).map(str::to_owned)
}
