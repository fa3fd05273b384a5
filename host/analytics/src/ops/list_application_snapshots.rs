//! ListApplicationSnapshots.

use serde::{Deserialize, Serialize};
use wire::members::{Integer, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::model::V2;
use super::rules::{NAME, NEXT_TOKEN, PAGE_LIMIT};
use super::shapes::required;
use super::{find, page};
use crate::Analytics;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    application_name: Option<Text<'a>>,
    limit: Option<Integer>,
    #[serde(borrow)]
    next_token: Option<Text<'a>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("ApplicationName", &self.application_name, NAME);
        check.optional("Limit", &self.limit, PAGE_LIMIT);
        check.optional("NextToken", &self.next_token, NEXT_TOKEN);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    snapshot_summaries: [(); 0],
}

/// Gives the snapshots of an application: one of SQL has none.
pub async fn handle(analytics: &Analytics, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    page::token(&input.next_token)?;
    find::<V2>(analytics, &call.caller, required(&input.application_name)?)?;
    call.answer(&Output {
        snapshot_summaries: [],
    })
}
