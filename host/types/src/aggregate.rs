//! Records that a producer packed many into: the aggregated records of the Kinesis Producer
//! Library. Only what reads for others looks into them; a stream keeps them byte for byte.
//!
//! ```text
//! F3 89 9A C2 | message of Protocol Buffers 2 | MD5 of the message, 16 bytes
//!               1: partition key*  2: explicit hash key*  3: user record+
//!                                                            1: place of its partition key
//!                                                            2: place of its hash key?
//!                                                            3: data   4: tag*
//! ```
//!
//! (aggregation-format.md of amazon-kinesis-producer.) What is not exactly that is a record like
//! any other, as it is for the Kinesis Client Library: no record is refused or lost for its form.
//!
//! The message is read where it lies, and nothing is allocated for it: one record of ten mebibytes
//! may hold more than a million user records.

use md5::{Digest, Md5};

/// What every aggregate begins with (aggregation-format.md).
const MAGIC: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];
/// Bytes of the digest that it ends with (aggregation-format.md).
const DIGEST_BYTES: usize = 16;
/// Bytes of a user record in a message at least: its tag and its length, and the tags of the place
/// of its key and of its data with a byte each (Protocol Buffers, encoding).
pub const USER_RECORD_BYTES_MIN: usize = 6;

const PARTITION_KEYS: u64 = 1;
const HASH_KEYS: u64 = 2;
const RECORDS: u64 = 3;
const RECORD_PARTITION_KEY: u64 = 1;
const RECORD_HASH_KEY: u64 = 2;
const RECORD_DATA: u64 = 3;

/// A record that was found to hold user records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aggregate<'a> {
    message: &'a [u8],
    records: usize,
}

/// One of the records that a producer handed to the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserRecord<'a> {
    /// The place of its partition key among [`Aggregate::partition_keys`].
    pub partition_key: usize,
    /// The place of its explicit hash key among [`Aggregate::hash_keys`], if it has one.
    pub hash_key: Option<usize>,
    /// What it holds.
    pub data: &'a [u8],
}

/// User records in the order in which they were handed over.
#[derive(Clone, Debug)]
pub struct UserRecords<'a>(Fields<'a>);

impl<'a> Aggregate<'a> {
    /// The aggregate that a record's data are; `None` if they are data like any other: another
    /// beginning, a digest of something else, a message of another form, a place that names no key,
    /// or no user record at all.
    pub fn open(data: &'a [u8]) -> Option<Self> {
        let rest = data.strip_prefix(&MAGIC)?;
        let (message, digest) = rest.split_at_checked(rest.len().checked_sub(DIGEST_BYTES)?)?;
        if Md5::digest(message).as_slice() != digest {
            return None;
        }
        let (mut partition_keys, mut hash_keys, mut records) = (0, 0, 0);
        let (mut last_key, mut last_hash_key) = (None, None);
        let mut fields = Fields(message);
        while !fields.0.is_empty() {
            match fields.next_field()? {
                (PARTITION_KEYS, Value::Bytes(key)) => {
                    std::str::from_utf8(key).ok()?;
                    partition_keys += 1;
                }
                (HASH_KEYS, Value::Bytes(key)) => {
                    std::str::from_utf8(key).ok()?;
                    hash_keys += 1;
                }
                (RECORDS, Value::Bytes(record)) => {
                    let record = UserRecord::read(record)?;
                    last_key = last_key.max(Some(record.partition_key));
                    last_hash_key = last_hash_key.max(record.hash_key);
                    records += 1;
                }
                (PARTITION_KEYS | HASH_KEYS | RECORDS, _) => return None,
                _ => {}
            }
        }
        // Where there is no user record there is no last key.
        let has_all = last_key? < partition_keys && last_hash_key < Some(hash_keys);
        has_all.then_some(Self { message, records })
    }

    /// Whether data begin as an aggregate does: cheap, and true of few others.
    pub fn may_be(data: &[u8]) -> bool {
        data.starts_with(&MAGIC)
    }

    /// How many user records there are, at least one.
    pub fn count(&self) -> usize {
        self.records
    }

    /// All user records.
    pub fn records(&self) -> UserRecords<'a> {
        UserRecords(Fields(self.message))
    }

    /// The partition keys of user records, by their places.
    pub fn partition_keys(&self) -> Vec<&'a str> {
        self.texts(PARTITION_KEYS)
    }

    /// The explicit hash keys of user records, in decimal, by their places.
    pub fn hash_keys(&self) -> Vec<&'a str> {
        self.texts(HASH_KEYS)
    }

    fn texts(&self, wanted: u64) -> Vec<&'a str> {
        let mut fields = Fields(self.message);
        let all = std::iter::from_fn(|| fields.next_field());
        all.filter_map(|field| match field {
            (number, Value::Bytes(text)) if number == wanted => std::str::from_utf8(text).ok(),
            _ => None,
        })
        .collect()
    }
}

impl<'a> UserRecords<'a> {
    /// Those of `data`, which were found to be an aggregate, that lie in the last `left_bytes` of
    /// its message.
    pub fn go_on(data: &'a [u8], left_bytes: usize) -> Self {
        let end = data.len().saturating_sub(DIGEST_BYTES);
        let left = data.get(end.saturating_sub(left_bytes)..end);
        Self(Fields(left.unwrap_or_default()))
    }

    /// Bytes of the message that were not read: they begin with a whole field.
    pub fn left_bytes(&self) -> usize {
        self.0.0.len()
    }
}

impl<'a> Iterator for UserRecords<'a> {
    type Item = UserRecord<'a>;

    fn next(&mut self) -> Option<UserRecord<'a>> {
        loop {
            if let (RECORDS, Value::Bytes(record)) = self.0.next_field()? {
                return UserRecord::read(record);
            }
        }
    }
}

impl<'a> UserRecord<'a> {
    /// A user record of this form; of a field that is there twice the last one counts.
    fn read(record: &'a [u8]) -> Option<Self> {
        let (mut partition_key, mut hash_key, mut data) = (None, None, None);
        let mut fields = Fields(record);
        while !fields.0.is_empty() {
            match fields.next_field()? {
                (RECORD_PARTITION_KEY, Value::Number(place)) => partition_key = Some(place),
                (RECORD_HASH_KEY, Value::Number(place)) => hash_key = Some(place),
                (RECORD_DATA, Value::Bytes(bytes)) => data = Some(bytes),
                (RECORD_PARTITION_KEY | RECORD_HASH_KEY | RECORD_DATA, _) => return None,
                _ => {}
            }
        }
        Some(Self {
            partition_key: usize::try_from(partition_key?).ok()?,
            hash_key: hash_key.map(usize::try_from).transpose().ok()?,
            data: data?,
        })
    }
}

/// The value of a field.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// One of a fixed length, of which an aggregate has none that means anything.
    Fixed,
}

/// The fields of a message, as far as they were not read.
#[derive(Clone, Debug)]
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The number and the value of the field that comes next; `None` where none does.
    fn next_field(&mut self) -> Option<(u64, Value<'a>)> {
        let tag = self.number()?;
        let value = match tag & 7 {
            0 => Value::Number(self.number()?),
            1 => self.skip(8)?,
            2 => {
                let bytes = usize::try_from(self.number()?).ok()?;
                let (value, rest) = self.0.split_at_checked(bytes)?;
                self.0 = rest;
                Value::Bytes(value)
            }
            5 => self.skip(4)?,
            _ => return None,
        };
        (tag >> 3 != 0).then_some((tag >> 3, value))
    }

    fn skip(&mut self, bytes: usize) -> Option<Value<'a>> {
        self.0 = self.0.split_at_checked(bytes)?.1;
        Some(Value::Fixed)
    }

    /// Seven bits in a byte, the lowest first; the highest bit says that more follow.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            // Of the tenth byte one bit is left.
            number |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message as the encoding's rules say, with no help of the reader.
    #[derive(Clone, Default)]
    struct Message(Vec<u8>);

    impl Message {
        fn varint(mut self, mut number: u64) -> Self {
            while number >= 0x80 {
                self.0.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
                number >>= 7;
            }
            self.0.push(u8::try_from(number).unwrap());
            self
        }

        fn number(self, field: u64, number: u64) -> Self {
            self.varint(field << 3).varint(number)
        }

        fn bytes(self, field: u64, bytes: &[u8]) -> Self {
            let mut message = self.varint(field << 3 | 2).varint(bytes.len() as u64);
            message.0.extend_from_slice(bytes);
            message
        }

        fn record(self, key: u64, hash_key: Option<u64>, data: &[u8]) -> Self {
            let mut record = Self::default().number(1, key);
            if let Some(hash_key) = hash_key {
                record = record.number(2, hash_key);
            }
            let record = record.bytes(3, data);
            self.bytes(3, &record.0)
        }

        fn packed(&self) -> Vec<u8> {
            let digest: [u8; 16] = Md5::digest(&self.0).into();
            [&[0xf3, 0x89, 0x9a, 0xc2], &self.0[..], &digest[..]].concat()
        }
    }

    fn good() -> Message {
        Message::default()
            .bytes(1, b"a")
            .bytes(1, "\u{e9}".as_bytes())
            .bytes(2, b"17")
            .record(0, None, b"one")
            .record(1, Some(0), b"")
            .record(0, None, &[7; 300])
    }

    #[test]
    fn user_records_come_out_as_they_went_in_with_their_keys() {
        let data = good().packed();
        let aggregate = Aggregate::open(&data).unwrap();
        assert_eq!(aggregate.count(), 3);
        assert_eq!(aggregate.partition_keys(), ["a", "\u{e9}"]);
        assert_eq!(aggregate.hash_keys(), ["17"]);
        let all: Vec<_> = aggregate.records().collect();
        assert_eq!(all[0].data, b"one");
        assert_eq!((all[1].partition_key, all[1].hash_key), (1, Some(0)));
        assert_eq!((all[1].data, all[2].data), (&b""[..], &[7; 300][..]));
    }

    #[test]
    fn reading_goes_on_where_it_was_left() {
        let data = good().packed();
        let all: Vec<_> = Aggregate::open(&data).unwrap().records().collect();
        for taken in 0..=all.len() {
            let mut records = Aggregate::open(&data).unwrap().records();
            assert_eq!(records.by_ref().take(taken).count(), taken);
            let rest = UserRecords::go_on(&data, records.left_bytes());
            assert_eq!(rest.collect::<Vec<_>>(), all[taken..]);
        }
    }

    /// Fields that nobody knows are passed over, whatever their kind, and the order is free.
    #[test]
    fn what_a_later_producer_adds_is_passed_over() {
        let mut record = Message::default().number(1, 0).bytes(3, b"x").bytes(4, b"");
        record = record.varint(9 << 3 | 1).bytes(100, b"more").number(7, 1);
        let at = record.0.iter().position(|byte| *byte == 9 << 3 | 1);
        let at = at.unwrap() + 1;
        record.0.splice(at..at, [0; 8]);
        let message = Message::default().bytes(3, &record.0).number(8, u64::MAX);
        let message = message.bytes(1, b"late").varint(6 << 3 | 5);
        let data = Message([message.0, vec![0; 4]].concat()).packed();
        let aggregate = Aggregate::open(&data).unwrap();
        assert_eq!(aggregate.records().next().unwrap().data, b"x");
        assert_eq!(aggregate.partition_keys(), ["late"]);
    }

    #[test]
    fn what_is_not_exactly_an_aggregate_is_a_record_like_any_other() {
        let good = good();
        let data = good.packed();
        for end in 0..data.len() {
            assert_eq!(Aggregate::open(&data[..end]), None, "{end}");
        }
        for place in 0..data.len() {
            let mut other = data.clone();
            other[place] ^= 1;
            assert_eq!(Aggregate::open(&other), None, "{place}");
        }
        let key = Message::default().bytes(1, b"k");
        let unlike = [
            Message::default(),
            key.clone(),
            key.clone().record(1, None, b"no such key"),
            key.clone().record(0, Some(0), b"no such hash key"),
            key.clone().record(u64::MAX, None, b""),
            key.clone().bytes(3, &Message::default().number(1, 0).0),
            key.clone()
                .bytes(3, &Message::default().bytes(3, b"no key").0),
            key.clone().record(0, None, b"x").bytes(1, &[0xff]),
            key.clone().record(0, None, b"x").number(1, 5),
            key.clone().record(0, None, b"x").varint(3 << 3 | 3),
            key.clone().record(0, None, b"x").varint(0),
            Message([key.clone().record(0, None, b"x").0, vec![0xff; 11]].concat()),
            key.record(0, None, b"x").varint(9 << 3 | 2).varint(1 << 40),
        ];
        for message in unlike {
            assert_eq!(Aggregate::open(&message.packed()), None, "{:x?}", message.0);
        }
    }

    #[test]
    fn a_user_record_of_nothing_takes_as_many_bytes_as_one_takes_at_least() {
        let one = Message::default().bytes(1, b"k").record(0, None, b"");
        let two = one.clone().record(0, None, b"");
        assert_eq!(two.0.len() - one.0.len(), USER_RECORD_BYTES_MIN);
        assert!(Aggregate::open(&two.packed()).is_some());
    }
}
