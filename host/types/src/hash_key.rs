//! The 128-bit number that decides which shard takes a record.

use std::fmt;

use md5::{Digest, Md5};

use crate::{Invalid, PartitionKey};

/// A point in the hash key space, 0 to 2^128 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HashKey(pub u128);

impl HashKey {
    /// The greatest hash key.
    pub const MAX: Self = Self(u128::MAX);

    /// The MD5 of the partition key's UTF-8 bytes, read as a big-endian number
    /// (Kinesis API reference, PutRecord).
    pub fn of(key: &PartitionKey<'_>) -> Self {
        Self(u128::from_be_bytes(
            Md5::digest(key.as_str().as_bytes()).into(),
        ))
    }

    /// An explicit hash key: a decimal number without leading zeros, at most 2^128 - 1.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let canonical = text == "0" || !text.starts_with('0');
        match text.parse() {
            Ok(number) if digits && canonical => Ok(Self(number)),
            _ => Err(Invalid(format!(
                "hash key '{text}' is not a number from 0 to 2^128 - 1"
            ))),
        }
    }
}

impl fmt::Display for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The hash keys that a shard takes; both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashKeyRange {
    /// The first hash key of the range.
    pub first: HashKey,
    /// The last hash key of the range, not before `first`.
    pub last: HashKey,
}

impl HashKeyRange {
    /// Cuts the whole space into `count` ranges of equal size; the last takes the remainder.
    ///
    /// As CreateStream does it: each range has floor(2^128 / count) keys.
    pub fn split_evenly(count: u32) -> Vec<Self> {
        let count = u128::from(count.max(1));
        // floor(2^128 / count) without leaving 128 bits; one shard takes everything.
        let remainder = (u128::MAX % count + 1) % count;
        let width = (u128::MAX - remainder) / count + u128::from(count > 1);
        let first = |n: u128| HashKey(n.wrapping_mul(width));
        (0..count)
            .map(|n| Self {
                first: first(n),
                last: if n + 1 == count {
                    HashKey::MAX
                } else {
                    HashKey(first(n + 1).0 - 1)
                },
            })
            .collect()
    }

    /// Whether `key` belongs to the range.
    pub fn contains(&self, key: HashKey) -> bool {
        self.first <= key && key <= self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_key_hashes_to_its_md5() {
        let key = PartitionKey::parse("a").unwrap();
        assert_eq!(HashKey::of(&key).0, 0x0cc175b9c0f1b6a831c399e269772661);
    }

    #[test]
    fn only_canonical_decimals_within_128_bits_are_hash_keys() {
        let max = u128::MAX.to_string();
        assert_eq!(HashKey::parse(&max), Ok(HashKey::MAX));
        assert_eq!(HashKey::parse("0"), Ok(HashKey(0)));
        for bad in [
            "",
            "00",
            "01",
            "+1",
            "-1",
            "1 ",
            "340282366920938463463374607431768211456",
        ] {
            assert!(HashKey::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn even_ranges_cover_the_whole_space_without_gap_or_overlap() {
        for count in [1, 2, 3, 4, 5, 7, 10, 64, 1000] {
            let ranges = HashKeyRange::split_evenly(count);
            assert_eq!(ranges.len(), count as usize);
            assert_eq!(ranges[0].first, HashKey(0));
            assert_eq!(ranges[ranges.len() - 1].last, HashKey::MAX);
            for pair in ranges.windows(2) {
                assert_eq!(pair[0].last.0 + 1, pair[1].first.0);
            }
        }
    }

    #[test]
    fn three_shards_get_the_ranges_that_aws_gives_them() {
        let ranges = HashKeyRange::split_evenly(3);
        assert_eq!(
            ranges[0].last.to_string(),
            "113427455640312821154458202477256070484"
        );
        assert_eq!(
            ranges[1].first.to_string(),
            "113427455640312821154458202477256070485"
        );
        assert_eq!(
            ranges[2].first.to_string(),
            "226854911280625642308916404954512140970"
        );
    }
}
