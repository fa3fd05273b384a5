//! UpdateShardCount.

use serde::{Deserialize, Serialize};
use wire::members::{Integer, Text};
use wire::shape::{Check, NumberRule, Shape, TextRule};
use wire::{Answer, ApiError, Call};

use super::shapes::StreamMembers;
use super::{error, required};
use crate::Streams;
use crate::catalog::By;
use crate::resharding::Resharding;

const SHARD_COUNT: NumberRule = NumberRule::at_least(1);
const SCALING_TYPE: TextRule = TextRule::one_of(&["UNIFORM_SCALING"]);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
    target_shard_count: Option<Integer>,
    #[serde(borrow)]
    scaling_type: Option<Text<'a>>,
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
        check.required("ScalingType", &self.scaling_type, SCALING_TYPE);
        check.required("TargetShardCount", &self.target_shard_count, SHARD_COUNT);
        self.stream().check(check);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    stream_name: &'a str,
    current_shard_count: usize,
    target_shard_count: u32,
    #[serde(rename = "StreamARN")]
    stream_arn: String,
}

/// Splits and merges shards until there are so many, all of one size. It is durable as UPDATING
/// when this answers, and ACTIVE once all is done. At most double, at least half of the shards that
/// there are, and ten times within 24 hours.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let stream = input.stream().find_to_change(streams, &call.caller)?;
    let Integer(target) = *required("TargetShardCount", &input.target_shard_count)?;
    let target = u32::try_from(target)
        .map_err(|error| error::internal("read the number of UpdateShardCount", &error))?;
    let scale = Resharding::Scale(target);
    let begun = streams
        .catalog
        .reshard(stream.arn.clone(), scale, By::Owner)
        .await;
    let begun = begun.map_err(|error| error::change(error, &stream.arn))?;
    call.answer(&Output {
        stream_name: stream.arn.name.as_str(),
        current_shard_count: begun.current,
        target_shard_count: target,
        stream_arn: stream.arn.to_string(),
    })
}
