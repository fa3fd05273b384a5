//! DeleteApplicationReferenceDataSource.

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
    reference_id: Option<Text<'a>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("ApplicationName", &self.application_name, NAME);
        let version = &self.current_application_version_id;
        check.required("CurrentApplicationVersionId", version, VERSION_ID);
        check.required("ReferenceId", &self.reference_id, ID);
    }
}

/// Takes a table away from an application's program.
pub async fn handle<const MODEL: u16>(
    analytics: &Analytics,
    call: Call,
) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let name = required(&input.application_name)?;
    let id = required(&input.reference_id)?.as_str();
    let known = Known::version(input.current_application_version_id);
    let mut edit = Edit::begin::<MODEL>(analytics, &call.caller, name, &known)?;
    let parts = &mut edit.configuration().references;
    let at = parts.iter().position(|part| part.id == id);
    parts.remove(at.ok_or_else(|| error::no_part(name, "ReferenceId", id))?);
    let application = edit.keep("DeleteApplicationReferenceDataSource").await?;
    answers::changed::<MODEL>(&call, &application, NoMembers {})
}
