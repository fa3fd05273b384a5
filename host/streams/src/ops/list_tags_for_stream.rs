//! list_tags_for_stream

use wire::{Answer, ApiError, Call};

use crate::Streams;

/// Answers list_tags_for_stream.
pub async fn handle(_streams: &Streams, _call: Call) -> Result<Answer, ApiError> {
    Err(ApiError::internal("Internal service failure."))
}
