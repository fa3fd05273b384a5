//! What became of a record, as a line of JSON: what tests are compared by.
//!
//! ```text
//! {"status":"ok","data":"…"}                        one record, as text
//! {"status":"ok","data_base64":"…"}                 one that is no UTF-8
//! {"status":"ok","parts":[{"data":"…"},…]}          several
//! {"status":"dropped"}
//! {"status":"failed","reason":"…"}                  without a reason: whatever it is
//! {"status":"retry","reason":"…"}                   its batch is tried again
//! {"status":"done","effects":[…]}                   what a consumer did, in order
//! ```
//!
//! A record that comes out may have `partition_keys`, names and values, and a `target`. An effect
//! is `{"table":"…","key":"…","value":"…"}`, without a value where the entry is deleted, or
//! `{"stream":"…","partition_key":"…","data":"…"}`. What is no UTF-8 stands under the same name
//! with `_base64` behind it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wasm::{Effect, Fault, Outputs, Status};

/// What became of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// What is delivered in its place.
    Ok(Vec<Part>),
    Dropped,
    /// Why, if that matters.
    Failed(Option<String>),
    Retry(Option<String>),
    /// What a consumer did.
    Done(Vec<Deed>),
}

/// A line.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Line {
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    partition_keys: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<Part>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effects: Option<Vec<Deed>>,
}

/// One record that comes out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Part {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    partition_keys: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
}

/// One thing that a consumer did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Deed {
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partition_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
}

impl Outcome {
    /// What a line says.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let line: Line = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let said = [
            line.data.is_some() || line.data_base64.is_some() || line.parts.is_some(),
            line.target.is_some() || !line.partition_keys.is_empty(),
            line.reason.is_some(),
            line.effects.is_some(),
        ];
        match (line.status.as_str(), said) {
            ("ok", [true, _, false, false]) => line.into_parts().map(Self::Ok),
            ("dropped", [false, false, false, false]) => Ok(Self::Dropped),
            ("failed", [false, false, _, false]) => Ok(Self::Failed(line.reason)),
            ("retry", [false, false, _, false]) => Ok(Self::Retry(line.reason)),
            ("done", [false, false, false, _]) => Ok(Self::Done(line.effects.unwrap_or_default())),
            (other, _) => Err(format!(
                "'{}' with these keys is no outcome: ok has data or parts, dropped nothing, \
                 failed and retry a reason, done effects",
                other.escape_default()
            )),
        }
    }

    /// The line.
    pub(super) fn line(&self) -> String {
        let mut line = Line {
            status: self.status().to_owned(),
            ..Line::default()
        };
        match self {
            Self::Ok(parts) => match parts.as_slice() {
                [one] => {
                    let one = one.clone();
                    line.data = one.data;
                    line.data_base64 = one.data_base64;
                    line.partition_keys = one.partition_keys;
                    line.target = one.target;
                }
                parts => line.parts = Some(parts.to_vec()),
            },
            Self::Dropped => {}
            Self::Failed(reason) | Self::Retry(reason) => line.reason.clone_from(reason),
            Self::Done(deeds) => line.effects = Some(deeds.clone()),
        }
        serde_json::to_string(&line).unwrap_or_else(|error| error.to_string())
    }

    /// What became of it, in a word.
    pub(super) fn status(&self) -> &'static str {
        match self {
            Self::Ok(_) => "ok",
            Self::Dropped => "dropped",
            Self::Failed(_) => "failed",
            Self::Retry(_) => "retry",
            Self::Done(_) => "done",
        }
    }

    /// Why it did not come out, where it says so.
    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::Failed(reason) | Self::Retry(reason) => reason.as_deref(),
            Self::Ok(_) | Self::Dropped | Self::Done(_) => None,
        }
    }

    /// Whether this is what `expected` says: a failure without a reason is any.
    pub(super) fn is(&self, expected: &Self) -> bool {
        match (self, expected) {
            (Self::Failed(_), Self::Failed(None)) | (Self::Retry(_), Self::Retry(None)) => true,
            _ => self == expected,
        }
    }

    /// What became of a record that no output came out of.
    pub(super) fn of_fault(fault: &Fault) -> Self {
        match fault {
            Fault::Retryable(reason) => Self::Retry(Some(reason.clone())),
            _ => Self::Failed(Some(fault.to_string())),
        }
    }

    /// What a consumer did.
    pub(super) fn of_effects(effects: &[Effect]) -> Self {
        Self::Done(effects.iter().map(Deed::of).collect())
    }

    /// What became of each of so many records.
    pub(super) fn of_outputs(outputs: &Outputs, records: usize) -> Vec<Self> {
        let mut keys: BTreeMap<usize, BTreeMap<String, String>> = BTreeMap::new();
        for (place, name, value) in outputs.partition_keys() {
            let of_output = keys.entry(place).or_default();
            of_output.insert(name.to_owned(), value.to_owned());
        }
        let mut all: Vec<Option<Self>> = vec![None; records];
        for output in outputs.iter() {
            let Some(outcome) = all.get_mut(output.source) else {
                continue;
            };
            let part = || {
                let mut part = Part::of(output.data);
                part.target = output.target.map(str::to_owned);
                part.partition_keys = keys.get(&output.place).cloned().unwrap_or_default();
                part
            };
            match (output.status, outcome) {
                (Status::Ok, Some(Self::Ok(parts))) => parts.push(part()),
                (Status::Ok, none) => *none = Some(Self::Ok(vec![part()])),
                (Status::Dropped, none) => *none = Some(Self::Dropped),
                (Status::Failed, none) => {
                    let reason = String::from_utf8_lossy(output.data).into_owned();
                    *none = Some(Self::Failed(Some(reason)));
                }
            }
        }
        // The engine has checked that each record is named.
        all.into_iter().flatten().collect()
    }
}

impl Line {
    fn into_parts(self) -> Result<Vec<Part>, String> {
        let one = Part {
            data: self.data,
            data_base64: self.data_base64,
            partition_keys: self.partition_keys,
            target: self.target,
        };
        let parts = match self.parts {
            Some(parts) if one == Part::default() => parts,
            Some(_) => return Err("a record that is ok has data or parts, and not both".to_owned()),
            None => vec![one],
        };
        for part in &parts {
            bytes(part.data.clone(), part.data_base64.clone())?;
        }
        Ok(parts)
    }
}

impl Part {
    fn of(bytes: &[u8]) -> Self {
        let (data, data_base64) = text_or_base64(bytes);
        Self {
            data,
            data_base64,
            ..Self::default()
        }
    }
}

impl Deed {
    /// That an entry of a table has a value.
    pub(super) fn entry(table: &str, key: &[u8], value: &[u8]) -> Self {
        let (key, key_base64) = text_or_base64(key);
        let (value, value_base64) = text_or_base64(value);
        Self {
            table: Some(table.to_owned()),
            key,
            key_base64,
            value,
            value_base64,
            ..Self::default()
        }
    }

    /// The table, the key and the value that an entry of it has.
    ///
    /// # Errors
    /// That this is something else.
    pub(super) fn into_entry(self) -> Result<(String, Vec<u8>, Vec<u8>), String> {
        let is_emitted = self.stream.is_some()
            || self.partition_key.is_some()
            || self.data.is_some()
            || self.data_base64.is_some();
        let entry = || {
            let key = bytes(self.key, self.key_base64).ok()?;
            let value = bytes(self.value, self.value_base64).ok()?;
            Some((self.table?, key, value))
        };
        let none =
            "an entry is a table, one of key and key_base64, and one of value and value_base64";
        match entry() {
            Some(entry) if !is_emitted => Ok(entry),
            _ => Err(none.to_owned()),
        }
    }

    fn of(effect: &Effect) -> Self {
        let mut deed = Self::default();
        match effect {
            Effect::Write { table, key, value } => {
                deed.table = Some(table.clone());
                (deed.key, deed.key_base64) = text_or_base64(key);
                if let Some(value) = value {
                    (deed.value, deed.value_base64) = text_or_base64(value);
                }
            }
            Effect::Emit {
                stream,
                partition_key,
                data,
            } => {
                deed.stream = Some(stream.clone());
                deed.partition_key = Some(String::from_utf8_lossy(partition_key).into_owned());
                (deed.data, deed.data_base64) = text_or_base64(data);
            }
        }
        deed
    }
}

/// The bytes that one of both is.
///
/// # Errors
/// When it is none or both, or not base64.
pub(super) fn bytes(data: Option<String>, data_base64: Option<String>) -> Result<Vec<u8>, String> {
    match (data, data_base64) {
        (Some(text), None) => Ok(text.into_bytes()),
        (None, Some(text)) => base64_simd::STANDARD
            .decode_to_vec(text)
            .map_err(|_| "data_base64 is not base64".to_owned()),
        _ => Err("one of data and data_base64 is needed".to_owned()),
    }
}

/// Bytes as text where they are some, and as base64 else.
fn text_or_base64(bytes: &[u8]) -> (Option<String>, Option<String>) {
    match str::from_utf8(bytes) {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (None, Some(base64_simd::STANDARD.encode_to_string(bytes))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_read_from_the_line_that_it_is_written_as() {
        for (outcome, line) in [
            (
                Outcome::Ok(vec![Part::of(b"a\n")]),
                r#"{"status":"ok","data":"a\n"}"#,
            ),
            (
                Outcome::Ok(vec![Part::of(&[0xff])]),
                r#"{"status":"ok","data_base64":"/w=="}"#,
            ),
            (
                Outcome::Ok(vec![Part::of(b"a"), Part::of(b"b")]),
                r#"{"status":"ok","parts":[{"data":"a"},{"data":"b"}]}"#,
            ),
            (Outcome::Dropped, r#"{"status":"dropped"}"#),
            (
                Outcome::Failed(Some("why".to_owned())),
                r#"{"status":"failed","reason":"why"}"#,
            ),
            (
                Outcome::Retry(Some("busy".to_owned())),
                r#"{"status":"retry","reason":"busy"}"#,
            ),
        ] {
            assert_eq!(outcome.line(), line);
            assert_eq!(Outcome::parse(line), Ok(outcome));
        }
    }

    #[test]
    fn a_line_that_says_what_cannot_be_is_refused() {
        for bad in [
            "",
            "{}",
            r#"{"status":"ok"}"#,
            r#"{"status":"ok","data":"a","data_base64":"YQ=="}"#,
            r#"{"status":"ok","data_base64":"?"}"#,
            r#"{"status":"ok","data":"a","reason":"b"}"#,
            r#"{"status":"dropped","data":"a"}"#,
            r#"{"status":"dropped","reason":"a"}"#,
            r#"{"status":"lost"}"#,
            r#"{"status":"ok","date":"a"}"#,
        ] {
            assert!(Outcome::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_failure_that_is_expected_without_a_reason_may_have_any() {
        let failed = Outcome::Failed(Some("this time".to_owned()));
        assert!(failed.is(&Outcome::Failed(None)));
        assert!(!failed.is(&Outcome::Failed(Some("another".to_owned()))));
        assert!(!failed.is(&Outcome::Retry(None)));
    }
}
