//! A record on its way into a stream, and how it finds its shard.

use std::borrow::Cow;

use types::{HashKey, Invalid, PartitionKey};
use wire::ApiError;
use wire::members::{Blob, Text};

use crate::mode::Distribution;
use crate::stream::Stream;

/// A record as the producer sent it.
#[derive(Debug)]
pub struct NewRecord<'a> {
    pub(crate) partition_key: Cow<'a, str>,
    pub(crate) data: &'a Blob<'a>,
    pub(crate) way: Way,
    bytes: usize,
}

/// How a record finds its shard.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// It goes to the one that takes this key.
    Key(HashKey),
    /// It goes to the one whose turn this is, or to another that has room.
    Turn(usize),
}

impl<'a> NewRecord<'a> {
    /// A record that goes where its keys say. Refuses a hash key that no shard can have. The
    /// members' own constraints were checked before.
    pub fn parse(
        partition_key: &'a Text<'a>,
        data: &'a Blob<'a>,
        explicit_hash_key: Option<&Text<'_>>,
    ) -> Result<Self, ApiError> {
        let hash_key = match explicit_hash_key {
            Some(text) => hash_key("ExplicitHashKey", text)?,
            None => {
                let key = PartitionKey::parse(partition_key.as_str())
                    .map_err(|invalid| ApiError::validation(invalid.to_string()))?;
                HashKey::of(&key)
            }
        };
        Ok(Self::on_its_way(
            Cow::Borrowed(partition_key),
            data,
            Way::Key(hash_key),
        ))
    }

    /// A record that goes to any of the stream's shards. Readers are told a partition key of every
    /// record: without one it gets a number that is rarely another's, so that whoever passes it on
    /// by its key spreads it, too.
    pub fn distributed(
        stream: &Stream,
        partition_key: Option<&'a Text<'a>>,
        data: &'a Blob<'a>,
    ) -> Self {
        let turn = stream.shards.next_turn();
        let key = match partition_key {
            Some(key) => Cow::Borrowed(key.as_str()),
            None => Cow::Owned(turn.to_string()),
        };
        Self::on_its_way(key, data, Way::Turn(turn))
    }

    /// A record that no client sent, which goes where one with this partition key goes that was put
    /// to the stream.
    ///
    /// # Errors
    /// The key has not 1 to 256 characters.
    pub fn emitted(
        stream: &Stream,
        partition_key: &'a str,
        data: &'a Blob<'a>,
    ) -> Result<Self, Invalid> {
        let key = PartitionKey::parse(partition_key)?;
        let way = match stream.distribution() {
            Distribution::UserPartitionKey => Way::Key(HashKey::of(&key)),
            Distribution::Auto => Way::Turn(stream.shards.next_turn()),
        };
        Ok(Self::on_its_way(Cow::Borrowed(partition_key), data, way))
    }

    /// Bytes of its data and partition key.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn on_its_way(partition_key: Cow<'a, str>, data: &'a Blob<'a>, way: Way) -> Self {
        Self {
            bytes: data.decoded_len() + partition_key.len(),
            partition_key,
            data,
            way,
        }
    }

    /// Bytes of data and partition key of a record that was not parsed yet. A key that is left out
    /// has none.
    pub fn bytes_of(partition_key: Option<&Text<'_>>, data: &Blob<'_>) -> usize {
        data.decoded_len() + partition_key.map_or(0, |key| key.len())
    }
}

/// The hash key that a member is. The model's pattern also lets through what needs more than 128
/// bits.
pub fn hash_key(member: &str, text: &Text<'_>) -> Result<HashKey, ApiError> {
    HashKey::parse(text).map_err(|_| {
        let given = text.as_str();
        ApiError::new(
            "InvalidArgumentException",
            format!(
                "Invalid {member}. {member} must be in the range: [0, 2^128-1]. Specified value \
                 was {given}"
            ),
        )
    })
}
