//! list_streams

use wire::{Answer, ApiError, Call};

use crate::Streams;

/// Answers list_streams.
pub async fn handle(_streams: &Streams, _call: Call) -> Result<Answer, ApiError> {
    Err(ApiError::internal("Internal service failure."))
}
