//! DeleteApplicationCloudWatchLoggingOption.

use serde::Deserialize;
use wire::members::{Integer, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::edit::{Edit, Known};
use super::model::V1;
use super::rules::{ID, NAME, TOKEN, VERSION_ID};
use super::shapes::required;
use super::{answers, error};
use crate::Analytics;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a, const MODEL: u16> {
    #[serde(borrow)]
    application_name: Option<Text<'a>>,
    current_application_version_id: Option<Integer>,
    #[serde(borrow)]
    cloud_watch_logging_option_id: Option<Text<'a>>,
    #[serde(borrow)]
    conditional_token: Option<Text<'a>>,
}

impl<const MODEL: u16> Shape for Input<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.required("ApplicationName", &self.application_name, NAME);
        let version = &self.current_application_version_id;
        if MODEL == V1 {
            check.required("CurrentApplicationVersionId", version, VERSION_ID);
        } else {
            check.optional("CurrentApplicationVersionId", version, VERSION_ID);
            check.optional("ConditionalToken", &self.conditional_token, TOKEN);
        }
        let id = &self.cloud_watch_logging_option_id;
        check.required("CloudWatchLoggingOptionId", id, ID);
    }
}

/// Forgets where the owner wanted to be told of errors.
pub async fn handle<const MODEL: u16>(
    analytics: &Analytics,
    call: Call,
) -> Result<Answer, ApiError> {
    let input: Input<'_, MODEL> = call.parse()?;
    let name = required(&input.application_name)?;
    let id = required(&input.cloud_watch_logging_option_id)?.as_str();
    let known = Known::either(
        input.current_application_version_id,
        &input.conditional_token,
    );
    let mut edit = Edit::begin::<MODEL>(analytics, &call.caller, name, &known)?;
    let options = &mut edit.configuration().logging;
    let at = options.iter().position(|option| option.id == id);
    options.remove(at.ok_or_else(|| error::no_part(name, "CloudWatchLoggingOptionId", id))?);
    let application = edit
        .keep("DeleteApplicationCloudWatchLoggingOption")
        .await?;
    answers::changed_logging::<MODEL>(&call, &application)
}
