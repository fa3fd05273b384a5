//! AddApplicationReferenceDataSource.

use serde::{Deserialize, Serialize};
use wire::members::{Integer, Structure, Text};
use wire::shape::{Check, Fields, Shape};
use wire::{Answer, ApiError, Call};

use super::described_parts::{ReferenceDescription, references};
use super::edit::{Edit, Known};
use super::reference_shapes::NewReference;
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
    reference_data_source: Option<Structure<NewReference<'a, MODEL>>>,
}

impl<const MODEL: u16> Shape for Input<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.required("ApplicationName", &self.application_name, NAME);
        let version = &self.current_application_version_id;
        check.required("CurrentApplicationVersionId", version, VERSION_ID);
        check.required("ReferenceDataSource", &self.reference_data_source, Fields);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    reference_data_source_descriptions: Vec<ReferenceDescription<'a>>,
}

/// Gives an application an object of a bucket that is a table of its program.
pub async fn handle<const MODEL: u16>(
    analytics: &Analytics,
    call: Call,
) -> Result<Answer, ApiError> {
    let input: Input<'_, MODEL> = call.parse()?;
    let name = required(&input.application_name)?;
    let known = Known::version(input.current_application_version_id);
    let mut edit = Edit::begin::<MODEL>(analytics, &call.caller, name, &known)?;
    let new = required(&input.reference_data_source)?.kept(edit.new_id())?;
    resources::check_reference(&call.caller, &new)?;
    edit.configuration().references.push(new);
    let application = edit.keep("AddApplicationReferenceDataSource").await?;
    let more = Output {
        reference_data_source_descriptions: references(&application.configuration),
    };
    answers::changed::<MODEL>(&call, &application, more)
}
