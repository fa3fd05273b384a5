//! What clients are told of policies.

use types::StreamArn;
use wire::ApiError;
use wire::iam::Malformed;

use super::{LIMIT_EXCEEDED, RESOURCE_NOT_FOUND, invalid_argument};

/// What has no policy that could be taken away.
pub fn none(arn: &str) -> ApiError {
    ApiError::new(
        RESOURCE_NOT_FOUND,
        format!("No resource policy found for resource ARN {arn}."),
    )
}

/// The policies of the account would take more memory than they may.
pub fn over_bytes(arn: &StreamArn, limit: usize) -> ApiError {
    ApiError::new(
        LIMIT_EXCEEDED,
        format!(
            "The resource policies of account {} would take more than {limit} bytes of memory. \
             Shorten or delete some of them.",
            arn.account
        ),
    )
}

/// A policy that cannot be understood, or that is longer than one may be.
pub fn refused(error: &Malformed) -> ApiError {
    if error.is_too_long() {
        ApiError::new(LIMIT_EXCEEDED, error.to_string())
    } else {
        invalid_argument(error.to_string())
    }
}
