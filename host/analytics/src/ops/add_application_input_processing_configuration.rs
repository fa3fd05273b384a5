//! AddApplicationInputProcessingConfiguration.

use serde::{Deserialize, Serialize};
use wire::members::{Integer, Structure, Text};
use wire::shape::{Check, Fields, Shape};
use wire::{Answer, ApiError, Call};

use super::described_parts::{ProcessingDescription, processing};
use super::edit::{Edit, Known};
use super::input_shapes::Processing;
use super::rules::{ID, NAME, VERSION_ID};
use super::shapes::required;
use super::{answers, error, resources};
use crate::Analytics;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a, const MODEL: u16> {
    #[serde(borrow)]
    application_name: Option<Text<'a>>,
    current_application_version_id: Option<Integer>,
    #[serde(borrow)]
    input_id: Option<Text<'a>>,
    #[serde(borrow)]
    input_processing_configuration: Option<Structure<Processing<'a, MODEL>>>,
}

impl<const MODEL: u16> Shape for Input<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.required("ApplicationName", &self.application_name, NAME);
        let version = &self.current_application_version_id;
        check.required("CurrentApplicationVersionId", version, VERSION_ID);
        check.required("InputId", &self.input_id, ID);
        let processing = &self.input_processing_configuration;
        check.required("InputProcessingConfiguration", processing, Fields);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    input_id: &'a str,
    input_processing_configuration_description: ProcessingDescription<'a>,
}

/// Lets the records of an input go through a function before they become rows.
pub async fn handle<const MODEL: u16>(
    analytics: &Analytics,
    call: Call,
) -> Result<Answer, ApiError> {
    let input: Input<'_, MODEL> = call.parse()?;
    let name = required(&input.application_name)?;
    let id = required(&input.input_id)?.as_str();
    let known = Known::version(input.current_application_version_id);
    let mut edit = Edit::begin::<MODEL>(analytics, &call.caller, name, &known)?;
    let new = required(&input.input_processing_configuration)?.kept()?;
    resources::check_processor(&call.caller, &new)?;
    let inputs = &mut edit.configuration().inputs;
    let found = inputs.iter_mut().find(|input| input.id == id);
    let found = found.ok_or_else(|| error::no_part(name, "InputId", id))?;
    if found.processor.is_some() {
        return Err(error::invalid_argument(format!(
            "Input {id} has an InputProcessingConfiguration already."
        )));
    }
    found.processor = Some(new.clone());
    let application = edit
        .keep("AddApplicationInputProcessingConfiguration")
        .await?;
    let more = Output {
        input_id: id,
        input_processing_configuration_description: processing(&new),
    };
    answers::changed::<MODEL>(&call, &application, more)
}
