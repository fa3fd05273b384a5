//! What clients are told about master keys, in the words of the key service.

use types::StreamArn;
use types::limits::ENCRYPTION_CHANGES_PER_DAY_MAX;
use wire::ApiError;

use super::{LIMIT_EXCEEDED, internal};
use crate::kms::{KmsError, KmsFault};

/// A master key is not to be had.
pub fn refused(error: KmsError) -> ApiError {
    let code = match error.fault {
        KmsFault::NotFound => "KMSNotFoundException",
        KmsFault::Disabled => "KMSDisabledException",
        KmsFault::InvalidState => "KMSInvalidStateException",
        KmsFault::AccessDenied => "KMSAccessDeniedException",
        KmsFault::Ours => return internal("ask for a master key", &error),
    };
    ApiError::new(code, error.message)
}

pub fn over_changes(stream: &StreamArn) -> ApiError {
    let StreamArn { account, name, .. } = stream;
    ApiError::new(
        LIMIT_EXCEEDED,
        format!(
            "The encryption of stream {name} under account {account} was changed \
             {ENCRYPTION_CHANGES_PER_DAY_MAX} times within 24 hours, which is the most."
        ),
    )
}
