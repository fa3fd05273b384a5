//! What clients are told: AWS's codes and texts. The one place where the errors of this crate
//! meet them.

use store::CommitError;
use streams::kms::{KmsError, KmsFault};
use types::limits::{DELIVERY_STREAMS_MAX, ENCRYPTION_CHANGES_PER_DAY_MAX, TAGS_PER_RESOURCE_MAX};
use types::{Caller, Invalid};
use wire::ApiError;

use crate::arn::DeliveryStreamArn;
use crate::catalog::ChangeError;
use crate::put::PutError;
use crate::rows::UnreadableStream;

const RESOURCE_IN_USE: &str = "ResourceInUseException";
const LIMIT_EXCEEDED: &str = "LimitExceededException";
/// More was put than a delivery stream takes, or than the server has room for: of a call, and of a
/// record among others.
pub const UNAVAILABLE: &str = "ServiceUnavailableException";
pub const SLOW_DOWN: &str = "Slow down.";

/// A value that the model's constraints allow and the operation does not.
pub fn invalid_argument(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidArgumentException", message)
}

/// A fault of ours or of the disk, logged where it is turned into an answer.
fn internal(doing: &str, error: &dyn std::fmt::Display) -> ApiError {
    tracing::error!(%error, "{doing}");
    ApiError::internal("Internal service failure.")
}

pub fn not_found(caller: &Caller, name: &str) -> ApiError {
    let account = caller.account;
    ApiError::new(
        "ResourceNotFoundException",
        format!("Firehose {name} under account {account} not found."),
    )
}

/// A delivery stream of which the row was written by another build.
pub fn unreadable(stream: &UnreadableStream) -> ApiError {
    let (name, why) = (&stream.arn.name, &stream.why);
    unavailable(&format!(
        "Firehose {name} cannot be read, and stands still: {why}. Run the build that wrote it, or \
         delete the delivery stream."
    ))
}

/// The source of a new delivery stream is not there.
pub fn no_source(arn: &str) -> ApiError {
    invalid_argument(format!(
        "Kinesis stream {arn} does not exist or is not ACTIVE."
    ))
}

/// A put to a delivery stream that reads a stream.
fn not_direct() -> ApiError {
    invalid_argument(
        "This operation is not permitted on KinesisStreamAsSource delivery stream type.",
    )
}

/// A master key is not to be had. The service has one code for every reason.
pub fn kms(error: KmsError) -> ApiError {
    match error.fault {
        KmsFault::NotFound
        | KmsFault::Disabled
        | KmsFault::InvalidState
        | KmsFault::AccessDenied => ApiError::new("InvalidKMSResourceException", error.message),
        KmsFault::Ours => internal("ask for a master key", &error),
    }
}

fn unavailable(message: &str) -> ApiError {
    ApiError::new(UNAVAILABLE, message).with_status(503)
}

/// Why records were not put into `stream`.
pub fn put(error: PutError, stream: &DeliveryStreamArn) -> ApiError {
    match error {
        PutError::NotDirect => not_direct(),
        PutError::Kms(error) => kms(error),
        PutError::NotActive => not_found(&stream.owner, stream.name.as_str()),
        PutError::OverRate | PutError::Commit(CommitError::Busy | CommitError::DiskFull) => {
            unavailable(SLOW_DOWN)
        }
        // The delivery stream was deleted meanwhile.
        PutError::Commit(CommitError::NoLog(_) | CommitError::Sealed(_)) => {
            not_found(&stream.owner, stream.name.as_str())
        }
        PutError::Commit(
            error @ (CommitError::Conflict { .. }
            | CommitError::TooLarge(_)
            | CommitError::ReadOnly(_)
            | CommitError::Key { .. }
            | CommitError::Unknown(_)
            | CommitError::Store(_)),
        ) => internal(&format!("put into {stream}"), &error),
    }
}

/// A change of the delivery stream at `arn` that was refused.
pub fn change(error: ChangeError, arn: &DeliveryStreamArn) -> ApiError {
    let DeliveryStreamArn { owner, name } = arn;
    let account = owner.account;
    match error {
        ChangeError::NotFound => not_found(owner, name.as_str()),
        ChangeError::Exists => ApiError::new(
            RESOURCE_IN_USE,
            format!("Firehose {name} under accountId {account} already exists"),
        ),
        ChangeError::NotActive(status) | ChangeError::Busy(status) => ApiError::new(
            RESOURCE_IN_USE,
            format!(
                "Firehose {name} under accountId {account} is not ACTIVE, instead in state {}. \
                 Please retry after some time.",
                status.as_str()
            ),
        ),
        ChangeError::TooMany => ApiError::new(
            LIMIT_EXCEEDED,
            format!(
                "You have already consumed your firehose quota of {DELIVERY_STREAMS_MAX} hoses."
            ),
        ),
        ChangeError::TooManyLanes { lanes, limit } => ApiError::new(
            LIMIT_EXCEEDED,
            format!(
                "The delivery streams of account {account} may read {limit} shards together, each \
                 counted once for each of them. {name} would read {lanes} more, and they would be \
                 too many."
            ),
        ),
        ChangeError::OverTags => ApiError::new(
            LIMIT_EXCEEDED,
            format!("A delivery stream cannot have more than {TAGS_PER_RESOURCE_MAX} tags."),
        ),
        ChangeError::NotDirect => not_direct(),
        ChangeError::EncryptionUnderWay => ApiError::new(
            RESOURCE_IN_USE,
            format!(
                "The encryption of firehose {name} under accountId {account} is being changed. \
                 Please retry after some time."
            ),
        ),
        ChangeError::OverEncryptionChanges => ApiError::new(
            LIMIT_EXCEEDED,
            format!(
                "The encryption of firehose {name} under accountId {account} was changed \
                 {ENCRYPTION_CHANGES_PER_DAY_MAX} times within 24 hours, which is the most."
            ),
        ),
        ChangeError::Kms(error) => kms(error),
        ChangeError::OtherVersion { current, said } => ApiError::new(
            "ConcurrentModificationException",
            format!(
                "Cannot update firehose: {name} since the current version id: {current} and \
                 specified version id: {said} do not match"
            ),
        ),
        ChangeError::Invalid(Invalid(why)) => invalid_argument(why),
        ChangeError::Commit(CommitError::Busy | CommitError::DiskFull) => unavailable(SLOW_DOWN),
        ChangeError::Commit(error) => internal(&format!("change {arn}"), &error),
        ChangeError::Closing => ApiError::unavailable("The server is shutting down."),
    }
}
