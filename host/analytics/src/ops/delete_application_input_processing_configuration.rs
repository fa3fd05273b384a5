//! DeleteApplicationInputProcessingConfiguration.

use serde::Deserialize;
use wire::members::{Integer, NoMembers, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::edit::{Edit, Known};
use super::rules::{ID, NAME, VERSION_ID};
use super::shapes::required;
use super::{answers, error};
use crate::Analytics;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    application_name: Option<Text<'a>>,
    current_application_version_id: Option<Integer>,
    #[serde(borrow)]
    input_id: Option<Text<'a>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("ApplicationName", &self.application_name, NAME);
        let version = &self.current_application_version_id;
        check.required("CurrentApplicationVersionId", version, VERSION_ID);
        check.required("InputId", &self.input_id, ID);
    }
}

/// Lets the records of an input become rows as they are.
pub async fn handle<const MODEL: u16>(
    analytics: &Analytics,
    call: Call,
) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let name = required(&input.application_name)?;
    let id = required(&input.input_id)?.as_str();
    let known = Known::version(input.current_application_version_id);
    let mut edit = Edit::begin::<MODEL>(analytics, &call.caller, name, &known)?;
    let inputs = &mut edit.configuration().inputs;
    let found = inputs.iter_mut().find(|input| input.id == id);
    let found = found.ok_or_else(|| error::no_part(name, "InputId", id))?;
    if found.processor.take().is_none() {
        return Err(error::nothing_there(format!(
            "Input {id} has no InputProcessingConfiguration."
        )));
    }
    let application = edit
        .keep("DeleteApplicationInputProcessingConfiguration")
        .await?;
    answers::changed::<MODEL>(&call, &application, NoMembers {})
}
