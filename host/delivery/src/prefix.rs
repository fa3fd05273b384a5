//! What stands before an object's name: text with expressions `!{namespace:value}`, evaluated for
//! each object (developer guide, "Custom Prefixes for Amazon S3 Objects"). Pure: the moment is an
//! argument.

mod pattern;
mod time_text;

use types::{Invalid, Timestamp};

use self::pattern::Pattern;
use crate::zone::{Local, Zone};

/// Characters of a prefix once it is evaluated (developer guide, "Semantic rules").
pub const EVALUATED_CHARS_MAX: usize = 512;
/// Characters of a random string.
const RANDOM_CHARS: usize = 11;
/// Random bytes that all random strings of a prefix are made of. Each string begins where the one
/// before it ended; after the last byte comes the first again.
pub const RANDOM_BYTES: usize = 32;

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
    /// The arrival of the oldest record in the object, in the time zone of the destination.
    pub local: Local,
    /// Bytes that look random, for `!{firehose:random-string}`.
    pub random: &'a [u8; RANDOM_BYTES],
    /// The values of its keys, in their order; none where it has no keys.
    pub values: &'a [String],
}

/// A prefix that was parsed: it holds no expression that is unknown here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    parts: Vec<Part>,
    /// Each once.
    keys: Vec<KeyName>,
}

/// A key that tells partitions apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName {
    /// Where its value comes from.
    pub source: KeySource,
    /// What it is called there.
    pub name: String,
}

/// Where the value of a key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The query of the delivery stream.
    Query,
    /// The function that records go through.
    Lambda,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Time(Pattern),
    Random,
    ErrorType,
    /// The value of the key that has this place among all.
    Key(usize),
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
    /// Keys of partitions stand in the `Prefix` of a delivery stream with dynamic partitioning, and
    /// nowhere else. The texts of that are AWS's, as its clients tell them.
    ///
    /// # Errors
    /// A sentence that names the expression or the rule.
    pub fn parse(
        prefix: Option<&str>,
        error_prefix: Option<&str>,
        has_partitions: bool,
    ) -> Result<Self, Invalid> {
        // None is an empty one (S3DestinationConfiguration, Prefix).
        let text = prefix.unwrap_or_default();
        let mut delivered = Prefix::parse(text, Kind::Delivered)?;
        match (has_partitions, delivered.keys.is_empty()) {
            (true, true) => {
                return Err(Invalid(
                    "S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic \
                     Partitioning is enabled"
                        .to_owned(),
                ));
            }
            (false, false) => {
                return Err(Invalid(
                    "Dynamic Partitioning Namespaces can only be part of a prefix expression when \
                     Dynamic Partitioning is enabled."
                        .to_owned(),
                ));
            }
            (true, false) | (false, true) => {}
        }
        let failed = match error_prefix {
            Some(error) => {
                let mut failed = Prefix::parse(error, Kind::Failed)?;
                if !failed.has_expressions() {
                    failed.add_error_type();
                } else if !failed.parts.contains(&Part::ErrorType) {
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

    /// Whether objects can have the names that both give in a time zone.
    ///
    /// # Errors
    /// A sentence that names the prefix and what is wrong with it.
    pub fn check_paths(&self, zone: &Zone) -> Result<(), Invalid> {
        self.delivered.check_path(zone)?;
        self.failed.check_path(zone)
    }
}

impl Prefix {
    fn parse(text: &str, kind: Kind) -> Result<Self, Invalid> {
        let (mut parts, mut keys) = (Vec::new(), Vec::new());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("!{") {
            push_text(&mut parts, before);
            let (expression, after) = after
                .split_once('}')
                .ok_or_else(|| Invalid(format!("'!{{{after}' in a prefix has no end")))?;
            parts.push(Part::parse(expression, kind, &mut keys)?);
            rest = after;
        }
        push_text(&mut parts, rest);
        Ok(Self { parts, keys })
    }

    /// The keys whose values it is evaluated with.
    pub fn keys(&self) -> &[KeyName] {
        &self.keys
    }

    /// The same for records that are filed under something else: those that a destination refused.
    pub fn filed_under(&self, what: &str) -> Self {
        let parts = self.parts.iter().map(|part| match part {
            Part::ErrorType => Part::Text(what.to_owned()),
            other => other.clone(),
        });
        Self {
            parts: parts.collect(),
            keys: self.keys.clone(),
        }
    }

    /// The same with a folder before its first expression: before the hour, where it has no other.
    pub fn with_folder(&self, folder: &str) -> Self {
        let mut parts = self.parts.clone();
        let is_expression = |part: &Part| !matches!(part, Part::Text(_));
        let at = parts.iter().position(is_expression).unwrap_or(parts.len());
        parts.insert(at, Part::Text(folder.to_owned()));
        Self {
            parts,
            keys: self.keys.clone(),
        }
    }

    fn has_expressions(&self) -> bool {
        self.parts.iter().any(|part| !matches!(part, Part::Text(_)))
    }

    fn add_hour(&mut self) {
        self.parts.push(Part::Time(Pattern::hour()));
    }

    fn add_error_type(&mut self) {
        let end = Part::Text("/".to_owned());
        self.parts.extend([Part::ErrorType, end]);
    }

    /// Checks that names with this prefix can be keys of objects: no part between two `/` may lead
    /// elsewhere. Where objects are files, none may be empty either; the store says that. One
    /// moment stands for all: whatever an expression gives at another one, its dots and control
    /// characters are those of its pattern's text.
    fn check_path(&self, zone: &Zone) -> Result<(), Invalid> {
        let at = Timestamp(0);
        let moment = Moment {
            local: zone.local(at, zone.clocks_at(at))?,
            random: &[0; RANDOM_BYTES],
            // Those of records are looked at when they come.
            values: &self.any_values(),
        };
        let text = self.evaluate_whole(moment);
        let wrong = |why: &str| Err(Invalid(format!("the prefix '{text}' {why}")));
        if text.chars().any(char::is_control) {
            return wrong("has a control character");
        }
        let folders = text.rsplit_once('/').map(|(folders, _)| folders.split('/'));
        for folder in folders.into_iter().flatten() {
            match folder {
                "." | ".." => return wrong("has a folder '.' or '..', which no object's name can"),
                _ => {}
            }
        }
        Ok(())
    }

    /// Values that no name can be wrong for.
    pub fn any_values(&self) -> Vec<String> {
        self.keys.iter().map(|_| "x".to_owned()).collect()
    }

    /// What all names with it begin with, whatever the moment.
    pub fn first_text(&self) -> String {
        let mut first = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => first.push_str(text),
                Part::ErrorType => first.push_str(PROCESSING_FAILED),
                Part::Time(_) | Part::Random | Part::Key(_) => break,
            }
        }
        first
    }

    /// What it ends with, whatever the moment.
    pub fn last_text(&self) -> &str {
        match self.parts.last() {
            Some(Part::Text(text)) => text,
            Some(Part::ErrorType) => PROCESSING_FAILED,
            Some(Part::Time(pattern)) => pattern.last_text(),
            Some(Part::Random | Part::Key(_)) | None => "",
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

    /// The prefix of one object, however long it is.
    pub fn evaluate_whole(&self, moment: Moment<'_>) -> String {
        let mut out = String::new();
        let mut random = moment.random.iter().cycle();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Time(pattern) => pattern.write(&mut out, &moment.local),
                Part::ErrorType => out.push_str(PROCESSING_FAILED),
                // Whoever names an object of a partition has all of its values.
                Part::Key(place) => {
                    out.push_str(moment.values.get(*place).map_or("", String::as_str));
                }
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
    fn parse(expression: &str, kind: Kind, keys: &mut Vec<KeyName>) -> Result<Self, Invalid> {
        let wrong = |why: &str| Invalid(format!("'!{{{expression}}}' in a prefix {why}"));
        let Some((namespace, value)) = expression.split_once(':') else {
            return Err(wrong("is not of the form !{namespace:value}"));
        };
        match (namespace, value) {
            ("timestamp", value) => match Pattern::parse(value) {
                Some(pattern) if !value.is_empty() => Ok(Self::Time(pattern)),
                _ => Err(wrong("is not a pattern of a time that is known here")),
            },
            ("firehose", "random-string") => Ok(Self::Random),
            ("firehose", "error-output-type") if kind == Kind::Failed => Ok(Self::ErrorType),
            ("firehose", "error-output-type") => {
                Err(wrong("can be used in ErrorOutputPrefix only"))
            }
            ("partitionKeyFromQuery" | "partitionKeyFromLambda", _) if kind == Kind::Failed => {
                Err(Invalid(
                    "Dynamic Partitioning Namespaces can't be part of an error prefix expression"
                        .to_owned(),
                ))
            }
            ("partitionKeyFromQuery" | "partitionKeyFromLambda", "") => {
                Err(wrong("names no partition key"))
            }
            ("partitionKeyFromQuery", name) => Ok(Self::key(KeySource::Query, name, keys)),
            ("partitionKeyFromLambda", name) => Ok(Self::key(KeySource::Lambda, name, keys)),
            _ => Err(wrong("names nothing")),
        }
    }
}

impl Part {
    /// A key, which is added to those that are known.
    fn key(source: KeySource, name: &str, keys: &mut Vec<KeyName>) -> Self {
        let is_it = |key: &KeyName| key.source == source && key.name == name;
        let place = keys.iter().position(is_it).unwrap_or_else(|| {
            let name = name.to_owned();
            keys.push(KeyName { source, name });
            keys.len() - 1
        });
        Self::Key(place)
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2018-08-27 10:30:05.678 UTC, a Monday.
    const AT: Timestamp = Timestamp(1_535_365_805_678);

    fn evaluate(prefix: Option<&str>, error: Option<&str>) -> (String, String) {
        evaluate_in("UTC", prefix, error)
    }

    fn evaluate_in(zone: &str, prefix: Option<&str>, error: Option<&str>) -> (String, String) {
        let prefixes = Prefixes::parse(prefix, error, false).unwrap();
        let zone = Zone::parse(zone).unwrap();
        let random = std::array::from_fn(|place| u8::try_from(place).unwrap());
        let moment = Moment {
            local: zone.local(AT, zone.clocks_at(AT)).unwrap(),
            random: &random,
            values: &[],
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
    fn all_times_of_a_prefix_are_those_of_the_zone_also_the_hour_that_is_appended() {
        let evaluate = |prefix, error| evaluate_in("Asia/Tokyo", prefix, error);
        let (delivered, failed) = evaluate(Some("a/"), None);
        assert_eq!(delivered, "a/2018/08/27/19/");
        assert_eq!(failed, "a/processing-failed/2018/08/27/19/");
        let error = "!{firehose:error-output-type}/!{timestamp:VV}/!{timestamp:zzzz}/";
        let (delivered, failed) = evaluate(Some("!{timestamp:YYYY-'W'ww-EEE-ZZZZZ}/"), Some(error));
        assert_eq!(delivered, "2018-W35-Mon-+09:00/");
        assert_eq!(failed, "processing-failed/Asia/Tokyo/Japan Standard Time/");
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
            ("!{timestamp:qqqqqq}", None, "not a pattern"),
            ("!{timestamp:yyyy]}", None, "not a pattern"),
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
                "can only be part of a prefix expression when Dynamic Partitioning is enabled.",
            ),
            ("!{partitionKeyFromLambda:}", None, "names no partition key"),
            (
                "a/",
                Some("!{firehose:error-output-type}/!{partitionKeyFromQuery:a}/"),
                "Namespaces can't be part of an error prefix expression",
            ),
            ("!{timestamp}", None, "not of the form"),
            (
                "!{timestamp:yyyy}",
                None,
                "Ths supplied prefix(es) do not satisfy the following constraint: \
                 ErrorOutputPrefix cannot be null or empty when Prefix contains expressions",
            ),
            ("", Some("!{timestamp:yyyy}/"), "at least one instance"),
            ("a/../b/", None, "has a folder '.' or '..'"),
            ("./", None, "has a folder '.' or '..'"),
            ("a\u{7}/", None, "has a control character"),
        ] {
            let parsed = Prefixes::parse(Some(prefix), error, false);
            let checked = parsed.and_then(|prefixes| prefixes.check_paths(&Zone::utc()));
            let Invalid(told) = checked.unwrap_err();
            assert!(told.contains(what), "{prefix}: {told}");
        }
    }

    #[test]
    fn a_partitioned_prefix_is_evaluated_with_the_values_of_its_keys() {
        let text = "c=!{partitionKeyFromQuery:c}/d=!{partitionKeyFromLambda:c}/\
                    !{timestamp:yyyy}/!{partitionKeyFromQuery:c}/";
        let prefixes = Prefixes::parse(Some(text), Some("e/"), true).unwrap();
        let Prefixes { delivered, .. } = prefixes;
        assert_eq!(delivered.keys().len(), 2);
        assert_eq!(delivered.first_text(), "c=");
        let zone = Zone::utc();
        let moment = Moment {
            local: zone.local(AT, zone.clocks_at(AT)).unwrap(),
            random: &[0; RANDOM_BYTES],
            values: &["one".to_owned(), "two".to_owned()],
        };
        assert_eq!(delivered.evaluate(moment), "c=one/d=two/2018/one/");
        let told = |prefix, error| {
            let Invalid(told) = Prefixes::parse(Some(prefix), error, true).unwrap_err();
            told
        };
        assert!(told("a/", Some("e/")).contains("should contain Dynamic Partitioning namespaces"));
        assert!(told(text, None).contains("ErrorOutputPrefix cannot be null or empty"));
    }

    #[test]
    fn an_evaluated_prefix_ends_at_512_characters() {
        let (text, _) = evaluate(Some(&"é".repeat(600)), None);
        assert_eq!(text.chars().count(), EVALUATED_CHARS_MAX);
    }
}
