//! Keys of items as bytes in the order of the values: what the rows of items are sorted by.
//!
//! ```text
//! S, B in front   the bytes, 0 as 0 255, then 0 1
//! S, B at the end the bytes
//! N above zero    2, magnitude + 130, two digits a byte as 1 to 100, then 0
//! N zero          1
//! N below zero    0, then the bytes of its opposite but the first, each turned around
//! ```

use crate::number::{Digits, Number};
use crate::value::Value;

/// The power of ten of the smallest number, as a place in a byte.
const MAGNITUDE_SHIFT: i32 = 130;
const BELOW_ZERO: u8 = 0;
const ZERO: u8 = 1;
const ABOVE_ZERO: u8 = 2;

/// Where in a key a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Others follow, so that its end must be told.
    InFront,
    /// Nothing follows.
    AtTheEnd,
}

/// A value of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyValue<'a> {
    /// Text, or bytes: they have the same order.
    Bytes(&'a [u8]),
    /// A number.
    Number(Number),
}

impl<'a> KeyValue<'a> {
    /// The value, if it is of a type that keys have.
    pub fn of(value: &'a Value) -> Option<Self> {
        match value {
            Value::S(text) => Some(Self::Bytes(text.as_bytes())),
            Value::B(bytes) => Some(Self::Bytes(bytes)),
            Value::N(number) => Some(Self::Number(*number)),
            _ => None,
        }
    }

    /// Whether it is empty text or no bytes.
    pub fn is_empty(self) -> bool {
        matches!(self, Self::Bytes([]))
    }
}

/// Appends a value of a key.
pub fn push(out: &mut Vec<u8>, value: KeyValue<'_>, place: Place) {
    match value {
        KeyValue::Bytes(bytes) => push_bytes(out, bytes, place),
        KeyValue::Number(number) => push_number(out, number),
    }
}

/// Appends what the keys begin with whose value at this place begins with `beginning`.
pub fn push_beginning(out: &mut Vec<u8>, beginning: &[u8], place: Place) {
    match place {
        Place::AtTheEnd => out.extend_from_slice(beginning),
        Place::InFront => push_escaped(out, beginning),
    }
}

/// `id`, then each value, the last without an end.
pub fn joined(id: u64, values: &[KeyValue<'_>]) -> Vec<u8> {
    let mut out = id.to_be_bytes().to_vec();
    if let Some((last, front)) = values.split_last() {
        for value in front {
            push(&mut out, *value, Place::InFront);
        }
        push(&mut out, *last, Place::AtTheEnd);
    }
    out
}

/// The first key after all that begin with `prefix`; `None`: there is no such key.
pub fn after_all_with(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

fn push_bytes(out: &mut Vec<u8>, bytes: &[u8], place: Place) {
    match place {
        Place::AtTheEnd => out.extend_from_slice(bytes),
        Place::InFront => {
            push_escaped(out, bytes);
            out.extend_from_slice(&[0, 1]);
        }
    }
}

fn push_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        out.push(*byte);
        if *byte == 0 {
            out.push(u8::MAX);
        }
    }
}

fn push_number(out: &mut Vec<u8>, number: Number) {
    let Some(Digits {
        is_negative,
        magnitude,
        digits,
    }) = number.digits()
    else {
        out.push(ZERO);
        return;
    };
    let turn = if is_negative { u8::MAX } else { 0 };
    out.push(if is_negative { BELOW_ZERO } else { ABOVE_ZERO });
    // Between 0 and 255, as a number's magnitude is -130 to 125.
    let [place, ..] = (magnitude + MAGNITUDE_SHIFT).to_le_bytes();
    out.push(place ^ turn);
    for pair in digits.chunks(2) {
        let high = pair.first().copied().unwrap_or(0);
        let low = pair.get(1).copied().unwrap_or(0);
        out.push((high * 10 + low + 1) ^ turn);
    }
    out.push(turn);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: &Value, place: Place) -> Vec<u8> {
        let mut out = Vec::new();
        push(&mut out, KeyValue::of(value).unwrap(), place);
        out
    }

    /// A sequence that looks random and is the same each time.
    fn drawn(seed: &mut u64) -> u64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        *seed >> 33
    }

    #[test]
    fn keys_of_numbers_are_in_the_order_of_the_numbers() {
        let mut seed = 1;
        let mut numbers = vec![Number::ZERO];
        for text in [
            "1e125", "-1e125", "1e-130", "-1e-130", "9.99e125", "0.1", "-0.1",
        ] {
            numbers.push(Number::parse(text).unwrap());
        }
        for _ in 0..300 {
            let digits = 1 + drawn(&mut seed) % 38;
            let sign = if drawn(&mut seed).is_multiple_of(2) {
                ""
            } else {
                "-"
            };
            let text: String = (0..digits)
                .map(|_| char::from(b'0' + u8::try_from(drawn(&mut seed) % 10).unwrap()))
                .collect();
            let power = i64::try_from(drawn(&mut seed) % 130).unwrap() - 90;
            let text = format!("{sign}{text}e{power}");
            numbers.extend(Number::parse(&text));
        }
        assert!(numbers.len() > 200);
        for one in &numbers {
            for other in &numbers {
                for place in [Place::InFront, Place::AtTheEnd] {
                    let keys = key(&Value::N(*one), place).cmp(&key(&Value::N(*other), place));
                    assert_eq!(keys, one.cmp(other), "{one} and {other}");
                }
            }
        }
    }

    #[test]
    fn keys_of_bytes_are_in_the_order_of_the_bytes_whatever_follows() {
        let texts: [&[u8]; 9] = [
            b"", b"\0", b"\0\0", b"\0\x01", b"\0\xff", b"a", b"a\0", b"a\x01", b"\xff",
        ];
        for one in texts {
            for other in texts {
                let of = |bytes: &[u8]| Value::B(bytes.to_vec());
                for follows in [&b"\0"[..], b"\xff", b""] {
                    let of = |bytes| [&key(&of(bytes), Place::InFront)[..], follows].concat();
                    assert_eq!(of(one).cmp(&of(other)), one.cmp(other), "{one:?} {other:?}");
                }
                let ends = key(&of(one), Place::AtTheEnd).cmp(&key(&of(other), Place::AtTheEnd));
                assert_eq!(ends, one.cmp(other));
            }
        }
    }

    #[test]
    fn what_begins_alike_lies_between_its_beginning_and_what_comes_after() {
        for place in [Place::InFront, Place::AtTheEnd] {
            let mut beginning = Vec::new();
            let value = |bytes: &[u8]| Value::B(bytes.to_vec());
            push_beginning(&mut beginning, b"a\0", place);
            let end = after_all_with(&beginning).unwrap();
            for (bytes, is_within) in [
                (&b"a\0"[..], true),
                (b"a\0\xff\xff", true),
                (b"a", false),
                (b"a\x01", false),
            ] {
                let key = key(&value(bytes), place);
                assert_eq!(beginning <= key && key < end, is_within, "{bytes:?}");
            }
        }
        assert_eq!(after_all_with(b"\xff\xff"), None);
    }
}
