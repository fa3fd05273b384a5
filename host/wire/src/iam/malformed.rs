//! Why a policy is refused.

use std::fmt;

/// A policy that cannot be understood: IAM's text where there is one, with the part that it is
/// about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    text: String,
    is_too_long: bool,
}

impl Malformed {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_too_long: false,
        }
    }

    /// It is no JSON, or has another form than a policy; `why` says more.
    pub(super) fn syntax(why: impl fmt::Display) -> Self {
        Self::new(format!("Syntax errors in policy. {why}"))
    }

    /// It has more bytes than it may.
    pub(super) fn too_long(bytes_max: usize) -> Self {
        Self {
            is_too_long: true,
            ..Self::new(format!("Cannot exceed quota for PolicySize: {bytes_max}"))
        }
    }

    /// Whether nobody looked what it says: it is longer than a policy may be.
    pub fn is_too_long(&self) -> bool {
        self.is_too_long
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Malformed {}
