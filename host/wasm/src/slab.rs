//! A batch of byte strings in one buffer: the shape in which batches cross into a plugin and back.

use std::fmt;
use std::ops::Range;

use crate::bindings::types::Slab as RawSlab;

/// Byte strings back to back, and where each ends: in order, the last at the end of the bytes.
#[derive(Clone)]
pub struct Slab(RawSlab);

impl Slab {
    /// Adds a string. One that would not end within 4 GiB is not added, and the answer is `false`:
    /// batches are far smaller.
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
        let end = *self.0.ends.get(index)?;
        let start = match index {
            0 => 0,
            _ => self.0.ends[index - 1],
        };
        Some(&self.0.bytes[place(start)..place(end)])
    }

    /// All strings in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// The strings of `range` that there are, as a slab of their own.
    pub fn part(&self, range: Range<usize>) -> Self {
        let mut part = Self::default();
        for string in range.filter_map(|index| self.get(index)) {
            // A part is no larger than the whole.
            let _ = part.push(string);
        }
        part
    }

    /// The slab as it crosses into a plugin.
    pub(crate) fn raw(&self) -> &RawSlab {
        &self.0
    }

    /// The same without a copy.
    pub(crate) fn into_raw(self) -> RawSlab {
        self.0
    }

    /// A slab of `count` strings that came out of a plugin.
    ///
    /// # Errors
    /// How it contradicts itself.
    pub(crate) fn parse(raw: RawSlab, count: usize) -> Result<Self, String> {
        if raw.ends.len() != count {
            return Err(format!("{} ends for {count} outputs", raw.ends.len()));
        }
        if !raw.ends.is_sorted() {
            return Err("ends that are not in order".to_owned());
        }
        let (end, bytes) = (raw.ends.last().copied().unwrap_or(0), raw.bytes.len());
        if place(end) != bytes {
            return Err(format!("a last end of {end} for {bytes} bytes"));
        }
        Ok(Self(raw))
    }
}

/// Addresses of the host are no narrower than those of a guest.
const _: () = assert!(usize::BITS >= u32::BITS);

/// A number of a guest as one of the host.
pub(crate) fn place(number: u32) -> usize {
    number as usize
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
        assert_eq!(slab.part(2..9).iter().collect::<Vec<_>>(), [b"c"]);
        assert_eq!(Slab::parse(slab.raw().clone(), 3), Ok(slab));
    }

    #[test]
    fn a_slab_that_contradicts_itself_is_found() {
        for (bytes, ends, count, what) in [
            (&b"ab"[..], &[1][..], 2, "1 ends for 2 outputs"),
            (b"ab", &[2, 1], 2, "not in order"),
            (b"ab", &[1, 3], 2, "last end of 3 for 2 bytes"),
            (b"ab", &[1, 1], 2, "last end of 1 for 2 bytes"),
            (b"a", &[], 0, "last end of 0 for 1 bytes"),
            (b"", &[u32::MAX], 1, "for 0 bytes"),
        ] {
            let raw = RawSlab {
                bytes: bytes.to_vec(),
                ends: ends.to_vec(),
            };
            assert!(Slab::parse(raw, count).unwrap_err().contains(what));
        }
    }
}
