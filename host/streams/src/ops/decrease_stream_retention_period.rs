//! DecreaseStreamRetentionPeriod.

use serde::Deserialize;
use wire::members::{Integer, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::shapes::{RETENTION_HOURS, StreamMembers};
use super::{error, retention_hours};
use crate::Streams;
use crate::edit::Edit;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
    retention_period_hours: Option<Integer>,
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
        check.required(
            "RetentionPeriodHours",
            &self.retention_period_hours,
            RETENTION_HOURS,
        );
        self.stream().check(check);
    }
}

/// Keeps a stream's records for less time, or for as long as now. What is older than that
/// can no longer be read from the moment this answers.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let stream = input.stream().find_to_change(streams, &call.caller)?;
    let hours = retention_hours::parse(&input.retention_period_hours)?;
    let edit = Edit::DecreaseRetention(hours);
    let edited = streams.catalog.edit(stream.arn.clone(), edit).await;
    edited.map_err(|error| error::change(error, &stream.arn))?;
    Ok(Answer::empty())
}
