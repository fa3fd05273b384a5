//! A batch of byte strings in one buffer: the shape in which batches cross into a plugin and back.

use std::fmt;
use std::ops::Range;

use crate::bindings::types::Slab as RawSlab;

/// Byte strings back to back, and where each ends.
#[derive(Clone)]
pub struct Slab(RawSlab);

impl Slab {
    /// Adds a string. Batches are far below 4 GiB; a string that would pass it is not added, and
    /// the answer is `false`.
    #[must_use]
    pub fn push(&mut self, string: &[u8]) -> bool {
        let end = self.0.bytes.len().saturating_add(string.len());
        let Ok(end) = u32::try_from(end) else {
            return false;
        };
        self.0.bytes.extend_from_slice(string);
        self.0.ends.push(end);
        true
    }

    /// How many strings there are.
    pub fn len(&self) -> usize {
        self.0.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.ends.is_empty()
    }

    /// Bytes of all strings.
    pub fn bytes(&self) -> usize {
        self.0.bytes.len()
    }

    /// Takes all strings out and keeps the memory.
    pub fn clear(&mut self) {
        self.0.bytes.clear();
        self.0.ends.clear();
    }

    /// The string at `index`.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.0.bytes.get(self.range(index)?)
    }

    /// All strings in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// The strings of `range` as a slab of their own.
    pub fn part(&self, range: Range<usize>) -> Self {
        let mut part = Self::default();
        for index in range {
            if let Some(string) = self.get(index) {
                // A part is no larger than the whole.
                let _ = part.push(string);
            }
        }
        part
    }

    fn range(&self, index: usize) -> Option<Range<usize>> {
        let end = *self.0.ends.get(index)?;
        let start = match index.checked_sub(1) {
            Some(before) => *self.0.ends.get(before)?,
            None => 0,
        };
        Some(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    }

    /// The slab as it crosses into a plugin.
    pub(crate) fn raw(&self) -> &RawSlab {
        &self.0
    }

    /// A slab that came out of a plugin. It may contradict itself: see [`Slab::fault`].
    pub(crate) fn from_raw(raw: RawSlab) -> Self {
        Self(raw)
    }

    /// Why this, which a plugin made, is no slab of `count` strings.
    pub(crate) fn fault(&self, count: usize) -> Option<String> {
        if self.0.ends.len() != count {
            return Some(format!("{} ends for {count} outputs", self.0.ends.len()));
        }
        if !self.0.ends.is_sorted() {
            return Some("ends that are not in order".to_owned());
        }
        let end = self.0.ends.last().copied().unwrap_or(0);
        let bytes = self.0.bytes.len();
        match usize::try_from(end) == Ok(bytes) {
            true => None,
            false => Some(format!("a last end of {end} for {bytes} bytes")),
        }
    }
}

impl Default for Slab {
    fn default() -> Self {
        Self(RawSlab {
            bytes: Vec::new(),
            ends: Vec::new(),
        })
    }
}

impl PartialEq for Slab {
    fn eq(&self, other: &Self) -> bool {
        (&self.0.bytes, &self.0.ends) == (&other.0.bytes, &other.0.ends)
    }
}

impl Eq for Slab {}

impl fmt::Debug for Slab {
    /// Records' data does not go to logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slab of {} strings, {} bytes", self.len(), self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slab(strings: &[&[u8]]) -> Slab {
        let mut slab = Slab::default();
        for string in strings {
            assert!(slab.push(string));
        }
        slab
    }

    #[test]
    fn strings_come_out_as_they_went_in() {
        let slab = slab(&[b"ab", b"", b"c"]);
        assert_eq!(slab.iter().collect::<Vec<_>>(), [&b"ab"[..], b"", b"c"]);
        assert_eq!((slab.len(), slab.bytes(), slab.get(3)), (3, 3, None));
        let part = slab.part(1..3);
        assert_eq!(part.iter().collect::<Vec<_>>(), [&b""[..], b"c"]);
        assert_eq!(slab.fault(3), None);
    }

    #[test]
    fn a_slab_that_contradicts_itself_is_found() {
        let of = |bytes: &[u8], ends: &[u32]| {
            Slab::from_raw(RawSlab {
                bytes: bytes.to_vec(),
                ends: ends.to_vec(),
            })
        };
        for (bad, count, what) in [
            (of(b"ab", &[1]), 2, "1 ends for 2 outputs"),
            (of(b"ab", &[2, 1]), 2, "not in order"),
            (of(b"ab", &[1, 3]), 2, "last end of 3 for 2 bytes"),
            (of(b"ab", &[1, 1]), 2, "last end of 1 for 2 bytes"),
            (of(b"a", &[]), 0, "last end of 0 for 1 bytes"),
            (of(b"", &[u32::MAX]), 1, "for 0 bytes"),
        ] {
            assert!(bad.fault(count).unwrap().contains(what));
        }
    }
}
