//! What tables hold, as lines of JSON: `{"table":"…","key":"…","value":"…"}`. What is no UTF-8
//! stands under the same name with `_base64` behind it.

use std::fmt;

use super::outcome::Deed;

/// An entry of a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) table: String,
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

impl Entry {
    /// What a line says.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let deed: Deed = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let (table, key, value) = deed.into_entry()?;
        Ok(Self { table, key, value })
    }
}

/// The line.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deed = Deed::entry(&self.table, &self.key, &self.value);
        f.write_str(&serde_json::to_string(&deed).map_err(|_| fmt::Error)?)
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
            r#"{"table":"counts","key":"a","value":"2","stream":"b"}"#,
        ] {
            assert!(Entry::parse(bad).is_err(), "{bad}");
        }
    }
}
