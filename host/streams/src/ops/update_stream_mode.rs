//! UpdateStreamMode.

use serde::Deserialize;
use wire::members::{Integer, Structure, Text};
use wire::shape::{Check, Fields, Shape};
use wire::{Answer, ApiError, Call};

use super::modes::{StreamModeDetails, WARM_THROUGHPUT};
use super::shapes::{STREAM_ARN, STREAM_ID, StreamMembers};
use super::{error, modes, required};
use crate::Streams;
use crate::directory::owner;
use crate::edit::Edit;
use crate::mode::{Mode, OnDemand};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow, rename = "StreamARN")]
    stream_arn: Option<Text<'a>>,
    #[serde(borrow)]
    stream_id: Option<Text<'a>>,
    #[serde(borrow)]
    stream_mode_details: Option<Structure<StreamModeDetails<'a>>>,
    #[serde(rename = "WarmThroughputMiBps")]
    warm_throughput: Option<Integer>,
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
        check.required("StreamModeDetails", &self.stream_mode_details, Fields);
        check.optional(
            "WarmThroughputMiBps",
            &self.warm_throughput,
            WARM_THROUGHPUT,
        );
    }
}

/// Leaves the number of shards to the owner or to the service; there are as many as before, unless
/// there must be more for a warm throughput. AWS has the stream UPDATING for a while; here nothing
/// else is left to do when this answers, and without more shards it stays ACTIVE. A stream that
/// goes back to its owner distributes records by their keys again.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let stream = input.stream().find_to_change(streams, &call.caller)?;
    let details = required("StreamModeDetails", &input.stream_mode_details)?;
    let warm = input.warm_throughput.filter(|Integer(mibps)| *mibps > 0);
    let to = match (modes::mode(details)?, warm) {
        (mode, None) => mode,
        (Mode::Provisioned, Some(_)) => return Err(error::warm_throughput_of_provisioned()),
        (Mode::OnDemand(set), Some(mibps)) => Mode::OnDemand(OnDemand {
            warm_mibps: Some(modes::warm_mibps(streams, &owner(&stream.arn), mibps).await?),
            ..set
        }),
    };
    let at = streams.now();
    let edit = Edit::SwitchMode { to, at };
    let edited = streams.catalog.edit(stream.arn.clone(), edit).await;
    edited.map_err(|error| error::change(error, &stream.arn))?;
    Ok(Answer::empty())
}
