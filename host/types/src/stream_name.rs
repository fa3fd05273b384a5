//! The name of a stream within its account and region.

use std::borrow::Borrow;
use std::fmt;

use crate::Invalid;
use crate::limits::STREAM_NAME_CHARS_MAX;

/// 1 to 128 characters of `[a-zA-Z0-9_.-]` (the model's StreamName).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamName(String);

impl StreamName {
    /// Refuses what the model's length and pattern refuse.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let fits = (1..=STREAM_NAME_CHARS_MAX).contains(&text.len());
        let allowed = text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if fits && allowed {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid(format!(
                "'{text}' is not 1 to {STREAM_NAME_CHARS_MAX} characters of a-z, A-Z, 0-9, '_', \
                 '.' and '-'"
            )))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names in a map are looked up by text, without making a name first.
impl Borrow<str> for StreamName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_name_is_short_and_plain() {
        assert!(StreamName::parse(&"a".repeat(128)).is_ok());
        for bad in ["", "a b", "a/b", "ä", &"a".repeat(129)] {
            assert!(StreamName::parse(bad).is_err(), "{bad}");
        }
    }
}
