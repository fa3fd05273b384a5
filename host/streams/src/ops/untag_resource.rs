//! UntagResource.

use serde::Deserialize;
use wire::members::{List, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::resource::Resource;
use super::shapes::{RESOURCE_ARN, STREAM_ID, TAG_KEYS};
use super::{required, tags};
use crate::Streams;
use crate::edit::TagEdit;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    tag_keys: Option<List<Text<'a>>>,
    #[serde(borrow, rename = "ResourceARN")]
    resource_arn: Option<Text<'a>>,
    #[serde(borrow)]
    stream_id: Option<Text<'a>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("TagKeys", &self.tag_keys, TAG_KEYS);
        check.required("ResourceARN", &self.resource_arn, RESOURCE_ARN);
        check.optional("StreamId", &self.stream_id, STREAM_ID);
    }
}

/// Takes labels off a resource; those that it does not have are passed over.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let arn = required("ResourceARN", &input.resource_arn)?;
    let keys = required("TagKeys", &input.tag_keys)?;
    let caller = call.caller.untagging(keys.iter().map(Text::as_str));
    let resource = Resource::find_to_change(streams, &caller, arn)?;
    let edit = TagEdit::Remove(tags::parse_keys(keys, resource.stream())?);
    resource.tag(streams, edit).await?;
    Ok(Answer::empty())
}
