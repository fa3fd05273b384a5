//! DescribeApplication.

use serde::{Deserialize, Serialize};
use wire::members::{Boolean, Text};
use wire::shape::{Anything, Check, Shape};
use wire::{Answer, ApiError, Call};

use super::model::{V1, V2};
use super::rules::NAME;
use super::shapes::required;
use super::{described, find};
use crate::Analytics;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a, const MODEL: u16> {
    #[serde(borrow)]
    application_name: Option<Text<'a>>,
    /// There is nothing more to be told of applications of SQL.
    include_additional_details: Option<Boolean>,
}

impl<const MODEL: u16> Shape for Input<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.required("ApplicationName", &self.application_name, NAME);
        if MODEL == V2 {
            let details = &self.include_additional_details;
            check.optional("IncludeAdditionalDetails", details, Anything);
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<D> {
    application_detail: D,
}

/// Tells all of an application.
pub async fn handle<const MODEL: u16>(
    analytics: &Analytics,
    call: Call,
) -> Result<Answer, ApiError> {
    let input: Input<'_, MODEL> = call.parse()?;
    let name = required(&input.application_name)?;
    let application = find::<MODEL>(analytics, &call.caller, name)?;
    if MODEL == V1 {
        call.answer(&Output {
            application_detail: described::detail(analytics, &application),
        })
    } else {
        call.answer(&Output {
            application_detail: described::detail_2(analytics, &application),
        })
    }
}
