//! What stands before an object's name: text with expressions `!{namespace:value}`, evaluated for
//! each object (developer guide, "Custom Prefixes for Amazon S3 Objects"). Pure: the moment is an
//! argument.

use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;

use chrono::{DateTime, Datelike, Timelike, Utc};
use types::{Invalid, Timestamp};

/// Characters of a prefix once it is evaluated (developer guide, "Semantic rules").
pub const EVALUATED_CHARS_MAX: usize = 512;
/// Characters of a random string.
const RANDOM_CHARS: usize = 11;
/// Random bytes that all random strings of a prefix are made of. Each string begins where the one
/// before it ended; after the last byte comes the first again.
pub const RANDOM_BYTES: usize = 32;
/// Letters of a pattern that may stand in a row.
const RUN_MAX: usize = 9;

/// What kind of objects a prefix is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Delivered records: `Prefix`.
    Delivered,
    /// Records that could not be: `ErrorOutputPrefix`.
    Failed,
}

/// What a prefix is evaluated with. The same gives the same name.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The arrival of the oldest record in the object.
    pub oldest: DateTime<Utc>,
    /// Bytes that look random, for `!{firehose:random-string}`.
    pub random: &'a [u8; RANDOM_BYTES],
}

/// A prefix that was parsed: it holds no expression that is unknown here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Time(Vec<Field>),
    Random,
    ErrorType,
}

/// A piece of a time pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Field {
    Text(String),
    Letters(char, usize),
}

/// What failed records are filed under.
pub const PROCESSING_FAILED: &str = "processing-failed";

/// `Prefix` and `ErrorOutputPrefix` of one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefixes {
    /// For delivered records.
    pub delivered: Prefix,
    /// For failed ones.
    pub failed: Prefix,
}

impl Prefixes {
    /// Reads both by the rules that tie them together. The hour is appended to a `Prefix` without
    /// any expression, and to what is made of it for failed records where there is no
    /// `ErrorOutputPrefix`; one that was given gets no time.
    ///
    /// # Errors
    /// A sentence that names the expression or the rule.
    pub fn parse(prefix: Option<&str>, error_prefix: Option<&str>) -> Result<Self, Invalid> {
        // None is an empty one (S3DestinationConfiguration, Prefix).
        let text = prefix.unwrap_or_default();
        let mut delivered = Prefix::parse(text, Kind::Delivered)?;
        let failed = match error_prefix {
            Some(error) => {
                let mut failed = Prefix::parse(error, Kind::Failed)?;
                if !failed.has_expressions() {
                    failed.add_error_type();
                } else if !failed.0.contains(&Part::ErrorType) {
                    return Err(broken_constraint(
                        "ErrorOutputPrefix must include at least one instance of \
                         !{firehose:error-output-type} when it contains expressions",
                    ));
                }
                failed
            }
            None if delivered.has_expressions() => {
                return Err(broken_constraint(
                    "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions",
                ));
            }
            None => {
                let mut failed = delivered.clone();
                failed.add_error_type();
                failed.add_hour();
                failed
            }
        };
        if !delivered.has_expressions() {
            delivered.add_hour();
        }
        Ok(Self { delivered, failed })
    }

    /// Whether objects can have the names that both give.
    ///
    /// # Errors
    /// A sentence that names the prefix and what is wrong with it.
    pub fn check_paths(&self) -> Result<(), Invalid> {
        self.delivered.check_path()?;
        self.failed.check_path()
    }
}

impl Prefix {
    fn parse(text: &str, kind: Kind) -> Result<Self, Invalid> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("!{") {
            push_text(&mut parts, before);
            let (expression, after) = after
                .split_once('}')
                .ok_or_else(|| Invalid(format!("'!{{{after}' in a prefix has no end")))?;
            parts.push(Part::parse(expression, kind)?);
            rest = after;
        }
        push_text(&mut parts, rest);
        Ok(Self(parts))
    }

    fn has_expressions(&self) -> bool {
        self.0.iter().any(|part| !matches!(part, Part::Text(_)))
    }

    fn add_hour(&mut self) {
        self.0.push(Part::Time(hour()));
    }

    fn add_error_type(&mut self) {
        let end = Part::Text("/".to_owned());
        self.0.extend([Part::ErrorType, end]);
    }

    /// Checks that names with this prefix can be paths of files, which objects may be: each part
    /// between two `/` must be the name of a folder. One moment stands for all: an expression gives
    /// letters and digits at any of them, and the text of its pattern.
    fn check_path(&self) -> Result<(), Invalid> {
        let moment = Moment {
            oldest: DateTime::UNIX_EPOCH,
            random: &[0; RANDOM_BYTES],
        };
        let text = self.evaluate_whole(moment);
        let wrong = |why: &str| Err(Invalid(format!("the prefix '{text}' {why}")));
        if text.chars().any(char::is_control) {
            return wrong("has a control character");
        }
        let folders = text.rsplit_once('/').map(|(folders, _)| folders.split('/'));
        for folder in folders.into_iter().flatten() {
            match folder {
                "" => return wrong("begins with '/' or has '//', which no object's name can here"),
                "." | ".." => return wrong("has a folder '.' or '..', which no object's name can"),
                _ => {}
            }
        }
        Ok(())
    }

    /// What all names with it begin with, whatever the moment.
    pub fn first_text(&self) -> String {
        let mut first = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => first.push_str(text),
                Part::ErrorType => first.push_str(PROCESSING_FAILED),
                Part::Time(_) | Part::Random => break,
            }
        }
        first
    }

    /// What it ends with, whatever the moment.
    pub fn last_text(&self) -> &str {
        match self.0.last() {
            Some(Part::Text(text)) => text,
            Some(Part::ErrorType) => PROCESSING_FAILED,
            Some(Part::Time(fields)) => match fields.last() {
                Some(Field::Text(text)) => text,
                Some(Field::Letters(..)) | None => "",
            },
            Some(Part::Random) | None => "",
        }
    }

    /// The prefix of one object; its first 512 characters if it is longer.
    pub fn evaluate(&self, moment: Moment<'_>) -> String {
        let text = self.evaluate_whole(moment);
        match text.char_indices().nth(EVALUATED_CHARS_MAX) {
            Some((end, _)) => text[..end].to_owned(),
            None => text,
        }
    }

    fn evaluate_whole(&self, moment: Moment<'_>) -> String {
        let mut out = String::new();
        let mut random = moment.random.iter().cycle();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Time(fields) => write_time(&mut out, fields, moment.oldest),
                Part::ErrorType => out.push_str(PROCESSING_FAILED),
                Part::Random => {
                    for byte in random.by_ref().take(RANDOM_CHARS) {
                        const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
                        out.push(char::from(DIGITS[usize::from(byte & 31)]));
                    }
                }
            }
        }
        out
    }
}

/// AWS's text for prefixes that break a rule, with its typo.
fn broken_constraint(rule: &str) -> Invalid {
    Invalid(format!(
        "Ths supplied prefix(es) do not satisfy the following constraint: {rule}"
    ))
}

impl Part {
    fn parse(expression: &str, kind: Kind) -> Result<Self, Invalid> {
        let wrong = |why: &str| Invalid(format!("'!{{{expression}}}' in a prefix {why}"));
        let Some((namespace, value)) = expression.split_once(':') else {
            return Err(wrong("is not of the form !{namespace:value}"));
        };
        match (namespace, value) {
            ("timestamp", value) => match pattern(value) {
                Some(fields) if !value.is_empty() => Ok(Self::Time(fields)),
                _ => Err(wrong("is not a pattern of a time that is known here")),
            },
            ("firehose", "random-string") => Ok(Self::Random),
            ("firehose", "error-output-type") if kind == Kind::Failed => Ok(Self::ErrorType),
            ("firehose", "error-output-type") => {
                Err(wrong("can be used in ErrorOutputPrefix only"))
            }
            ("partitionKeyFromQuery" | "partitionKeyFromLambda", _) => {
                Err(wrong("needs dynamic partitioning, which is not supported"))
            }
            _ => Err(wrong("names nothing")),
        }
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
}

/// What is appended to a prefix without expressions: `yyyy/MM/dd/HH/`.
fn hour() -> Vec<Field> {
    let letters = [('y', 4), ('M', 2), ('d', 2), ('H', 2)].into_iter();
    let fields = letters
        .flat_map(|(letter, run)| [Field::Letters(letter, run), Field::Text("/".to_owned())]);
    fields.collect()
}

/// The fields of a pattern of Java's DateTimeFormatter; `None` for one with letters that are not
/// known here.
fn pattern(text: &str) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(first) = chars.next() {
        if first == '\'' {
            fields.push(Field::Text(quoted(&mut chars)?));
        } else if first.is_ascii_alphabetic() {
            let mut run = 1;
            while chars.next_if_eq(&first).is_some() {
                run += 1;
            }
            if !is_known(first, run) {
                return None;
            }
            fields.push(Field::Letters(first, run));
        } else if matches!(first, '{' | '}' | '[' | ']' | '#') {
            return None;
        } else {
            fields.push(Field::Text(first.to_string()));
        }
    }
    Some(fields)
}

/// The text up to the quote that ends it, after the one that begins it; `None` where none does. Two
/// quotes in a row are a quote, inside of a text and in the place of one.
fn quoted(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    if chars.next_if_eq(&'\'').is_some() {
        return Some("'".to_owned());
    }
    let mut text = String::new();
    loop {
        match chars.next()? {
            '\'' if chars.next_if_eq(&'\'').is_some() => text.push('\''),
            '\'' => return Some(text),
            other => text.push(other),
        }
    }
}

/// Whether so many of a letter in a row have a meaning here.
fn is_known(letter: char, run: usize) -> bool {
    match letter {
        'y' | 'u' | 'S' => run <= RUN_MAX,
        'M' | 'L' | 'E' => run <= 4,
        'd' | 'H' | 'h' | 'K' | 'k' | 'm' | 's' => run <= 2,
        'D' => run <= 3,
        'a' => run == 1,
        _ => false,
    }
}

/// The date and the time of an arrival.
///
/// # Errors
/// When it lies after the last year that a calendar has here, 262,142.
pub fn date_of(at: Timestamp) -> Result<DateTime<Utc>, Invalid> {
    let millis = i64::try_from(at.0).ok();
    let date = millis.and_then(DateTime::from_timestamp_millis);
    date.ok_or_else(|| Invalid(format!("no date is {} ms after 1970", at.0)))
}

fn write_time(out: &mut String, fields: &[Field], time: DateTime<Utc>) {
    for field in fields {
        match field {
            Field::Text(text) => out.push_str(text),
            Field::Letters(letter, run) => write_field(out, *letter, *run, time),
        }
    }
}

fn write_field(out: &mut String, letter: char, run: usize, time: DateTime<Utc>) {
    let hour = time.hour();
    let number = match letter {
        'y' | 'u' if run == 2 => time.year().rem_euclid(100).unsigned_abs(),
        'y' | 'u' => time.year().unsigned_abs(),
        'M' | 'L' if run == 3 => return out.push_str(&time.format("%b").to_string()),
        'M' | 'L' if run == 4 => return out.push_str(&time.format("%B").to_string()),
        'M' | 'L' => time.month(),
        'E' if run == 4 => return out.push_str(&time.format("%A").to_string()),
        'E' => return out.push_str(&time.format("%a").to_string()),
        'a' => return out.push_str(if hour < 12 { "AM" } else { "PM" }),
        'd' => time.day(),
        'D' => time.ordinal(),
        'H' => hour,
        'k' => (hour + 23) % 24 + 1,
        'K' => hour % 12,
        'h' => (hour + 11) % 12 + 1,
        'm' => time.minute(),
        's' => time.second(),
        // S, the fraction of a second: its first digits.
        _ => {
            let nanos = format!("{:09}", time.nanosecond());
            return out.extend(nanos.chars().take(run));
        }
    };
    // Writing to a string does not fail.
    let _ = write!(out, "{number:0run$}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2018-08-27 10:30:05.678 UTC, a Monday.
    const AT: Timestamp = Timestamp(1_535_365_805_678);

    fn evaluate(prefix: Option<&str>, error: Option<&str>) -> (String, String) {
        let prefixes = Prefixes::parse(prefix, error).unwrap();
        let random = std::array::from_fn(|place| u8::try_from(place).unwrap());
        let moment = Moment {
            oldest: date_of(AT).unwrap(),
            random: &random,
        };
        (
            prefixes.delivered.evaluate(moment),
            prefixes.failed.evaluate(moment),
        )
    }

    #[test]
    fn prefixes_evaluate_as_the_developer_guide_shows() {
        for (prefix, error, delivered, failed) in [
            (
                None,
                None,
                "2018/08/27/10/",
                "processing-failed/2018/08/27/10/",
            ),
            (
                Some("logs/"),
                None,
                "logs/2018/08/27/10/",
                "logs/processing-failed/2018/08/27/10/",
            ),
            (
                None,
                Some("myFirehoseFailures/!{firehose:error-output-type}/"),
                "2018/08/27/10/",
                "myFirehoseFailures/processing-failed/",
            ),
            (
                Some("!{firehose:random-string}/"),
                Some("!{firehose:random-string}/!{firehose:error-output-type}"),
                "0123456789a/",
                "0123456789a/processing-failed",
            ),
            (
                Some("logs"),
                None,
                "logs2018/08/27/10/",
                "logsprocessing-failed/2018/08/27/10/",
            ),
            (
                Some("a/year=!{timestamp:yyyy}/rand=!{firehose:random-string}"),
                Some("b/!{firehose:error-output-type}/!{timestamp:yyyy}/any/!{timestamp:dd}"),
                "a/year=2018/rand=0123456789a",
                "b/processing-failed/2018/any/27",
            ),
            (
                Some("a/!{timestamp:'year='yyyy'/month='MM'/day='dd'/hour='HH}/"),
                Some("bad/"),
                "a/year=2018/month=08/day=27/hour=10/",
                "bad/processing-failed/",
            ),
        ] {
            let evaluated = evaluate(prefix, error);
            assert_eq!(evaluated, (delivered.to_owned(), failed.to_owned()));
        }
    }

    #[test]
    fn every_letter_of_a_pattern_is_javas() {
        let pattern = "yy MMM MMMM E EEEE D DDD d h hh K k a m s SSS ''";
        let prefix = format!("!{{timestamp:{pattern}}}");
        let (text, _) = evaluate(Some(&prefix), Some("e/"));
        assert_eq!(
            text,
            "18 Aug August Mon Monday 239 239 27 10 10 10 10 AM 30 5 678 '"
        );
    }

    /// The third of a prefix had ten characters.
    #[test]
    fn each_random_string_is_another_and_has_11_characters() {
        let (text, _) = evaluate(Some(&"!{firehose:random-string}-".repeat(5)), Some("e/"));
        let strings: Vec<&str> = text.trim_end_matches('-').split('-').collect();
        assert_eq!(strings[..2], ["0123456789a", "bcdefghijkl"]);
        assert_eq!(strings.len(), 5);
        for (number, string) in strings.iter().enumerate() {
            assert_eq!(string.len(), RANDOM_CHARS, "{text}");
            assert!(!strings[..number].contains(string), "{text}");
        }
    }

    #[test]
    fn what_names_nothing_is_refused_by_name() {
        for (prefix, error, what) in [
            (
                "!{nothing:x}",
                None,
                "'!{nothing:x}' in a prefix names nothing",
            ),
            ("!{timestamp:}", None, "not a pattern"),
            ("!{timestamp:qq}", None, "not a pattern"),
            ("!{timestamp:'open}", None, "not a pattern"),
            ("!{timestamp:yyyy", None, "has no end"),
            (
                "!{firehose:error-output-type}",
                None,
                "in ErrorOutputPrefix only",
            ),
            ("!{firehose:x}", None, "names nothing"),
            (
                "!{partitionKeyFromQuery:a}",
                None,
                "needs dynamic partitioning",
            ),
            ("!{timestamp}", None, "not of the form"),
            (
                "!{timestamp:yyyy}",
                None,
                "Ths supplied prefix(es) do not satisfy the following constraint: \
                 ErrorOutputPrefix cannot be null or empty when Prefix contains expressions",
            ),
            ("", Some("!{timestamp:yyyy}/"), "at least one instance"),
            ("/logs/", None, "begins with '/'"),
            ("/", None, "begins with '/'"),
            ("logs//", None, "has '//'"),
            ("", Some("bad//x/"), "has '//'"),
            ("!{timestamp:yyyy'//'MM}/", Some("bad/"), "has '//'"),
            ("a/../b/", None, "has a folder '.' or '..'"),
            ("./", None, "has a folder '.' or '..'"),
            ("a\u{7}/", None, "has a control character"),
        ] {
            let parsed = Prefixes::parse(Some(prefix), error);
            let checked = parsed.and_then(|prefixes| prefixes.check_paths());
            let Invalid(told) = checked.unwrap_err();
            assert!(told.contains(what), "{prefix}: {told}");
        }
    }

    #[test]
    fn an_evaluated_prefix_ends_at_512_characters() {
        let (text, _) = evaluate(Some(&"é".repeat(600)), None);
        assert_eq!(text.chars().count(), EVALUATED_CHARS_MAX);
    }
}
