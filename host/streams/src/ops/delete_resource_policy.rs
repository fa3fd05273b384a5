//! DeleteResourcePolicy.

use serde::Deserialize;
use wire::members::Text;
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::resource::Resource;
use super::shapes::{RESOURCE_ARN, STREAM_ID};
use super::{error, required};
use crate::Streams;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow, rename = "ResourceARN")]
    resource_arn: Option<Text<'a>>,
    #[serde(borrow)]
    stream_id: Option<Text<'a>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("ResourceARN", &self.resource_arn, RESOURCE_ARN);
        check.optional("StreamId", &self.stream_id, STREAM_ID);
    }
}

/// Takes the policy of a stream or a consumer away: others have no rights in it any more once this
/// answers.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let arn = required("ResourceARN", &input.resource_arn)?;
    let resource = Resource::find_to_change(streams, &call.caller, arn)?;
    if resource.policy().is_none() {
        return Err(error::policies::none(arn));
    }
    resource.remove_policy(streams).await?;
    Ok(Answer::empty())
}
