//! RemoveTagsFromStream.

use serde::Deserialize;
use wire::members::{List, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::shapes::{StreamMembers, TAG_KEYS};
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
    tag_keys: Option<List<Text<'a>>>,
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
        check.required("TagKeys", &self.tag_keys, TAG_KEYS);
        self.stream().check(check);
    }
}

/// Takes labels off a stream; those that it does not have are passed over.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    calls::of_account(streams, AccountCalls::RemoveTagsFromStream, &call.caller)?;
    let keys = required("TagKeys", &input.tag_keys)?;
    let caller = call.caller.untagging(keys.iter().map(Text::as_str));
    let stream = input.stream().find_to_change(streams, &caller)?;
    let edit = Edit::Tag(TagEdit::Remove(tags::parse_keys(keys, &stream.arn)?));
    let edited = streams.catalog.edit(stream.arn.clone(), edit).await;
    edited.map_err(|error| error::change(error, &stream.arn))?;
    Ok(Answer::empty())
}
