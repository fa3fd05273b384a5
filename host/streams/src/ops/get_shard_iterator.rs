//! get_shard_iterator

use wire::{Answer, ApiError, Call};

use crate::Streams;

/// Answers get_shard_iterator.
pub async fn handle(_streams: &Streams, _call: Call) -> Result<Answer, ApiError> {
    Err(ApiError::internal("Internal service failure."))
}
