//! ListTagsForDeliveryStream.

use std::ops::Bound;

use serde::{Deserialize, Serialize};
use types::limits::TAGS_PER_RESOURCE_MAX;
use wire::members::{Integer, Text};
use wire::shape::{Check, NumberRule, Shape};
use wire::{Answer, ApiError, Call};

use super::find;
use super::shapes::{NAME, TAG_KEY, required, within};
use crate::Delivery;

const LIMIT: NumberRule = NumberRule::within(1, 50);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    delivery_stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    exclusive_start_tag_key: Option<Text<'a>>,
    limit: Option<Integer>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("DeliveryStreamName", &self.delivery_stream_name, NAME);
        check.optional(
            "ExclusiveStartTagKey",
            &self.exclusive_start_tag_key,
            TAG_KEY,
        );
        check.optional("Limit", &self.limit, LIMIT);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    tags: Vec<Tag<'a>>,
    has_more_tags: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tag<'a> {
    key: &'a str,
    value: &'a str,
}

/// Gives a delivery stream's labels, in order of their keys.
pub async fn handle(delivery: &Delivery, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let name = required(&input.delivery_stream_name)?.as_str();
    let stream = find(delivery, &call.caller, name)?;
    let after = input.exclusive_start_tag_key.as_ref().map(Text::as_str);
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let limit = within(input.limit, TAGS_PER_RESOURCE_MAX)?;
    let mut found = stream.tags.range::<str, _>((from, Bound::Unbounded));
    let tags: Vec<_> = found
        .by_ref()
        .take(limit)
        .map(|(key, value)| Tag { key, value })
        .collect();
    call.answer(&Output {
        tags,
        has_more_tags: found.next().is_some(),
    })
}
