//! Why a change of the catalog is refused.

use store::{CommitError, StoreError};
use types::Region;

use super::ConsumerError;
use crate::edit::EditError;
use crate::kms::KmsError;
use crate::resharding::Refused;
use crate::stream::Status;

/// Why the catalog was not changed.
#[derive(Clone, Debug)]
pub enum ChangeError {
    /// There is a stream of that name.
    Exists,
    /// There is no stream of that name.
    NotFound,
    /// The stream is not ACTIVE.
    NotActive(Status),
    /// It is not for who asks to decide how many shards the stream has: in ON_DEMAND mode the
    /// service does, otherwise the owner.
    OtherMode,
    /// The stream's shards cannot be changed so.
    Refused(Refused),
    /// The stream was scaled as often as it may be within a day.
    OverScalings,
    /// The account has as many closed shards as it may.
    OverClosedShards,
    /// What its records are sealed with was changed as often as it may be within a day.
    OverEncryptionChanges,
    /// The master key is not to be had.
    Kms(KmsError),
    /// The account would have more shards than it may.
    OverShards(OverShards),
    /// The account has as many streams as it may, in all regions.
    OverStreams {
        /// How many that is.
        limit: usize,
    },
    /// The policies of the account's streams and consumers would take more memory than they may.
    OverPolicies {
        /// How many bytes that is.
        limit: usize,
    },
    /// The account creates as many streams as it may at a time.
    OverCreating,
    /// The stream has consumers, and is not to be deleted with them.
    HasConsumers,
    /// A consumer of the stream cannot be changed so.
    Consumer(ConsumerError),
    /// The stream cannot be changed so.
    Edit(EditError),
    /// The change was not kept.
    Commit(CommitError),
    /// The server is shutting down.
    Closing,
}

/// More shards than an account may have.
#[derive(Clone, Debug)]
pub struct OverShards {
    /// The limit is of this region alone; `None`: of all regions together.
    pub region: Option<Region>,
    /// How many shards there are.
    pub current: usize,
    /// How many there may be.
    pub limit: usize,
    /// How many more were asked for.
    pub wanted: u32,
}

impl From<EditError> for ChangeError {
    fn from(error: EditError) -> Self {
        Self::Edit(error)
    }
}

impl From<StoreError> for ChangeError {
    fn from(error: StoreError) -> Self {
        Self::Commit(CommitError::Store(error))
    }
}
