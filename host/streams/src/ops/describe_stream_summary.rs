//! describe_stream_summary

use wire::{Answer, ApiError, Call};

use crate::Streams;

/// Answers describe_stream_summary.
pub async fn handle(_streams: &Streams, _call: Call) -> Result<Answer, ApiError> {
    Err(ApiError::internal("Internal service failure."))
}
