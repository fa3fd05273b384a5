//! TagResource.

use serde::Deserialize;
use wire::members::{Map, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::resource::Resource;
use super::shapes::{RESOURCE_ARN, STREAM_ID, TAGS};
use super::{required, resource, tags};
use crate::Streams;
use crate::edit::TagEdit;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    tags: Option<Map<'a>>,
    #[serde(borrow, rename = "ResourceARN")]
    resource_arn: Option<Text<'a>>,
    #[serde(borrow)]
    stream_id: Option<Text<'a>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("Tags", &self.tags, TAGS);
        check.required("ResourceARN", &self.resource_arn, RESOURCE_ARN);
        check.optional("StreamId", &self.stream_id, STREAM_ID);
    }
}

/// Gives a resource labels, at most 50, and new values to those that it has.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let arn = required("ResourceARN", &input.resource_arn)?;
    let tags = required("Tags", &input.tags)?;
    if let Some(stream) = resource::stream_named(arn) {
        tags::check_count(tags, &stream)?;
    }
    let caller = call.caller.tagging(tags::pairs(tags));
    let resource = Resource::find_to_change(streams, &caller, arn)?;
    let edit = TagEdit::Add(tags::parse(tags, resource.stream())?);
    resource.tag(streams, edit).await?;
    Ok(Answer::empty())
}
