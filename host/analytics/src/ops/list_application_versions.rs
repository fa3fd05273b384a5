//! ListApplicationVersions.

use serde::{Deserialize, Serialize};
use wire::members::{Integer, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::model::V2;
use super::rules::{NAME, NEXT_TOKEN, PAGE_LIMIT};
use super::shapes::required;
use super::{described, find, page};
use crate::Analytics;
use crate::limits::VERSIONS_KEPT_MAX;

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
    application_version_summaries: Vec<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    application_version_id: u64,
    application_status: &'static str,
}

/// Gives the versions of an application that are kept, the newest first. Only the one in force does
/// anything.
pub async fn handle(analytics: &Analytics, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let name = required(&input.application_name)?;
    let (limit, from) = (page::limit(input.limit)?, page::token(&input.next_token)?);
    let application = find::<V2>(analytics, &call.caller, name)?;
    let newest = application.version;
    // Each version is kept until there are too many: which are there follows from the newest.
    let oldest = newest.saturating_sub(VERSIONS_KEPT_MAX - 1).max(1);
    let first = from.map_or(newest, |from| from.min(newest));
    let mut versions = (oldest..=first).rev();
    let summaries = versions.by_ref().take(limit).map(|version| Summary {
        application_version_id: version,
        application_status: if version == newest {
            described::status(analytics, &application)
        } else {
            "READY"
        },
    });
    call.answer(&Output {
        application_version_summaries: summaries.collect(),
        next_token: versions.next().map(|version| version.to_string()),
    })
}
