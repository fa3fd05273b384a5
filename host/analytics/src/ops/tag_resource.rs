//! TagResource.

use serde::Deserialize;
use wire::members::{List, NoMembers, Structure, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::rules::rules;
use super::shapes::{self, TAGS, Tag, required};
use super::{check_not_deleting, error, find_by_arn};
use crate::Analytics;
use crate::application::Application;
use crate::catalog::Replacement;
use crate::limits::TAGS_MAX;

#[derive(Deserialize)]
struct Input<'a, const MODEL: u16> {
    #[serde(borrow, rename = "ResourceARN")]
    resource_arn: Option<Text<'a>>,
    #[serde(borrow, rename = "Tags")]
    tags: Option<List<Structure<Tag<'a>>>>,
}

impl<const MODEL: u16> Shape for Input<'_, MODEL> {
    fn check(&self, check: &mut Check) {
        let arn = rules(MODEL).application_arn;
        check.required("ResourceARN", &self.resource_arn, arn);
        check.required("Tags", &self.tags, TAGS);
    }
}

/// Gives an application labels, at most 50, and new values to those that it has. Labels are no
/// configuration: its version stays.
pub async fn handle<const MODEL: u16>(
    analytics: &Analytics,
    call: Call,
) -> Result<Answer, ApiError> {
    let input: Input<'_, MODEL> = call.parse()?;
    let tags = shapes::tags(required(&input.tags)?)?;
    let pairs = tags.iter();
    let caller = call
        .caller
        .tagging(pairs.map(|(key, value)| (key.as_str(), value.as_str())));
    let before = find_by_arn(analytics, &caller, required(&input.resource_arn)?)?;
    check_not_deleting(&before)?;
    let mut after = Application::clone(&before);
    after.tags.extend(tags);
    if after.tags.len() > TAGS_MAX {
        return Err(error::too_many_tags(format!(
            "An application cannot have more than {TAGS_MAX} tags."
        )));
    }
    let arn = before.arn.clone();
    let replaced = analytics.catalog.replace(Replacement {
        before,
        after,
        operation: None,
    });
    replaced.await.map_err(|error| error::change(error, &arn))?;
    call.answer(&NoMembers {})
}
