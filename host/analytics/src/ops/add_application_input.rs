//! AddApplicationInput.

use serde::{Deserialize, Serialize};
use wire::members::{Integer, Structure, Text};
use wire::shape::{Check, Fields, Shape};
use wire::{Answer, ApiError, Call};

use super::described_parts::{InputDescription, inputs};
use super::edit::{Edit, Known};
use super::input_shapes::NewInput;
use super::rules::{NAME, VERSION_ID};
use super::shapes::required;
use super::{answers, resources};
use crate::Analytics;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a, const MODEL: u16> {
    #[serde(borrow)]
    application_name: Option<Text<'a>>,
    current_application_version_id: Option<Integer>,
    #[serde(borrow)]
    input: Option<Structure<NewInput<'a, MODEL>>>,
}

impl<const MODEL: u16> Shape for Input<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.required("ApplicationName", &self.application_name, NAME);
        let version = &self.current_application_version_id;
        check.required("CurrentApplicationVersionId", version, VERSION_ID);
        check.required("Input", &self.input, Fields);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    input_descriptions: Vec<InputDescription<'a>>,
}

/// Gives an application a stream that its rows come from.
pub async fn handle<const MODEL: u16>(
    analytics: &Analytics,
    call: Call,
) -> Result<Answer, ApiError> {
    let input: Input<'_, MODEL> = call.parse()?;
    let name = required(&input.application_name)?;
    let known = Known::version(input.current_application_version_id);
    let mut edit = Edit::begin::<MODEL>(analytics, &call.caller, name, &known)?;
    let new = required(&input.input)?.kept(edit.new_id())?;
    resources::check_input(analytics, &call.caller, &new)?;
    edit.configuration().inputs.push(new);
    let application = edit.keep("AddApplicationInput").await?;
    let more = Output {
        input_descriptions: inputs(&application.configuration, &application.start),
    };
    answers::changed::<MODEL>(&call, &application, more)
}
