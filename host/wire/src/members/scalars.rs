//! Members that hold one value.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Duration;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use types::Timestamp;

use crate::mismatch::{BOOLEAN, INTEGER, TEXT, TIMESTAMP, text_where};

/// A string, borrowed from the body unless it was written with escapes or in parts.
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

            fn visit_string<E: Error>(self, text: String) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Owned(text)))
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

            fn visit_str<E: Error>(self, _: &str) -> Result<Integer, E> {
                Err(text_where(&self))
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

            fn visit_str<E: Error>(self, _: &str) -> Result<Boolean, E> {
                Err(text_where(&self))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Boolean, E> {
                Ok(Boolean(value))
            }
        }

        deserializer.deserialize_bool(BooleanVisitor)
    }
}

/// What the serializer of a codec is told that writes a moment in its own way.
pub(crate) const TIME: &str = "a moment in milliseconds since 1970";

/// A moment, here to the millisecond: JSON has seconds since 1970 with a fraction, CBOR has
/// milliseconds. A moment before 1970 is read as 1970, which is before all that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Timestamp);

impl Time {
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

/// In which unit a codec writes a moment.
#[derive(Clone, Copy)]
enum TimeUnit {
    Seconds,
    Millis,
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimeVisitor(TimeUnit);

        impl Visitor<'_> for TimeVisitor {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(TIMESTAMP)
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<Time, E> {
                Err(text_where(&self))
            }

            fn visit_u64<E: Error>(self, since: u64) -> Result<Time, E> {
                Ok(Time(Timestamp(match self.0 {
                    TimeUnit::Seconds => since.saturating_mul(1000),
                    TimeUnit::Millis => since,
                })))
            }

            fn visit_i64<E: Error>(self, _before_1970: i64) -> Result<Time, E> {
                Ok(Time(Timestamp(0)))
            }

            fn visit_f64<E: Error>(self, since: f64) -> Result<Time, E> {
                Ok(Time::from_seconds(match self.0 {
                    TimeUnit::Seconds => since,
                    TimeUnit::Millis => since / 1000.0,
                }))
            }
        }

        let unit = if deserializer.is_human_readable() {
            TimeUnit::Seconds
        } else {
            TimeUnit::Millis
        };
        deserializer.deserialize_f64(TimeVisitor(unit))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_f64(self.seconds())
        } else {
            serializer.serialize_newtype_struct(TIME, &self.0.0)
        }
    }
}
