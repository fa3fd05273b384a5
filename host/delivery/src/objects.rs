//! Where objects go: the boundary between delivery and whatever keeps buckets.

mod http;
mod local;
mod s3;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::path::Path;

use crate::arn::BucketName;

pub use local::LocalObjects;
pub use s3::{S3Config, S3Objects};

/// What became of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The object was made.
    New,
    /// An object of that name and length was there already: an earlier put went through whose
    /// answer was lost.
    There,
    /// An object of that name and another length was there. It was left as it is.
    Different,
}

/// Why an object was not put. It may be there all the same, unless the store refused it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectError {
    /// The store says that this cannot be: no such bucket, no right to it.
    Refused(String),
    /// It did not answer, or not well: the same put may go through later.
    Failed(String),
}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) | Self::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for ObjectError {}

/// The path of an object: its key letter by letter. One that is none, which no prefix gives, has
/// letters in percents.
fn path(key: &str) -> Path {
    Path::parse(key).unwrap_or_else(|_| Path::from(key))
}

/// Buckets that objects can be put into.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Makes an object that is not there yet. It is whole and durable when this answers well, and
    /// nobody sees a part of it before. May be called again for the same object.
    async fn create(
        &self,
        bucket: &BucketName,
        key: &str,
        content: Bytes,
    ) -> Result<Created, ObjectError>;
}
