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

/// How the regions of each partition but `aws` begin (botocore, `partitions.json`).
const PARTITIONS: [(&str, &str); 7] = [
    ("cn-", "aws-cn"),
    ("eusc-", "aws-eusc"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
];

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
        if fits && allowed {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid(format!(
                "region '{text}' is not 1 to {REGION_CHARS_MAX} characters of a-z, 0-9 and '-'"
            )))
        }
    }

    /// The partition that ARNs of this region's resources name. A region that AWS does not have is
    /// in `aws`, unless its name begins as those of another partition do.
    pub fn partition(&self) -> &'static str {
        let of_prefix = PARTITIONS
            .iter()
            .find(|(prefix, _)| self.0.starts_with(prefix));
        of_prefix.map_or("aws", |(_, partition)| *partition)
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
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
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

    #[test]
    fn a_region_lies_in_the_partition_that_aws_puts_it_in() {
        for (region, partition) in [
            ("eu-central-1", "aws"),
            ("us-east-1", "aws"),
            ("us-gov-west-1", "aws-us-gov"),
            ("cn-north-1", "aws-cn"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eusc-de-east-1", "aws-eusc"),
            ("mars-north-1", "aws"),
            ("cn", "aws"),
            ("us-isolde-1", "aws"),
        ] {
            assert_eq!(Region::parse(region).unwrap().partition(), partition);
        }
    }
}
