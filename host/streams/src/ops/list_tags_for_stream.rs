//! ListTagsForStream.

use std::ops::Bound;

use serde::{Deserialize, Serialize};
use types::limits::TAGS_PER_RESOURCE_MAX;
use wire::members::{Integer, Text};
use wire::shape::{Check, NumberRule, Shape};
use wire::{Answer, ApiError, Call};

use super::shapes::{StreamMembers, TAG_KEY};
use super::tags::Tag;
use super::{calls, page_size};
use crate::Streams;
use crate::calls::AccountCalls;

const LIMIT: NumberRule = NumberRule::within(1, 50);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    exclusive_start_tag_key: Option<Text<'a>>,
    limit: Option<Integer>,
    #[serde(borrow, rename = "StreamARN")]
    stream_arn: Option<Text<'a>>,
    #[serde(borrow)]
    stream_id: Option<Text<'a>>,
}

impl Input<'_> {
    fn stream(&self) -> StreamMembers<'_> {
        StreamMembers {
            name: &self.stream_name,
            arn: &self.stream_arn,
            id: &self.stream_id,
        }
    }
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("Limit", &self.limit, LIMIT);
        check.optional(
            "ExclusiveStartTagKey",
            &self.exclusive_start_tag_key,
            TAG_KEY,
        );
        self.stream().check(check);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    tags: Vec<Tag<'a>>,
    has_more_tags: bool,
}

/// Gives a stream's labels in order of their keys.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    calls::of_account(streams, AccountCalls::ListTagsForStream, &call.caller)?;
    let stream = input.stream().find(streams, &call.caller)?;
    let limit = page_size(input.limit, TAGS_PER_RESOURCE_MAX);
    let after = input.exclusive_start_tag_key.as_ref().map(Text::as_str);
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let mut left = stream.tags.range::<str, _>((from, Bound::Unbounded));
    let tags = left.by_ref().take(limit);
    let tags = tags.map(|(key, value)| Tag { key, value }).collect();
    call.answer(&Output {
        tags,
        has_more_tags: left.next().is_some(),
    })
}
