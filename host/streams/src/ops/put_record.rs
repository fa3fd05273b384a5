//! put_record

use wire::{Answer, ApiError, Call};

use crate::Streams;

/// Answers put_record.
pub async fn handle(_streams: &Streams, _call: Call) -> Result<Answer, ApiError> {
    Err(ApiError::internal("Internal service failure."))
}
