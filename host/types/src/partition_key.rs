//! The producer's choice of which records share a shard.

use std::borrow::Cow;

use crate::Invalid;
use crate::limits::PARTITION_KEY_CHARS_MAX;

/// 1 to 256 Unicode characters. Borrows from the request where it can: a key is copied once, into
/// the frame that is stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PartitionKey<'a>(Cow<'a, str>);

impl<'a> PartitionKey<'a> {
    /// Counts characters, not bytes, as the model's length constraint does.
    pub fn parse(text: impl Into<Cow<'a, str>>) -> Result<Self, Invalid> {
        let text = text.into();
        // Counting characters costs more than comparing a length that is surely short enough.
        let count = match text.len() {
            bytes @ 0..=PARTITION_KEY_CHARS_MAX => bytes,
            _ => text.chars().count(),
        };
        match count {
            1..=PARTITION_KEY_CHARS_MAX => Ok(Self(text)),
            _ => Err(Invalid(format!(
                "partition key has {count} characters, not 1 to {PARTITION_KEY_CHARS_MAX}"
            ))),
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_key_is_measured_in_characters() {
        assert!(PartitionKey::parse("é".repeat(256)).is_ok());
        assert!(PartitionKey::parse("é".repeat(257)).is_err());
        assert!(PartitionKey::parse("").is_err());
    }
}
