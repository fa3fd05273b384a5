//! ListTagsForResource.

use serde::{Deserialize, Serialize};
use wire::members::Text;
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::find_by_arn;
use super::rules::rules;
use super::shapes::required;
use crate::Analytics;

#[derive(Deserialize)]
struct Input<'a, const MODEL: u16> {
    #[serde(borrow, rename = "ResourceARN")]
    resource_arn: Option<Text<'a>>,
}

impl<const MODEL: u16> Shape for Input<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        let arn = rules(MODEL).application_arn;
        check.required("ResourceARN", &self.resource_arn, arn);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    tags: Vec<Tag<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tag<'a> {
    key: &'a str,
    value: &'a str,
}

/// Gives an application's labels, in order of their keys.
pub async fn handle<const MODEL: u16>(
    analytics: &Analytics,
    call: Call,
) -> Result<Answer, ApiError> {
    let input: Input<'_, MODEL> = call.parse()?;
    let arn = required(&input.resource_arn)?;
    let application = find_by_arn(analytics, &call.caller, arn)?;
    let tags = application.tags.iter();
    call.answer(&Output {
        tags: tags.map(|(key, value)| Tag { key, value }).collect(),
    })
}
