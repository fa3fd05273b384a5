//! Answers of operations that change an application: nothing in version 1, the new version and what
//! was changed in version 2.

use serde::Serialize;
use wire::members::NoMembers;
use wire::{Answer, ApiError, Call};

use super::described_parts::{LoggingDescription, logging};
use super::model::V1;
use crate::application::Application;

/// The answer to a change.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Changed<T> {
    #[serde(rename = "ApplicationARN")]
    application_arn: String,
    application_version_id: u64,
    #[serde(flatten)]
    more: T,
}

/// What both changes of logging options answer besides.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Logging<'a> {
    cloud_watch_logging_option_descriptions: Vec<LoggingDescription<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_id: Option<String>,
}

/// The id of an operation by its number.
pub fn operation_id(number: u64) -> String {
    format!("operation-{number:012}")
}

/// The number of an operation by its id.
pub fn parse_operation_id(text: &str) -> Option<u64> {
    let number = text.strip_prefix("operation-")?.parse().ok()?;
    (operation_id(number) == text).then_some(number)
}

/// The id of the last operation on an application that is remembered.
pub fn last_operation_id(application: &Application) -> Option<String> {
    application.next_operation.checked_sub(1).map(operation_id)
}

/// Answers that an application has become this, with what its operation says besides.
pub fn changed<const MODEL: u16>(
    call: &Call,
    application: &Application,
    more: impl Serialize,
) -> Result<Answer, ApiError> {
    if MODEL == V1 {
        return call.answer(&NoMembers {});
    }
    call.answer(&Changed {
        application_arn: application.arn.to_string(),
        application_version_id: application.version,
        more,
    })
}

/// Answers that the logging options of an application have become these.
pub fn changed_logging<const MODEL: u16>(
    call: &Call,
    application: &Application,
) -> Result<Answer, ApiError> {
    let more = Logging {
        cloud_watch_logging_option_descriptions: logging(&application.configuration),
        operation_id: last_operation_id(application),
    };
    changed::<MODEL>(call, application, more)
}
