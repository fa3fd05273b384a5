//! AddApplicationCloudWatchLoggingOption.

use serde::Deserialize;
use wire::members::{Integer, Structure, Text};
use wire::shape::{Check, Fields, Shape};
use wire::{Answer, ApiError, Call};

use super::answers;
use super::edit::{Edit, Known};
use super::logging_shapes::NewLogging;
use super::model::V1;
use super::rules::{NAME, TOKEN, VERSION_ID};
use super::shapes::required;
use crate::Analytics;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a, const MODEL: u16> {
    #[serde(borrow)]
    application_name: Option<Text<'a>>,
    current_application_version_id: Option<Integer>,
    #[serde(borrow)]
    cloud_watch_logging_option: Option<Structure<NewLogging<'a, MODEL>>>,
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
        let option = &self.cloud_watch_logging_option;
        check.required("CloudWatchLoggingOption", option, Fields);
    }
}

/// Notes where the owner wants to be told of errors of an application. It is kept and told; what
/// goes wrong is on the server's own pages.
pub async fn handle<const MODEL: u16>(
    analytics: &Analytics,
    call: Call,
) -> Result<Answer, ApiError> {
    let input: Input<'_, MODEL> = call.parse()?;
    let name = required(&input.application_name)?;
    let known = Known::either(
        input.current_application_version_id,
        &input.conditional_token,
    );
    let mut edit = Edit::begin::<MODEL>(analytics, &call.caller, name, &known)?;
    let new = required(&input.cloud_watch_logging_option)?.kept(edit.new_id())?;
    edit.configuration().logging.push(new);
    let application = edit.keep("AddApplicationCloudWatchLoggingOption").await?;
    answers::changed_logging::<MODEL>(&call, &application)
}
