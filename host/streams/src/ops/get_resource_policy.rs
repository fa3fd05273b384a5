//! GetResourcePolicy.

use serde::{Deserialize, Serialize};
use wire::members::Text;
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::required;
use super::resource::Resource;
use super::shapes::{RESOURCE_ARN, STREAM_ID};
use crate::Streams;

/// What AWS shows of a resource that has no policy.
const NO_POLICY: &str = "{}";

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

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    policy: &'a str,
}

/// Gives the policy of a stream or a consumer as it was put.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let arn = required("ResourceARN", &input.resource_arn)?;
    let resource = Resource::find(streams, &call.caller, arn)?;
    call.answer(&Output {
        policy: resource.policy().map_or(NO_POLICY, |policy| policy.text()),
    })
}
