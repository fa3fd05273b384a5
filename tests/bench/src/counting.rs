//! Counting the records of an answer as it passes through a buffer that is smaller than it.

use std::io::Read;

use crate::Failure;
use crate::answer::content_length;

/// Kept of one part of an answer when the next is read: longer than anything looked for.
const CARRY_BYTES: usize = 1_024;
const RECORD: &[u8] = b"\"Data\":\"";
const NEXT: &[u8] = b"\"NextShardIterator\":\"";

/// Reads one answer of GetRecords: how many records it has, and the iterator after them. `buffer`
/// is longer than an answer's head and twice [`CARRY_BYTES`].
pub fn records(
    buffer: &mut [u8],
    source: &mut impl Read,
) -> Result<(u64, Option<String>), Failure> {
    let (mut filled, head) = head(buffer, source)?;
    let mut missing = (head + content_length(&buffer[..head])?)
        .checked_sub(filled)
        .ok_or("more bytes came than the answer has")?;
    let (mut from, mut records, mut next) = (head, 0, None);
    loop {
        let part = &buffer[from..filled];
        // What begins close to the end of a part may go on in the next one, which it is carried
        // over to.
        let settled = match missing {
            0 => part.len(),
            _ => part.len().saturating_sub(CARRY_BYTES),
        };
        records += memchr::memmem::find_iter(part, RECORD)
            .take_while(|at| *at < settled)
            .count() as u64;
        next = next.or_else(|| next_iterator(part));
        if missing == 0 {
            return Ok((records, next));
        }
        buffer.copy_within(from + settled..filled, 0);
        filled -= from + settled;
        from = 0;
        let room = missing.min(buffer.len() - filled);
        let count = source.read(&mut buffer[filled..filled + room])?;
        if count == 0 {
            return Err("the server closed a connection".into());
        }
        filled += count;
        missing -= count;
    }
}

/// Reads until the head is complete: how much was read, and where the head ends.
fn head(buffer: &mut [u8], source: &mut impl Read) -> Result<(usize, usize), Failure> {
    let mut filled = 0;
    loop {
        let count = source.read(&mut buffer[filled..])?;
        filled += count;
        if let Some(head) = memchr::memmem::find(&buffer[..filled], b"\r\n\r\n") {
            if !buffer.starts_with(b"HTTP/1.1 200") {
                let text = String::from_utf8_lossy(&buffer[..filled]);
                return Err(format!("GetRecords: {text}").into());
            }
            return Ok((filled, head + 4));
        }
        if count == 0 || filled == buffer.len() {
            return Err("an answer's head does not end".into());
        }
    }
}

/// It is the answer's first or last member; the records between are not searched.
fn next_iterator(part: &[u8]) -> Option<String> {
    let end = part.len().saturating_sub(2 * CARRY_BYTES);
    let candidates = [&part[..part.len().min(CARRY_BYTES)], &part[end..]];
    candidates.into_iter().find_map(|text| {
        let start = memchr::memmem::find(text, NEXT)? + NEXT.len();
        let length = memchr::memchr(b'"', &text[start..])?;
        Some(String::from_utf8_lossy(&text[start..start + length]).into_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes in small parts.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let count = self.1.min(into.len()).min(self.0.len());
            let (now, later) = self.0.split_at(count);
            into[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    #[test]
    fn every_record_is_counted_once_however_the_answer_is_cut() {
        let records = vec![r#"{"Data":"QUJD","PartitionKey":"k"}"#; 300].join(",");
        let iterator = "i".repeat(400);
        let bodies = [
            format!(r#"{{"NextShardIterator":"{iterator}","Records":[{records}]}}"#),
            format!(r#"{{"Records":[{records}],"NextShardIterator":"{iterator}"}}"#),
        ];
        for body in bodies {
            let length = body.len();
            let whole = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
            for part in [1, 7, 100, 1_023, 1_500, usize::MAX] {
                let mut buffer = vec![0; 3_000];
                let mut source = Trickle(whole.as_bytes(), part);
                let (count, next) = super::records(&mut buffer, &mut source).unwrap();
                assert_eq!(count, 300);
                assert_eq!(next.as_deref(), Some(iterator.as_str()));
            }
        }
    }
}
