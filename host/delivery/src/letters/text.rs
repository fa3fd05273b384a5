//! Bytes of an object become failed records, in whatever pieces they come. Pure, and blocks for as
//! long as it takes to unpack and parse a piece.

use std::io::Write;

use flate2::write::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::limits::{LINE_BYTES_MAX, TEXT_BYTES_MAX};
use super::line::FailedRecord;
use crate::tables::DIGEST_BYTES;

/// What gzip begins with (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// An object that is read.
#[derive(Default)]
pub struct Text {
    digest: Sha256,
    has_begun: bool,
    /// Unpacks it, if it is packed.
    unpacking: Option<MultiGzDecoder<Vec<u8>>>,
    /// What is unpacked and ends no line yet.
    rest: Vec<u8>,
    /// Bytes of text so far.
    bytes: u64,
    /// Lines so far.
    lines: u64,
}

impl Text {
    /// Whether it is packed.
    pub fn is_packed(&self) -> bool {
        self.unpacking.is_some()
    }

    /// Takes the bytes that come next. The records whose lines end in them.
    ///
    /// # Errors
    /// Why it is no object of failed records, as a sentence's end.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<FailedRecord>, String> {
        if !self.has_begun && bytes.starts_with(&GZIP) {
            self.unpacking = Some(MultiGzDecoder::new(Vec::new()));
        }
        self.has_begun = true;
        let Some(unpacking) = &mut self.unpacking else {
            return self.take(bytes);
        };
        unpacking
            .write_all(bytes)
            .map_err(|error| not_gzip(&error))?;
        let text = std::mem::take(unpacking.get_mut());
        self.take(&text)
    }

    /// There are no more bytes. The last record, if it ends no line, and the digest of all text: it
    /// is the same whether the object is packed or not.
    ///
    /// # Errors
    /// Why it is no object of failed records, as a sentence's end.
    pub fn end(mut self) -> Result<(Vec<FailedRecord>, [u8; DIGEST_BYTES]), String> {
        let mut records = Vec::new();
        if let Some(mut unpacking) = self.unpacking.take() {
            unpacking.try_finish().map_err(|error| not_gzip(&error))?;
            let text = std::mem::take(unpacking.get_mut());
            records = self.take(&text)?;
        }
        let rest = std::mem::take(&mut self.rest);
        if !rest.is_empty() {
            records.push(self.read(&rest)?);
        }
        Ok((records, self.digest.finalize().into()))
    }

    fn take(&mut self, text: &[u8]) -> Result<Vec<FailedRecord>, String> {
        self.digest.update(text);
        self.bytes += text.len() as u64;
        if self.bytes > TEXT_BYTES_MAX {
            return Err(format!("it has more than {TEXT_BYTES_MAX} bytes of text"));
        }
        let mut records = Vec::new();
        let mut lines = text.split_inclusive(|byte| *byte == b'\n');
        for line in &mut lines {
            if self.rest.len() + line.len() > LINE_BYTES_MAX {
                return Err(format!("it has a line of more than {LINE_BYTES_MAX} bytes"));
            }
            match line.strip_suffix(b"\n") {
                None => self.rest.extend_from_slice(line),
                Some(line) if self.rest.is_empty() => records.push(self.read(line)?),
                Some(line) => {
                    let mut whole = std::mem::take(&mut self.rest);
                    whole.extend_from_slice(line);
                    records.push(self.read(&whole)?);
                }
            }
        }
        Ok(records)
    }

    fn read(&mut self, line: &[u8]) -> Result<FailedRecord, String> {
        self.lines += 1;
        let number = self.lines;
        FailedRecord::read(line).map_err(|why| format!("line {number} is no failed record: {why}"))
    }
}

fn not_gzip(error: &std::io::Error) -> String {
    format!("it begins as gzip does and cannot be unpacked: {error}")
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn line(number: usize) -> String {
        format!(
            "{{\"attemptsMade\":{number},\"arrivalTimestamp\":1,\"errorCode\":\"e\",\
             \"rawData\":\"{}\"}}\n",
            "YWFh".repeat(number * 100)
        )
    }

    fn packed(text: &str) -> Vec<u8> {
        let mut packing = GzEncoder::new(Vec::new(), Compression::default());
        packing.write_all(text.as_bytes()).unwrap();
        packing.finish().unwrap()
    }

    fn read(bytes: &[u8], piece: usize) -> Result<(Vec<FailedRecord>, [u8; 32]), String> {
        let (mut text, mut all) = (Text::default(), Vec::new());
        for piece in bytes.chunks(piece) {
            all.extend(text.push(piece)?);
        }
        let (last, digest) = text.end()?;
        all.extend(last);
        Ok((all, digest))
    }

    #[test]
    fn records_are_the_same_in_whatever_pieces_they_come_packed_or_not() {
        let text: String = (1..30).map(line).collect();
        let cut = text.trim_end().to_owned();
        let two = [packed(&line(1)), packed(&text)].concat();
        let (wanted, _) = read(text.as_bytes(), usize::MAX).unwrap();
        assert_eq!(wanted.len(), 29);
        for piece in [1, 7, 100, 4096, 1 << 20] {
            assert_eq!(read(text.as_bytes(), piece).unwrap().0, wanted);
            assert_eq!(read(cut.as_bytes(), piece).unwrap().0, wanted);
            if piece > 1 {
                assert_eq!(read(&packed(&text), piece).unwrap().0, wanted);
                assert_eq!(read(&two, piece).unwrap().0.len(), 30);
            }
        }
        let digest = |bytes: &[u8], piece| read(bytes, piece).unwrap().1;
        assert_eq!(digest(text.as_bytes(), 3), digest(text.as_bytes(), 999));
        assert_ne!(digest(text.as_bytes(), 3), digest(cut.as_bytes(), 3));
        assert_eq!(digest(text.as_bytes(), 3), digest(&packed(&text), 7));
    }

    #[test]
    fn what_is_no_object_of_failed_records_is_refused_with_its_line() {
        let told = |bytes: &[u8]| read(bytes, 1000).unwrap_err();
        let second = format!("{}no\n", line(1));
        assert!(told(second.as_bytes()).starts_with("line 2 is no failed record"));
        let whole = packed(&line(3));
        let broken = &whole[..whole.len() - 9];
        assert!(
            told(broken).contains("cannot be unpacked"),
            "{}",
            told(broken)
        );
        let long = vec![b'x'; LINE_BYTES_MAX + 1];
        assert!(told(&long).contains("a line of more than"));
    }
}
