//! The tables of this crate and the keys of their rows. Numbers 16 to 31 are its own; a number is
//! never used for anything else. So are the numbers of logs from [`LOGS_FIRST`] on.

use bytes::Bytes;
use store::{LogId, TableId};
use streams::StreamId;
use streams::ends::EndedShard;
use types::{AccountId, Caller, Region, ShardId};

use crate::arn::{DeliveryStreamArn, DeliveryStreamName};
use crate::delivery_stream::DeliveryStreamId;

/// Single values, by name.
pub const SETTINGS: TableId = TableId(16);
/// One row for each delivery stream, by address: see [`stream_key`].
pub const DELIVERY_STREAMS: TableId = TableId(17);
/// One row for each lane: see [`LaneKey`].
pub const LANES: TableId = TableId(18);

/// One row for each delivery stream of which lanes are over: what they did, by its number. See
/// [`sum_key`].
pub const SUMS: TableId = TableId(19);

/// What is known of objects of failed records that were replayed or discarded, one row for each
/// object: see [`note_key`].
pub const NOTES: TableId = TableId(20);
/// What was replayed, one row for each delivery stream that ever did: see [`sum_key`].
pub const REPLAYS: TableId = TableId(21);

/// What was ordered to be delivered once more from what streams retain, one row for each order: see
/// [`redelivery_key`].
pub const REDELIVERIES: TableId = TableId(22);

/// How delivery streams are encrypted, one row for each that is or was: see [`encryption_key`].
pub const ENCRYPTIONS: TableId = TableId(31);

/// The row of [`SETTINGS`] with the next number.
pub const NUMBERS: &[u8] = b"numbers";
/// The same of orders to deliver something once more.
pub const REDELIVERY_NUMBERS: &[u8] = b"redeliveries";

/// The logs of delivery streams that are put to directly have the numbers from here on, by the
/// number of their delivery stream; those below belong to streams.
pub const LOGS_FIRST: u64 = 1 << 48;

/// The logs of failed records that are delivered once more have the numbers from here on, by the
/// number of their delivery stream.
const REPLAY_LOGS_FIRST: u64 = LOGS_FIRST + (1 << 47);

/// The log of failed records of a delivery stream that are delivered once more. It is made when it
/// is first needed.
pub fn replay_log(id: DeliveryStreamId) -> LogId {
    LogId(REPLAY_LOGS_FIRST.saturating_add(id.0))
}

/// Lanes of orders to deliver something once more belong to numbers from here on, by the number of
/// their order; those below are delivery streams.
const REDELIVERIES_FIRST: u64 = 1 << 62;

/// What stands in the place of a delivery stream's number in the lanes of an order.
pub fn lanes_of_redelivery(number: u64) -> DeliveryStreamId {
    DeliveryStreamId(REDELIVERIES_FIRST.saturating_add(number))
}

/// `delivery stream u64 BE | id of the order`.
pub fn redelivery_key(id: DeliveryStreamId, order: &str) -> Bytes {
    Bytes::from([&id.0.to_be_bytes()[..], order.as_bytes()].concat())
}

/// The delivery stream of [`redelivery_key`].
pub fn parse_redelivery_key(key: &[u8]) -> Option<DeliveryStreamId> {
    let (id, _) = key.split_first_chunk::<8>()?;
    Some(DeliveryStreamId(u64::from_be_bytes(*id)))
}

/// The orders of a delivery stream: from this key to before the other.
pub fn redeliveries_of(id: DeliveryStreamId) -> (Bytes, Bytes) {
    LaneKey::rows_of(id)
}

/// Bytes of a digest in a key.
pub const DIGEST_BYTES: usize = 32;

/// `delivery stream u64 BE | SHA-256 of the object's bucket and key | SHA-256 of the object`.
pub fn note_key(
    id: DeliveryStreamId,
    object: [u8; DIGEST_BYTES],
    content: [u8; DIGEST_BYTES],
) -> Bytes {
    Bytes::from([&id.0.to_be_bytes()[..], &object, &content].concat())
}

/// The notes about all objects of one key: from this key to before the other.
pub fn notes_of_object(id: DeliveryStreamId, object: [u8; DIGEST_BYTES]) -> (Bytes, Bytes) {
    let first = note_key(id, object, [0; DIGEST_BYTES]);
    let last = note_key(id, object, [u8::MAX; DIGEST_BYTES]);
    (first, store::key_after(&last))
}

/// The notes of a delivery stream: from this key to before the other.
pub fn notes_of(id: DeliveryStreamId) -> (Bytes, Bytes) {
    LaneKey::rows_of(id)
}

/// What the names of the pumps of lanes begin with.
pub const PUMPS_OF_LANES: &str = "delivery/";

/// `account u64 BE | region | 0 | name`: delivery streams lie together by caller, in order of
/// their names.
pub fn stream_key(arn: &DeliveryStreamArn) -> Bytes {
    let mut key = arn.owner.account.number().to_be_bytes().to_vec();
    key.extend_from_slice(arn.owner.region.as_str().as_bytes());
    key.push(0);
    key.extend_from_slice(arn.name.as_str().as_bytes());
    Bytes::from(key)
}

/// The address that [`stream_key`] was made of.
pub fn parse_stream_key(key: &[u8]) -> Option<DeliveryStreamArn> {
    let (account, rest) = key.split_first_chunk::<8>()?;
    let account = format!("{:012}", u64::from_be_bytes(*account));
    let end = rest.iter().position(|&byte| byte == 0)?;
    let (region, name) = (rest.get(..end)?, rest.get(end + 1..)?);
    Some(DeliveryStreamArn {
        owner: Caller {
            account: AccountId::parse(&account).ok()?,
            region: Region::parse(std::str::from_utf8(region).ok()?).ok()?,
        },
        name: DeliveryStreamName::parse(std::str::from_utf8(name).ok()?).ok()?,
    })
}

/// `delivery stream u64 BE`.
pub fn encryption_key(id: DeliveryStreamId) -> Bytes {
    Bytes::copy_from_slice(&id.0.to_be_bytes())
}

/// The delivery stream that [`encryption_key`] was made of.
pub fn parse_encryption_key(key: &[u8]) -> Option<DeliveryStreamId> {
    Some(DeliveryStreamId(u64::from_be_bytes(key.try_into().ok()?)))
}

/// `delivery stream u64 BE`.
pub fn sum_key(id: DeliveryStreamId) -> Bytes {
    Bytes::copy_from_slice(&id.0.to_be_bytes())
}

/// The delivery stream that [`sum_key`] was made of.
pub fn parse_sum_key(key: &[u8]) -> Option<DeliveryStreamId> {
    parse_encryption_key(key)
}

/// What tells a lane from all others: its delivery stream, and the shard that it reads. The log of
/// a delivery stream that is put to directly is the only shard of no stream, and that of its
/// replays the only one of [`LaneKey::REPLAYS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneKey {
    /// The delivery stream.
    pub delivery_stream: DeliveryStreamId,
    /// The stream that it reads, by its number; [`LaneKey::NO_STREAM`] for none.
    pub stream: u64,
    /// The shard's number.
    pub shard: u32,
}

impl LaneKey {
    /// In the place of a stream's number.
    pub const NO_STREAM: u64 = u64::MAX;
    /// The same for failed records that are delivered once more.
    pub const REPLAYS: u64 = u64::MAX - 1;

    /// The lane of failed records of a delivery stream that are delivered once more.
    pub fn of_replays(delivery_stream: DeliveryStreamId) -> Self {
        Self {
            delivery_stream,
            stream: Self::REPLAYS,
            shard: 0,
        }
    }

    /// Whether it delivers failed records once more.
    pub fn is_of_replays(&self) -> bool {
        self.stream == Self::REPLAYS
    }

    /// Whether it delivers something once more that was ordered.
    pub fn is_of_redelivery(&self) -> bool {
        self.delivery_stream.0 >= REDELIVERIES_FIRST
    }

    /// Whether its log is the delivery stream's own, and nobody else's.
    pub fn owns_log(&self) -> bool {
        self.stream == Self::NO_STREAM || self.is_of_replays()
    }

    /// The key of its row: `delivery stream u64 BE | stream u64 BE | shard u32 BE`.
    pub fn row(&self) -> Bytes {
        let mut key = self.delivery_stream.0.to_be_bytes().to_vec();
        key.extend_from_slice(&self.stream.to_be_bytes());
        key.extend_from_slice(&self.shard.to_be_bytes());
        Bytes::from(key)
    }

    /// The lane that [`LaneKey::row`] was made of.
    pub fn parse_row(key: &[u8]) -> Option<Self> {
        let (delivery_stream, rest) = key.split_first_chunk::<8>()?;
        let (stream, shard) = rest.split_first_chunk::<8>()?;
        Some(Self {
            delivery_stream: DeliveryStreamId(u64::from_be_bytes(*delivery_stream)),
            stream: u64::from_be_bytes(*stream),
            shard: u32::from_be_bytes(shard.try_into().ok()?),
        })
    }

    /// The rows of all lanes of a delivery stream: from this key to before the next.
    pub fn rows_of(id: DeliveryStreamId) -> (Bytes, Bytes) {
        let key = |number: u64| Bytes::copy_from_slice(&number.to_be_bytes());
        (key(id.0), key(id.0.saturating_add(1)))
    }

    /// What an operator calls it: the id of the shard that it reads, `direct` or `replays`; of what
    /// was ordered once more, that with the shard.
    pub fn lane_name(&self) -> String {
        if self.is_of_redelivery() {
            return format!("redelivery of {}", ShardId(self.shard));
        }
        match self.stream {
            Self::NO_STREAM => "direct".to_owned(),
            Self::REPLAYS => "replays".to_owned(),
            _ => ShardId(self.shard).to_string(),
        }
    }

    /// The shard that it reads; `None` where the log is the delivery stream's own.
    pub fn source(&self) -> Option<EndedShard> {
        let shard = (StreamId(self.stream), ShardId(self.shard));
        (!self.owns_log()).then_some(shard)
    }

    /// The name of its pump.
    pub fn pump_name(&self) -> String {
        let pumps = Self::pumps_of(self.delivery_stream);
        format!("{pumps}{}/{}", self.stream, self.shard)
    }

    /// What the names of all pumps of a delivery stream begin with.
    pub fn pumps_of(id: DeliveryStreamId) -> String {
        format!("{PUMPS_OF_LANES}{}/", id.0)
    }

    /// The lane that [`LaneKey::pump_name`] was made of.
    pub fn parse_pump_name(name: &str) -> Option<Self> {
        let mut numbers = name.strip_prefix(PUMPS_OF_LANES)?.split('/');
        let key = Self {
            delivery_stream: DeliveryStreamId(numbers.next()?.parse().ok()?),
            stream: numbers.next()?.parse().ok()?,
            shard: numbers.next()?.parse().ok()?,
        };
        numbers.next().is_none().then_some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back_and_keep_their_order() {
        let arn = |name: &str| DeliveryStreamArn {
            owner: Caller {
                account: AccountId::parse("000000000042").unwrap(),
                region: Region::parse("eu-west-1").unwrap(),
            },
            name: DeliveryStreamName::parse(name).unwrap(),
        };
        let key = stream_key(&arn("logs"));
        assert_eq!(parse_stream_key(&key), Some(arn("logs")));
        assert!(key < stream_key(&arn("logs-2")));
        for length in 0..key.len() - "logs".len() + 1 {
            assert_eq!(parse_stream_key(&key[..length]), None);
        }
        let lane = LaneKey {
            delivery_stream: DeliveryStreamId(7),
            stream: LaneKey::NO_STREAM,
            shard: 3,
        };
        assert_eq!(LaneKey::parse_row(&lane.row()), Some(lane));
        assert_eq!(LaneKey::parse_row(&lane.row()[1..]), None);
        let name = lane.pump_name();
        assert_eq!(LaneKey::parse_pump_name(&name), Some(lane));
        for wrong in ["", "delivery/7/1", &format!("{name}/1"), &name[1..]] {
            assert_eq!(LaneKey::parse_pump_name(wrong), None, "{wrong}");
        }
        let (from, to) = LaneKey::rows_of(DeliveryStreamId(7));
        assert!(from < lane.row() && lane.row() < to);
    }
}
