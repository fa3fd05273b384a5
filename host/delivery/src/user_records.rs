//! The records of frames as they are delivered: those that a producer aggregated are taken apart,
//! where a stream is the source. Firehose does the same before its transform and its destination
//! ("Using the KPL with Amazon Data Firehose" in the developer guide of Kinesis Data Streams).

use std::convert::Infallible;

use store::{Frame, Records};
use types::aggregate::{Aggregate, UserRecords};
use types::limits::PARTITION_KEY_CHARS_MAX;

/// Bytes of the longest partition key, of characters of four bytes each.
const PARTITION_KEY_BYTES_MAX: usize = 4 * PARTITION_KEY_CHARS_MAX;

/// Where the next record of a frame begins.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// Bytes of the frame before the record, or before the aggregate that it lies in.
    bytes: usize,
    /// Records of the log that lie before it.
    records: u64,
    /// Bytes of that aggregate's message that are left; `None` before it is opened.
    left_bytes: Option<usize>,
}

impl Place {
    /// How many records of the log were taken of the frame, each aggregate as one.
    pub fn records(&self) -> u64 {
        self.records
    }
}

/// What is known of a record besides its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told<'a> {
    /// The producer's choice of what shares a shard; empty for one that is no partition key.
    pub partition_key: &'a str,
    /// Records of the log in the frame before it, or before its aggregate.
    pub in_frame: u64,
    /// Its place in its aggregate; 0 where it was put alone.
    pub in_aggregate: u64,
}

/// What became of a record that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// It was taken, and the next one is wanted.
    Taken,
    /// It was taken, and no more is wanted now.
    TakenLast,
    /// It was not taken: it is offered again the next time.
    Left,
}

/// Offers the records of a frame from a place on, and moves the place behind those that are taken.
/// Whether there are no more. With each goes its partition key in the log; with one of an aggregate
/// that of the aggregate.
///
/// # Errors
/// When `take` has one.
pub fn offer<Error>(
    frame: &Frame,
    (unpacks, place): (bool, &mut Place),
    mut take: impl FnMut(&str, &[u8]) -> Result<Offered, Error>,
) -> Result<bool, Error> {
    // A place lies within its frame; of another frame it would give none, which is noticed where
    // records are counted.
    let mut records = Records::new(frame.body.get(place.bytes..).unwrap_or_default());
    while let Some(record) = records.next() {
        let users = match place.left_bytes {
            Some(left) => Some(UserRecords::go_on(record.data, left)),
            None if unpacks => Aggregate::open(record.data).map(|all| all.records()),
            None => None,
        };
        let offered = match users {
            Some(users) => offer_all(users, &mut place.left_bytes, |data| {
                take(record.partition_key, data)
            })?,
            None => take(record.partition_key, record.data)?,
        };
        // Of an aggregate some may be left.
        if offered == Offered::Left || place.left_bytes.is_some() {
            return Ok(false);
        }
        place.bytes = frame.body.len() - records.rest().len();
        place.records += 1;
        if offered == Offered::TakenLast {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Offers user records until one is left or no more is wanted; then it is noted how many bytes of
/// them are left, as long as there is a record in them.
fn offer_all<Error>(
    mut users: UserRecords<'_>,
    left_bytes: &mut Option<usize>,
    mut take: impl FnMut(&[u8]) -> Result<Offered, Error>,
) -> Result<Offered, Error> {
    let mut before = users.left_bytes();
    while let Some(user) = users.next() {
        let offered = take(user.data)?;
        match offered {
            Offered::Taken => {}
            Offered::Left => {
                *left_bytes = Some(before);
                return Ok(offered);
            }
            Offered::TakenLast => {
                let left = users.left_bytes();
                *left_bytes = users.next().is_some().then_some(left);
                return Ok(offered);
            }
        }
        before = users.left_bytes();
    }
    *left_bytes = None;
    Ok(Offered::Taken)
}

/// Tells of the records of a frame that [`offer`] offers from a place on, for as long as `take`
/// wants more. Blocks for as long as it takes to hash its aggregates.
pub fn tell(
    frame: &Frame,
    (unpacks, place): (bool, Place),
    mut take: impl FnMut(Told<'_>) -> bool,
) {
    let records = Records::new(frame.body.get(place.bytes..).unwrap_or_default());
    for (record, in_frame) in records.zip(place.records..) {
        let is_first = in_frame == place.records;
        let left = place.left_bytes.filter(|_| is_first);
        let aggregate = Aggregate::open(record.data).filter(|_| unpacks);
        let goes_on = match aggregate {
            Some(aggregate) => tell_of_all(aggregate, left, |(partition_key, in_aggregate)| {
                take(Told {
                    partition_key,
                    in_frame,
                    in_aggregate,
                })
            }),
            None => take(Told {
                partition_key: record.partition_key,
                in_frame,
                in_aggregate: 0,
            }),
        };
        if !goes_on {
            return;
        }
    }
}

/// Tells of user records, of those that lie in the last `left_bytes` of the message if that is
/// known. Whether more is wanted.
fn tell_of_all<'a>(
    aggregate: Aggregate<'a>,
    left_bytes: Option<usize>,
    mut take: impl FnMut((&'a str, u64)) -> bool,
) -> bool {
    let keys = aggregate.partition_keys();
    let mut users = aggregate.records();
    for in_aggregate in 0.. {
        let before = users.left_bytes();
        let Some(user) = users.next() else { break };
        if left_bytes.is_some_and(|left| before > left) {
            continue;
        }
        let key = keys.get(user.partition_key).copied().unwrap_or_default();
        // One key may stand for thousands of records: it is no longer than it can be.
        let fits = key.len() <= PARTITION_KEY_BYTES_MAX;
        if !take((if fits { key } else { "" }, in_aggregate)) {
            return false;
        }
    }
    true
}

/// Whether a record of a frame begins as an aggregate does.
pub fn may_hold_aggregates(frame: &Frame) -> bool {
    Records::new(&frame.body).any(|record| Aggregate::may_be(record.data))
}

/// How many records more there are in a frame than it has, once its aggregates are taken apart.
/// Blocks for as long as it takes to hash them.
pub fn extra(frame: &Frame) -> u64 {
    let aggregates = Records::new(&frame.body).filter_map(|record| Aggregate::open(record.data));
    aggregates.map(|all| all.count() as u64 - 1).sum()
}

/// How many records more there are than a frame has, of each of which `count` says how many lie in
/// it. Blocks for as long as that takes.
pub fn divided(frame: &Frame, unpacks: bool, count: impl Fn(&[u8]) -> u64) -> u64 {
    let mut more = 0;
    let mut place = Place::default();
    let counted = offer(frame, (unpacks, &mut place), |_, data| {
        more += count(data).saturating_sub(1);
        Ok::<_, Infallible>(Offered::Taken)
    });
    match counted {
        Ok(_) => more,
        Err(never) => match never {},
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use bytes::Bytes;
    use md5::{Digest, Md5};
    use store::{BodyBuilder, Position};
    use types::Timestamp;

    use super::*;

    /// A frame of these records.
    pub(crate) fn frame<Data: AsRef<[u8]>>(records: &[Data]) -> Frame {
        let mut body = BodyBuilder::default();
        for record in records {
            body.push("key", record.as_ref()).unwrap();
        }
        let (body, count) = body.finish();
        Frame {
            position: Position(0),
            arrival: Timestamp(5),
            count,
            body,
            key: None,
        }
    }

    /// An aggregate of short records.
    pub(crate) fn aggregate(records: &[&[u8]]) -> Vec<u8> {
        let mut message = vec![0x0a, 1, b'k'];
        for data in records {
            let length = u8::try_from(data.len()).unwrap();
            message.extend([0x1a, length + 4, 0x08, 0, 0x1a, length]);
            message.extend_from_slice(data);
        }
        let digest: [u8; 16] = Md5::digest(&message).into();
        [&[0xf3, 0x89, 0x9a, 0xc2], &message[..], &digest[..]].concat()
    }

    #[test]
    fn every_record_is_offered_once_wherever_the_taking_pauses() {
        let plain: Vec<&[u8]> = vec![b"a", b"b1", b"b2", b"b3", b"", b"c1", b"d"];
        let records = [
            b"a".to_vec(),
            aggregate(&[b"b1", b"b2", b"b3"]),
            Vec::new(),
            aggregate(&[b"c1"]),
            b"d".to_vec(),
        ];
        let frame = frame(&records);
        assert_eq!(extra(&frame), 2);
        assert!(may_hold_aggregates(&frame));
        for at_once in 1..=plain.len() + 1 {
            for leaves in [true, false] {
                let (mut place, mut all) = (Place::default(), Vec::new());
                loop {
                    let mut taken = 0;
                    let is_over = offer(&frame, (true, &mut place), |_, data| {
                        if leaves && taken == at_once {
                            return Ok::<_, ()>(Offered::Left);
                        }
                        all.push(Bytes::copy_from_slice(data));
                        taken += 1;
                        let is_last = !leaves && taken == at_once;
                        Ok(if is_last {
                            Offered::TakenLast
                        } else {
                            Offered::Taken
                        })
                    });
                    if is_over.unwrap() {
                        assert_eq!(place.records(), 5, "each aggregate is one of the log");
                        break;
                    }
                    assert!(taken > 0, "nothing more comes after {all:?}");
                }
                assert_eq!(all, plain, "{at_once} at once");
            }
        }
    }

    #[test]
    fn what_was_put_directly_is_delivered_as_it_is() {
        let records = [aggregate(&[b"a", b"b"])];
        let frame = frame(&records);
        let mut all = Vec::new();
        let is_over = offer(&frame, (false, &mut Place::default()), |_, data| {
            all.push(data.to_vec());
            Ok::<_, ()>(Offered::Taken)
        });
        assert_eq!((is_over, all), (Ok(true), records.to_vec()));
    }
}
