//! AddTagsToStream.

use serde::Deserialize;
use wire::members::{Map, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::shapes::{StreamMembers, TAGS};
use super::{calls, error, required, tags};
use crate::Streams;
use crate::calls::AccountCalls;
use crate::edit::{Edit, TagEdit};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    tags: Option<Map<'a>>,
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
        check.required("Tags", &self.tags, TAGS);
        self.stream().check(check);
    }
}

/// Gives a stream labels, at most 50, and new values to those that it has.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    calls::of_account(streams, AccountCalls::AddTagsToStream, &call.caller)?;
    let tags = required("Tags", &input.tags)?;
    tags::check_count(tags, &input.stream().arn(&call.caller)?)?;
    let caller = call.caller.tagging(tags::pairs(tags));
    let stream = input.stream().find_to_change(streams, &caller)?;
    let edit = Edit::Tag(TagEdit::Add(tags::parse(tags, &stream.arn)?));
    let edited = streams.catalog.edit(stream.arn.clone(), edit).await;
    edited.map_err(|error| error::change(error, &stream.arn))?;
    Ok(Answer::empty())
}
