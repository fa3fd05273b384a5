//! An object of failed records is read, a stretch at a time.

use tokio::time::Instant;

use super::limits::{CALL_TIME_MAX, CHUNK_BYTES, OBJECT_BYTES_MAX, PACKED_CHUNK_BYTES};
use super::line::FailedRecord;
use super::text::Text;
use super::{LetterError, gone};
use crate::arn::BucketName;
use crate::objects::{Found, Objects};
use crate::tables::DIGEST_BYTES;

/// How many times as long as a call may take reading may: what was begun comes to an end.
const PATIENCE: u32 = 2;

/// An object on its way to failed records.
pub struct Reading<'a> {
    objects: &'a dyn Objects,
    bucket: &'a BucketName,
    found: &'a Found,
    /// Bytes that were read.
    at: u64,
    text: Text,
    digest: Option<[u8; DIGEST_BYTES]>,
    give_up_at: Instant,
}

impl<'a> Reading<'a> {
    /// Begins with an object.
    ///
    /// # Errors
    /// When it is larger than any that is read.
    pub fn begin(
        objects: &'a dyn Objects,
        bucket: &'a BucketName,
        found: &'a Found,
    ) -> Result<Self, LetterError> {
        let (key, bytes) = (&found.key, found.bytes);
        if bytes > OBJECT_BYTES_MAX {
            return Err(LetterError::Refused(format!(
                "{key:?} has {bytes} bytes, and objects of failed records are read up to \
                 {OBJECT_BYTES_MAX}."
            )));
        }
        Ok(Self {
            objects,
            bucket,
            found,
            at: 0,
            text: Text::default(),
            digest: None,
            give_up_at: Instant::now() + CALL_TIME_MAX * PATIENCE,
        })
    }

    /// The records that come next, maybe none; `None` if there are no more.
    ///
    /// # Errors
    /// When they cannot be read, or the object is none of failed records.
    pub async fn next(&mut self) -> Result<Option<Vec<FailedRecord>>, LetterError> {
        if self.digest.is_some() {
            return Ok(None);
        }
        if Instant::now() > self.give_up_at {
            let why = "the bucket gives the object too slowly";
            return Err(LetterError::Busy(why.to_owned()));
        }
        let key = &self.found.key;
        let not_one = |why: String| {
            let what = format!("{key:?} is no object of failed records: {why}.");
            LetterError::Refused(what)
        };
        let lost = |error: tokio::task::JoinError| LetterError::Store(error.to_string());
        let mut text = std::mem::take(&mut self.text);
        if self.at >= self.found.bytes {
            let ended = tokio::task::spawn_blocking(move || text.end());
            let (records, digest) = ended.await.map_err(lost)?.map_err(not_one)?;
            self.digest = Some(digest);
            return Ok(Some(records));
        }
        let is_plain = self.at > 0 && !text.is_packed();
        let bytes = if is_plain {
            CHUNK_BYTES
        } else {
            PACKED_CHUNK_BYTES
        };
        let end = self.found.bytes.min(self.at + bytes);
        let read = self.objects.read(self.bucket, self.found, self.at..end);
        let chunk = read.await?.ok_or_else(|| gone(key))?;
        self.at = end;
        let taken = tokio::task::spawn_blocking(move || {
            let records = text.push(&chunk)?;
            Ok((text, records))
        });
        let (text, records) = taken.await.map_err(lost)?.map_err(not_one)?;
        self.text = text;
        Ok(Some(records))
    }

    /// The digest of the object, once all of it was read.
    ///
    /// # Errors
    /// When it was not.
    pub fn digest(&self) -> Result<[u8; DIGEST_BYTES], LetterError> {
        let unread = || LetterError::Store("an object was not read to its end".to_owned());
        self.digest.ok_or_else(unread)
    }
}
