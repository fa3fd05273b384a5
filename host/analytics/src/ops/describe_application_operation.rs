//! DescribeApplicationOperation.

use serde::{Deserialize, Serialize};
use types::Timestamp;
use wire::members::{Text, Time};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::model::V2;
use super::rules::{NAME, OPERATION};
use super::shapes::required;
use super::{answers, error, find};
use crate::Analytics;
use crate::rows;

/// How each operation that is remembered has ended.
pub const SUCCESSFUL: &str = "SUCCESSFUL";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    application_name: Option<Text<'a>>,
    #[serde(borrow)]
    operation_id: Option<Text<'a>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("ApplicationName", &self.application_name, NAME);
        check.required("OperationId", &self.operation_id, OPERATION);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    application_operation_info_details: Details,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Details {
    operation: String,
    start_time: Time,
    end_time: Time,
    operation_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_version_change_details: Option<Versions>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Versions {
    application_version_updated_from: u64,
    application_version_updated_to: u64,
}

/// Tells all of one operation on an application, if it is still remembered.
pub async fn handle(analytics: &Analytics, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let name = required(&input.application_name)?.as_str();
    let id = required(&input.operation_id)?.as_str();
    let application = find::<V2>(analytics, &call.caller, name)?;
    let none = || error::nothing_there(format!("Application {name} has no operation {id}."));
    let number = answers::parse_operation_id(id).ok_or_else(none)?;
    let engine = &*analytics.ground.engine;
    let found = rows::find_operation(engine, (application.id, number)).await;
    let found = found.map_err(|error| error::store("read an operation", &error))?;
    let kept = found.ok_or_else(none)?;
    call.answer(&Output {
        application_operation_info_details: Details {
            operation: kept.operation,
            start_time: Time(Timestamp(kept.at_ms)),
            end_time: Time(Timestamp(kept.at_ms)),
            operation_status: SUCCESSFUL,
            application_version_change_details: kept.versions.map(|(from, to)| Versions {
                application_version_updated_from: from,
                application_version_updated_to: to,
            }),
        },
    })
}
