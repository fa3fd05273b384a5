//! DescribeApplicationVersion.

use serde::{Deserialize, Serialize};
use wire::members::{Integer, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::described::{self, Detail2};
use super::model::V2;
use super::rules::{NAME, VERSION_ID};
use super::shapes::{number, required};
use super::{error, find};
use crate::Analytics;
use crate::application::Start;
use crate::rows;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    application_name: Option<Text<'a>>,
    application_version_id: Option<Integer>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("ApplicationName", &self.application_name, NAME);
        let version = &self.application_version_id;
        check.required("ApplicationVersionId", version, VERSION_ID);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    application_version_detail: Detail2<'a>,
}

/// Tells all of one version of an application, if it is still kept.
pub async fn handle(analytics: &Analytics, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let name = required(&input.application_name)?.as_str();
    let version: u64 = number(*required(&input.application_version_id)?)?;
    let application = find::<V2>(analytics, &call.caller, name)?;
    if version == application.version {
        return call.answer(&Output {
            application_version_detail: described::detail_2(analytics, &application),
        });
    }
    let engine = &*analytics.ground.engine;
    let found = rows::find_version(engine, (application.id, version)).await;
    let found = found.map_err(|error| error::store("read a version of an application", &error))?;
    let Some(kept) = found else {
        return Err(error::nothing_there(format!(
            "Application {name} has no version {version}."
        )));
    };
    let of_version = (version, kept.lineage, &kept.configuration);
    call.answer(&Output {
        application_version_detail: described::version_detail(
            &application,
            of_version,
            &Start::default(),
        ),
    })
}
