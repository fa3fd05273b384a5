//! Who calls, and in which region: the two halves of every resource's address.

use std::fmt;

use crate::Invalid;
use crate::limits::{ACCOUNT_ID_DIGITS, REGION_CHARS_MAX};

/// A tenant: the 12-digit account that owns streams, plugins and limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(u64);

impl AccountId {
    /// The account of a server that has no credentials configured.
    pub const DEFAULT: Self = Self(0);

    /// Exactly 12 decimal digits.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let digits = text.len() == ACCOUNT_ID_DIGITS && text.bytes().all(|b| b.is_ascii_digit());
        match text.parse() {
            Ok(number) if digits => Ok(Self(number)),
            _ => Err(Invalid(format!(
                "account '{text}' is not {ACCOUNT_ID_DIGITS} digits"
            ))),
        }
    }

    /// The account as a number, for keys that must sort and be short.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

/// The region of a request's credential scope. Any name will do; resources of two regions are
/// kept apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region(String);

impl Region {
    /// 1 to 64 characters of `[a-z0-9-]`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let fits = (1..=REGION_CHARS_MAX).contains(&text.len());
        let allowed = text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        match fits && allowed {
            true => Ok(Self(text.to_owned())),
            false => Err(Invalid(format!(
                "region '{text}' is not 1 to {REGION_CHARS_MAX} characters of a-z, 0-9 and '-'"
            ))),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// In whose name a request is made: the account that its credentials belong to, and the region
/// that it addresses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The tenant.
    pub account: AccountId,
    /// The region of the credential scope.
    pub region: Region,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_twelve_digits_and_prints_as_it_was_written() {
        assert_eq!(
            AccountId::parse("000000000042").unwrap().to_string(),
            "000000000042"
        );
        for bad in ["", "42", "00000000004x", "+00000000042", "0000000000042"] {
            assert!(AccountId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_region_is_any_short_lower_case_name() {
        assert_eq!(
            Region::parse("moon-base-1").unwrap().as_str(),
            "moon-base-1"
        );
        for bad in ["", "EU", "eu/west", "eu west", &"x".repeat(65)] {
            assert!(Region::parse(bad).is_err(), "{bad}");
        }
    }
}
