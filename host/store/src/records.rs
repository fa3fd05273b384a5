//! How records lie in a frame's body. FORMAT.md, section "Frame body".
//!
//! ```text
//! per record:  data length u32 LE | key length u16 LE | partition key | data
//! ```

use bytes::Bytes;

const LENGTHS_BYTES: usize = 6;

/// Lays records out back to back. Data can be written in place, so that a decoder's output is
/// the stored copy.
#[derive(Debug, Default)]
pub struct BodyBuilder {
    body: Vec<u8>,
    count: u16,
}

impl BodyBuilder {
    /// An empty body with room for `bytes` of keys and data in `records` records.
    pub fn with_capacity(records: usize, bytes: usize) -> Self {
        Self {
            body: Vec::with_capacity(records * LENGTHS_BYTES + bytes),
            count: 0,
        }
    }

    /// Adds a record whose data `write` appends to the vector it is given, and to nothing else.
    /// If it fails, the body is as before.
    ///
    /// The caller keeps a frame within 65,535 records, a key within 65,535 bytes and data within
    /// `u32`; past that the record is refused with `None`.
    pub fn push_with<E>(
        &mut self,
        key: &str,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Option<Result<(), E>> {
        let start = self.body.len();
        let count = self.count.checked_add(1)?;
        let key_length = u16::try_from(key.len()).ok()?;
        self.body.extend_from_slice(&[0; 4]);
        self.body.extend_from_slice(&key_length.to_le_bytes());
        self.body.extend_from_slice(key.as_bytes());
        let data_start = self.body.len();
        if let Err(error) = write(&mut self.body) {
            self.body.truncate(start);
            return Some(Err(error));
        }
        let Ok(data_length) = u32::try_from(self.body.len() - data_start) else {
            self.body.truncate(start);
            return None;
        };
        self.body[start..start + 4].copy_from_slice(&data_length.to_le_bytes());
        self.count = count;
        Some(Ok(()))
    }

    /// Adds a record. `None` as in [`BodyBuilder::push_with`].
    pub fn push(&mut self, key: &str, data: &[u8]) -> Option<()> {
        let copied = self.push_with(key, |body| {
            body.extend_from_slice(data);
            Ok::<(), std::convert::Infallible>(())
        });
        copied.map(|_| ())
    }

    /// How many records there are.
    pub fn count(&self) -> u16 {
        self.count
    }

    /// The body, and how many records it holds. It takes no more memory than it has bytes, so that
    /// whoever keeps it can count these.
    pub fn finish(self) -> (Bytes, u16) {
        (exact(self.body), self.count)
    }
}

/// The same bytes without the room that a vector has left. Copied where that is much: an allocator
/// that shrinks in place may keep half of what it gave.
pub fn exact(bytes: Vec<u8>) -> Bytes {
    if bytes.capacity() - bytes.len() > bytes.len() / 8 {
        Bytes::copy_from_slice(&bytes)
    } else {
        Bytes::from(bytes.into_boxed_slice())
    }
}

/// A record as it lies in a frame's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredRecord<'a> {
    /// The producer's partition key.
    pub partition_key: &'a str,
    /// The producer's bytes.
    pub data: &'a [u8],
}

/// The records of a body in order. Ends early at bytes that no [`BodyBuilder`] has written; an
/// engine's checksum has refused those before.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// The records of `body`.
    pub fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    /// The bytes that were not read yet: they go on with a whole record.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = StoredRecord<'a>;

    fn next(&mut self) -> Option<StoredRecord<'a>> {
        let (data_length, rest) = self.rest.split_first_chunk::<4>()?;
        let (key_length, rest) = rest.split_first_chunk::<2>()?;
        let data_length = usize::try_from(u32::from_le_bytes(*data_length)).ok()?;
        let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*key_length)))?;
        let (data, rest) = rest.split_at_checked(data_length)?;
        self.rest = rest;
        Some(StoredRecord {
            partition_key: std::str::from_utf8(key).ok()?,
            data,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_as_they_went_in() {
        let mut builder = BodyBuilder::with_capacity(3, 0);
        builder.push("a", b"one").unwrap();
        builder.push("ключ", b"").unwrap();
        let refused = builder.push_with("b", |body| {
            body.extend_from_slice(b"half");
            Err("not base64")
        });
        assert_eq!(refused, Some(Err("not base64")));
        builder.push("c", &[0xff; 70_000]).unwrap();
        let (body, count) = builder.finish();
        let records: Vec<_> = Records::new(&body).collect();
        assert_eq!(count, 3);
        assert_eq!(
            records[0],
            StoredRecord {
                partition_key: "a",
                data: b"one"
            }
        );
        assert_eq!(
            records[1],
            StoredRecord {
                partition_key: "ключ",
                data: b""
            }
        );
        assert_eq!(records[2].data.len(), 70_000);
    }

    /// The cache of recent frames counts the bytes of bodies, and held hundreds of times as many
    /// where room had been made for records that were refused.
    #[test]
    fn a_body_holds_no_more_memory_than_it_has_bytes() {
        let mut builder = BodyBuilder::with_capacity(500, 5_000_000);
        builder.push("a", b"one").unwrap();
        let (body, _) = builder.finish();
        let length = body.len();
        assert_eq!(Vec::from(body).capacity(), length);
    }

    #[test]
    fn a_body_that_is_cut_short_ends_at_its_last_whole_record() {
        let mut builder = BodyBuilder::default();
        builder.push("a", b"one").unwrap();
        builder.push("b", b"two").unwrap();
        let (body, _) = builder.finish();
        for length in 0..body.len() {
            assert!(Records::new(&body[..length]).count() < 2);
        }
    }
}
