//! Texts that a pattern describes, as timestamps.

use super::{Field, Format, MONTHS, Part, SHORT_LETTERS, WEEKDAYS};
use crate::functions::calendar::{self, DAY, HOUR, MINUTE, SECOND};

/// Digits of a number in a date, at most.
const DIGITS_MAX: usize = 9;

/// Years of two digits below it are of this century, others of the last one.
const CENTURY_PIVOT: i64 = 70;

/// Names of zones that do not say their offset: minutes from UTC.
const ZONES: [(&str, i64); 11] = [
    ("UTC", 0),
    ("GMT", 0),
    ("Z", 0),
    ("EST", -300),
    ("EDT", -240),
    ("CST", -360),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
];

/// What a text has said so far. What it does not say is that of 1970-01-01T00:00:00.
struct Said {
    year: i64,
    month: i64,
    day: i64,
    day_of_year: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    millis: i64,
    /// The hour counts from noon or midnight.
    half: Option<Half>,
    offset_minutes: i64,
}

#[derive(Clone, Copy, PartialEq)]
enum Half {
    Morning,
    Afternoon,
}

impl Format {
    /// The timestamp that the text says, if it is one in this pattern. What follows is left aside.
    pub(in crate::functions) fn read(&self, text: &str) -> Option<i64> {
        let mut said = Said {
            year: 1970,
            month: 1,
            day: 1,
            day_of_year: None,
            hour: 0,
            minute: 0,
            second: 0,
            millis: 0,
            half: None,
            offset_minutes: 0,
        };
        let mut rest = text.trim_start();
        for (index, part) in self.parts.iter().enumerate() {
            match part {
                Part::Text(expected) => rest = rest.strip_prefix(expected.as_str())?,
                Part::Field(field, count) => {
                    let next = self.parts.get(index + 1);
                    // Without anything between two numbers, the pattern says where one ends.
                    let runs_on =
                        matches!(next, Some(Part::Field(next, n)) if is_number(*next, *n));
                    let digits = if runs_on { *count } else { DIGITS_MAX };
                    rest = said.take(*field, *count, rest.trim_start(), digits)?;
                }
            }
        }
        said.timestamp()
    }
}

fn is_number(field: Field, count: usize) -> bool {
    match field {
        Field::Month => count < SHORT_LETTERS,
        Field::Era
        | Field::DayName
        | Field::HalfDay
        | Field::ZoneName
        | Field::ZoneOffset
        | Field::ZoneIso => false,
        _ => true,
    }
}

impl Said {
    /// Takes one field from the text, and gives what is behind it.
    fn take<'a>(
        &mut self,
        field: Field,
        count: usize,
        text: &'a str,
        digits: usize,
    ) -> Option<&'a str> {
        match field {
            Field::Era => return strip(text, "AD"),
            Field::DayName => return named(WEEKDAYS, text).map(|(_, rest)| rest),
            Field::HalfDay => {
                let (half, rest) = match strip(text, "AM") {
                    Some(rest) => (Half::Morning, rest),
                    None => (Half::Afternoon, strip(text, "PM")?),
                };
                self.half = Some(half);
                return Some(rest);
            }
            Field::ZoneName | Field::ZoneOffset | Field::ZoneIso => return self.zone(text),
            Field::Month if count >= SHORT_LETTERS => {
                let (month, rest) = named(MONTHS, text)?;
                self.month = month + 1;
                return Some(rest);
            }
            _ => {}
        }
        let length = text
            .bytes()
            .take(digits)
            .take_while(u8::is_ascii_digit)
            .count();
        let (written, rest) = text.split_at(length);
        let number: i64 = written.parse().ok()?;
        match field {
            Field::Year if count == 2 && length == 2 => {
                self.year = number + if number < CENTURY_PIVOT { 2000 } else { 1900 };
            }
            Field::Year => self.year = number,
            Field::Month => self.month = number,
            Field::Day => self.day = number,
            Field::DayOfYear => self.day_of_year = Some(number),
            // Patterns often say `hh` where they mean `HH`: without AM or PM it is the same,
            // besides that 12 is midnight.
            Field::HalfHourFromOne if number == 12 => self.hour = 0,
            Field::HourFromOne if number == 24 => self.hour = 0,
            Field::Minute => self.minute = number,
            Field::Second => self.second = number,
            Field::Millisecond => self.millis = thousandths(written)?,
            _ => self.hour = number,
        }
        Some(rest)
    }

    /// A zone: its name, or how far it is from UTC.
    fn zone<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        let mut rest = text;
        for (name, minutes) in ZONES {
            if let Some(after) = strip(text, name) {
                self.offset_minutes = minutes;
                rest = after;
                break;
            }
        }
        let Some(sign) = rest.chars().next().filter(|sign| matches!(sign, '+' | '-')) else {
            return (rest.len() < text.len()).then_some(rest);
        };
        let rest = &rest[1..];
        let hours: i64 = rest.get(..2)?.parse().ok()?;
        let mut rest = &rest[2..];
        let mut minutes = 0;
        let after = rest.strip_prefix(':').unwrap_or(rest);
        if let Some(Ok(more)) = after.get(..2).map(str::parse::<u8>) {
            minutes = i64::from(more);
            rest = &after[2..];
        }
        let offset = hours * 60 + minutes;
        self.offset_minutes = if sign == '-' { -offset } else { offset };
        Some(rest)
    }

    fn timestamp(&self) -> Option<i64> {
        let year = i32::try_from(self.year).ok()?;
        let days = match self.day_of_year {
            Some(day) => calendar::days_of_year(year, u32::try_from(day).ok()?)?,
            None => {
                let (month, day) = (u32::try_from(self.month), u32::try_from(self.day));
                calendar::days_of(year, month.ok()?, day.ok()?)?
            }
        };
        let hour = match self.half {
            Some(Half::Afternoon) if self.hour < 12 => self.hour + 12,
            _ => self.hour,
        };
        if hour > 23 || self.minute > 59 || self.second > 59 {
            return None;
        }
        let time = hour * HOUR + self.minute * MINUTE + self.second * SECOND + self.millis;
        calendar::timestamp(days * DAY + time - self.offset_minutes * MINUTE)
    }
}

/// The milliseconds that digits say. More than three of them are a fraction, which is cut.
fn thousandths(digits: &str) -> Option<i64> {
    digits.get(..digits.len().min(3))?.parse().ok()
}

/// What is behind a word, in capitals or not.
fn strip<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let start = text.get(..word.len())?;
    start
        .eq_ignore_ascii_case(word)
        .then(|| &text[word.len()..])
}

/// The number of a name that the text begins with, in its long form or its short one.
fn named<'a, const N: usize>(names: [&str; N], text: &'a str) -> Option<(i64, &'a str)> {
    for (number, name) in (0_i64..).zip(names) {
        let short = name.get(..SHORT_LETTERS)?;
        if let Some(rest) = strip(text, name).or_else(|| strip(text, short)) {
            return Some((number, rest));
        }
    }
    None
}
