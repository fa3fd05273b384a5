//! Why a record or a batch failed.

use std::borrow::Cow;
use std::fmt;

/// Why a record cannot be worked on, or a consumer's batch, as text for the people who look at
/// failed records. The host keeps its first 1,024 bytes.
///
/// `?` makes one of every [`std::error::Error`], which is why this is none itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    reason: Cow<'static, str>,
    may_pass: bool,
}

impl Error {
    /// An error with this reason, for good. It should name what was expected and where, and not the
    /// record's data.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason: reason.into(),
            may_pass: false,
        }
    }

    /// An error after which the whole batch may go through a moment later: the host tries it again,
    /// as often as it does that.
    pub fn retryable(reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            may_pass: true,
            ..Self::new(reason)
        }
    }

    /// The reason as text.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether the same batch may go through a moment later.
    pub fn may_pass(&self) -> bool {
        self.may_pass
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_standard_library_becomes_its_text() {
        fn number(text: &str) -> Result<u8, Error> {
            Ok(text.parse()?)
        }
        let reason = "invalid digit found in string";
        assert_eq!(number("x"), Err(Error::new(reason)));
        assert_eq!(Error::new(reason.to_owned()).to_string(), reason);
        assert!(!Error::new(reason).may_pass() && Error::retryable(reason).may_pass());
    }
}
