//! Whether an object that is there is the one that was to be put, chunk by chunk, so that it need
//! not be in memory. Of two that are packed only what is in them counts: another build may pack the
//! same records into other bytes. Two files of rows are the same if they say in their ends that
//! they were made of the same records.

use std::io::{self, Write};

use bytes::{Buf, Bytes};

use crate::compression::Compression;
use crate::packed::broken;
use crate::packed::unpack::Unpack;

/// Bytes of ours that are unpacked at once: a few may be very much.
const PACKED_BYTES: usize = 256;
/// How often as many bytes as were unpacked, and how many more, an object that is there may have:
/// packing adds less than a thousandth. One with more is another object, however little it unpacks
/// to, so that no object without end is read.
const PACKED_TIMES_MAX: u64 = 2;
const PACKED_BESIDES_BYTES_MAX: u64 = 1024 * 1024;

/// An object of ours beside one that is there.
pub(super) struct Comparison {
    ours: Bytes,
    compression: Compression,
    so_far: SoFar,
}

/// What is known of the chunks so far.
enum SoFar {
    /// They are so many bytes of ours.
    Same(usize),
    /// Ours is a file of rows with this digest, and they are another, which may end in the same
    /// one: the last of its bytes, and how many it has.
    MayBeRows([u8; 64], Vec<u8>, u64),
    /// They are packed otherwise, and hold the same; so many bytes.
    HoldTheSame(Box<Unpack<Against>>, u64),
    Different,
}

impl Comparison {
    /// With ours, which is packed so.
    pub(super) fn with(ours: Bytes, compression: Compression) -> Self {
        Self {
            ours,
            compression,
            so_far: SoFar::Same(0),
        }
    }

    /// Takes in what comes next of the object that is there. Whether it may still be the same.
    pub(super) fn add(&mut self, chunk: &[u8]) -> bool {
        let so_far = std::mem::replace(&mut self.so_far, SoFar::Different);
        self.so_far = match so_far {
            SoFar::Same(length) => self.compare(length, chunk),
            SoFar::HoldTheSame(unpack, length) => unpacked(unpack, length, chunk),
            SoFar::MayBeRows(digest, end, length) => self.end_of_rows((digest, end), length, chunk),
            SoFar::Different => SoFar::Different,
        };
        !matches!(self.so_far, SoFar::Different)
    }

    /// Whether it is the same, now that there is no more of it.
    pub(super) fn holds_the_same(self) -> bool {
        match self.so_far {
            SoFar::Same(length) => length == self.ours.len(),
            SoFar::HoldTheSame(unpack, _) => unpack.finish().is_ok_and(Against::has_ended),
            SoFar::MayBeRows(digest, end, _) => formats::digest_of(&end) == Some(digest),
            SoFar::Different => false,
        }
    }

    fn compare(&self, length: usize, chunk: &[u8]) -> SoFar {
        let (before, rest) = self.ours.split_at(length);
        if rest.starts_with(chunk) {
            return SoFar::Same(length + chunk.len());
        }
        if self.compression == Compression::Uncompressed
            && let Some(digest) = formats::digest_of(&self.ours)
        {
            let from = length.saturating_sub(formats::END_BYTES);
            let end = before.get(from..).unwrap_or_default().to_vec();
            return self.end_of_rows((digest, end), length as u64, chunk);
        }
        let unpack = Against::new(self.ours.clone(), self.compression).and_then(|against| {
            against
                .map(|it| Unpack::into(it, self.compression))
                .transpose()
        });
        // What is not packed is another, and so is what there is no memory for to unpack.
        let Ok(Some(Some(unpack))) = unpack else {
            return SoFar::Different;
        };
        // What was the same so far is what is there.
        match unpacked(Box::new(unpack), 0, before) {
            SoFar::HoldTheSame(unpack, length) => unpacked(unpack, length, chunk),
            other => other,
        }
    }
}

impl Comparison {
    /// What is known once another chunk comes behind the end so far of so many bytes.
    fn end_of_rows(
        &self,
        (digest, mut end): ([u8; 64], Vec<u8>),
        length: u64,
        chunk: &[u8],
    ) -> SoFar {
        let length = length + chunk.len() as u64;
        let most = self.ours.len() as u64 * PACKED_TIMES_MAX + PACKED_BESIDES_BYTES_MAX;
        if length > most {
            return SoFar::Different;
        }
        let kept = formats::END_BYTES.saturating_sub(chunk.len());
        let from = end.len().saturating_sub(kept);
        end.drain(..from);
        let from = chunk.len().saturating_sub(formats::END_BYTES);
        end.extend_from_slice(chunk.get(from..).unwrap_or_default());
        SoFar::MayBeRows(digest, end, length)
    }
}

/// What is known once another chunk is unpacked after so many bytes.
fn unpacked(mut unpack: Box<Unpack<Against>>, length: u64, chunk: &[u8]) -> SoFar {
    let length = length + chunk.len() as u64;
    let is_in_bounds =
        |against: &Against| length <= against.length * PACKED_TIMES_MAX + PACKED_BESIDES_BYTES_MAX;
    match unpack.push(chunk) {
        Ok(()) if is_in_bounds(unpack.to()) => SoFar::HoldTheSame(unpack, length),
        Ok(()) => SoFar::Different,
        // It is not packed, or holds something else.
        Err(_) => SoFar::Different,
    }
}

/// Takes what is unpacked, as long as it is what ours unpacks to.
struct Against {
    ours: Bytes,
    /// Unpacks ours, into what comes next of it.
    unpack: Unpack<Vec<u8>>,
    /// Bytes of that which were compared.
    compared: usize,
    /// Bytes that were the same.
    length: u64,
}

impl Against {
    fn new(ours: Bytes, compression: Compression) -> io::Result<Option<Self>> {
        let unpack = Unpack::into(Vec::new(), compression)?;
        Ok(unpack.map(|unpack| Self {
            ours,
            unpack,
            compared: 0,
            length: 0,
        }))
    }

    /// What comes next of ours; nothing at its end.
    fn next(&mut self) -> io::Result<&[u8]> {
        while self.unpack.to().len() == self.compared && self.ours.has_remaining() {
            self.unpack.to().clear();
            self.compared = 0;
            let packed = self.ours.split_to(self.ours.len().min(PACKED_BYTES));
            self.unpack.push(&packed)?;
        }
        let compared = self.compared;
        let next = self.unpack.to().get(compared..);
        next.ok_or_else(|| broken("more was compared than there is"))
    }

    fn has_ended(mut self) -> bool {
        let is_at_end = self.next().is_ok_and(<[u8]>::is_empty);
        is_at_end && self.unpack.finish().is_ok()
    }
}

impl Write for Against {
    fn write(&mut self, theirs: &[u8]) -> io::Result<usize> {
        let ours = self.next()?;
        let length = ours.len().min(theirs.len());
        if length > 0 && ours.get(..length) == theirs.get(..length) {
            self.compared += length;
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
    use flate2::write::GzEncoder;
    use formats::Format;
    use snap::write::FrameEncoder;

    use super::*;
    use crate::packed::hadoop_snappy::HadoopWriter;
    use crate::packed::zip::ZipWriter;
    use crate::packed::zstandard;

    fn packed(level: u32, records: u32, last: &str) -> Bytes {
        let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::new(level));
        for record in 0..records {
            writeln!(gzip, "record {record} of many").unwrap();
        }
        gzip.write_all(last.as_bytes()).unwrap();
        Bytes::from(gzip.finish().unwrap())
    }

    fn holds_the_same(ours: &Bytes, theirs: &Bytes) -> bool {
        holds_the_same_in(Compression::Gzip, ours, theirs)
    }

    fn holds_the_same_in(compression: Compression, ours: &Bytes, theirs: &Bytes) -> bool {
        let answers = [1, 7, 4_096, usize::MAX].map(|chunk_bytes| {
            let mut comparison = Comparison::with(ours.clone(), compression);
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
        let mut comparison = Comparison::with(ours, Compression::Gzip);
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

    /// Content in two ways of packing it that one reader reads alike.
    fn packed_two_ways(compression: Compression, content: &[u8]) -> [Bytes; 2] {
        let (first, second) = content.split_at(content.len() / 3);
        let ways = match compression {
            Compression::Uncompressed | Compression::Gzip => return [Bytes::new(), Bytes::new()],
            Compression::Zip => [u64::from(u32::MAX), first.len() as u64 + 1].map(|file_bytes| {
                let mut zip = ZipWriter::with_files_of(Vec::new(), file_bytes).unwrap();
                zip.write_all(content).unwrap();
                zip.finish().unwrap()
            }),
            Compression::Snappy => [1_000, 7_000].map(|piece_bytes| {
                let mut snappy = FrameEncoder::new(Vec::new());
                for piece in content.chunks(piece_bytes) {
                    snappy.write_all(piece).unwrap();
                    if piece_bytes == 7_000 {
                        snappy.flush().unwrap();
                    }
                }
                snappy.into_inner().unwrap()
            }),
            Compression::HadoopSnappy => [vec![content], vec![first, second]].map(|parts| {
                let blocks = parts.into_iter().flat_map(|part| {
                    let mut snappy = HadoopWriter::new(Vec::new());
                    snappy.write_all(part).unwrap();
                    snappy.finish().unwrap()
                });
                blocks.collect()
            }),
            Compression::Zstd => {
                let mut ours = zstandard::encoder(Vec::new()).unwrap();
                ours.write_all(content).unwrap();
                [
                    ours.finish().unwrap(),
                    zstd::encode_all(content, 1).unwrap(),
                ]
            }
        };
        ways.map(Bytes::from)
    }

    #[test]
    fn the_same_holds_for_every_format() {
        let content: Vec<u8> = (0..30_000)
            .flat_map(|record| format!("record {record} of many\n").into_bytes())
            .collect();
        let mut other = content.clone();
        other[200_000] ^= 1;
        let shorter = &content[..content.len() - 1];
        for compression in Compression::ALL.into_iter().skip(2) {
            let [ours, theirs] = packed_two_ways(compression, &content);
            assert_ne!(ours, theirs, "{compression:?}");
            assert!(
                holds_the_same_in(compression, &ours, &theirs),
                "{compression:?}"
            );
            assert!(
                holds_the_same_in(compression, &theirs, &ours),
                "{compression:?}"
            );
            let cut = theirs.slice(..theirs.len() - 1);
            let more = Bytes::from([&theirs[..], b"x"].concat());
            let [other, shorter] = [&other[..], shorter].map(|it| packed_two_ways(compression, it));
            for other in [&other[1], &shorter[1], &cut, &more, &Bytes::new()] {
                assert!(
                    !holds_the_same_in(compression, &ours, other),
                    "{compression:?}"
                );
            }
        }
    }

    fn parquet(codec: formats::Codec) -> Format {
        Format::Parquet(formats::ParquetSettings {
            codec,
            block_bytes: 1 << 26,
            page_bytes: 1 << 16,
            has_dictionaries: false,
            version: formats::WriterVersion::V1,
        })
    }

    fn orc(codec: formats::OrcCodec) -> Format {
        Format::Orc(formats::OrcSettings {
            codec,
            stripe_bytes: 1 << 23,
            version: formats::OrcVersion::V0_12,
        })
    }

    /// A file of rows of these numbers.
    fn rows_of(numbers: std::ops::Range<u32>, format: &Format) -> Bytes {
        let table = formats::Table::parse(&[("n".to_owned(), "int".to_owned())]).unwrap();
        let reading = formats::ReadingSettings::Hive(Vec::new());
        let file = formats::RowFile::begin(&table, &reading, format, Vec::new());
        let mut file = file.unwrap();
        for number in numbers {
            let record = format!("{{\"n\":{number}}}");
            file.add(&[record.as_bytes()], &mut |_| true).unwrap();
        }
        Bytes::from(file.finish().unwrap())
    }

    /// Another build may write them otherwise, which another codec stands for here.
    #[test]
    fn files_of_rows_are_the_same_if_they_were_made_of_the_same_records() {
        use formats::{Codec, OrcCodec};
        let same = |ours: &Bytes, theirs: &Bytes| {
            holds_the_same_in(Compression::Uncompressed, ours, theirs)
        };
        for (one, another) in [
            (parquet(Codec::Snappy), parquet(Codec::Gzip)),
            (orc(OrcCodec::Snappy), orc(OrcCodec::Zlib)),
        ] {
            let (ours, theirs) = (rows_of(0..3_000, &one), rows_of(0..3_000, &another));
            assert_ne!(ours, theirs);
            assert!(same(&ours, &theirs) && same(&theirs, &ours) && same(&ours, &ours));
            for other in [
                rows_of(1..3_000, &another),
                rows_of(0..2_999, &one),
                theirs.slice(..theirs.len() - 1),
                theirs.slice(1..theirs.len() - 1),
                Bytes::from([&theirs[..], b"x"].concat()),
                Bytes::from_static(b"PAR1"),
                Bytes::from_static(b"ORC\x03"),
                Bytes::new(),
            ] {
                assert!(!same(&ours, &other));
                assert!(!same(&other, &ours));
            }
        }
    }
}
