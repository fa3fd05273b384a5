//! The items of a body, one after the other. Whatever a head promises, no more is taken, and no
//! more memory is asked for, than the body has bytes.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Expected, Unexpected};

use crate::items::{ITEMS_MAX, TOO_MANY};

/// How deep lists and maps may lie in each other; a body that goes deeper is refused. As deep as
/// the parser of JSON goes.
pub const DEPTH_MAX: usize = 128;

/// The kinds of items: the three bits at the top of a head.
pub(super) const UNSIGNED: u8 = 0;
pub(super) const NEGATIVE: u8 = 1;
pub(super) const BYTES: u8 = 2;
pub(super) const TEXT: u8 = 3;
pub(super) const LIST: u8 = 4;
pub(super) const MAP: u8 = 5;
pub(super) const TAG: u8 = 6;

/// The end of what has no length of its own.
pub(super) const BREAK: u8 = 0xff;
pub(super) const NULL: u8 = 0xf6;
const UNDEFINED: u8 = 0xf7;

/// Why a body cannot be read, in words that the client sees.
#[derive(Debug)]
pub(super) struct Fault(String);

impl Fault {
    pub fn new(what: &str) -> Self {
        Self(what.to_owned())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self(what.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        match found {
            // As the parser of JSON calls it.
            Unexpected::Unit => Self(format!("invalid type: null, expected {expected}")),
            // Megabytes of text may be in the place of a number.
            Unexpected::Str(_) => Self(format!("invalid type: string, expected {expected}")),
            found => Self(format!("invalid type: {found}, expected {expected}")),
        }
    }
}

/// One item without what lies in it. Tags are passed over: a member's type is known without them.
pub(super) enum Item<'de> {
    /// A number from 0 on.
    Unsigned(u64),
    /// How far below -1 a number is.
    Negative(u64),
    Float(f64),
    Boolean(bool),
    /// Null, or undefined, which is the same here.
    Null,
    Bytes(Cow<'de, [u8]>),
    Text(Cow<'de, str>),
    /// The head of a list of so many members; `None`: up to a break.
    List(Option<u64>),
    /// The head of a map of so many entries; `None`: up to a break.
    Map(Option<u64>),
}

/// A head: its kind and its argument, which is not there if the length is not known ahead.
struct Head {
    kind: u8,
    argument: Option<u64>,
    /// The low five bits.
    detail: u8,
}

/// What is left of a body.
#[derive(Clone)]
pub(super) struct Reader<'de> {
    rest: &'de [u8],
    depth: usize,
    /// How many heads may still be read.
    items_left: usize,
}

impl<'de> Reader<'de> {
    pub fn new(body: &'de [u8]) -> Self {
        Self {
            rest: body,
            depth: 0,
            items_left: ITEMS_MAX,
        }
    }

    /// Nothing may come after the input.
    pub fn end(&self) -> Result<(), Fault> {
        match self.rest {
            [] => Ok(()),
            _ => Err(Fault::new("trailing bytes after the input")),
        }
    }

    /// The next item.
    pub fn item(&mut self) -> Result<Item<'de>, Fault> {
        self.skip_tags()?;
        let head = self.head()?;
        let number = || head.argument.ok_or_else(no_such_head);
        Ok(match head.kind {
            UNSIGNED => Item::Unsigned(number()?),
            NEGATIVE => Item::Negative(number()?),
            BYTES => Item::Bytes(self.string(&head)?),
            TEXT => Item::Text(text(self.string(&head)?)?),
            LIST => Item::List(head.argument),
            MAP => Item::Map(head.argument),
            _ => simple(head.detail, number()?)?,
        })
    }

    /// Whether the next item is null. It is taken if it is.
    pub fn takes_null(&mut self) -> Result<bool, Fault> {
        self.skip_tags()?;
        match self.rest {
            [NULL | UNDEFINED, rest @ ..] => {
                self.rest = rest;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Whether a list or map without a length ends here. Its end is taken if it does.
    pub fn takes_break(&mut self) -> bool {
        match self.rest {
            [BREAK, rest @ ..] => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Goes into a list or map.
    pub fn enter(&mut self) -> Result<(), Fault> {
        if self.depth >= DEPTH_MAX {
            return Err(Fault::new("recursion limit exceeded"));
        }
        self.depth += 1;
        Ok(())
    }

    /// Comes out of it.
    pub fn leave(&mut self) {
        self.depth -= 1;
    }

    fn skip_tags(&mut self) -> Result<(), Fault> {
        while self.rest.first().is_some_and(|&first| first >> 5 == TAG) {
            let head = self.head()?;
            if head.argument.is_none() {
                return Err(no_such_head());
            }
        }
        Ok(())
    }

    fn head(&mut self) -> Result<Head, Fault> {
        let left = self.items_left.checked_sub(1);
        self.items_left = left.ok_or_else(|| Fault::new(TOO_MANY))?;
        let &[first] = self.take(1)? else {
            return Err(too_short());
        };
        let detail = first & 0x1f;
        let argument = match detail {
            0..24 => Some(u64::from(detail)),
            24..28 => {
                let bytes = self.take(1 << (detail - 24))?;
                let number = bytes.iter();
                Some(number.fold(0, |number, &byte| number << 8 | u64::from(byte)))
            }
            31 => None,
            _ => return Err(no_such_head()),
        };
        Ok(Head {
            kind: first >> 5,
            argument,
            detail,
        })
    }

    /// The bytes of a string of the kind that `head` says.
    fn string(&mut self, head: &Head) -> Result<Cow<'de, [u8]>, Fault> {
        if let Some(length) = head.argument {
            return self.take(length).map(Cow::Borrowed);
        }
        let mut whole = Vec::new();
        while !self.takes_break() {
            let part = self.head()?;
            match part.argument {
                Some(length) if part.kind == head.kind => {
                    whole.extend_from_slice(self.take(length)?);
                }
                _ => return Err(Fault::new("a part of a string is no string")),
            }
        }
        Ok(Cow::Owned(whole))
    }

    fn take(&mut self, length: u64) -> Result<&'de [u8], Fault> {
        let taken = usize::try_from(length)
            .ok()
            .and_then(|length| self.rest.split_at_checked(length));
        let (taken, rest) = taken.ok_or_else(too_short)?;
        self.rest = rest;
        Ok(taken)
    }
}

fn too_short() -> Fault {
    Fault::new("the body ends within a value")
}

fn no_such_head() -> Fault {
    Fault::new("no value begins like this")
}

fn text(bytes: Cow<'_, [u8]>) -> Result<Cow<'_, str>, Fault> {
    let not_text = "a text is not UTF-8";
    match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes)
            .map(Cow::Borrowed)
            .map_err(|_| Fault::new(not_text)),
        Cow::Owned(bytes) => String::from_utf8(bytes)
            .map(Cow::Owned)
            .map_err(|_| Fault::new(not_text)),
    }
}

/// What is neither a number from the head nor has a length.
fn simple<'de>(detail: u8, argument: u64) -> Result<Item<'de>, Fault> {
    Ok(match (detail, argument) {
        (20, _) => Item::Boolean(false),
        (21, _) => Item::Boolean(true),
        (22 | 23, _) => Item::Null,
        (25, bits) => Item::Float(half(u16::try_from(bits).map_err(|_| no_such_head())?)),
        (26, bits) => {
            let bits = u32::try_from(bits).map_err(|_| no_such_head())?;
            Item::Float(f64::from(f32::from_bits(bits)))
        }
        (27, bits) => Item::Float(f64::from_bits(bits)),
        _ => return Err(no_such_head()),
    })
}

/// A number of 16 bits: a sign, 5 bits of exponent, 10 bits of fraction.
fn half(bits: u16) -> f64 {
    let fraction = f64::from(bits & 0x3ff);
    let size = match bits >> 10 & 0x1f {
        0 => fraction * 2f64.powi(-24),
        31 if bits & 0x3ff == 0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (fraction + 1024.0) * 2f64.powi(i32::from(exponent) - 25),
    };
    if bits >> 15 == 0 { size } else { -size }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 8949, appendix A.
    #[test]
    fn half_numbers_are_those_of_the_standard() {
        for (bits, number) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0x3e00, 1.5),
            (0x7bff, 65_504.0),
            (0x0001, 5.960_464_477_539_063e-8),
            (0x0400, 0.000_061_035_156_25),
            (0xc400, -4.0),
            (0x7c00, f64::INFINITY),
            (0xfc00, f64::NEG_INFINITY),
        ] {
            assert_eq!(half(bits), number, "{bits:#x}");
        }
        assert!(half(0x7e00).is_nan());
    }
}
