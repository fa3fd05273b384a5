//! UpdateStreamWarmThroughput.

use serde::{Deserialize, Serialize};
use wire::members::{Integer, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::describe::WarmThroughput;
use super::modes::WARM_THROUGHPUT;
use super::shapes::StreamMembers;
use super::{calls, error, modes, required};
use crate::Streams;
use crate::calls::AccountCalls;
use crate::directory::owner;
use crate::edit::Edit;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow, rename = "StreamARN")]
    stream_arn: Option<Text<'a>>,
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    stream_id: Option<Text<'a>>,
    #[serde(rename = "WarmThroughputMiBps")]
    warm_throughput: Option<Integer>,
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
        check.required(
            "WarmThroughputMiBps",
            &self.warm_throughput,
            WARM_THROUGHPUT,
        );
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    #[serde(rename = "StreamARN")]
    stream_arn: String,
    stream_name: &'a str,
    warm_throughput: WarmThroughput,
}

/// Says what a stream shall be able to take in a second. If its shards cannot, it is UPDATING until
/// there are as many as can, a MiB each. If less is asked for, it keeps those that it has until it
/// is scaled by what is put into it.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    calls::of_account(
        streams,
        AccountCalls::UpdateStreamWarmThroughput,
        &call.caller,
    )?;
    let stream = input.stream().find_to_change(streams, &call.caller)?;
    if stream.mode.on_demand().is_none() {
        return Err(error::warm_throughput_of_provisioned());
    }
    let mibps = *required("WarmThroughputMiBps", &input.warm_throughput)?;
    let mibps = modes::warm_mibps(streams, &owner(&stream.arn), mibps).await?;
    let edit = Edit::SetWarmThroughput(mibps);
    let edited = streams.catalog.edit(stream.arn.clone(), edit).await;
    edited.map_err(|error| error::change(error, &stream.arn))?;
    call.answer(&Output {
        stream_arn: stream.arn.to_string(),
        stream_name: stream.arn.name.as_str(),
        warm_throughput: WarmThroughput::of(&stream, Some(mibps)),
    })
}
