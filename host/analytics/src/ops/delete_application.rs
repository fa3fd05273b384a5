//! DeleteApplication.

use serde::Deserialize;
use wire::members::{NoMembers, Text, Time};
use wire::shape::{Anything, Check, Shape};
use wire::{Answer, ApiError, Call};

use super::rules::NAME;
use super::shapes::required;
use super::{address, edit, enter, error};
use crate::Analytics;
use crate::application::{Application, Phase};
use crate::catalog::Replacement;
use crate::directory::Listed;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    application_name: Option<Text<'a>>,
    create_timestamp: Option<Time>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("ApplicationName", &self.application_name, NAME);
        check.required("CreateTimestamp", &self.create_timestamp, Anything);
    }
}

/// Milliseconds of a second: clients may give a moment back with no more than whole seconds.
const SECOND_MS: u64 = 1_000;

/// Ends an application's work and deletes it. It is durable as DELETING when this answers, and gone
/// a moment later.
pub async fn handle<const MODEL: u16>(
    analytics: &Analytics,
    call: Call,
) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let name = required(&input.application_name)?.as_str();
    let Time(said) = *required(&input.create_timestamp)?;
    let arn = address(&call.caller, name)?;
    let before = match enter(analytics, &call.caller, &arn)? {
        Some(Listed::Application(application)) => application,
        // Nothing else can be done with it, and when it was made is not known.
        Some(Listed::Unreadable(unreadable)) => {
            let forgotten = analytics.catalog.forget(unreadable).await;
            forgotten.map_err(|error| error::change(error, &arn))?;
            return call.answer(&NoMembers {});
        }
        None => return Err(error::not_found(&call.caller, name)),
    };
    edit::check_model::<MODEL>(&before)?;
    let created_at = before.created_at;
    let is_meant = said == created_at
        || (said.0 % SECOND_MS == 0 && said.0 / SECOND_MS == created_at.0 / SECOND_MS);
    if !is_meant {
        return Err(error::concurrent(format!(
            "CreateTimestamp is not that of the application {name} that is there now."
        )));
    }
    // Asking twice asks for nothing more.
    if before.phase != Phase::Deleting {
        let after = Application {
            phase: Phase::Deleting,
            ..Application::clone(&before)
        };
        let deleted = analytics.catalog.replace(Replacement {
            before,
            after,
            operation: None,
        });
        deleted.await.map_err(|error| error::change(error, &arn))?;
    }
    call.answer(&NoMembers {})
}
