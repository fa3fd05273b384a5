//! Shard iterators: a client's short-lived token for a place in a shard.
//!
//! ```text
//! version u8 | account u64 | stream u64 | shard u32 | kind u8 | value u64 | issued at u64
//!   | stream name                                    all numbers big-endian, then sealed
//! ```
//!
//! With the longest name that is 182 bytes and 244 characters, well below the model's 512.

use store::Position;
use types::limits::ITERATOR_LIFETIME;
use types::{AccountId, ShardId, StreamName, Timestamp};

use crate::seal::{Purpose, SealingKey};
use crate::stream::StreamId;

const VERSION: u8 = 2;
const AT_RECORD: u8 = 1;
const AT_TIME: u8 = 2;

/// Where reading goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the record of this place in the shard's log, or the first that is kept after it.
    Record(Position),
    /// At the first record that arrived at or after this.
    Time(Timestamp),
}

impl Start {
    /// The oldest record that is kept.
    pub const TRIM_HORIZON: Self = Self::Record(Position::FIRST);
}

/// What an iterator says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardIterator {
    /// Whose stream it is.
    pub account: AccountId,
    /// Which stream; another one of the same name is not meant.
    pub stream: StreamId,
    /// The stream's name.
    pub name: StreamName,
    /// Which shard.
    pub shard: ShardId,
    /// Where in the shard.
    pub start: Start,
    /// When it was made.
    pub issued_at: Timestamp,
}

impl ShardIterator {
    /// The token for a client.
    pub fn seal(&self, key: &SealingKey) -> String {
        let (kind, value) = match self.start {
            Start::Record(position) => (AT_RECORD, position.0),
            Start::Time(at) => (AT_TIME, at.0),
        };
        let mut payload = vec![VERSION];
        payload.extend_from_slice(&self.account.number().to_be_bytes());
        payload.extend_from_slice(&self.stream.0.to_be_bytes());
        payload.extend_from_slice(&self.shard.0.to_be_bytes());
        payload.push(kind);
        payload.extend_from_slice(&value.to_be_bytes());
        payload.extend_from_slice(&self.issued_at.0.to_be_bytes());
        payload.extend_from_slice(self.name.as_str().as_bytes());
        key.seal(Purpose::Iterator, &payload)
    }

    /// Reads a token; `None` for text that this server's key did not seal.
    pub fn open(key: &SealingKey, token: &str) -> Option<Self> {
        Self::parse(&key.open(Purpose::Iterator, token)?)
    }

    /// Reads what lies under the seal.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (&[version], rest) = payload.split_first_chunk()?;
        let (account, rest) = take_u64(rest)?;
        let (stream, rest) = take_u64(rest)?;
        let (shard, rest) = rest.split_first_chunk()?;
        let (&[kind], rest) = rest.split_first_chunk()?;
        let (value, rest) = take_u64(rest)?;
        let (issued_at, name) = take_u64(rest)?;
        let start = match (version, kind) {
            (VERSION, AT_RECORD) => Start::Record(Position(value)),
            (VERSION, AT_TIME) => Start::Time(Timestamp(value)),
            _ => return None,
        };
        Some(Self {
            account: AccountId::parse(&format!("{account:012}")).ok()?,
            stream: StreamId(stream),
            name: StreamName::parse(std::str::from_utf8(name).ok()?).ok()?,
            shard: ShardId(u32::from_be_bytes(*shard)),
            start,
            issued_at: Timestamp(issued_at),
        })
    }

    /// Whether it can no longer be used.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now.since(self.issued_at) > ITERATOR_LIFETIME
    }
}

fn take_u64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use types::limits::{ITERATOR_CHARS_MAX, STREAM_NAME_CHARS_MAX};

    use super::*;

    fn iterator(start: Start) -> ShardIterator {
        ShardIterator {
            account: AccountId::parse("999999999999").unwrap(),
            stream: StreamId(u64::MAX),
            name: StreamName::parse(&"n".repeat(STREAM_NAME_CHARS_MAX)).unwrap(),
            shard: ShardId(7),
            start,
            issued_at: Timestamp(1_700_000_000_000),
        }
    }

    #[test]
    fn an_iterator_reads_back_and_is_short_enough_for_the_longest_name() {
        let key = SealingKey::new([1; 32]);
        for start in [
            Start::TRIM_HORIZON,
            Start::Record(Position(u64::MAX)),
            Start::Time(Timestamp(5)),
        ] {
            let token = iterator(start).seal(&key);
            assert!(token.len() <= ITERATOR_CHARS_MAX, "{}", token.len());
            assert_eq!(ShardIterator::open(&key, &token), Some(iterator(start)));
        }
    }

    #[test]
    fn a_payload_that_is_cut_or_of_another_kind_is_none() {
        let key = SealingKey::new([1; 32]);
        let token = iterator(Start::TRIM_HORIZON).seal(&key);
        let payload = key.open(Purpose::Iterator, &token).unwrap();
        let fixed = payload.len() - STREAM_NAME_CHARS_MAX;
        for length in 0..=fixed {
            assert_eq!(ShardIterator::parse(&payload[..length]), None);
        }
        for (at, byte) in [(0, 1), (21, 3)] {
            let mut other = payload.clone();
            other[at] = byte;
            assert_eq!(ShardIterator::parse(&other), None);
        }
    }

    #[test]
    fn an_iterator_lives_for_300_seconds() {
        let iterator = iterator(Start::TRIM_HORIZON);
        let last = iterator.issued_at.after(Duration::from_secs(300));
        assert!(!iterator.is_expired(last));
        assert!(iterator.is_expired(Timestamp(last.0 + 1)));
        assert!(!iterator.is_expired(Timestamp(0)));
    }
}
