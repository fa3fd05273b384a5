//! The records of frames as a plugin gets them: those that a producer aggregated are taken apart.

use std::fmt;

use store::{Frame, KeyId, Position, Records};
use streams::Numbering;
use types::aggregate::Aggregate;
use types::{HashKey, HashKeyRange, PartitionKey, SequenceNumber, Timestamp};
use wasm::{Columns, Slab};

use crate::limits::BATCH_BYTES_MAX;
use crate::place::Place;

/// The shard that records come from, as far as they need it.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The stream's ARN.
    pub stream: String,
    /// The shard's id.
    pub shard: String,
    /// The hash keys that it takes.
    pub range: HashKeyRange,
    /// How its records are numbered.
    pub numbering: Numbering,
}

/// Records that go to a plugin together.
pub struct Batch {
    /// What they hold.
    pub data: Slab,
    /// What belongs to them.
    pub columns: Columns,
    /// Where the shard stands once they are done.
    pub end: Place,
    /// User records between them that belong to another shard: see [`belongs`].
    pub foreign: u64,
    /// The first of them, if there is one.
    pub first: Option<First>,
    /// When the last record of the log arrived that is in it, or was left out.
    pub last_arrival: Timestamp,
}

/// What a dead letter says of its record, besides its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct First {
    /// Where it lies.
    pub place: Place,
    /// Its sequence number; that of its aggregate, if it lies in one.
    pub number: SequenceNumber,
    /// When it arrived.
    pub arrival: Timestamp,
    /// What it is sealed with where it is kept.
    pub key: Option<KeyId>,
}

/// Frames are not what the log said that they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit;

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the frames of a batch do not hold its first record, or more than fits")
    }
}

impl std::error::Error for Misfit {}

impl Batch {
    /// The records of `frames` from a place on, at most so many. Blocks for as long as it takes to
    /// hash aggregates.
    ///
    /// # Errors
    /// The frames do not hold the place.
    pub fn of(
        frames: &[Frame],
        origin: &Origin,
        from: Place,
        records_max: usize,
    ) -> Result<Self, Misfit> {
        let mut batch = Self {
            data: Slab::default(),
            columns: Columns {
                arn: origin.stream.clone(),
                shard: Some(origin.shard.clone()),
                partition_keys: Slab::default(),
                arrivals_ms: Vec::new(),
                sequence_numbers: Vec::new(),
                sub_sequence_numbers: Vec::new(),
            },
            end: from,
            foreign: 0,
            first: None,
            last_arrival: Timestamp(0),
        };
        for frame in frames {
            if frame.position > batch.end.position {
                return Err(Misfit);
            }
            let mut records = Records::new(&frame.body);
            for position in (frame.position.0..).map(Position) {
                let Some(record) = records.next() else { break };
                if position < batch.end.position {
                    continue;
                }
                let taker = Taker {
                    batch: &mut batch,
                    origin,
                    frame,
                    position,
                    records_max,
                };
                if !taker.take(record.partition_key, record.data)? {
                    return Ok(batch);
                }
            }
        }
        Ok(batch)
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether there are none, since all were left out.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    fn is_full(&self, next_bytes: usize, records_max: usize) -> bool {
        let bytes = self.data.bytes() + next_bytes;
        !self.is_empty() && (self.len() >= records_max || bytes > BATCH_BYTES_MAX)
    }
}

/// Takes one record of the log.
struct Taker<'a> {
    batch: &'a mut Batch,
    origin: &'a Origin,
    frame: &'a Frame,
    position: Position,
    records_max: usize,
}

impl Taker<'_> {
    /// Whether all of it was taken: the next one may be, too.
    fn take(mut self, partition_key: &str, data: &[u8]) -> Result<bool, Misfit> {
        let Some(aggregate) = Aggregate::open(data) else {
            return self.take_plain(partition_key, data);
        };
        let keys = (aggregate.partition_keys(), aggregate.hash_keys());
        for (within, user) in (0..).zip(aggregate.records()) {
            if within < self.batch.end.within {
                continue;
            }
            let key = keys.0.get(user.partition_key).copied().ok_or(Misfit)?;
            let hash_key = user.hash_key.and_then(|place| keys.1.get(place).copied());
            if !belongs(self.origin.range, key, hash_key) {
                self.batch.foreign += 1;
                self.batch.end.within = within + 1;
                continue;
            }
            if self.batch.is_full(user.data.len(), self.records_max) {
                return Ok(false);
            }
            self.push(within, key, user.data)?;
            self.batch.end.within = within + 1;
        }
        self.ends()
    }

    fn take_plain(&mut self, partition_key: &str, data: &[u8]) -> Result<bool, Misfit> {
        if self.batch.is_full(data.len(), self.records_max) {
            return Ok(false);
        }
        self.push(0, partition_key, data)?;
        self.ends()
    }

    fn ends(&mut self) -> Result<bool, Misfit> {
        let next = self.position.0.checked_add(1).ok_or(Misfit)?;
        self.batch.end = Place::at(Position(next));
        self.batch.last_arrival = self.frame.arrival;
        Ok(true)
    }

    fn push(&mut self, within: u64, partition_key: &str, data: &[u8]) -> Result<(), Misfit> {
        let arrival = self.frame.arrival;
        let number = self.origin.numbering.record(self.position, arrival);
        let batch = &mut *self.batch;
        let columns = &mut batch.columns;
        let fits = batch.data.push(data) && columns.partition_keys.push(partition_key.as_bytes());
        if !fits {
            return Err(Misfit);
        }
        columns.arrivals_ms.push(arrival.0);
        columns.sequence_numbers.push(number);
        columns.sub_sequence_numbers.push(within);
        let place = Place {
            position: self.position,
            within,
        };
        batch.first.get_or_insert(First {
            place,
            number,
            arrival,
            key: self.frame.key,
        });
        batch.last_arrival = arrival;
        Ok(())
    }
}

/// Whether a user record is one of the shard's: by its explicit hash key, or else by its partition
/// key. One that is not was put together with others for a shard that was split meanwhile, and its
/// producer, which learns where its aggregate landed, puts it again. KCL leaves it out as well
/// (`AggregatorUtil.deaggregate` of amazon-kinesis-client).
fn belongs(range: HashKeyRange, partition_key: &str, hash_key: Option<&str>) -> bool {
    let explicit = hash_key.and_then(|text| HashKey::parse(text).ok());
    let hash_key = match explicit {
        Some(explicit) => Some(explicit),
        None => PartitionKey::parse(partition_key)
            .ok()
            .map(|key| HashKey::of(&key)),
    };
    // One whose keys no stream takes came from no producer that would put it again.
    hash_key.is_none_or(|hash_key| range.contains(hash_key))
}

#[cfg(test)]
mod tests {
    use md5::{Digest, Md5};
    use store::BodyBuilder;
    use types::{Second, ShardId};

    use super::*;

    /// An aggregate of short records, each with its partition key.
    fn aggregate(records: &[(&str, &str)]) -> Vec<u8> {
        let mut message = Vec::new();
        for (key, _) in records {
            message.extend([0x0a, u8::try_from(key.len()).unwrap()]);
            message.extend_from_slice(key.as_bytes());
        }
        for (place, (_, data)) in (0..).zip(records) {
            let length = u8::try_from(data.len()).unwrap();
            message.extend([0x1a, length + 4, 0x08, place, 0x1a, length]);
            message.extend_from_slice(data.as_bytes());
        }
        let digest: [u8; 16] = Md5::digest(&message).into();
        [&[0xf3, 0x89, 0x9a, 0xc2], &message[..], &digest[..]].concat()
    }

    fn frame(position: u64, records: &[Vec<u8>]) -> Frame {
        let mut body = BodyBuilder::default();
        for record in records {
            body.push("plain", record).unwrap();
        }
        let (body, count) = body.finish();
        Frame {
            position: Position(position),
            arrival: Timestamp(5_000 + position),
            count,
            body,
            key: None,
        }
    }

    fn origin(range: HashKeyRange) -> Origin {
        Origin {
            stream: "arn".to_owned(),
            shard: "shardId-000000000003".to_owned(),
            range,
            numbering: Numbering::new(ShardId(3), Second::of(Timestamp(0))),
        }
    }

    fn everything() -> HashKeyRange {
        HashKeyRange {
            first: HashKey(0),
            last: HashKey::MAX,
        }
    }

    fn texts(batch: &Batch) -> Vec<String> {
        let texts = batch.data.iter();
        texts
            .map(|data| String::from_utf8(data.to_vec()).unwrap())
            .collect()
    }

    fn frames() -> [Frame; 2] {
        let packed = aggregate(&[("k", "b0"), ("k", "b1"), ("l", "b2")]);
        let first = [b"a".to_vec(), packed, b"c".to_vec()];
        [frame(10, &first), frame(13, &[b"d".to_vec()])]
    }

    #[test]
    fn every_record_comes_once_wherever_batches_end() {
        let frames = frames();
        for records_max in 1..8 {
            let (mut at, mut all) = (Place::at(Position(10)), Vec::new());
            while at != Place::at(Position(14)) {
                // A read begins with the frame that holds the place.
                let from = usize::from(at.position >= frames[1].position);
                let batch = Batch::of(&frames[from..], &origin(everything()), at, records_max);
                let batch = batch.unwrap();
                assert!((1..=records_max).contains(&batch.len()));
                all.extend(texts(&batch));
                assert!(batch.end > at);
                at = batch.end;
            }
            assert_eq!(
                all,
                ["a", "b0", "b1", "b2", "c", "d"],
                "{records_max} at once"
            );
        }
    }

    #[test]
    fn a_record_of_an_aggregate_has_its_place_in_it_and_its_own_partition_key() {
        let batch = Batch::of(&frames(), &origin(everything()), Place::at(Position(10)), 9);
        let batch = batch.unwrap();
        assert_eq!(batch.columns.sub_sequence_numbers, [0, 0, 1, 2, 0, 0]);
        let keys: Vec<_> = batch.columns.partition_keys.iter().collect();
        assert_eq!(keys, [&b"plain"[..], b"k", b"k", b"l", b"plain", b"plain"]);
        let numbers = &batch.columns.sequence_numbers;
        assert!(numbers[0] < numbers[1] && numbers[1] == numbers[3] && numbers[3] < numbers[4]);
        assert_eq!(batch.columns.arrivals_ms[4..], [5_010, 5_013]);
        assert_eq!(batch.last_arrival, Timestamp(5_013));
    }

    #[test]
    fn what_belongs_to_another_shard_is_left_out_and_counted() {
        // MD5 of "a" begins with 0c, of "b" with 92.
        let packed = aggregate(&[("a", "mine"), ("b", "foreign"), ("a", "mine too")]);
        let low = HashKeyRange {
            first: HashKey(0),
            last: HashKey(1 << 127),
        };
        let frames = [frame(0, &[packed, b"plain".to_vec()])];
        let batch = Batch::of(&frames, &origin(low), Place::default(), 9).unwrap();
        assert_eq!(texts(&batch), ["mine", "mine too", "plain"]);
        assert_eq!((batch.foreign, batch.end), (1, Place::at(Position(2))));
        let alone = aggregate(&[("b", "foreign")]);
        let batch = Batch::of(&[frame(0, &[alone])], &origin(low), Place::default(), 9);
        let batch = batch.unwrap();
        assert!(batch.is_empty() && batch.first.is_none());
        assert_eq!((batch.foreign, batch.end), (1, Place::at(Position(1))));
    }

    #[test]
    fn frames_that_do_not_hold_the_place_are_refused() {
        let wrong = Batch::of(
            &frames()[1..],
            &origin(everything()),
            Place::at(Position(10)),
            9,
        );
        assert_eq!(wrong.err(), Some(Misfit));
    }
}
