//! AddApplicationOutput.

use serde::{Deserialize, Serialize};
use wire::members::{Integer, Structure, Text};
use wire::shape::{Check, Fields, Shape};
use wire::{Answer, ApiError, Call};

use super::described_parts::{OutputDescription, outputs};
use super::edit::{Edit, Known};
use super::output_shapes::NewOutput;
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
    output: Option<Structure<NewOutput<'a, MODEL>>>,
}

impl<const MODEL: u16> Shape for Input<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.required("ApplicationName", &self.application_name, NAME);
        let version = &self.current_application_version_id;
        check.required("CurrentApplicationVersionId", version, VERSION_ID);
        check.required("Output", &self.output, Fields);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    output_descriptions: Vec<OutputDescription<'a>>,
}

/// Gives an application a place that rows of an in-application stream go to.
pub async fn handle<const MODEL: u16>(
    analytics: &Analytics,
    call: Call,
) -> Result<Answer, ApiError> {
    let input: Input<'_, MODEL> = call.parse()?;
    let name = required(&input.application_name)?;
    let known = Known::version(input.current_application_version_id);
    let mut edit = Edit::begin::<MODEL>(analytics, &call.caller, name, &known)?;
    let new = required(&input.output)?.kept(edit.new_id())?;
    resources::check_output(analytics, &call.caller, &new)?;
    edit.configuration().outputs.push(new);
    let application = edit.keep("AddApplicationOutput").await?;
    let more = Output {
        output_descriptions: outputs(&application.configuration),
    };
    answers::changed::<MODEL>(&call, &application, more)
}
