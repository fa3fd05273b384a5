//! PutResourcePolicy.

use std::sync::Arc;

use serde::Deserialize;
use wire::iam::ResourcePolicy;
use wire::members::Text;
use wire::shape::{Check, Shape, TextRule};
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
    #[serde(borrow)]
    policy: Option<Text<'a>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("Policy", &self.policy, TextRule::ANY);
        check.required("ResourceARN", &self.resource_arn, RESOURCE_ARN);
        check.optional("StreamId", &self.stream_id, STREAM_ID);
    }
}

/// Says who may use a stream or a consumer, in the place of what was said before. It is in force
/// for every call that begins after this answers.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let arn = required("ResourceARN", &input.resource_arn)?;
    let resource = Resource::find_to_change(streams, &call.caller, arn)?;
    let policy = ResourcePolicy::parse(required("Policy", &input.policy)?);
    let policy = policy.map_err(|error| error::policies::refused(&error))?;
    resource.set_policy(streams, Arc::new(policy)).await?;
    Ok(Answer::empty())
}
