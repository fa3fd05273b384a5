//! What clients are told: AWS's codes and texts. The one place where the errors of this crate meet
//! them.

use store::{CommitError, StoreError};
use types::{Caller, Invalid};
use wire::ApiError;

use super::model::V1;
use crate::arn::ApplicationArn;
use crate::catalog::ChangeError;
use crate::limits::APPLICATIONS_MAX;
use crate::rows::UnreadableApplication;

const INVALID_ARGUMENT: &str = "InvalidArgumentException";
const RESOURCE_IN_USE: &str = "ResourceInUseException";
const NOT_FOUND: &str = "ResourceNotFoundException";
const UNSUPPORTED: &str = "UnsupportedOperationException";

/// A value that the model's constraints allow and the operation does not.
pub fn invalid_argument(message: impl Into<String>) -> ApiError {
    ApiError::new(INVALID_ARGUMENT, message)
}

/// Something that the model knows, and applications of SQL do not have.
pub fn unsupported(message: impl Into<String>) -> ApiError {
    ApiError::new(UNSUPPORTED, message)
}

/// The application's program is not one.
pub fn code(message: impl Into<String>) -> ApiError {
    ApiError::new("CodeValidationException", message)
}

/// An application cannot be started as it is configured.
pub fn configuration(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidApplicationConfigurationException", message)
}

/// No schema is seen in what was found.
pub fn no_schema(message: impl Into<String>) -> ApiError {
    ApiError::new("UnableToDetectSchemaException", message)
}

/// Something of an application that is not there.
pub fn nothing_there(message: impl Into<String>) -> ApiError {
    ApiError::new(NOT_FOUND, message)
}

/// There is no application of that name.
pub fn not_found(caller: &Caller, name: &str) -> ApiError {
    nothing_there(format!(
        "Application {name} under account {} not found.",
        caller.account
    ))
}

/// An application has no part of that id.
pub fn no_part(name: &str, what: &str, id: &str) -> ApiError {
    nothing_there(format!("Application {name} has nothing of {what} {id}."))
}

/// The application is in a state in which this cannot be done.
pub fn in_use(name: &str, status: &str) -> ApiError {
    ApiError::new(
        RESOURCE_IN_USE,
        format!("Application {name} is in state {status}, in which this cannot be done."),
    )
}

/// An input that is a delivery stream. Only version 2 has a code of its own for it everywhere.
pub fn no_delivery_stream_input(model: u16) -> ApiError {
    let text = "KinesisFirehoseInput is not allowed for SQL applications: records of a delivery \
                stream are read from the stream that is its source.";
    if model == V1 {
        invalid_argument(text)
    } else {
        unsupported(text)
    }
}

/// An application of which version 2 of the model knows more than version 1.
pub fn of_version_2(name: &str) -> ApiError {
    unsupported(format!(
        "{name} was created/updated by kinesisanalyticsv2 SDK. Please use kinesisanalyticsv2 SDK \
         to make changes to {name}."
    ))
}

/// The application was changed since the client looked.
pub fn concurrent(message: impl Into<String>) -> ApiError {
    ApiError::new("ConcurrentModificationException", message)
}

/// An application would have more labels than it may.
pub fn too_many_tags(message: impl Into<String>) -> ApiError {
    ApiError::new("TooManyTagsException", message)
}

/// The server cannot do it at the moment.
pub fn unavailable(message: impl Into<String>) -> ApiError {
    ApiError::new("ServiceUnavailableException", message).with_status(503)
}

/// An application of which the row was written by another build.
pub fn unreadable(application: &UnreadableApplication) -> ApiError {
    let (name, why) = (&application.arn.name, &application.why);
    unavailable(format!(
        "Application {name} cannot be read, and stands still: {why}. Run the build that wrote it, \
         or delete the application."
    ))
}

/// What is kept of an application does not read as what it must be.
pub fn damaged(Invalid(what): Invalid) -> ApiError {
    internal("read an application", &what)
}

/// The store did not give what is kept.
pub fn store(doing: &str, error: &StoreError) -> ApiError {
    internal(doing, error)
}

/// A task of ours ended badly.
pub fn task(doing: &str, error: &tokio::task::JoinError) -> ApiError {
    internal(doing, error)
}

/// A fault of ours or of the disk, logged where it is turned into an answer.
fn internal(doing: &str, error: &dyn std::fmt::Display) -> ApiError {
    tracing::error!(%error, "{doing}");
    ApiError::internal("Internal service failure.")
}

/// A change of the application at `arn` that was refused.
pub fn change(error: ChangeError, arn: &ApplicationArn) -> ApiError {
    let name = &arn.name;
    match error {
        ChangeError::Exists => ApiError::new(
            RESOURCE_IN_USE,
            format!("Application {name} already exists."),
        ),
        ChangeError::Concurrent => concurrent(format!(
            "Application {name} is being changed by another request. Please try again."
        )),
        ChangeError::TooMany => ApiError::new(
            "LimitExceededException",
            format!("An account cannot have more than {APPLICATIONS_MAX} applications."),
        ),
        ChangeError::Commit(CommitError::Busy | CommitError::DiskFull) => unavailable("Slow down."),
        ChangeError::Commit(error) => internal(&format!("change {arn}"), &error),
        ChangeError::Closing => ApiError::unavailable("The server is shutting down."),
    }
}
