//! Where objects go: the boundary between delivery and whatever keeps buckets.

mod comparison;
mod http;
mod local;
mod local_walk;
mod marked;
mod refusal;
mod s3;

use std::error::Error;
use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::PutPayload;
use object_store::path::Path;
use types::{Invalid, Timestamp};

use crate::arn::BucketName;
use crate::compression::Compression;

pub use local::LocalObjects;
pub use s3::{S3Config, S3Objects};

/// What became of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The object was made.
    New,
    /// An object of that name that holds the same was there already: an earlier put went through
    /// whose answer was lost.
    There,
    /// An object of that name that holds something else was there. It was left as it is.
    Different,
}

/// Why an object was not put. It may be there all the same if the put failed; if it was refused or
/// is impossible, this put did not make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectError {
    /// The store never takes it, whatever anybody does about the store: its name is too long, its
    /// bucket is at another endpoint.
    Impossible(String),
    /// The store does not take it until somebody does something: no such bucket, no right to it.
    Refused(String),
    /// It did not answer, or not well: the same put may go through later.
    Failed(String),
}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Impossible(why) | Self::Refused(why) | Self::Failed(why) => f.write_str(why),
        }
    }
}

impl Error for ObjectError {}

/// The first error of a kind among an error and its causes.
fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut error = Some(error);
    while let Some(this) = error {
        if let Some(found) = this.downcast_ref() {
            return Some(found);
        }
        error = this.source();
    }
    None
}

/// The path of an object: its key letter by letter.
///
/// # Errors
/// When it is none, which no prefix gives that was checked when it was configured.
fn path(key: &str) -> Result<Path, ObjectError> {
    Path::parse(key).map_err(|error| ObjectError::Impossible(error.to_string()))
}

/// An object that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name below the bucket.
    pub key: String,
    /// How long it is.
    pub bytes: u64,
    /// When it was made, as far as the store knows.
    pub made_at: Timestamp,
    /// What is another for other content, if the store gives such a thing.
    pub tag: Option<String>,
}

/// Buckets that objects can be put into and read from.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Makes an object that is not there yet, of content that is packed so; HTTP's word for that is
    /// kept where there is one and the store has a place for it. The object is whole and durable
    /// when this answers well, and nobody sees a part of it before. May be called again for the
    /// same object: one that is there is held against it, byte by byte or, if both are packed, by
    /// what they hold.
    async fn create(
        &self,
        bucket: &BucketName,
        key: &str,
        content: PutPayload,
        compression: Compression,
    ) -> Result<Created, ObjectError>;

    /// The same with a short text beside the object, where the store has a place for one. It is
    /// none of its content: an object that is there keeps its own.
    async fn create_marked(
        &self,
        bucket: &BucketName,
        key: &str,
        content: PutPayload,
        (compression, mark): (Compression, &str),
    ) -> Result<Created, ObjectError> {
        let _ = mark;
        self.create(bucket, key, content, compression).await
    }

    /// The text beside an object; `None`: there is no such object, or no text.
    ///
    /// # Errors
    /// When the store does not say.
    async fn mark_of(&self, bucket: &BucketName, key: &str) -> Result<Option<String>, ObjectError> {
        let _ = (bucket, key);
        Ok(None)
    }

    /// Whether an object could have this key, as far as that can be known before it is put.
    ///
    /// # Errors
    /// A sentence that says why it could not.
    async fn can_hold(&self, bucket: &BucketName, key: &str) -> Result<(), Invalid> {
        let _ = (bucket, key);
        Ok(())
    }

    /// Objects whose keys begin with `prefix`, in the order of the bytes of their keys, at most
    /// `limit`: those after the key `after`, if there is one. A bucket that is not there has none.
    ///
    /// # Errors
    /// When the store does not say.
    async fn list(
        &self,
        bucket: &BucketName,
        (prefix, after): (&str, Option<&str>),
        limit: usize,
    ) -> Result<Vec<Found>, ObjectError>;

    /// One object; `None` if it is not there.
    ///
    /// # Errors
    /// When the store does not say.
    async fn find(&self, bucket: &BucketName, key: &str) -> Result<Option<Found>, ObjectError>;

    /// Bytes of an object that was found: those of a range that lies within it. `None` if it is not
    /// there any more, or not as it was.
    ///
    /// # Errors
    /// When the store does not give them.
    async fn read(
        &self,
        bucket: &BucketName,
        found: &Found,
        range: Range<u64>,
    ) -> Result<Option<Bytes>, ObjectError>;
}
