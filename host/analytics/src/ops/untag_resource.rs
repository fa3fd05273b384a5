//! UntagResource.

use serde::Deserialize;
use wire::members::{List, NoMembers, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::rules::rules;
use super::shapes::{TAG_KEYS, required};
use super::{check_not_deleting, error, find_by_arn};
use crate::Analytics;
use crate::application::Application;
use crate::catalog::Replacement;

#[derive(Deserialize)]
struct Input<'a, const MODEL: u16> {
    #[serde(borrow, rename = "ResourceARN")]
    resource_arn: Option<Text<'a>>,
    #[serde(borrow, rename = "TagKeys")]
    tag_keys: Option<List<Text<'a>>>,
}

impl<const MODEL: u16> Shape for Input<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        let arn = rules(MODEL).application_arn;
        check.required("ResourceARN", &self.resource_arn, arn);
        check.required("TagKeys", &self.tag_keys, TAG_KEYS);
    }
}

/// Takes labels off an application; those that it does not have stay away.
pub async fn handle<const MODEL: u16>(
    analytics: &Analytics,
    call: Call,
) -> Result<Answer, ApiError> {
    let input: Input<'_, MODEL> = call.parse()?;
    let keys = required(&input.tag_keys)?;
    let caller = call.caller.untagging(keys.iter().map(|key| key.as_str()));
    let before = find_by_arn(analytics, &caller, required(&input.resource_arn)?)?;
    check_not_deleting(&before)?;
    let mut after = Application::clone(&before);
    after
        .tags
        .retain(|key, _| !keys.iter().any(|gone| gone.as_str() == key));
    let arn = before.arn.clone();
    let replaced = analytics.catalog.replace(Replacement {
        before,
        after,
        operation: None,
    });
    replaced.await.map_err(|error| error::change(error, &arn))?;
    call.answer(&NoMembers {})
}
