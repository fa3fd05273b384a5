//! Numbers as clients give them: ours, and whatever else the service has ever made.

use super::{BASE_DIGITS, Second, SequenceNumber};
use crate::{Invalid, ShardId, Timestamp};

/// A number that the service may have made, in any of its three layouts. Of the two older ones:
///
/// ```text
/// version 1:  10 | created 36 | 12 bits | arrival 36 | 64 bits | shard 32 | 0001
/// version 0:   1 | created 36 | 72 bits | shard 16          a number of 125 bits, or less
/// ```
///
/// The service reads a small number as one of version 0 without the bit at its top, so that `0` is
/// a number, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenNumber {
    version: u8,
    created: Second,
    /// Of version 2 alone.
    place: u64,
    /// Not of version 0.
    arrival: Option<Second>,
    /// As it is written; the service takes it for a number with a sign.
    shard: u32,
    /// The bits between the parts are zero, as in all numbers of ours.
    is_plain: bool,
}

/// Where a number points to in its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InShard {
    /// Before all records.
    Start,
    /// At a record, before which this many arrived.
    Record(u64),
    /// Behind all records of a shard that is closed.
    End,
}

/// The first second that the service does not take (of the year 2477).
const CREATED_END: u64 = 16_025_175_000;
/// The top bit of numbers of version 0.
const TOP_OF_VERSION_0: u128 = 1 << 124;

impl GivenNumber {
    /// The version of the layout of all numbers that are made today.
    pub(super) const VERSION: u8 = 2;

    /// Takes what the service could have made, and nothing else.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let words = words(text).and_then(|[high, middle, low]| {
            if high == 0 {
                Self::version_0(u128::from(middle) << 64 | u128::from(low))
            } else {
                Self::version_1_or_2(high, middle, low)
            }
        });
        words.ok_or_else(|| Invalid(format!("'{text}' is not a sequence number")))
    }

    /// The number of ours that this is; `None` where it is none that this server makes.
    pub fn exact(self) -> Option<SequenceNumber> {
        let is_ours = self.version == Self::VERSION && self.is_plain;
        Some(SequenceNumber {
            created: self.created,
            place: self.place,
            arrival: self.arrival.filter(|_| is_ours)?,
            shard: ShardId(self.shard),
        })
    }

    fn version_0(number: u128) -> Option<Self> {
        let topped = if number < TOP_OF_VERSION_0 {
            number + TOP_OF_VERSION_0
        } else {
            number
        };
        Some(Self {
            version: 0,
            created: created(u64::try_from(topped >> 88).ok()?)?,
            place: 0,
            arrival: None,
            shard: u32::try_from(topped & u128::from(u16::MAX)).ok()?,
            is_plain: false,
        })
    }

    fn version_1_or_2(high: u64, middle: u64, low: u64) -> Option<Self> {
        // The two bits at the top, and nothing above them.
        if high >> 56 != 0b10 {
            return None;
        }
        let created_bits = high >> 20;
        let shard = u32::try_from(low >> 4 & u64::from(u32::MAX)).ok()?;
        match low & 0b1111 {
            1 => Some(Self {
                version: 1,
                created: second(created_bits),
                place: 0,
                arrival: Some(second(high << 28 | middle >> 36)),
                shard,
                is_plain: false,
            }),
            2 => {
                let place = high << 48 | middle >> 16;
                // The service counts with a sign and takes no number below zero.
                let is_counted = i64::try_from(place).is_ok();
                is_counted.then_some(Self {
                    version: Self::VERSION,
                    created: created(created_bits)?,
                    place,
                    arrival: Some(second(middle << 28 | low >> 36)),
                    shard,
                    is_plain: high >> 16 & 0xf == 0 && middle >> 8 & 0xff == 0,
                })
            }
            _ => None,
        }
    }

    /// The shard that the number names, as the service writes its id. A number too large for a
    /// shard's is one below zero.
    pub fn shard_text(&self) -> String {
        format!("shardId-{:012}", self.shard.cast_signed())
    }

    /// Whether the number names this shard.
    pub fn is_of(&self, shard: ShardId) -> bool {
        self.shard == shard.0
    }

    /// When the record arrived, to the second; `None` if the number does not say.
    pub fn arrival(&self) -> Option<Timestamp> {
        self.arrival
            .map(|second| Timestamp(second.number() * 1_000))
    }

    /// Where the number points to in a shard that was made in the second `created`; `None` if it
    /// is no number of that shard.
    pub fn within(&self, shard: ShardId, created: Second) -> Option<InShard> {
        let is_ours = self.version == Self::VERSION && self.is_plain;
        if !is_ours || !self.is_of(shard) || self.created != created {
            return None;
        }
        Some(match self.place {
            0 => InShard::Start,
            SequenceNumber::PLACE_LAST => InShard::End,
            place => InShard::Record(place - 1),
        })
    }
}

/// The lowest 36 of some bits.
fn second(bits: u64) -> Second {
    Second(bits & Second::LAST.0)
}

/// The same, if a shard can have been made then.
fn created(bits: u64) -> Option<Second> {
    let second = second(bits);
    (second.0 < CREATED_END).then_some(second)
}

/// A decimal without leading zeros as three words, the topmost first; `None` if it is none, or has
/// more digits than any number of the service.
fn words(text: &str) -> Option<[u64; 3]> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = (1..=SequenceNumber::DIGITS).contains(&text.len());
    if !is_decimal || !is_short || (text.starts_with('0') && text != "0") {
        return None;
    }
    let mut words = [0_u64; 3];
    let mut rest = text;
    while !rest.is_empty() {
        let (head, tail) = rest.split_at(rest.len().min(BASE_DIGITS));
        let mut carry = u128::from(head.parse::<u64>().ok()?);
        let scale = 10_u128.pow(u32::try_from(head.len()).ok()?);
        for word in words.iter_mut().rev() {
            let scaled = u128::from(*word) * scale + carry;
            *word = u64::try_from(scaled & u128::from(u64::MAX)).ok()?;
            carry = scaled >> 64;
        }
        rest = tail;
    }
    Some(words)
}
