//! DeleteApplicationSnapshot.

use serde::Deserialize;
use wire::members::{Text, Time};
use wire::shape::{Anything, Check, Shape};
use wire::{Answer, ApiError, Call};

use super::model::V2;
use super::rules::{NAME, SNAPSHOT_NAME};
use super::shapes::required;
use super::{error, find};
use crate::Analytics;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    application_name: Option<Text<'a>>,
    #[serde(borrow)]
    snapshot_name: Option<Text<'a>>,
    snapshot_creation_timestamp: Option<Time>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("ApplicationName", &self.application_name, NAME);
        check.required("SnapshotName", &self.snapshot_name, SNAPSHOT_NAME);
        let at = &self.snapshot_creation_timestamp;
        check.required("SnapshotCreationTimestamp", at, Anything);
    }
}

/// Deletes a snapshot: applications of SQL have none.
pub async fn handle(analytics: &Analytics, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let name = required(&input.application_name)?.as_str();
    let snapshot = required(&input.snapshot_name)?.as_str();
    find::<V2>(analytics, &call.caller, name)?;
    Err(error::nothing_there(format!(
        "Application {name} has no snapshot {snapshot}."
    )))
}
