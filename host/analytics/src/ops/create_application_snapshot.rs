//! CreateApplicationSnapshot.

use serde::Deserialize;
use wire::members::Text;
use wire::shape::{Check, Shape};
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
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("ApplicationName", &self.application_name, NAME);
        check.required("SnapshotName", &self.snapshot_name, SNAPSHOT_NAME);
    }
}

/// Refuses it, as AWS does for applications of SQL: what they hold is kept with every step, and
/// there is nothing that a client could take of it.
pub async fn handle(analytics: &Analytics, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let name = required(&input.application_name)?.as_str();
    find::<V2>(analytics, &call.caller, name)?;
    Err(error::unsupported(format!(
        "Application {name} is one of SQL, which has no snapshots."
    )))
}
