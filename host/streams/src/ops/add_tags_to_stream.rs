//! add_tags_to_stream

use wire::{Answer, ApiError, Call};

use crate::Streams;

/// Answers add_tags_to_stream.
pub async fn handle(_streams: &Streams, _call: Call) -> Result<Answer, ApiError> {
    Err(ApiError::internal("Internal service failure."))
}
