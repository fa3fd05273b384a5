//! What a plugin answers for one record.

use crate::spare;

/// What becomes of one record.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// It goes on as it is. This is the cheapest answer: nothing is copied while all records of a
    /// batch are kept.
    Keep,
    /// These bytes go on in its place. [`buffer`](crate::buffer) gives a vector for them that
    /// costs no allocation.
    Replace(Vec<u8>),
    /// It is left out on purpose.
    Drop,
    /// Each part goes on as a record of its own, in this order. A split into no parts at all is
    /// the same as [`Output::Drop`].
    Split(Parts),
    /// One of these, with what [`Output::key`] and [`Output::to`] say of it.
    Routed(Box<Routed>),
}

/// An output that says more than which bytes go on.
#[derive(Debug, PartialEq, Eq)]
pub struct Routed {
    pub(crate) output: Output,
    pub(crate) keys: Vec<(String, String)>,
    pub(crate) target: Option<String>,
}

impl Output {
    /// Gives what goes on a name and a value for the prefixes of a delivery stream with dynamic
    /// partitioning (`!{partitionKeyFromLambda:NAME}`); others leave it aside. A record has at most
    /// 50 of them, each name once. All parts of a split get it.
    #[must_use]
    pub fn key(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let mut routed = self.routed();
        routed.keys.push((name.into(), value.into()));
        Self::Routed(routed)
    }

    /// Sends what goes on to a destination of the delivery stream by name; one that it does not
    /// have fails the record. All parts of a split go there.
    #[must_use]
    pub fn to(self, target: impl Into<String>) -> Self {
        let mut routed = self.routed();
        routed.target = Some(target.into());
        Self::Routed(routed)
    }

    /// This value as JSON goes on in the record's place.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    #[cfg(feature = "json")]
    pub fn json(value: &impl serde::Serialize) -> Result<Self, crate::Error> {
        let mut bytes = spare::take_bytes();
        serde_json::to_writer(&mut bytes, value)?;
        Ok(Self::Replace(bytes))
    }

    fn routed(self) -> Box<Routed> {
        match self {
            Self::Routed(routed) => routed,
            output => Box::new(Routed {
                output,
                keys: Vec::new(),
                target: None,
            }),
        }
    }
}

/// What one record is split into.
///
/// ```
/// use millrace_sdk::{Output, Parts};
///
/// let lines: Parts = "one\ntwo".lines().collect();
/// assert_eq!(lines.len(), 2);
/// let output = Output::Split(lines);
/// ```
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Parts {
    /// None yet. They get the memory of the last record's parts, so that filling them costs no
    /// allocation.
    pub fn new() -> Self {
        Self {
            bytes: spare::take_bytes(),
            ends: spare::take_ends(),
        }
    }

    /// Adds a part after the others.
    pub fn push(&mut self, part: &[u8]) {
        self.bytes.extend_from_slice(part);
        self.ends.push(self.bytes.len());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All parts back to back, and where each ends.
    pub(crate) fn into_raw(self) -> (Vec<u8>, Vec<usize>) {
        (self.bytes, self.ends)
    }
}

impl<Part: AsRef<[u8]>> FromIterator<Part> for Parts {
    fn from_iter<I: IntoIterator<Item = Part>>(iterator: I) -> Self {
        let mut parts = Self::new();
        parts.extend(iterator);
        parts
    }
}

impl<Part: AsRef<[u8]>> Extend<Part> for Parts {
    fn extend<I: IntoIterator<Item = Part>>(&mut self, iterator: I) {
        for part in iterator {
            self.push(part.as_ref());
        }
    }
}
