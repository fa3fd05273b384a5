//! Records that come packed are unpacked before a plugin or a destination sees them. Pure.
//!
//! AWS's pages: "Decompress CloudWatch Logs", "Extract message after decompression of CloudWatch
//! Logs" and "Troubleshoot decompression in Firehose" of the developer guide. A record that cannot
//! be unpacked goes to the error output as it came in, compressed, with a code and a sentence; the
//! others go on. So does one that a later step fails: its line holds it compressed. AWS puts these
//! lines below `decompression-failed` and says none of its codes. Here they lie with all other
//! failed records, below `processing-failed`, from where they are listed and replayed, with codes
//! of ours.

use std::io::Read;

use bincode::{Decode, Encode};
use flate2::bufread::MultiGzDecoder;
use types::limits::DATA_BYTES_MAX;

use crate::log_messages::{self, Extracted};

/// Bytes that one record may become; beyond, it is failed. AWS says no limit. This is the most that
/// a record may have here at all, so that one that was unpacked needs no more than one that came.
const RECORD_BYTES_MAX: u64 = DATA_BYTES_MAX as u64;
/// Bytes that are unpacked at first; then as many as there are, so that growing copies little.
const STEP_BYTES: usize = 64 * 1024;
/// What of a record is in memory at a time for each byte that it becomes, at most: the bytes, twice
/// as many for one string of them that has escapes, the lines that are made of them, and the copy
/// in a batch.
const HELD_PER_BYTE: usize = 5;
/// The first two bytes of every member (RFC 1952, ID1 and ID2).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The code of a record that could not be unpacked; ours.
pub const NOT_DECOMPRESSED: &str = "Millrace.DecompressionFailed";
/// The code of one that was unpacked and is no record of CloudWatch Logs; ours.
pub const NOT_EXTRACTED: &str = "Millrace.MessageExtractionFailed";

/// What the processors `Decompression` and `CloudWatchLogProcessing` come to. It is a part of the
/// destination, and so kept with each cut: another build unpacks as much of a record as the one
/// that decided the cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Decompression {
    /// Whether a record of CloudWatch Logs becomes its messages, a line each.
    pub extracts_messages: bool,
    /// Bytes that one record may become.
    pub record_bytes_max: u64,
}

impl Decompression {
    /// As it is configured from now on.
    pub fn new(extracts_messages: bool) -> Self {
        Self {
            extracts_messages,
            record_bytes_max: RECORD_BYTES_MAX,
        }
    }

    /// No less than what unpacking one record takes, with its copy in a batch.
    pub fn bytes_max(&self) -> u64 {
        let buffer = self.record_bytes_max.max(STEP_BYTES as u64) + 1;
        buffer.saturating_mul(HELD_PER_BYTE as u64)
    }
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpacked {
    /// What [`Unpacking::data`] has.
    Data,
    /// It has no logs: it asked whether the destination is there.
    Nothing,
    /// It cannot be unpacked.
    Failed(Fault),
    /// There is no memory for it.
    NoRoom,
}

/// Why a record cannot be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not begin as gzip does.
    NotGzip,
    /// It begins so, and is broken, or is not whole, or something else comes after it.
    Damaged,
    /// It becomes more than a record may.
    TooLarge,
    /// What it becomes is nothing that CloudWatch Logs sends.
    NoLogs,
}

/// The unpacking of one record after the other. Its memory is used again.
pub struct Unpacking {
    terms: Decompression,
    /// What came out of the record.
    plain: Vec<u8>,
    lines: Vec<u8>,
    /// What became of a record that was not taken yet.
    waiting: Option<Unpacked>,
}

impl Unpacking {
    pub fn new(terms: Decompression) -> Self {
        Self {
            terms,
            plain: Vec::new(),
            lines: Vec::new(),
            waiting: None,
        }
    }

    /// Unpacks the record that comes next. `may_hold` says whether there may be so many bytes of
    /// memory in use for it. One that was unpacked and not taken is not unpacked again.
    pub fn unpack(&mut self, data: &[u8], may_hold: impl FnMut(usize) -> bool) -> Unpacked {
        if let Some(unpacked) = self.waiting {
            return unpacked;
        }
        let unpacked = match self.inflate(data, may_hold) {
            Err(unpacked) => unpacked,
            Ok(()) if self.terms.extracts_messages => {
                match log_messages::extract(&self.plain, &mut self.lines) {
                    Some(Extracted::Messages) => Unpacked::Data,
                    Some(Extracted::NoLogs) => Unpacked::Nothing,
                    None => Unpacked::Failed(Fault::NoLogs),
                }
            }
            Ok(()) => Unpacked::Data,
        };
        self.waiting = Some(unpacked);
        unpacked
    }

    /// The record was taken: another one comes next.
    pub fn taken(&mut self) {
        self.waiting = None;
    }

    /// Bytes that came out of the record that was unpacked last, whether or not it failed.
    pub fn plain_bytes(&self) -> usize {
        self.plain.len()
    }

    /// What the record became that was unpacked last.
    pub fn data(&self) -> &[u8] {
        if self.terms.extracts_messages {
            &self.lines
        } else {
            &self.plain
        }
    }

    /// Code and sentence of a record that failed. They are the same in every try.
    pub fn words(&self, fault: Fault) -> (&'static str, String) {
        let what = match fault {
            Fault::NotGzip => "The record is not compressed with gzip".to_owned(),
            Fault::Damaged => "The record is damaged gzip".to_owned(),
            Fault::TooLarge => {
                let most = self.terms.record_bytes_max;
                format!("The record decompresses to more than {most} bytes")
            }
            Fault::NoLogs => {
                let what = "The decompressed record is not what CloudWatch Logs sends";
                return (NOT_EXTRACTED, what.to_owned());
            }
        };
        (NOT_DECOMPRESSED, what)
    }

    /// Unpacks a record of one member of gzip or several.
    fn inflate(
        &mut self,
        data: &[u8],
        mut may_hold: impl FnMut(usize) -> bool,
    ) -> Result<(), Unpacked> {
        self.plain.clear();
        if !data.starts_with(&GZIP) {
            return Err(Unpacked::Failed(Fault::NotGzip));
        }
        let most = usize::try_from(self.terms.record_bytes_max);
        let most = most.map_err(|_| Unpacked::NoRoom)?;
        let mut packed = MultiGzDecoder::new(data);
        loop {
            if self.plain.len() == self.plain.capacity() {
                // One byte more tells that there is too much.
                let wanted = (2 * self.plain.len()).max(STEP_BYTES).min(most + 1);
                if !may_hold(wanted.saturating_mul(HELD_PER_BYTE)) {
                    return Err(Unpacked::NoRoom);
                }
                self.plain.reserve_exact(wanted - self.plain.len());
            }
            // No more than there is room for, so that nothing but this grows it.
            let free = self.plain.capacity() - self.plain.len();
            let read = packed
                .by_ref()
                .take(free as u64)
                .read_to_end(&mut self.plain);
            match read {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(_) => return Err(Unpacked::Failed(Fault::Damaged)),
            }
            if self.plain.len() > most {
                return Err(Unpacked::Failed(Fault::TooLarge));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(data).unwrap();
        packed.finish().unwrap()
    }

    fn within(record_bytes_max: u64, data: &[u8]) -> (Unpacked, Vec<u8>) {
        let mut unpacking = Unpacking::new(Decompression {
            extracts_messages: false,
            record_bytes_max,
        });
        let unpacked = unpacking.unpack(data, |_| true);
        (unpacked, unpacking.data().to_vec())
    }

    #[test]
    fn one_member_and_several_come_out_whole() {
        let large: Vec<u8> = (0..=u8::MAX).cycle().take(3 * STEP_BYTES + 7).collect();
        for members in [
            vec![&b"one"[..]],
            vec![b""],
            vec![b"one ", b"", b"two"],
            vec![&large, b"x", &large],
        ] {
            let packed: Vec<u8> = members.iter().flat_map(|data| gzip(data)).collect();
            assert_eq!(within(1 << 20, &packed), (Unpacked::Data, members.concat()));
        }
    }

    #[test]
    fn what_is_no_gzip_or_not_whole_fails() {
        let whole = gzip(b"a record of some length");
        for other in [&b""[..], b"\x1f", b"{}", b"PK\x03\x04"] {
            assert_eq!(within(99, other).0, Unpacked::Failed(Fault::NotGzip));
        }
        for end in 2..whole.len() {
            let cut_off = within(99, &whole[..end]).0;
            assert_eq!(cut_off, Unpacked::Failed(Fault::Damaged), "{end}");
        }
        for place in 0..whole.len() {
            let mut broken = whole.clone();
            broken[place] ^= 0xff;
            let (unpacked, data) = within(99, &broken);
            // The time, the flags and the system of a header may be anything.
            let same = unpacked == Unpacked::Data && data == b"a record of some length";
            assert!(same || matches!(unpacked, Unpacked::Failed(_)), "{place}");
        }
        let followed = [&whole[..], b"x"].concat();
        assert_eq!(within(99, &followed).0, Unpacked::Failed(Fault::Damaged));
    }

    #[test]
    fn a_record_becomes_so_much_and_no_byte_more() {
        for bytes in [1, 1_000, STEP_BYTES, STEP_BYTES + 1, 5 * STEP_BYTES] {
            let data = vec![b'x'; bytes];
            let packed = gzip(&data);
            let most = bytes as u64;
            assert_eq!(within(most, &packed), (Unpacked::Data, data));
            let more = within(most - 1, &packed).0;
            assert_eq!(more, Unpacked::Failed(Fault::TooLarge), "{bytes}");
        }
    }

    #[test]
    fn a_bomb_fails_within_the_memory_that_it_asked_for() {
        let bomb = gzip(&vec![0; 300 << 20]);
        let terms = Decompression::new(true);
        let mut unpacking = Unpacking::new(terms);
        let mut asked = 0;
        let unpacked = unpacking.unpack(&bomb, |bytes| {
            asked = bytes;
            true
        });
        assert_eq!(unpacked, Unpacked::Failed(Fault::TooLarge));
        assert!(asked as u64 <= terms.bytes_max());
        let held = unpacking.plain.capacity() + unpacking.lines.capacity();
        assert!(held <= DATA_BYTES_MAX + 1, "{held}");
    }

    #[test]
    fn what_may_not_be_held_is_not_unpacked() {
        let packed = gzip(&vec![b'x'; 1 << 20]);
        let mut unpacking = Unpacking::new(Decompression::new(false));
        let few = HELD_PER_BYTE * 2 * STEP_BYTES;
        let unpacked = unpacking.unpack(&packed, |bytes| bytes <= few);
        assert_eq!(unpacked, Unpacked::NoRoom);
        assert!(unpacking.plain.capacity() <= 2 * STEP_BYTES);
    }

    #[test]
    fn a_record_that_was_not_taken_is_not_unpacked_again() {
        let mut unpacking = Unpacking::new(Decompression::new(false));
        assert_eq!(unpacking.unpack(&gzip(b"a"), |_| true), Unpacked::Data);
        assert_eq!(unpacking.unpack(b"unread", |_| true), Unpacked::Data);
        assert_eq!(unpacking.data(), b"a");
        unpacking.taken();
        let next = unpacking.unpack(b"unread", |_| true);
        assert_eq!(next, Unpacked::Failed(Fault::NotGzip));
    }

    #[test]
    fn a_record_of_empty_members_alone_is_empty() {
        let packed = gzip(b"").repeat(100_000);
        assert_eq!(within(99, &packed), (Unpacked::Data, Vec::new()));
    }
}
