//! What tables hold, as lines of JSON: `{"table":"…","key":"…","value":"…"}`. What is no UTF-8
//! stands under the same name with `_base64` behind it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::outcome::{bytes, text_or_base64};

/// An entry of a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) table: String,
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    table: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
}

impl Entry {
    /// What a line says.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let line: Line = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let named = |what: &str, it: Result<_, String>| it.map_err(|_| format!("{what} is wanted"));
        Ok(Self {
            table: line.table,
            key: named(
                "one of key and key_base64",
                bytes(line.key, line.key_base64),
            )?,
            value: named(
                "one of value and value_base64",
                bytes(line.value, line.value_base64),
            )?,
        })
    }
}

/// The line.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, key_base64) = text_or_base64(&self.key);
        let (value, value_base64) = text_or_base64(&self.value);
        let line = Line {
            table: self.table.clone(),
            key,
            key_base64,
            value,
            value_base64,
        };
        f.write_str(&serde_json::to_string(&line).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_from_the_line_that_it_is_written_as() {
        for line in [
            r#"{"table":"counts","key":"the","value":"2"}"#,
            r#"{"table":"counts","key_base64":"/w==","value":""}"#,
        ] {
            assert_eq!(Entry::parse(line).unwrap().to_string(), line);
        }
    }

    #[test]
    fn a_line_that_is_no_entry_is_refused() {
        for bad in [
            "",
            r#"{"table":"counts","key":"the"}"#,
            r#"{"table":"counts","key":"a","key_base64":"YQ==","value":"2"}"#,
            r#"{"table":"counts","key":"a","value_base64":"?"}"#,
            r#"{"key":"a","value":"2"}"#,
        ] {
            assert!(Entry::parse(bad).is_err(), "{bad}");
        }
    }
}
