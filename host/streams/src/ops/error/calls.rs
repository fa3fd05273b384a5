//! What clients are told who call an operation more often than they may in a second.

use types::{Caller, StreamArn};
use wire::ApiError;

use super::LIMIT_EXCEEDED;

/// An account has called it too often.
pub fn over_account(caller: &Caller) -> ApiError {
    let account = caller.account;
    ApiError::new(
        LIMIT_EXCEEDED,
        format!("Rate exceeded for account {account}."),
    )
}

/// It was called too often about a stream.
pub fn over_stream(stream: &StreamArn) -> ApiError {
    let (name, account) = (&stream.name, stream.account);
    ApiError::new(
        LIMIT_EXCEEDED,
        format!("Rate exceeded for stream {name} under account {account}."),
    )
}
