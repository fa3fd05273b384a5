//! UpdateStreamRecordDistributionStrategy.

use serde::Deserialize;
use wire::members::Text;
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::modes::DISTRIBUTION;
use super::shapes::{STREAM_ARN, STREAM_ID, StreamMembers};
use super::{error, modes, required};
use crate::Streams;
use crate::edit::Edit;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow, rename = "StreamARN")]
    stream_arn: Option<Text<'a>>,
    #[serde(borrow)]
    stream_id: Option<Text<'a>>,
    #[serde(borrow)]
    record_distribution_strategy: Option<Text<'a>>,
}

impl Input<'_> {
    fn stream(&self) -> StreamMembers<'_> {
        StreamMembers {
            name: &None,
            arn: &self.stream_arn,
            id: &self.stream_id,
        }
    }
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("StreamARN", &self.stream_arn, STREAM_ARN);
        check.optional("StreamId", &self.stream_id, STREAM_ID);
        check.required(
            "RecordDistributionStrategy",
            &self.record_distribution_strategy,
            DISTRIBUTION,
        );
    }
}

/// Has the records that come from now on find their shards by their keys, or go to all in turn.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let stream = input.stream().find_to_change(streams, &call.caller)?;
    let strategy = &input.record_distribution_strategy;
    let strategy = required("RecordDistributionStrategy", strategy)?;
    let edit = Edit::SetDistribution(modes::distribution(strategy)?);
    let edited = streams.catalog.edit(stream.arn.clone(), edit).await;
    edited.map_err(|error| error::change(error, &stream.arn))?;
    Ok(Answer::empty())
}
