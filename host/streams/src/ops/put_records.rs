//! put_records

use wire::{Answer, ApiError, Call};

use crate::Streams;

/// Answers put_records.
pub async fn handle(_streams: &Streams, _call: Call) -> Result<Answer, ApiError> {
    Err(ApiError::internal("Internal service failure."))
}
