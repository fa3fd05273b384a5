//! ListApplications.

use std::ops::Bound;

use serde::{Deserialize, Serialize};
use wire::members::{Integer, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::described::{Summary, summary, summary_2};
use super::model::V1;
use super::page;
use super::rules::{NAME, PAGE_LIMIT};
use crate::Analytics;
use crate::arn::ApplicationName;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a, const MODEL: u16> {
    limit: Option<Integer>,
    #[serde(borrow)]
    exclusive_start_application_name: Option<Text<'a>>,
    #[serde(borrow)]
    next_token: Option<Text<'a>>,
}

impl<const MODEL: u16> Shape for Input<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        check.optional("Limit", &self.limit, PAGE_LIMIT);
        if MODEL == V1 {
            let start = &self.exclusive_start_application_name;
            check.optional("ExclusiveStartApplicationName", start, NAME);
        } else {
            check.optional("NextToken", &self.next_token, NAME);
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    application_summaries: Vec<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    has_more_applications: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Gives the caller's applications in the region, in order of their names.
pub async fn handle<const MODEL: u16>(
    analytics: &Analytics,
    call: Call,
) -> Result<Answer, ApiError> {
    let input: Input<'_, MODEL> = call.parse()?;
    let said = if MODEL == V1 {
        &input.exclusive_start_application_name
    } else {
        &input.next_token
    };
    let after = said.as_ref().map(|name| ApplicationName::parse(name));
    let after = after.transpose();
    let after = after.map_err(|error| ApiError::validation(error.to_string()))?;
    let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
    let limit = page::limit(input.limit)?;
    let found = analytics.directory.of(&call.caller, from);
    let has_more = found.len() > limit;
    let page = found.get(..limit).unwrap_or(&found);
    let last = page.last().map(|it| it.arn.name.to_string());
    call.answer(&if MODEL == V1 {
        Output {
            application_summaries: page.iter().map(|it| summary(analytics, it)).collect(),
            has_more_applications: Some(has_more),
            next_token: None,
        }
    } else {
        Output {
            application_summaries: page.iter().map(|it| summary_2(analytics, it)).collect(),
            has_more_applications: None,
            next_token: last.filter(|_| has_more),
        }
    })
}
