//! Times as jq has them: seconds since 1970, or an array of year, month from 0, day, hour, minute,
//! second, day of the week from Sunday and day of the year from 0, in UTC.

use std::fmt::Write;

use chrono::{DateTime, Datelike, NaiveDate, Timelike};

use super::number;

/// A time in parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    pub year: i64,
    /// From 0.
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    /// From Sunday, 0.
    pub weekday: i64,
    /// From 0.
    pub yearday: i64,
}

const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
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
/// Letters of a short name of a month or a day.
const SHORT: usize = 3;

impl Parts {
    /// The time of so many seconds; `None` where no calendar goes.
    pub fn of_seconds(seconds: f64) -> Option<Self> {
        let whole = number::to_whole(seconds.floor())?;
        let at = DateTime::from_timestamp(whole, 0)?;
        Some(Self {
            year: at.year().into(),
            month: at.month0().into(),
            day: at.day().into(),
            hour: at.hour().into(),
            minute: at.minute().into(),
            second: at.second().into(),
            weekday: at.weekday().num_days_from_sunday().into(),
            yearday: at.ordinal0().into(),
        })
    }

    /// The parts as they stand in an array.
    pub fn of_numbers(numbers: &[f64]) -> Option<Self> {
        let [year, month, day, hour, minute, second, weekday, yearday, ..] = numbers else {
            return None;
        };
        let whole = |number: &f64| number::to_whole(*number);
        Some(Self {
            year: whole(year)?,
            month: whole(month)?,
            day: whole(day)?,
            hour: whole(hour)?,
            minute: whole(minute)?,
            second: whole(second)?,
            weekday: whole(weekday)?,
            yearday: whole(yearday)?,
        })
    }

    /// The same as numbers.
    pub fn numbers(self) -> [f64; 8] {
        [
            self.year,
            self.month,
            self.day,
            self.hour,
            self.minute,
            self.second,
            self.weekday,
            self.yearday,
        ]
        .map(number::of_whole)
    }

    /// Its seconds, whatever its day of the week and of the year say; parts that are too many count
    /// on, as in C's `timegm`.
    pub fn seconds(self) -> Option<f64> {
        let months = self.year.checked_mul(12)?.checked_add(self.month)?;
        let year = i32::try_from(months.div_euclid(12)).ok()?;
        let month = u32::try_from(months.rem_euclid(12)).ok()?;
        let first = NaiveDate::from_ymd_opt(year, month + 1, 1)?;
        let days = first.signed_duration_since(NaiveDate::default()).num_days();
        let days = days.checked_add(self.day.checked_sub(1)?)?;
        let minutes = days.checked_mul(24)?.checked_add(self.hour)?;
        let minutes = minutes.checked_mul(60)?.checked_add(self.minute)?;
        let seconds = minutes.checked_mul(60)?.checked_add(self.second)?;
        Some(number::of_whole(seconds))
    }

    /// The time as C's `strftime` writes it in the C locale; `None` for a conversion that is not
    /// known here, or a part that is out of its range.
    pub fn write(self, format: &str) -> Option<String> {
        let mut out = String::new();
        let mut characters = format.chars();
        while let Some(character) = characters.next() {
            if character == '%' {
                self.write_one(&mut out, characters.next()?)?;
            } else {
                out.push(character);
            }
        }
        Some(out)
    }

    fn write_one(self, out: &mut String, conversion: char) -> Option<()> {
        let weekday = usize::try_from(self.weekday).ok();
        let weekday = || WEEKDAYS.get(weekday?).copied();
        let month = usize::try_from(self.month).ok();
        let month = || MONTHS.get(month?).copied();
        let twelve = (self.hour + 11).rem_euclid(12) + 1;
        // Writing into a string does not fail.
        let _ = match conversion {
            'Y' => write!(out, "{}", self.year),
            'C' => write!(out, "{:02}", self.year.div_euclid(100)),
            'y' => write!(out, "{:02}", self.year.rem_euclid(100)),
            'm' => write!(out, "{:02}", self.month + 1),
            'd' => write!(out, "{:02}", self.day),
            'e' => write!(out, "{:2}", self.day),
            'H' => write!(out, "{:02}", self.hour),
            'I' => write!(out, "{twelve:02}"),
            'M' => write!(out, "{:02}", self.minute),
            'S' => write!(out, "{:02}", self.second),
            'j' => write!(out, "{:03}", self.yearday + 1),
            'Z' => write!(out, "UTC"),
            'z' => write!(out, "+0000"),
            'a' => write!(out, "{}", weekday()?.get(..SHORT)?),
            'A' => write!(out, "{}", weekday()?),
            'b' | 'h' => write!(out, "{}", month()?.get(..SHORT)?),
            'B' => write!(out, "{}", month()?),
            'p' => write!(out, "{}", if self.hour < 12 { "AM" } else { "PM" }),
            'u' => write!(out, "{}", (self.weekday + 6).rem_euclid(7) + 1),
            'w' => write!(out, "{}", self.weekday),
            'U' => write!(out, "{:02}", (self.yearday + 7 - self.weekday) / 7),
            'W' => {
                let from_monday = (self.weekday + 6).rem_euclid(7);
                write!(out, "{:02}", (self.yearday + 7 - from_monday) / 7)
            }
            'V' => write!(out, "{:02}", self.week()?.1),
            'G' => write!(out, "{}", self.week()?.0),
            'D' => return self.write_all(out, "%m/%d/%y"),
            'F' => return self.write_all(out, "%Y-%m-%d"),
            'T' => return self.write_all(out, "%H:%M:%S"),
            'R' => return self.write_all(out, "%H:%M"),
            's' => write!(out, "{}", number::to_whole(self.seconds()?)?),
            'n' => writeln!(out),
            't' => write!(out, "\t"),
            '%' => write!(out, "%"),
            _ => return None,
        };
        Some(())
    }

    fn write_all(self, out: &mut String, format: &str) -> Option<()> {
        out.push_str(&self.write(format)?);
        Some(())
    }

    /// The year and the week of ISO 8601.
    fn week(self) -> Option<(i64, i64)> {
        let from_monday = (self.weekday + 6).rem_euclid(7);
        let week = (self.yearday - from_monday + 10) / 7;
        if week < 1 {
            let before = self.year - 1;
            return Some((before, weeks_of(before)?));
        }
        if week > weeks_of(self.year)? {
            return Some((self.year + 1, 1));
        }
        Some((self.year, week))
    }

    /// The time that a text says, as C's `strptime` reads it in the C locale; `None` where it does
    /// not, for a conversion that is not known here, and where no whole date comes of it.
    pub fn read(text: &str, format: &str) -> Option<Self> {
        let mut reading = Reading {
            rest: text,
            parts: Self::default(),
            has: [false; 3],
            is_afternoon: None,
        };
        reading.read(format)?;
        if !reading.rest.trim_start().is_empty() || reading.has != [true; 3] {
            return None;
        }
        let mut parts = reading.parts;
        if let Some(is_afternoon) = reading.is_afternoon {
            parts.hour = parts.hour % 12 + if is_afternoon { 12 } else { 0 };
        }
        let known = Self::of_seconds(parts.seconds()?)?;
        parts.weekday = known.weekday;
        parts.yearday = known.yearday;
        Some(parts)
    }
}

fn weeks_of(year: i64) -> Option<i64> {
    // It is always in the last week.
    let day = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, 12, 28)?;
    Some(day.iso_week().week().into())
}

struct Reading<'a> {
    rest: &'a str,
    parts: Parts,
    /// Whether the year, the month and the day are known.
    has: [bool; 3],
    is_afternoon: Option<bool>,
}

impl Reading<'_> {
    fn read(&mut self, format: &str) -> Option<()> {
        let mut characters = format.chars();
        while let Some(character) = characters.next() {
            if character.is_ascii_whitespace() {
                self.rest = self.rest.trim_start();
            } else if character == '%' {
                self.read_one(characters.next()?)?;
            } else {
                self.rest = self.rest.strip_prefix(character)?;
            }
        }
        Some(())
    }

    fn read_one(&mut self, conversion: char) -> Option<()> {
        match conversion {
            'Y' => {
                self.parts.year = self.number(4, 0..=9_999)?;
                self.has[0] = true;
            }
            'y' => {
                let year = self.number(2, 0..=99)?;
                self.parts.year = if year >= 69 {
                    1_900 + year
                } else {
                    2_000 + year
                };
                self.has[0] = true;
            }
            'm' => {
                self.parts.month = self.number(2, 1..=12)? - 1;
                self.has[1] = true;
            }
            'b' | 'B' | 'h' => {
                self.parts.month = self.name(&MONTHS)?;
                self.has[1] = true;
            }
            'd' | 'e' => {
                self.parts.day = self.number(2, 1..=31)?;
                self.has[2] = true;
            }
            'H' => self.parts.hour = self.number(2, 0..=23)?,
            'I' => self.parts.hour = self.number(2, 1..=12)? % 12,
            'M' => self.parts.minute = self.number(2, 0..=59)?,
            'S' => self.parts.second = self.number(2, 0..=61)?,
            'a' | 'A' => {
                // The day of the week follows from the date.
                self.name(&WEEKDAYS)?;
            }
            'p' => {
                let half = self.rest.get(..2)?;
                let is_afternoon = half.eq_ignore_ascii_case("PM");
                if !is_afternoon && !half.eq_ignore_ascii_case("AM") {
                    return None;
                }
                self.is_afternoon = Some(is_afternoon);
                self.rest = self.rest.get(2..)?;
            }
            'Z' => {
                // It is read and counts for nothing, as in glibc.
                let rest = self.rest.trim_start();
                self.rest = rest.trim_start_matches(|it: char| !it.is_ascii_whitespace());
            }
            'D' => return self.read("%m/%d/%y"),
            'F' => return self.read("%Y-%m-%d"),
            'T' => return self.read("%H:%M:%S"),
            'R' => return self.read("%H:%M"),
            'n' | 't' => self.rest = self.rest.trim_start(),
            '%' => self.rest = self.rest.strip_prefix('%')?,
            _ => return None,
        }
        Some(())
    }

    /// A number of so many digits at most, within a range.
    fn number(&mut self, digits_max: usize, within: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let rest = self.rest.trim_start_matches(' ');
        let digits = rest.bytes().take(digits_max);
        let count = digits.take_while(u8::is_ascii_digit).count();
        let (digits, rest) = rest.split_at(count);
        self.rest = rest;
        digits.parse().ok().filter(|number| within.contains(number))
    }

    /// The place of a name, whole or short, in capitals or not.
    fn name(&mut self, names: &[&str]) -> Option<i64> {
        for (place, name) in (0..).zip(names) {
            for name in [Some(*name), name.get(..SHORT)].into_iter().flatten() {
                let begin = self.rest.get(..name.len());
                if begin.is_some_and(|begin| begin.eq_ignore_ascii_case(name)) {
                    self.rest = self.rest.get(name.len()..)?;
                    return Some(place);
                }
            }
        }
        None
    }
}
