//! The name of a shard within its stream.

use std::fmt;

use crate::Invalid;

/// `shardId-000000000007`: a number that grows with every shard a stream gets and is never used
/// again, at most 2^31 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(pub u32);

impl ShardId {
    const PREFIX: &str = "shardId-";
    const DIGITS: usize = 12;

    /// The greatest number that the service takes for a shard's.
    const MAX: u32 = i32::MAX as u32;

    /// Takes a shard's name as the service does: as the number between the first hyphen and the
    /// next, or as nothing but a number. `shardId-0`, `x-0` and `0` are `shardId-000000000000`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let behind_hyphen = text.split('-').nth(1).filter(|rest| !rest.is_empty());
        let digits = behind_hyphen.unwrap_or(text);
        match digits.parse() {
            Ok(number) if number <= Self::MAX && digits.bytes().all(|b| b.is_ascii_digit()) => {
                Ok(Self(number))
            }
            _ => Err(Invalid(format!("'{text}' is not the name of a shard"))),
        }
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{:0width$}",
            Self::PREFIX,
            self.0,
            width = Self::DIGITS
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_id_reads_back_as_it_is_written() {
        assert_eq!(ShardId(7).to_string(), "shardId-000000000007");
        for name in [
            "shardId-000000000007",
            "shardId-7",
            "x-7",
            "-0000007",
            "7",
            "7-8",
        ] {
            let wanted = if name == "7-8" { 8 } else { 7 };
            assert_eq!(ShardId::parse(name), Ok(ShardId(wanted)), "{name}");
        }
        assert_eq!(
            ShardId::parse("shardId-002147483647"),
            Ok(ShardId(2_147_483_647))
        );
        for bad in [
            "",
            "-",
            "shardId-",
            "shardId-00000000000x",
            "shardId-+7",
            "shardId-002147483648",
            "shardId-999999999999",
            "2.14E4",
            "a-b-7",
        ] {
            assert!(ShardId::parse(bad).is_err(), "{bad}");
        }
    }
}
