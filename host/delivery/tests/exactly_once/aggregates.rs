//! Records as a producer packs them that aggregates some of them. Made by the rules of the format,
//! without the reader.

use md5::{Digest, Md5};

use crate::ledger::Id;

/// What is put as one record.
pub struct Packed {
    /// The numbers of the records in it.
    pub ids: Vec<Id>,
    pub data: Vec<u8>,
}

/// Records that go together, over and over: one by itself, and aggregates of three, two and one.
const GROUPS: [(usize, bool); 4] = [(1, false), (3, true), (2, true), (1, true)];

/// Records in the order in which they were given, some packed together if the producer does that.
pub fn packed(records: &[(Id, Vec<u8>)], packs: bool) -> Vec<Packed> {
    let groups: &[_] = if packs { &GROUPS } else { &GROUPS[..1] };
    let (mut groups, mut rest, mut all) = (groups.iter().cycle(), records, Vec::new());
    while !rest.is_empty() {
        let (count, is_aggregate) = groups.next().unwrap();
        let (group, later) = rest.split_at(rest.len().min(*count));
        rest = later;
        let (ids, data): (Vec<Id>, Vec<&[u8]>) =
            group.iter().map(|(id, data)| (*id, &data[..])).unzip();
        let data = if *is_aggregate {
            aggregate(&data)
        } else {
            data.concat()
        };
        all.push(Packed { ids, data });
    }
    all
}

/// One record that holds others, all of one partition key.
pub fn aggregate(records: &[&[u8]]) -> Vec<u8> {
    let mut message = field(1, b"a");
    for data in records {
        let key = [0x08, 0x00];
        message.extend(field(3, &[&key[..], &field(3, data)].concat()));
    }
    let digest: [u8; 16] = Md5::digest(&message).into();
    [&[0xf3, 0x89, 0x9a, 0xc2], &message[..], &digest[..]].concat()
}

/// A field of bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        field.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    field.push(u8::try_from(length).unwrap());
    field.extend_from_slice(bytes);
    field
}
