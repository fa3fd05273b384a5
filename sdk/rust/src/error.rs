//! Why a record failed.

use std::borrow::Cow;
use std::fmt;

/// Why a record cannot be worked on, as text for the people who look at failed records. The host
/// keeps its first 1,024 bytes.
///
/// `?` makes one of every [`std::error::Error`], which is why this is none itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Cow<'static, str>);

impl Error {
    /// An error with this reason. It should name what was expected and where, and not the
    /// record's data.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }

    /// The reason as text.
    pub fn reason(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        Self(error.to_string().into())
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
    }
}
