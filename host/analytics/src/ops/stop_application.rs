//! StopApplication.

use serde::{Deserialize, Serialize};
use wire::members::{Boolean, NoMembers, Text};
use wire::shape::{Anything, Check, Shape};
use wire::{Answer, ApiError, Call};

use super::model::{V1, V2};
use super::rules::NAME;
use super::shapes::required;
use super::{answers, described, error, find};
use crate::Analytics;
use crate::application::{Application, Phase};
use crate::catalog::Replacement;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a, const MODEL: u16> {
    #[serde(borrow)]
    application_name: Option<Text<'a>>,
    force: Option<Boolean>,
}

impl<const MODEL: u16> Shape for Input<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.required("ApplicationName", &self.application_name, NAME);
        if MODEL == V2 {
            check.optional("Force", &self.force, Anything);
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_id: Option<String>,
}

/// Stops an application that is RUNNING, after what it has begun. Where it came to, and what its
/// windows hold, stays for the next start.
pub async fn handle<const MODEL: u16>(
    analytics: &Analytics,
    call: Call,
) -> Result<Answer, ApiError> {
    let input: Input<'_, MODEL> = call.parse()?;
    let name = required(&input.application_name)?.as_str();
    let before = find::<MODEL>(analytics, &call.caller, name)?;
    if MODEL == V2 && input.force == Some(Boolean(true)) {
        return Err(error::invalid_argument(
            "Force is not supported for applications of SQL.",
        ));
    }
    let status = described::status(analytics, &before);
    if status != "RUNNING" {
        return Err(error::in_use(name, status));
    }
    let after = Application {
        phase: Phase::Ready,
        ..Application::clone(&before)
    };
    let arn = before.arn.clone();
    let replaced = analytics.catalog.replace(Replacement {
        before,
        after,
        operation: Some("StopApplication"),
    });
    let after = replaced.await.map_err(|error| error::change(error, &arn))?;
    if MODEL == V1 {
        return call.answer(&NoMembers {});
    }
    call.answer(&Output {
        operation_id: answers::last_operation_id(&after),
    })
}
