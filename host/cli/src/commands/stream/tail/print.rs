//! The lines of an answer's records: those that are wanted, of aggregates those within.

use types::aggregate::{Aggregate, UserRecords};
use wire::members::Time;

use super::line::{Format, Shown};
use super::merge::Batch;
use super::select::Selection;
use crate::commands::stream::shapes::Record;

/// What one batch may have. With as much it ends, and what is left of the answer is for the next
/// one: an aggregate may have a million lines, and each of them a long key that it holds once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) lines: usize,
    pub(super) bytes: usize,
}

impl Room {
    fn is_full(self, batch: &mut Batch) -> bool {
        batch.lines() >= self.lines || batch.text().len() >= self.bytes
    }
}

/// What is printed of a stream's records, and how.
pub(super) struct Printing {
    pub(super) stream: String,
    pub(super) selection: Selection,
    pub(super) format: Format,
}

/// A place in an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Records before it.
    record: usize,
    /// Where within the record, if that is an aggregate that was begun.
    within: Option<Within>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Within {
    /// User records before it.
    user_records: u64,
    /// Bytes of the message from there on.
    left_bytes: usize,
}

impl Printing {
    pub(super) fn new(stream: &str, selection: Selection, format: Format) -> Self {
        Self {
            stream: stream.to_owned(),
            selection,
            format,
        }
    }

    /// The lines of a shard's records from a place on, and where what did not fit begins.
    pub(super) fn print(
        &self,
        shard: &str,
        records: &[Record<'_>],
        from: Place,
        room: Room,
    ) -> Result<(Batch, Option<Place>), String> {
        let mut batch = Batch::default();
        let mut within = from.within;
        for (number, record) in records.iter().enumerate().skip(from.record) {
            if room.is_full(&mut batch) {
                let place = Place {
                    record: number,
                    within: None,
                };
                return Ok((batch, Some(place)));
            }
            let data = base64_simd::STANDARD.decode_to_vec(record.data.as_bytes());
            let data = data.map_err(|_| no_base64(shard, record))?;
            let Time(arrival_at) = record.approximate_arrival_timestamp;
            let shown = Shown {
                shard,
                sequence_number: &record.sequence_number,
                sub_sequence_number: None,
                partition_key: &record.partition_key,
                data: &data,
                arrival_at,
            };
            let left = match Aggregate::open(&data) {
                Some(aggregate) => {
                    let from = within.take();
                    self.print_within(&mut batch, (&shown, aggregate), from, room)?
                }
                None => {
                    self.print_one(&mut batch, &shown)?;
                    None
                }
            };
            if left.is_some() {
                let place = Place {
                    record: number,
                    within: left,
                };
                return Ok((batch, Some(place)));
            }
        }
        Ok((batch, None))
    }

    /// The lines of the user records within one record, and where those begin that did not fit.
    fn print_within(
        &self,
        batch: &mut Batch,
        (record, aggregate): (&Shown<'_>, Aggregate<'_>),
        from: Option<Within>,
        room: Room,
    ) -> Result<Option<Within>, String> {
        let keys = aggregate.partition_keys();
        let (mut number, mut user_records) = match from {
            Some(from) => (
                from.user_records,
                UserRecords::go_on(record.data, from.left_bytes),
            ),
            None => (0, aggregate.records()),
        };
        while let Some(user_record) = user_records.next() {
            let key = keys.get(user_record.partition_key);
            let key = key.ok_or("a record of an aggregate names no key of it")?;
            let shown = Shown {
                sub_sequence_number: Some(number),
                partition_key: key,
                data: user_record.data,
                ..*record
            };
            self.print_one(batch, &shown)?;
            number += 1;
            let left_bytes = user_records.left_bytes();
            if room.is_full(batch) && left_bytes > 0 {
                return Ok(Some(Within {
                    user_records: number,
                    left_bytes,
                }));
            }
        }
        Ok(None)
    }

    fn print_one(&self, batch: &mut Batch, record: &Shown<'_>) -> Result<(), String> {
        if self.selection.takes(record.partition_key, record.data) {
            self.format.write(batch.text(), record)?;
            batch.end_line(record.arrival_at.0);
        }
        Ok(())
    }
}

fn no_base64(shard: &str, record: &Record<'_>) -> String {
    let number = &record.sequence_number;
    format!("GetRecords: the data of record {number} of {shard} is not base64")
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use md5::{Digest, Md5};
    use types::Timestamp;

    use super::*;

    /// An aggregate of two keys, with short lengths alone: a byte each.
    fn aggregate(user_records: &[(u8, &str)]) -> String {
        let field = |number: u8, bytes: &[u8]| {
            let length = u8::try_from(bytes.len()).unwrap();
            [&[number << 3 | 2, length][..], bytes].concat()
        };
        let mut message = [field(1, b"alice"), field(1, b"bob")].concat();
        for (key, data) in user_records {
            let record = [&[1 << 3, *key][..], &field(3, data.as_bytes())].concat();
            message.extend(field(3, &record));
        }
        let digest = Md5::digest(&message);
        let whole = [&[0xf3, 0x89, 0x9a, 0xc2], &message[..], &digest[..]].concat();
        base64_simd::STANDARD.encode_to_string(whole)
    }

    fn record(data: String) -> Record<'static> {
        Record {
            sequence_number: Cow::Borrowed("7"),
            partition_key: Cow::Borrowed("a"),
            data: Cow::Owned(data),
            approximate_arrival_timestamp: Time(Timestamp(1_500)),
        }
    }

    fn records() -> Vec<Record<'static>> {
        vec![
            record(aggregate(&[(0, "one"), (1, "two"), (0, "three")])),
            record(base64_simd::STANDARD.encode_to_string("four")),
            record(aggregate(&[(1, "five")])),
        ]
    }

    const PLENTY: Room = Room {
        lines: usize::MAX,
        bytes: usize::MAX,
    };

    fn text(printing: &Printing, from: Place, room: Room) -> (String, Option<Place>) {
        let (mut batch, left) = printing.print("s", &records(), from, room).unwrap();
        (String::from_utf8(batch.text().clone()).unwrap(), left)
    }

    #[test]
    fn user_records_are_shown_with_their_keys_and_places_and_one_number() {
        let selection = Selection::new(None, None);
        let printing = Printing::new("clicks", selection, Format::Json);
        let (text, left) = text(&printing, Place::default(), PLENTY);
        assert_eq!(left, None);
        let objects: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let sub = |place: usize| objects[place].get("sub_sequence_number").cloned();
        let subs = [
            Some(0.into()),
            Some(1.into()),
            Some(2.into()),
            None,
            Some(0.into()),
        ];
        for (place, (key, data)) in [
            ("alice", "one"),
            ("bob", "two"),
            ("alice", "three"),
            ("a", "four"),
            ("bob", "five"),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(objects[place]["partition_key"], key);
            assert_eq!(objects[place]["data"], data);
            assert_eq!(objects[place]["sequence_number"], "7");
            assert_eq!(sub(place), subs[place]);
        }
        assert_eq!(objects.len(), 5);
    }

    #[test]
    fn what_is_wanted_is_looked_for_in_user_records() {
        let of_bob = Selection::new(Some("bob"), None);
        let printing = Printing::new("clicks", of_bob, Format::Raw);
        let (bobs, _) = text(&printing, Place::default(), PLENTY);
        assert_eq!(bobs, "two\nfive\n");
        let with_o = Selection::new(Some("alice"), Some("o"));
        let printing = Printing::new("clicks", with_o, Format::Raw);
        assert_eq!(text(&printing, Place::default(), PLENTY).0, "one\n");
    }

    #[test]
    fn a_batch_that_is_full_ends_and_the_next_one_begins_there() {
        let printing = Printing::new("clicks", Selection::new(None, None), Format::Raw);
        let by_bytes = (1..30).map(|bytes| Room { bytes, ..PLENTY });
        for room in by_bytes.chain((1..6).map(|lines| Room { lines, ..PLENTY })) {
            let (mut all, mut place) = (String::new(), Some(Place::default()));
            while let Some(from) = place {
                let (some, left) = text(&printing, from, room);
                assert!(some.len() < room.bytes.saturating_add("three\n".len()));
                assert!(some.lines().count() <= room.lines);
                all.push_str(&some);
                place = left;
            }
            assert_eq!(all, "one\ntwo\nthree\nfour\nfive\n");
        }
    }

    #[test]
    fn data_that_are_no_base64_are_told_with_the_record() {
        let printing = Printing::new("clicks", Selection::new(None, None), Format::Raw);
        let told = printing.print("s", &[record("!".to_owned())], Place::default(), PLENTY);
        assert!(told.is_err_and(|told| told.contains("record 7 of s")));
    }
}
