//! UpdateMaxRecordSize.

use serde::Deserialize;
use wire::members::{Integer, Text};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::record_size;
use super::shapes::{MAX_RECORD_SIZE, StreamMembers};
use super::{error, required};
use crate::Streams;
use crate::edit::Edit;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow, rename = "StreamARN")]
    stream_arn: Option<Text<'a>>,
    #[serde(borrow)]
    stream_id: Option<Text<'a>>,
    #[serde(rename = "MaxRecordSizeInKiB")]
    max_record_size: Option<Integer>,
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
        self.stream().check(check);
        check.required("MaxRecordSizeInKiB", &self.max_record_size, MAX_RECORD_SIZE);
    }
}

/// Takes larger records from now on, or only smaller ones. AWS has the stream UPDATING for a while;
/// here nothing is left to do when this answers, and it stays ACTIVE.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let stream = input.stream().find_to_change(streams, &call.caller)?;
    let kib = *required("MaxRecordSizeInKiB", &input.max_record_size)?;
    let edit = Edit::SetRecordBytesMax(record_size::parse(kib)?);
    let edited = streams.catalog.edit(stream.arn.clone(), edit).await;
    edited.map_err(|error| error::change(error, &stream.arn))?;
    Ok(Answer::empty())
}
