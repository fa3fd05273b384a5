//! What is wrong with requests as HTTP, and what the log says of those that are refused.

use wire::ApiError;

use super::request;
use crate::body::BodyError;
use crate::budget::NoRoom;
use crate::operations::Operation;
use crate::request_id::RequestId;

pub(super) fn no_room(_: NoRoom) -> ApiError {
    body_error(&BodyError::NoRoom)
}

/// What it is refused with when there is no room for the answer of an operation.
pub(super) fn no_room_for(operation: &Operation) -> fn(NoRoom) -> ApiError {
    if operation.streams() {
        too_many_streams
    } else {
        no_room
    }
}

/// An account has as many streams of events as it may.
fn too_many_streams(_: NoRoom) -> ApiError {
    let text = "The account has as many subscriptions to shards as there is memory for.";
    ApiError::new("LimitExceededException", text)
}

/// The codes of AWS's "common error types" for what is wrong with a request as HTTP.
pub(super) fn body_error(error: &BodyError) -> ApiError {
    let text = error.to_string();
    match error {
        BodyError::TooLarge => {
            ApiError::new("RequestEntityTooLargeException", text).with_status(413)
        }
        BodyError::TooSlow => ApiError::new("RequestTimeoutException", text).with_status(408),
        BodyError::NoRoom => ApiError::unavailable(text),
        BodyError::Broken => request::malformed(text),
    }
}

/// Errors of ours are for someone to look at; those of clients are their own business.
pub(super) fn log(id: &RequestId, operation: &str, error: Option<&ApiError>) {
    match error {
        Some(error) if error.status() == 500 => {
            tracing::error!(request_id = %id, operation, message = error.message());
        }
        Some(error) if error.status() > 500 => {
            tracing::warn!(request_id = %id, operation, message = error.message());
        }
        Some(error) => match error.denial() {
            Some(denial) => {
                tracing::info!(request_id = %id, operation, message = error.message(), %denial);
            }
            None => tracing::debug!(request_id = %id, operation, code = error.code()),
        },
        None => tracing::trace!(request_id = %id, operation),
    }
}
