//! increase_stream_retention_period

use wire::{Answer, ApiError, Call};

use crate::Streams;

/// Answers increase_stream_retention_period.
pub async fn handle(_streams: &Streams, _call: Call) -> Result<Answer, ApiError> {
    Err(ApiError::internal("Internal service failure."))
}
