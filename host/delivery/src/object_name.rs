//! How objects are named. The same records always get the same name, so that an object whose put
//! was not acknowledged is recognised when it is put again.
//!
//! ```text
//! <prefix><stream>-<version>-yyyy-MM-dd-HH-mm-ss-<uuid><extension>
//! uuid = version 8:  cut number 48 bits | part 12 bits | keyed hash of stream, lane, cut, part,
//!                    and of the values of a partition 62
//! ```
//!
//! The time is that of the oldest record, in the time zone of the destination. Within a lane it
//! never runs backwards where the zone's clocks do not, and the cut's number rises, so that names
//! with one prefix text and one version, sorted as text, are objects in the order of their records.
//! Versions are numbers: 10 stands before 9 where they are text.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::piece::PieceKind;
use crate::prefix::{Moment, Prefix};
use crate::zone::Local;

/// Objects that one cut may become: as many as a part number has bits for.
pub const PARTS_PER_CUT_MAX: u16 = 4_095;

/// As long as any.
const UUID_OF_ZEROS: &str = "00000000-0000-0000-0000-000000000000";

/// The key of the hash in every name. Each data directory has its own, so that two of them never
/// give the same name.
#[derive(Clone)]
pub struct NamingKey(pub [u8; 32]);

/// What tells an object of one delivery stream from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The delivery stream's number.
    pub delivery_stream: u64,
    /// The lane's own number in it.
    pub lane: (u64, u32),
    /// The cut's number in its lane.
    pub cut: u64,
    /// The object's number among those of its kind in its cut.
    pub part: u16,
    /// What its records are.
    pub kind: PieceKind,
}

/// The part of a name that people read.
#[derive(Clone, Copy, Debug)]
pub struct Label<'a> {
    /// The delivery stream's name.
    pub stream: &'a str,
    /// The version of its configuration.
    pub version: u64,
    /// The arrival of the oldest record of the cut, in the time zone of the destination.
    pub local: Local,
    /// `.gz`, or whatever the configuration asks for.
    pub extension: &'a str,
    /// The values of its partition, if it is of one.
    pub values: &'a [String],
}

impl Label<'_> {
    /// Bytes of a name behind its prefix.
    pub fn name_bytes(&self) -> usize {
        self.name(UUID_OF_ZEROS).len()
    }

    fn name(&self, uuid: &str) -> String {
        format!(
            "{}-{}-{}-{uuid}{}",
            self.stream,
            self.version,
            self.local.time.format("%Y-%m-%d-%H-%M-%S"),
            self.extension
        )
    }
}

impl NamingKey {
    /// The key of an object below its bucket.
    pub fn object_key(&self, prefix: &Prefix, place: Place, label: Label<'_>) -> String {
        let hash = self.hash(place, label.values);
        let moment = Moment {
            local: label.local,
            random: &hash,
            values: label.values,
        };
        prefix.evaluate(moment) + &label.name(&uuid(place, &hash))
    }

    /// The UUID in the name of an object.
    pub fn uuid(&self, place: Place) -> String {
        uuid(place, &self.hash(place, &[]))
    }

    /// What all requests of a lane, of a delivery stream, are known by: a UUID, the same for as
    /// long as there is the lane. Its cut and its part are ones that no object has.
    pub fn channel(&self, (delivery_stream, lane): (u64, (u64, u32))) -> String {
        self.uuid(Place {
            delivery_stream,
            lane,
            cut: u64::MAX,
            part: u16::MAX,
            kind: PieceKind::Delivered,
        })
    }

    /// A number that looks random and is the same whenever the cut is done. Its part is one that
    /// no object has.
    pub fn seed(&self, place: Place) -> u64 {
        let of_no_object = Place {
            part: u16::MAX,
            ..place
        };
        let hash = self.hash(of_no_object, &[]);
        hash.iter()
            .take(8)
            .fold(0, |seed, byte| seed << 8 | u64::from(*byte))
    }

    /// A keyed hash of texts, each of which is told from the others, in hexadecimal. It is none of
    /// those in names, which begin with a number.
    pub fn seal(&self, texts: [&str; 2]) -> String {
        let mut mac = self.mac();
        mac.update(b"millrace seal");
        for text in texts {
            mac.update(&(text.len() as u64).to_be_bytes());
            mac.update(text.as_bytes());
        }
        let hash: [u8; 32] = mac.finalize().into_bytes().into();
        hash.iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    fn mac(&self) -> Hmac<Sha256> {
        // HMAC fills a key that is shorter than its block with zeros.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.0);
        Hmac::<Sha256>::new(&block.into())
    }

    fn hash(&self, place: Place, values: &[String]) -> [u8; 32] {
        let mut mac = self.mac();
        mac.update(&place.delivery_stream.to_be_bytes());
        mac.update(&place.lane.0.to_be_bytes());
        mac.update(&place.lane.1.to_be_bytes());
        mac.update(&place.cut.to_be_bytes());
        mac.update(&place.part.to_be_bytes());
        mac.update(&[place.kind.code()]);
        for value in values {
            mac.update(&(value.len() as u64).to_be_bytes());
            mac.update(value.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

/// The UUID of random bits (RFC 9562, version 4).
pub fn random_uuid(head: u64, tail: u64) -> String {
    let tail = tail >> 2 | 0x8000_0000_0000_0000;
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        head >> 32,
        head >> 16 & 0xffff,
        head & 0xfff,
        tail >> 48,
        tail & 0xffff_ffff_ffff
    )
}

/// RFC 9562, version 8.
fn uuid(place: Place, hash: &[u8; 32]) -> String {
    let cut = place.cut & 0xffff_ffff_ffff;
    let part = u64::from(place.part & 0xfff);
    let tail = hash[24..]
        .iter()
        .fold(0_u64, |tail, byte| tail << 8 | u64::from(*byte));
    let tail = tail >> 2 | 0x8000_0000_0000_0000;
    format!(
        "{:08x}-{:04x}-8{part:03x}-{:04x}-{:012x}",
        cut >> 16,
        cut & 0xffff,
        tail >> 48,
        tail & 0xffff_ffff_ffff
    )
}

/// The cut's number and the part that a UUID of an object's name says, if it is one.
pub fn place_in(uuid: &str) -> Option<(u64, u16)> {
    let mut groups = uuid.split('-');
    let (high, low, part) = (groups.next()?, groups.next()?, groups.next()?);
    let cut = u64::from_str_radix(&format!("{high}{low}"), 16).ok()?;
    let part = u16::from_str_radix(part.strip_prefix('8')?, 16).ok()?;
    Some((cut, part))
}

/// What a name has between those of its delivery stream and its extension: `0` stands for any digit
/// and `x` for one in hexadecimal.
const TIME_AND_UUID: &[u8] = b"-0000-00-00-00-00-00-xxxxxxxx-xxxx-8xxx-xxxx-xxxxxxxxxxxx";

/// Whether a text has somewhere what tells the names that objects get: a time and a UUID.
pub fn has_form_of_a_name(text: &str) -> bool {
    let is_like = |(byte, like): (&u8, &u8)| match like {
        b'0' => byte.is_ascii_digit(),
        b'x' => byte.is_ascii_hexdigit(),
        like => byte == like,
    };
    let mut windows = text.as_bytes().windows(TIME_AND_UUID.len());
    windows.any(|window| window.iter().zip(TIME_AND_UUID).all(is_like))
}

#[cfg(test)]
mod tests {
    use types::Timestamp;

    use super::*;
    use crate::prefix::Prefixes;
    use crate::zone::Zone;

    fn name(place: Place, oldest: u64) -> String {
        name_in("UTC", place, oldest)
    }

    fn name_in(zone: &str, place: Place, oldest: u64) -> String {
        let prefixes = Prefixes::parse(Some("a/"), None, false).unwrap();
        let (zone, oldest) = (Zone::parse(zone).unwrap(), Timestamp(oldest));
        let label = Label {
            stream: "clicks",
            version: 3,
            local: zone.local(oldest, zone.clocks_at(oldest)).unwrap(),
            extension: ".gz",
            values: &[],
        };
        NamingKey([7; 32]).object_key(&prefixes.delivered, place, label)
    }

    const PLACE: Place = Place {
        delivery_stream: 1,
        lane: (2, 3),
        cut: 4,
        part: 5,
        kind: PieceKind::Delivered,
    };

    #[test]
    fn a_name_has_awss_form_and_is_always_the_same() {
        let first = name(PLACE, 1_535_365_805_678);
        assert_eq!(first, name(PLACE, 1_535_365_805_678));
        let start = "a/2018/08/27/10/clicks-3-2018-08-27-10-30-05-00000000-0004-8005-";
        assert!(first.starts_with(start), "{first}");
        assert!(first.ends_with(".gz"));
        let uuid = &first[first.len() - 39..first.len() - 3];
        assert!(
            matches!(uuid.as_bytes()[19], b'8' | b'9' | b'a' | b'b'),
            "{uuid}"
        );
        assert_eq!(uuid.len(), 36);
        assert_eq!(uuid, NamingKey([7; 32]).uuid(PLACE));
        assert_eq!(place_in(uuid), Some((PLACE.cut, PLACE.part)));
        assert_eq!(place_in("no uuid"), None);
        let file = first.rsplit_once('/').unwrap().1;
        assert!(has_form_of_a_name(file) && !has_form_of_a_name(&file.replace("-8005-", "-")));
    }

    #[test]
    fn a_name_says_the_time_of_the_zone() {
        let name = name_in("America/New_York", PLACE, 1_535_365_805_678);
        let start = "a/2018/08/27/06/clicks-3-2018-08-27-06-30-05-00000000-0004-8005-";
        assert!(name.starts_with(start), "{name}");
    }

    #[test]
    fn each_place_has_a_name_of_its_own() {
        let others = [
            Place {
                delivery_stream: 2,
                ..PLACE
            },
            Place {
                lane: (3, 3),
                ..PLACE
            },
            Place {
                lane: (2, 4),
                ..PLACE
            },
            Place { cut: 5, ..PLACE },
            Place { part: 6, ..PLACE },
            Place {
                kind: PieceKind::Failed,
                ..PLACE
            },
        ];
        for other in others {
            assert_ne!(name(other, 5), name(PLACE, 5));
        }
    }

    #[test]
    fn each_partition_of_a_cut_has_a_name_of_its_own_also_where_prefixes_are_the_same() {
        let keys = "!{partitionKeyFromQuery:a}!{partitionKeyFromQuery:b}/";
        let prefixes = Prefixes::parse(Some(keys), Some("e/"), true).unwrap();
        let (zone, oldest) = (Zone::utc(), Timestamp(5));
        let name = |values: [&str; 2]| {
            let label = Label {
                stream: "clicks",
                version: 3,
                local: zone.local(oldest, zone.clocks_at(oldest)).unwrap(),
                extension: "",
                values: &values.map(str::to_owned),
            };
            NamingKey([7; 32]).object_key(&prefixes.delivered, PLACE, label)
        };
        let (one, other) = (name(["ab", "c"]), name(["a", "bc"]));
        assert!(one.starts_with("abc/clicks-") && other.starts_with("abc/clicks-"));
        assert_ne!(one, other);
        assert_eq!(one, name(["ab", "c"]));
    }

    #[test]
    fn names_sort_as_the_records_do() {
        let names: Vec<String> = [
            (0, 0, 5_000),
            (1, 0, 5_000),
            (1, 1, 5_000),
            (70_000, 0, 6_000),
        ]
        .map(|(cut, part, oldest)| name(Place { cut, part, ..PLACE }, oldest))
        .to_vec();
        assert!(names.is_sorted(), "{names:?}");
    }
}
