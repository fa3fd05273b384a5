//! The tables of this crate and the keys of their rows. Numbers 1 to 15 are its own; a number is
//! never used for anything else.

use bytes::Bytes;
use store::{KeyId, TableId};
use types::{AccountId, Caller, ConsumerName, Region, ShardId, StreamArn, StreamName};

use crate::stream::StreamId;

/// Single values of the whole server, by name.
pub const SETTINGS: TableId = TableId(1);
/// One row for each stream, by address: see [`stream_key`].
pub const STREAMS: TableId = TableId(2);
/// The shards of a stream, some hundreds in a row: see [`shards_key`].
pub const SHARDS: TableId = TableId(3);
/// How far each pump has come, by the pump's name.
pub const PUMPS: TableId = TableId(4);
/// Where the logs of deleted streams and of expired shards ended, one row for each shard: see
/// [`end_key`].
pub const ENDS: TableId = TableId(5);

/// What is to become of the shards of a stream, and how often they were scaled lately: one row for
/// each stream of which there is something to say, see [`resharding_key`].
pub const RESHARDINGS: TableId = TableId(6);

/// What accounts have settled, one row for each region of each: see [`account_key`].
pub const ACCOUNTS: TableId = TableId(7);

/// The consumers that are registered with streams, one row for each: see [`consumer_key`].
pub const CONSUMERS: TableId = TableId(8);

/// The data keys that records are sealed with, wrapped, one row for each: see [`data_key_key`].
pub const DATA_KEYS: TableId = TableId(14);

/// How streams are encrypted, one row for each that is or was: see [`encryption_key`].
pub const ENCRYPTIONS: TableId = TableId(15);

/// What the rows of [`SETTINGS`] begin with that say that a service's own master key was made.
pub const SERVICE_KEY_PREFIX: &[u8] = b"service key ";

/// The policies of resources, one row for each stream that has one: see [`policy_key`].
pub const POLICIES: TableId = TableId(12);

/// The row of [`SETTINGS`] with the next numbers for streams and logs.
pub const NUMBERS: &[u8] = b"numbers";
/// The row of [`SETTINGS`] with the key that seals tokens.
pub const SEALING_KEY: &[u8] = b"sealing key";
/// The row of [`SETTINGS`] with the time that retention believed last.
pub const NOTED_TIME: &[u8] = b"noted time";

/// The row of [`SETTINGS`] with the last second in which a stream was made.
pub const LATEST_CREATION: &[u8] = b"latest creation";

/// `account u64 BE | region`.
pub fn account_key(caller: &Caller) -> Bytes {
    let mut key = caller.account.number().to_be_bytes().to_vec();
    key.extend_from_slice(caller.region.as_str().as_bytes());
    Bytes::from(key)
}

/// `account u64 BE | region | 0 | name`: streams lie together by caller, in order of their names.
pub fn stream_key(arn: &StreamArn) -> Bytes {
    let mut key = arn.account.number().to_be_bytes().to_vec();
    key.extend_from_slice(arn.region.as_str().as_bytes());
    key.push(0);
    key.extend_from_slice(arn.name.as_str().as_bytes());
    Bytes::from(key)
}

/// The address that [`stream_key`] was made of.
pub fn parse_stream_key(key: &[u8]) -> Option<StreamArn> {
    let (account, rest) = key.split_first_chunk::<8>()?;
    let account = format!("{:012}", u64::from_be_bytes(*account));
    let end = rest.iter().position(|&byte| byte == 0)?;
    let (region, name) = (rest.get(..end)?, rest.get(end + 1..)?);
    Some(StreamArn {
        account: AccountId::parse(&account).ok()?,
        region: Region::parse(std::str::from_utf8(region).ok()?).ok()?,
        name: StreamName::parse(std::str::from_utf8(name).ok()?).ok()?,
    })
}

/// `stream id u64 BE | row number u32 BE`.
pub fn shards_key(stream: u64, row: u32) -> Bytes {
    Bytes::from([&stream.to_be_bytes()[..], &row.to_be_bytes()[..]].concat())
}

/// `stream id u64 BE`.
pub fn resharding_key(stream: StreamId) -> Bytes {
    Bytes::copy_from_slice(&stream.0.to_be_bytes())
}

/// The stream that [`resharding_key`] was made of.
pub fn parse_resharding_key(key: &[u8]) -> Option<StreamId> {
    let id = key.try_into().ok()?;
    Some(StreamId(u64::from_be_bytes(id)))
}

/// `key u64 BE`.
pub fn data_key_key(key: KeyId) -> Bytes {
    Bytes::copy_from_slice(&key.0.to_be_bytes())
}

/// The data key that [`data_key_key`] was made of.
pub fn parse_data_key_key(key: &[u8]) -> Option<KeyId> {
    Some(KeyId(u64::from_be_bytes(key.try_into().ok()?)))
}

/// `stream id u64 BE`.
pub fn encryption_key(stream: StreamId) -> Bytes {
    Bytes::copy_from_slice(&stream.0.to_be_bytes())
}

/// The stream that [`encryption_key`] was made of.
pub fn parse_encryption_key(key: &[u8]) -> Option<StreamId> {
    parse_resharding_key(key)
}

/// `stream id u64 BE`.
pub fn policy_key(stream: StreamId) -> Bytes {
    Bytes::copy_from_slice(&stream.0.to_be_bytes())
}

/// The stream that [`policy_key`] was made of.
pub fn parse_policy_key(key: &[u8]) -> Option<StreamId> {
    let id = key.try_into().ok()?;
    Some(StreamId(u64::from_be_bytes(id)))
}

/// `stream id u64 BE | name`: the consumers of a stream lie together.
pub fn consumer_key(stream: StreamId, name: &ConsumerName) -> Bytes {
    Bytes::from([&stream.0.to_be_bytes()[..], name.as_str().as_bytes()].concat())
}

/// The consumer that [`consumer_key`] was made of.
pub fn parse_consumer_key(key: &[u8]) -> Option<(StreamId, ConsumerName)> {
    let (stream, name) = key.split_first_chunk::<8>()?;
    let name = ConsumerName::parse(std::str::from_utf8(name).ok()?).ok()?;
    Some((StreamId(u64::from_be_bytes(*stream)), name))
}

/// `stream id u64 BE | shard u32 BE`.
pub fn end_key(stream: StreamId, shard: ShardId) -> Bytes {
    Bytes::from([&stream.0.to_be_bytes()[..], &shard.0.to_be_bytes()[..]].concat())
}

/// The shard that [`end_key`] was made of.
pub fn parse_end_key(key: &[u8]) -> Option<(StreamId, ShardId)> {
    let (stream, shard) = key.split_first_chunk::<8>()?;
    let shard = u32::from_be_bytes(shard.try_into().ok()?);
    Some((StreamId(u64::from_be_bytes(*stream)), ShardId(shard)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_an_end_reads_back() {
        let key = end_key(StreamId(7), ShardId(3));
        assert_eq!(parse_end_key(&key), Some((StreamId(7), ShardId(3))));
        for length in 0..key.len() {
            assert_eq!(parse_end_key(&key[..length]), None);
        }
    }

    #[test]
    fn a_streams_key_reads_back_and_keeps_names_in_order() {
        let arn = |name: &str| {
            StreamArn::parse(&format!(
                "arn:aws:kinesis:eu-west-1:000000000042:stream/{name}"
            ))
            .unwrap()
        };
        let key = stream_key(&arn("clicks"));
        assert_eq!(parse_stream_key(&key), Some(arn("clicks")));
        assert!(key < stream_key(&arn("clicks-2")));
        for length in 0..key.len() - "clicks".len() + 1 {
            assert_eq!(parse_stream_key(&key[..length]), None);
        }
    }
}
