//! The body of a request to a database: what records become, each with its length before it, so
//! that records can be told apart again whatever they hold. It never leaves the process. Pure.
//!
//! ```text
//! (length, 4 bytes, the highest last | that many bytes), one after the other
//! ```

use std::ops::Range;

use bytes::Bytes;
use object_store::PutPayload;
use types::Invalid;

/// Bytes of a length.
pub const LENGTH_BYTES: usize = 4;

/// What a record of the request becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number in the request.
    pub number: u16,
    /// Where what it becomes lies, with the lengths.
    at: Range<usize>,
}

/// A body whose records are known.
pub struct Body {
    chunks: Vec<Bytes>,
    /// Where each chunk begins.
    begins: Vec<usize>,
    records: Vec<Record>,
}

/// Appends something that a record becomes.
///
/// # Errors
/// When its length has no room.
pub fn write(out: &mut Vec<u8>, text: &[u8]) -> Result<(), Invalid> {
    let length = u32::try_from(text.len());
    let length = length.map_err(|_| Invalid("a record becomes too much for a row".to_owned()))?;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text);
    Ok(())
}

impl Record {
    /// Bytes of the body that it takes.
    pub fn bytes(&self) -> usize {
        self.at.len()
    }
}

impl Body {
    /// Finds the records; `numbers` says of which record each part of the body is.
    ///
    /// # Errors
    /// When the body has other parts than that.
    pub fn of(content: PutPayload, numbers: &[u16]) -> Result<Self, Invalid> {
        let chunks: Vec<Bytes> = content.into_iter().collect();
        let mut begins = Vec::with_capacity(chunks.len());
        let mut bytes = 0;
        for chunk in &chunks {
            begins.push(bytes);
            bytes += chunk.len();
        }
        let mut body = Self {
            chunks,
            begins,
            records: Vec::new(),
        };
        let mut at = 0;
        for number in numbers {
            let end = at + LENGTH_BYTES + body.length_at(at)?;
            match body.records.last_mut() {
                Some(last) if last.number == *number => last.at.end = end,
                _ => body.records.push(Record {
                    number: *number,
                    at: at..end,
                }),
            }
            at = end;
        }
        if at == bytes {
            Ok(body)
        } else {
            let parts = numbers.len();
            Err(Invalid(format!(
                "{parts} parts of a request end at {at} of {bytes} bytes"
            )))
        }
    }

    /// Its records, in order.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// All chunks of it, in order.
    pub fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }

    /// Everything that a record becomes.
    ///
    /// # Errors
    /// When it does not lie where it should.
    pub fn parts(&self, record: &Record) -> Result<Vec<Vec<u8>>, Invalid> {
        let mut parts = Vec::new();
        let mut at = record.at.start;
        while at < record.at.end {
            let begin = at + LENGTH_BYTES;
            let end = begin + self.length_at(at)?;
            parts.push(self.read(begin..end)?);
            at = end;
        }
        Ok(parts)
    }

    fn length_at(&self, at: usize) -> Result<usize, Invalid> {
        let length = self.read(at..at + LENGTH_BYTES)?;
        let length = <[u8; LENGTH_BYTES]>::try_from(length).ok();
        let length = length.and_then(|it| usize::try_from(u32::from_le_bytes(it)).ok());
        length.ok_or_else(|| Invalid(format!("there is no length at {at} of a request")))
    }

    fn read(&self, at: Range<usize>) -> Result<Vec<u8>, Invalid> {
        let mut read = Vec::new();
        let mut next = at.start;
        let first = self.begins.partition_point(|begin| *begin <= at.start);
        let chunks = self.begins.iter().zip(&self.chunks);
        for (begin, chunk) in chunks.skip(first.saturating_sub(1)) {
            let wanted = next - begin..chunk.len().min(at.end.saturating_sub(*begin));
            read.extend_from_slice(chunk.get(wanted).unwrap_or_default());
            next = at.start + read.len();
            if next >= at.end {
                return Ok(read);
            }
        }
        Err(Invalid(format!(
            "a request ends at {next}, before {}",
            at.end
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body of these parts, in chunks of so many bytes.
    fn body(parts: &[(u16, &[u8])], chunk_bytes: usize) -> Result<Body, Invalid> {
        let mut all = Vec::new();
        for (_, part) in parts {
            write(&mut all, part).unwrap();
        }
        let chunks = all.chunks(chunk_bytes).map(Bytes::copy_from_slice);
        let numbers: Vec<u16> = parts.iter().map(|(number, _)| *number).collect();
        Body::of(chunks.collect(), &numbers)
    }

    #[test]
    fn parts_are_told_apart_whatever_they_hold_and_wherever_chunks_end() {
        let parts: [(u16, &[u8]); 5] = [
            (0, b"a\n"),
            (1, b""),
            (3, b"\x05\0\0\0abcde"),
            (3, b"\0"),
            (4, b"last"),
        ];
        for chunk_bytes in 1..40 {
            let body = body(&parts, chunk_bytes).unwrap();
            let records: Vec<_> = body
                .records()
                .iter()
                .map(|record| (record.number, body.parts(record).unwrap()))
                .collect();
            let wanted: [(u16, Vec<Vec<u8>>); 4] = [
                (0, vec![b"a\n".to_vec()]),
                (1, vec![Vec::new()]),
                (3, vec![b"\x05\0\0\0abcde".to_vec(), b"\0".to_vec()]),
                (4, vec![b"last".to_vec()]),
            ];
            assert_eq!(records, wanted, "{chunk_bytes}");
        }
    }

    #[test]
    fn a_body_of_other_parts_is_none() {
        let content = || PutPayload::from_static(b"\x01\0\0\0a");
        assert!(Body::of(content(), &[0]).is_ok());
        assert!(Body::of(content(), &[]).is_err());
        assert!(Body::of(content(), &[0, 1]).is_err());
        assert!(Body::of(PutPayload::from_static(b"\x02\0\0\0a"), &[0]).is_err());
    }
}
