//! The name of a shard within its stream.

use std::fmt;

use crate::Invalid;

/// `shardId-000000000007`: a number that grows with every shard a stream gets and is never used
/// again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(pub u32);

impl ShardId {
    const PREFIX: &str = "shardId-";
    const DIGITS: usize = 12;

    /// The prefix and exactly 12 digits, no more than shards can be numbered.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid(format!("'{text}' is not the name of a shard"));
        let digits = text.strip_prefix(Self::PREFIX).ok_or_else(invalid)?;
        if digits.len() != Self::DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(invalid());
        }
        digits.parse().map(Self).map_err(|_| invalid())
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
        assert_eq!(ShardId::parse("shardId-000000000007"), Ok(ShardId(7)));
        for bad in [
            "",
            "7",
            "shardId-7",
            "shardId-00000000000x",
            "shardId-999999999999",
        ] {
            assert!(ShardId::parse(bad).is_err(), "{bad}");
        }
    }
}
