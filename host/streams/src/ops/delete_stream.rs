//! DeleteStream.

use serde::Deserialize;
use wire::members::{Boolean, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::shapes::StreamMembers;
use super::{calls, error};
use crate::Streams;
use crate::calls::AccountCalls;
use crate::catalog::Consumed;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
    enforce_consumer_deletion: Option<Boolean>,
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
        self.stream().check(check);
    }
}

/// Deletes a stream with all that is in it. It is durable as DELETING when this answers, and gone
/// a moment later. One that has consumers is only deleted where that is asked for.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    calls::of_account(streams, AccountCalls::DeleteStream, &call.caller)?;
    let (arn, _) = input.stream().look_at(streams, &call.caller)?;
    let consumed = match input.enforce_consumer_deletion {
        Some(Boolean(true)) => Consumed::Delete,
        Some(Boolean(false)) | None => Consumed::Refuse,
    };
    let deleted = streams.catalog.delete(arn.clone(), consumed).await;
    deleted.map_err(|error| error::change(error, &arn))?;
    Ok(Answer::empty())
}
