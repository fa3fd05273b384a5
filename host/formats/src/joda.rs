//! Patterns of times, as far as Joda-Time's DateTimeFormat reads them (model, HiveJsonSerDe,
//! TimestampFormats). What names no moment by itself, such as a week or the name of a zone, is not
//! known, and a pattern with it is refused when it is configured.

use std::iter::Peekable;
use std::str::Chars;

use chrono::{NaiveDate, NaiveTime};
use types::Invalid;

use crate::date;

/// Digits of a number that is not followed by another one.
const NUMBER_DIGITS_MAX: usize = 9;
/// Years of two digits are those around this one, as Joda has it.
const PIVOT_YEAR_DEFAULT: i32 = 2000;
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];
/// Letters of a short name.
const SHORT_CHARS: usize = 3;

/// How texts of times are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// Milliseconds of the epoch: `millis`.
    Millis,
    /// Seconds of the epoch: `seconds`, ours.
    Seconds,
    /// A pattern.
    Pattern(Pattern),
}

impl TimeFormat {
    /// The format that a text is.
    ///
    /// # Errors
    /// A sentence that says what is not known of it.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match text {
            "millis" => Ok(Self::Millis),
            "seconds" => Ok(Self::Seconds),
            _ => Pattern::parse(text).map(Self::Pattern),
        }
    }

    /// The moment that a text is.
    pub fn micros(&self, text: &str) -> Option<i64> {
        match self {
            Self::Millis => date::millis(text),
            Self::Seconds => date::seconds(text),
            Self::Pattern(pattern) => {
                let (day, time, east) = pattern.read(text)?;
                date::micros(day, time, east)
            }
        }
    }

    /// The day that a text is.
    pub fn day(&self, text: &str) -> Option<i32> {
        match self {
            Self::Millis | Self::Seconds => {
                let seconds = self.micros(text)?.div_euclid(1_000_000);
                i32::try_from(seconds.div_euclid(86_400)).ok()
            }
            Self::Pattern(pattern) => Some(date::days(pattern.read(text)?.0)),
        }
    }
}

/// A pattern that was parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Field>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Field {
    Text(String),
    /// So many of a letter in a row.
    Letters(char, usize),
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let mut fields = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(first) = chars.next() {
            match first {
                '\'' => fields.push(Field::Text(quoted(&mut chars).ok_or_else(|| {
                    Invalid(format!("the pattern {text} has a quote that does not end"))
                })?)),
                'a'..='z' | 'A'..='Z' => {
                    let mut run = 1;
                    while chars.next_if_eq(&first).is_some() {
                        run += 1;
                    }
                    if !"yYuMdDHkhKmsSaEZ".contains(first) || run > NUMBER_DIGITS_MAX {
                        return Err(Invalid(format!(
                            "the pattern {text} has the letter {first}, {run} times, which is not \
                             known"
                        )));
                    }
                    fields.push(Field::Letters(first, run));
                }
                other => fields.push(Field::Text(other.to_string())),
            }
        }
        Ok(Self(fields))
    }

    fn read(&self, text: &str) -> Option<(NaiveDate, NaiveTime, i64)> {
        let mut found = Found::default();
        let mut rest = text;
        let mut fields = self.0.iter().peekable();
        while let Some(field) = fields.next() {
            match field {
                Field::Text(wanted) => rest = without_prefix(rest, wanted)?,
                Field::Letters(letter, run) => {
                    let is_followed = matches!(
                        fields.peek(),
                        Some(Field::Letters(next, run)) if is_number(*next, *run)
                    );
                    rest = found.take((*letter, *run), rest, is_followed)?;
                }
            }
        }
        rest.is_empty().then_some(())?;
        found.moment()
    }
}

/// The text up to the quote that ends it; two quotes in a row are a quote.
fn quoted(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut text = String::new();
    loop {
        match chars.next()? {
            '\'' if chars.next_if_eq(&'\'').is_some() => text.push('\''),
            '\'' if text.is_empty() => return Some("'".to_owned()),
            '\'' => return Some(text),
            other => text.push(other),
        }
    }
}

/// Texts are found in upper and lower case alike, as Joda does.
fn without_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (before, rest) = text.split_at_checked(prefix.len())?;
    before.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn is_number(letter: char, run: usize) -> bool {
    match letter {
        'M' => run < SHORT_CHARS,
        'a' | 'E' | 'Z' => false,
        _ => true,
    }
}

/// What was found of a moment.
#[derive(Default)]
struct Found {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<u32>,
    hour: Option<u32>,
    /// Hours of half a day, from 0 to 11.
    half_hour: Option<u32>,
    is_afternoon: bool,
    minute: u32,
    second: u32,
    nanos: u32,
    east: i64,
}

impl Found {
    /// Takes what letters stand for from the beginning of a text. What is left.
    fn take<'a>(
        &mut self,
        (letter, run): (char, usize),
        text: &'a str,
        is_followed: bool,
    ) -> Option<&'a str> {
        match letter {
            'M' if run >= SHORT_CHARS => {
                let (month, rest) = named(text, &MONTHS)?;
                self.month = Some(month + 1);
                return Some(rest);
            }
            'E' => return named(text, &DAYS).map(|(_, rest)| rest),
            'a' => {
                let (half, rest) = text.split_at_checked(2)?;
                self.is_afternoon = half.eq_ignore_ascii_case("pm");
                return (self.is_afternoon || half.eq_ignore_ascii_case("am")).then_some(rest);
            }
            'Z' => return self.take_zone(text),
            _ => {}
        }
        let digits_max = if is_followed || letter == 'S' {
            run
        } else {
            NUMBER_DIGITS_MAX
        };
        let is_year = matches!(letter, 'y' | 'Y' | 'u');
        let (is_negative, unsigned) = match text.strip_prefix('-') {
            Some(unsigned) if is_year => (true, unsigned),
            _ => (false, text),
        };
        let count = unsigned.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = unsigned.split_at_checked(count.min(digits_max))?;
        if letter == 'S' {
            self.nanos = date::nanos(digits)?;
            return Some(rest);
        }
        let number: u32 = digits.parse().ok()?;
        match letter {
            'y' | 'Y' | 'u' => {
                let year = i32::try_from(number).ok()?;
                self.year = Some(match (is_negative, run == 2 && digits.len() == 2) {
                    (true, _) => -year,
                    (false, true) if year < 50 => PIVOT_YEAR_DEFAULT + year,
                    (false, true) => PIVOT_YEAR_DEFAULT - 100 + year,
                    (false, false) => year,
                });
            }
            'M' => self.month = Some(number),
            'd' => self.day = Some(number),
            'D' => self.day_of_year = Some(number),
            'H' => self.hour = Some(number),
            'k' => self.hour = Some(from_one(number, 24)?),
            'K' => self.half_hour = Some(number).filter(|hour| *hour < 12),
            'h' => self.half_hour = Some(from_one(number, 12)?),
            'm' => self.minute = number,
            's' => self.second = number,
            _ => return None,
        }
        Some(rest)
    }

    /// An offset, or the Z of UTC.
    fn take_zone<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        if let Some(rest) = text.strip_prefix('Z') {
            return Some(rest);
        }
        let with_colon = text.split_at_checked(6);
        let with_colon = with_colon.filter(|(offset, _)| offset.contains(':'));
        let (offset, rest) = with_colon.or_else(|| text.split_at_checked(5))?;
        self.east = date::east_of(offset)?;
        Some(rest)
    }

    /// What was not found is that of the first moment of 1970.
    fn moment(self) -> Option<(NaiveDate, NaiveTime, i64)> {
        let year = self.year.unwrap_or(1970);
        let day = match self.day_of_year {
            Some(day) => NaiveDate::from_yo_opt(year, day)?,
            None => {
                let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
                NaiveDate::from_ymd_opt(year, month, day)?
            }
        };
        let afternoon = if self.is_afternoon { 12 } else { 0 };
        let hour = match (self.hour, self.half_hour) {
            (Some(hour), _) => hour,
            (None, Some(hour)) => hour + afternoon,
            (None, None) => afternoon,
        };
        let time = NaiveTime::from_hms_nano_opt(hour, self.minute, self.second, self.nanos)?;
        Some((day, time, self.east))
    }
}

/// Hours that are counted from one, the last of which is none.
fn from_one(number: u32, most: u32) -> Option<u32> {
    (1..=most).contains(&number).then_some(number % most)
}

/// The place of a name that a text begins with, or of its first three letters. What is left.
fn named<'a>(text: &'a str, names: &[&str]) -> Option<(u32, &'a str)> {
    let whole = (0..).zip(names);
    let mut whole = whole.filter_map(|(place, name)| Some((place, without_prefix(text, name)?)));
    if let Some(found) = whole.next() {
        return Some(found);
    }
    let short = (0..).zip(names);
    let mut short = short
        .filter_map(|(place, name)| Some((place, without_prefix(text, name.get(..SHORT_CHARS)?)?)));
    short.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(pattern: &str, text: &str) -> Option<i64> {
        TimeFormat::parse(pattern).unwrap().micros(text)
    }

    #[test]
    fn a_text_is_read_as_its_pattern_says() {
        const AT: i64 = 1_486_480_381_000_000;
        for (pattern, text, wanted) in [
            ("yyyy-MM-dd HH:mm:ss", "2017-02-07 15:13:01", AT),
            ("yyyy-MM-dd'T'HH:mm:ss'Z'", "2017-02-07T15:13:01Z", AT),
            ("yyyy/M/d H:m:s.SSS", "2017/2/7 15:13:1.250", AT + 250_000),
            ("yyyyMMddHHmmss", "20170207151301", AT),
            ("dd/MMM/yyyy:HH:mm:ss Z", "07/Feb/2017:16:13:01 +0100", AT),
            (
                "EEE, d MMMM yy hh:mm:ss a",
                "Tue, 7 February 17 03:13:01 PM",
                AT,
            ),
            ("yyyy-DDD kk:mm:ssZZ", "2017-038 15:13:01+00:00", AT),
            ("millis", "1486480381000", AT),
            ("seconds", "1486480381", AT),
            ("HH", "01", 3_600_000_000),
            ("yyyy 'o''clock' hh a", "1970 o'clock 12 am", 0),
        ] {
            assert_eq!(micros(pattern, text), Some(wanted), "{pattern}: {text}");
        }
    }

    #[test]
    fn what_its_pattern_does_not_say_is_no_moment() {
        for (pattern, text) in [
            ("yyyy-MM-dd", "2017-02-07 15:13:01"),
            ("yyyy-MM-dd", "2017-02"),
            ("yyyy-MM-dd", "2017-02-30"),
            ("yyyy-MM-dd", "x"),
            ("HH:mm", "25:00"),
            ("kk", "0"),
            ("MMM", "Foo"),
            ("Z", "+1"),
            ("millis", "soon"),
        ] {
            assert_eq!(micros(pattern, text), None, "{pattern}: {text}");
        }
    }

    #[test]
    fn a_pattern_with_something_that_is_not_known_is_refused() {
        for (pattern, told) in [
            ("yyyy-ww", "the letter w"),
            ("HH z", "the letter z"),
            ("G", "the letter G"),
            ("'x", "a quote that does not end"),
        ] {
            let Err(Invalid(why)) = TimeFormat::parse(pattern) else {
                panic!("{pattern} is taken");
            };
            assert!(why.contains(told), "{why}");
        }
    }
}
