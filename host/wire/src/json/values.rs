//! The types that members of an input have.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Duration;

use base64_simd::STANDARD;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use types::Timestamp;

use super::mismatch::{BLOB, BOOLEAN, INTEGER, LIST, MAP, STRUCTURE, TEXT, TIMESTAMP};
use crate::ApiError;
use crate::shape::bounded;

/// Members of a list that are kept; more are counted and dropped, so that a body of empty members
/// cannot grow a hundredfold in memory. Every list of the model has a smaller limit, so a longer
/// list is refused by its rule.
pub const LIST_MEMBERS_KEPT: usize = 1_000;
/// Entries of a map that are kept, as [`LIST_MEMBERS_KEPT`].
pub const MAP_ENTRIES_KEPT: usize = 1_000;

/// A string, borrowed from the body unless it was written with escapes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Text<'_> {
    /// The string itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor<'a>(PhantomData<&'a str>);

        impl<'de: 'a, 'a> Visitor<'de> for TextVisitor<'a> {
            type Value = Text<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(TEXT)
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor(PhantomData))
    }
}

/// A whole number. Its range is a matter of its rule, so that 2^31 breaks a constraint and is not
/// a wrong type; a number with a fraction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Integer(pub i64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IntegerVisitor;

        impl Visitor<'_> for IntegerVisitor {
            type Value = Integer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(INTEGER)
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Integer, E> {
                Ok(Integer(number))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Integer, E> {
                // No rule allows as much: the number that is named to the client is the nearest
                // that there is room for.
                Ok(Integer(i64::try_from(number).unwrap_or(i64::MAX)))
            }
        }

        deserializer.deserialize_i64(IntegerVisitor)
    }
}

/// `true` or `false`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boolean(pub bool);

impl<'de> Deserialize<'de> for Boolean {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BooleanVisitor;

        impl Visitor<'_> for BooleanVisitor {
            type Value = Boolean;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(BOOLEAN)
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Boolean, E> {
                Ok(Boolean(value))
            }
        }

        deserializer.deserialize_bool(BooleanVisitor)
    }
}

/// A moment as AWS JSON writes it: seconds since 1970 with a fraction, here to the millisecond.
/// A moment before 1970 is read as 1970, which is before all that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EpochSeconds(pub Timestamp);

impl EpochSeconds {
    fn from_seconds(seconds: f64) -> Self {
        if seconds < 0.0 {
            return Self(Timestamp(0));
        }
        // Half a millisecond more rounds to the nearest, as the nearest double lies on either
        // side of the decimal that the client wrote.
        let millis = Duration::try_from_secs_f64(seconds + 0.0005)
            .map_or(u128::from(u64::MAX), |since| since.as_millis());
        Self(Timestamp(u64::try_from(millis).unwrap_or(u64::MAX)))
    }

    fn seconds(self) -> f64 {
        // Exact to the millisecond for 285,000 years.
        self.0.0 as f64 / 1000.0
    }
}

impl<'de> Deserialize<'de> for EpochSeconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimestampVisitor;

        impl Visitor<'_> for TimestampVisitor {
            type Value = EpochSeconds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(TIMESTAMP)
            }

            fn visit_u64<E: Error>(self, seconds: u64) -> Result<EpochSeconds, E> {
                Ok(EpochSeconds(Timestamp(seconds.saturating_mul(1000))))
            }

            fn visit_i64<E: Error>(self, _before_1970: i64) -> Result<EpochSeconds, E> {
                Ok(EpochSeconds(Timestamp(0)))
            }

            fn visit_f64<E: Error>(self, seconds: f64) -> Result<EpochSeconds, E> {
                Ok(EpochSeconds::from_seconds(seconds))
            }
        }

        deserializer.deserialize_f64(TimestampVisitor)
    }
}

impl Serialize for EpochSeconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.seconds())
    }
}

/// Bytes that the body holds as strict standard base64 with padding. They stay encoded, borrowed
/// from the body, until they are decoded to where they are kept: a record's bytes are copied once.
#[derive(Clone, PartialEq, Eq)]
pub struct Blob<'a>(Cow<'a, [u8]>);

impl Blob<'_> {
    /// How many bytes [`Blob::decode_onto`] will append if the encoding is right.
    pub fn decoded_len(&self) -> usize {
        let padding = self.0.iter().rev().take(2).filter(|&&b| b == b'=').count();
        (self.0.len() / 4 * 3).saturating_sub(padding)
    }

    /// Appends the bytes to `out`, which is left as it was if the encoding is wrong.
    ///
    /// # Errors
    /// SerializationException when the text is not base64: a foreign character, padding within,
    /// bits left over in the last character.
    pub fn decode_onto(&self, out: &mut Vec<u8>) -> Result<(), ApiError> {
        let start = out.len();
        match STANDARD.decode_append(&*self.0, out) {
            Ok(()) => Ok(()),
            Err(_) => {
                out.truncate(start);
                Err(ApiError::serialization(self.wrong_encoding()))
            }
        }
    }

    fn wrong_encoding(&self) -> String {
        let text = String::from_utf8_lossy(&self.0);
        let digits = text.trim_end_matches('=');
        // More than two signs of padding are padding where a digit belongs.
        let foreign = match text.len() - digits.len() {
            0..=2 => digits.chars().find(|&c| !is_base64_digit(c)),
            _ => Some('='),
        };
        let reason = match foreign {
            Some(foreign) => format!("Invalid Base64 character: '{foreign}'"),
            // The misspelling is AWS's.
            None => "Invalid last non-pad Base64 character dectected".to_owned(),
        };
        not_a_blob(&text, &reason)
    }
}

fn is_base64_digit(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '+' || c == '/'
}

fn not_a_blob(text: &str, reason: &str) -> String {
    format!(
        "'{}' can not be converted to a Blob: {reason}",
        bounded(text)
    )
}

impl fmt::Debug for Blob<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Record data never goes to a log.
        write!(f, "Blob({} bytes)", self.decoded_len())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Blob<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BlobVisitor<'a>(PhantomData<&'a [u8]>);

        impl<'a> BlobVisitor<'a> {
            fn blob<E: Error>(self, text: Cow<'a, [u8]>) -> Result<Blob<'a>, E> {
                match text.len() % 4 {
                    0 => Ok(Blob(text)),
                    _ => Err(E::custom(not_a_blob(
                        &String::from_utf8_lossy(&text),
                        &format!(
                            "Base64 encoded length is expected a multiple of 4 bytes but found: {}",
                            text.len()
                        ),
                    ))),
                }
            }
        }

        impl<'de: 'a, 'a> Visitor<'de> for BlobVisitor<'a> {
            type Value = Blob<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(BLOB)
            }

            fn visit_borrowed_bytes<E: Error>(self, text: &'de [u8]) -> Result<Blob<'a>, E> {
                self.blob(Cow::Borrowed(text))
            }

            fn visit_bytes<E: Error>(self, text: &[u8]) -> Result<Blob<'a>, E> {
                self.blob(Cow::Owned(text.to_owned()))
            }
        }

        // As bytes: base64 is checked when it is decoded, so it need not be valid UTF-8 before.
        deserializer.deserialize_bytes(BlobVisitor(PhantomData))
    }
}

/// A list. The first [`LIST_MEMBERS_KEPT`] members are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T> {
    kept: Vec<T>,
    count: usize,
}

impl<T> List<T> {
    /// How many members the client sent, with those that were not kept.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The members. These are all, once the list has passed its rule.
    pub fn into_members(self) -> Vec<T> {
        self.kept
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.kept
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(LIST)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<List<T>, A::Error> {
                let mut kept = Vec::new();
                while kept.len() < LIST_MEMBERS_KEPT {
                    match members.next_element()? {
                        Some(member) => kept.push(member),
                        None => break,
                    }
                }
                let mut count = kept.len();
                while count >= LIST_MEMBERS_KEPT && members.next_element::<IgnoredAny>()?.is_some()
                {
                    count += 1;
                }
                Ok(List { kept, count })
            }
        }

        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

/// A map from text to text, in the order of its keys; of two entries of one key the last counts.
/// The first [`MAP_ENTRIES_KEPT`] entries are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map<'a> {
    kept: BTreeMap<Text<'a>, Text<'a>>,
    dropped: usize,
}

impl<'a> Map<'a> {
    /// How many entries the client sent, with those that were not kept.
    pub fn count(&self) -> usize {
        self.kept.len() + self.dropped
    }

    /// The entries. These are all, once the map has passed its rule.
    pub fn into_entries(self) -> BTreeMap<Text<'a>, Text<'a>> {
        self.kept
    }
}

impl<'a> Deref for Map<'a> {
    type Target = BTreeMap<Text<'a>, Text<'a>>;

    fn deref(&self) -> &Self::Target {
        &self.kept
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Map<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapVisitor<'a>(PhantomData<&'a str>);

        impl<'de: 'a, 'a> Visitor<'de> for MapVisitor<'a> {
            type Value = Map<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(MAP)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Map<'a>, A::Error> {
                let mut kept = BTreeMap::new();
                let mut dropped = 0;
                while kept.len() < MAP_ENTRIES_KEPT {
                    match entries.next_entry()? {
                        Some((key, value)) => kept.insert(key, value),
                        None => return Ok(Map { kept, dropped }),
                    };
                }
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                    dropped += 1;
                }
                Ok(Map { kept, dropped })
            }
        }

        deserializer.deserialize_map(MapVisitor(PhantomData))
    }
}

/// A structure within another: a JSON object, where `T` alone would take an array as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure<T>(pub T);

impl<T> Deref for Structure<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Structure<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StructureVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for StructureVisitor<T> {
            type Value = Structure<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(STRUCTURE)
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Structure<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Structure)
            }
        }

        deserializer.deserialize_map(StructureVisitor(PhantomData))
    }
}
