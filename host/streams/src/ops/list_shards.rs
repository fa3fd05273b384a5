//! list_shards

use wire::{Answer, ApiError, Call};

use crate::Streams;

/// Answers list_shards.
pub async fn handle(_streams: &Streams, _call: Call) -> Result<Answer, ApiError> {
    Err(ApiError::internal("Internal service failure."))
}
