//! Whether an object that is there is the one that was to be put, chunk by chunk, so that it need
//! not be in memory. Of two that are packed with gzip only what is in them counts: another build
//! may pack the same records into other bytes.

use std::io::{self, Read, Write};

use bytes::{Buf, Bytes};
use flate2::bufread::GzDecoder as Unpack;
use flate2::write::GzDecoder as UnpackInto;

/// What a member of gzip begins with (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Bytes that are unpacked at once.
const UNPACKED_BYTES: usize = 64 * 1024;
/// How often as many bytes as were unpacked, and how many more, an object that is there may have:
/// packing adds less than a thousandth. One with more is another object, however little it unpacks
/// to, so that no object without end is read.
const PACKED_TIMES_MAX: u64 = 2;
const PACKED_BESIDES_BYTES_MAX: u64 = 1024 * 1024;

/// An object of ours beside one that is there.
pub(super) struct Comparison {
    ours: Bytes,
    so_far: SoFar,
}

/// What is known of the chunks so far.
enum SoFar {
    /// They are so many bytes of ours.
    Same(usize),
    /// They are packed otherwise, and hold the same; so many bytes.
    HoldTheSame(Box<UnpackInto<Against>>, u64),
    Different,
}

impl Comparison {
    pub(super) fn with(ours: Bytes) -> Self {
        Self {
            ours,
            so_far: SoFar::Same(0),
        }
    }

    /// Takes in what comes next of the object that is there. Whether it may still be the same.
    pub(super) fn add(&mut self, chunk: &[u8]) -> bool {
        let so_far = std::mem::replace(&mut self.so_far, SoFar::Different);
        self.so_far = match so_far {
            SoFar::Same(length) => self.compare(length, chunk),
            SoFar::HoldTheSame(unpack, length) => unpacked(unpack, length, chunk),
            SoFar::Different => SoFar::Different,
        };
        !matches!(self.so_far, SoFar::Different)
    }

    /// Whether it is the same, now that there is no more of it.
    pub(super) fn holds_the_same(self) -> bool {
        match self.so_far {
            SoFar::Same(length) => length == self.ours.len(),
            SoFar::HoldTheSame(unpack, _) => unpack.finish().is_ok_and(Against::has_ended),
            SoFar::Different => false,
        }
    }

    fn compare(&self, length: usize, chunk: &[u8]) -> SoFar {
        let (before, rest) = self.ours.split_at(length);
        if rest.starts_with(chunk) {
            return SoFar::Same(length + chunk.len());
        }
        if !self.ours.starts_with(&GZIP_MAGIC) {
            return SoFar::Different;
        }
        let against = Against {
            ours: Unpack::new(self.ours.clone().reader()),
            unpacked: vec![0; UNPACKED_BYTES],
            length: 0,
        };
        // What was the same so far is what is there.
        match unpacked(Box::new(UnpackInto::new(against)), 0, before) {
            SoFar::HoldTheSame(unpack, length) => unpacked(unpack, length, chunk),
            other => other,
        }
    }
}

/// What is known once another chunk is unpacked after so many bytes.
fn unpacked(mut unpack: Box<UnpackInto<Against>>, length: u64, chunk: &[u8]) -> SoFar {
    let length = length + chunk.len() as u64;
    let is_in_bounds =
        |against: &Against| length <= against.length * PACKED_TIMES_MAX + PACKED_BESIDES_BYTES_MAX;
    match unpack.write_all(chunk) {
        Ok(()) if is_in_bounds(unpack.get_ref()) => SoFar::HoldTheSame(unpack, length),
        Ok(()) => SoFar::Different,
        // It is not packed, or holds something else.
        Err(_) => SoFar::Different,
    }
}

/// Takes what is unpacked, as long as it is what ours unpacks to.
struct Against {
    ours: Unpack<bytes::buf::Reader<Bytes>>,
    unpacked: Vec<u8>,
    /// Bytes that were the same.
    length: u64,
}

impl Against {
    fn has_ended(mut self) -> bool {
        let is_unpacked = self.ours.read(&mut [0]).is_ok_and(|more| more == 0);
        is_unpacked && !self.ours.get_ref().get_ref().has_remaining()
    }
}

impl Write for Against {
    fn write(&mut self, theirs: &[u8]) -> io::Result<usize> {
        let length = theirs.len().min(self.unpacked.len());
        let (Some(ours), Some(theirs)) = (self.unpacked.get_mut(..length), theirs.get(..length))
        else {
            return Ok(0);
        };
        self.ours.read_exact(ours)?;
        if ours == theirs {
            self.length += length as u64;
            Ok(length)
        } else {
            Err(io::ErrorKind::InvalidData.into())
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(level: u32, records: u32, last: &str) -> Bytes {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::new(level));
        for record in 0..records {
            writeln!(gzip, "record {record} of many").unwrap();
        }
        gzip.write_all(last.as_bytes()).unwrap();
        Bytes::from(gzip.finish().unwrap())
    }

    fn holds_the_same(ours: &Bytes, theirs: &Bytes) -> bool {
        let answers = [1, 7, 4_096, usize::MAX].map(|chunk_bytes| {
            let mut comparison = Comparison::with(ours.clone());
            let mut may_be = true;
            for chunk in theirs.chunks(chunk_bytes.min(theirs.len()).max(1)) {
                may_be &= comparison.add(chunk);
            }
            let is_same = comparison.holds_the_same();
            assert!(may_be || !is_same);
            is_same
        });
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        answers[0]
    }

    #[test]
    fn the_same_bytes_are_the_same_and_others_are_not() {
        let of = |text: &'static str| Bytes::from_static(text.as_bytes());
        assert!(holds_the_same(&of("abc"), &of("abc")) && holds_the_same(&of(""), &of("")));
        for other in ["abd", "ab", "abcd", "", "xbc"] {
            assert!(!holds_the_same(&of("abc"), &of(other)), "{other}");
            assert!(!holds_the_same(&of(other), &of("abc")), "{other}");
        }
    }

    /// The rest of a packed object that never ends: blocks that hold nothing.
    #[test]
    fn an_object_that_is_packed_and_never_ends_is_another_one_after_a_bounded_part_of_it() {
        let ours = packed(3, 100, "");
        let mut comparison = Comparison::with(ours);
        // A head without a name, and stored blocks of no bytes (RFC 1952, RFC 1951).
        let mut chunk = b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec();
        let mut read = 0;
        while comparison.add(&chunk) {
            read += chunk.len() as u64;
            assert!(read <= 2 * PACKED_BESIDES_BYTES_MAX, "it is read for ever");
            chunk = b"\0\0\0\xff\xff".repeat(20_000);
        }
        assert!(!comparison.holds_the_same());
    }

    #[test]
    fn what_is_packed_otherwise_is_the_same_if_it_holds_the_same() {
        let ours = packed(3, 20_000, "");
        let theirs = packed(9, 20_000, "");
        assert_ne!(ours, theirs);
        assert!(holds_the_same(&ours, &theirs) && holds_the_same(&theirs, &ours));
        for other in [
            packed(9, 20_000, "x"),
            packed(9, 19_999, ""),
            packed(3, 20_000, "x"),
            theirs.slice(..theirs.len() - 1),
            ours.slice(..ours.len() - 1),
            Bytes::from([&theirs[..], b"x"].concat()),
            Bytes::from_static(b"record 0 of many"),
            Bytes::new(),
        ] {
            assert!(!holds_the_same(&ours, &other));
            assert!(!holds_the_same(&other, &ours));
        }
    }
}
