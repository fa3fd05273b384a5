//! RollbackApplication.

use serde::{Deserialize, Serialize};
use wire::members::{Integer, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::described::{self, Detail2};
use super::edit::{Edit, Known};
use super::model::V2;
use super::rules::{NAME, VERSION_ID};
use super::shapes::required;
use super::{answers, error, resources};
use crate::Analytics;
use crate::application::Phase;
use crate::rows;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    application_name: Option<Text<'a>>,
    current_application_version_id: Option<Integer>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("ApplicationName", &self.application_name, NAME);
        let version = &self.current_application_version_id;
        check.required("CurrentApplicationVersionId", version, VERSION_ID);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    application_detail: Detail2<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_id: Option<String>,
}

/// Brings the configuration back that a RUNNING application had before the last change, as a new
/// version. Rows that went out meanwhile stay where they are.
pub async fn handle(analytics: &Analytics, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let name = required(&input.application_name)?.as_str();
    let known = Known::version(input.current_application_version_id);
    let mut edit = Edit::begin::<V2>(analytics, &call.caller, name, &known)?;
    let before = edit.before();
    if before.phase != Phase::Running {
        return Err(error::in_use(name, described::status(analytics, before)));
    }
    let (id, from) = (before.id, before.version);
    // What was rolled back already leads to what it was rolled back to.
    let back_to = match before.lineage.rolled_back {
        Some((_, to)) => earlier_of(analytics, (before.id, to)).await?,
        None => before.lineage.updated_from,
    };
    let nothing = || {
        error::invalid_argument(format!(
            "Application {name} has no earlier version that it could be rolled back to."
        ))
    };
    let to = back_to.ok_or_else(nothing)?;
    let found = rows::find_version(&*analytics.ground.engine, (id, to)).await;
    let found = found.map_err(|error| error::store("read a version of an application", &error))?;
    let kept = found.ok_or_else(nothing)?;
    // Who rolls back uses what the earlier version names.
    resources::check_all(analytics, &call.caller, &kept.configuration)?;
    let application = edit.application();
    application.configuration = kept.configuration;
    application.lineage.rolled_back = Some((from, to));
    let application = edit.keep("RollbackApplication").await?;
    call.answer(&Output {
        application_detail: described::detail_2(analytics, &application),
        operation_id: answers::last_operation_id(&application),
    })
}

/// The version that a version took the place of.
async fn earlier_of(
    analytics: &Analytics,
    of: (crate::application::ApplicationId, u64),
) -> Result<Option<u64>, ApiError> {
    let found = rows::find_version(&*analytics.ground.engine, of).await;
    let found = found.map_err(|error| error::store("read a version of an application", &error))?;
    Ok(found.and_then(|kept| kept.lineage.updated_from))
}
