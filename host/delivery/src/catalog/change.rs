//! Changes to delivery streams, and why they are not made.

use std::collections::BTreeMap;

use store::{CommitError, StoreError};
use streams::encryption::Asked;
use streams::kms::KmsError;
use types::{Invalid, StreamArn};

use crate::arn::DeliveryStreamArn;
use crate::delivery_stream::{Destination, Status};

/// What CreateDeliveryStream asks for.
#[derive(Clone, Debug)]
pub struct NewDeliveryStream {
    /// Where it shall be.
    pub arn: DeliveryStreamArn,
    /// The stream to read, and the role that was given for it; `None` for direct puts.
    pub source: Option<(StreamArn, String)>,
    /// Where records go.
    pub destination: Destination,
    /// The owner's labels.
    pub tags: BTreeMap<String, String>,
    /// What records that are put directly are to be sealed with.
    pub encryption: Option<Asked>,
}

/// A change to a delivery stream that exists.
#[derive(Clone, Debug)]
pub enum Edit {
    /// Another destination in the place of that of this version.
    Destination {
        /// The version that the change was made from, as it was said.
        of_version: String,
        /// What it becomes.
        destination: Box<Destination>,
    },
    /// Adds labels or replaces their values.
    AddTags(BTreeMap<String, String>),
    /// Removes labels; those that are not there stay so.
    RemoveTags(Vec<String>),
}

/// Why nothing was changed.
#[derive(Clone, Debug)]
pub enum ChangeError {
    /// There is a delivery stream of that name.
    Exists,
    /// There is none of that name.
    NotFound,
    /// It is not ACTIVE.
    NotActive(Status),
    /// It is being deleted or made; try again in a moment.
    Busy(Status),
    /// The account has as many as it may.
    TooMany,
    /// The account would have more lanes than it may.
    TooManyLanes {
        /// Lanes that were asked for.
        lanes: usize,
        /// How many the account may have.
        limit: usize,
    },
    /// It would have more labels than it may.
    OverTags,
    /// It reads a stream, which is encrypted by itself.
    NotDirect,
    /// What its records are sealed with is being changed.
    EncryptionUnderWay,
    /// That was changed as often as it may be within a day.
    OverEncryptionChanges,
    /// The master key is not to be had.
    Kms(KmsError),
    /// The version that the change was made from is not the one in force.
    OtherVersion {
        /// The one in force.
        current: u64,
        /// The one that the change was made from, as it was said.
        said: String,
    },
    /// The destination cannot be.
    Invalid(Invalid),
    /// The change was not kept.
    Commit(CommitError),
    /// The server is shutting down.
    Closing,
}

impl ChangeError {
    /// A name that is asked for has a delivery stream that is so far in its life.
    pub fn taken_by(status: Status) -> Self {
        match status {
            Status::Deleting => Self::Busy(Status::Deleting),
            Status::Creating | Status::Active => Self::Exists,
        }
    }
}

impl From<StoreError> for ChangeError {
    fn from(error: StoreError) -> Self {
        Self::Commit(CommitError::Store(error))
    }
}
