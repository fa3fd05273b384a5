//! CreateStream.

use std::collections::BTreeMap;

use serde::Deserialize;
use types::limits::RECORD_BYTES_MAX;
use types::{StreamArn, StreamName};
use wire::members::{Integer, Map, Structure, Text};
use wire::shape::{Check, Fields, NumberRule, Shape, TextRule};
use wire::{Answer, ApiError, Call};

use super::shapes::{STREAM_NAME, TAGS};
use super::{error, required, tags};
use crate::Streams;
use crate::catalog::NewStream;
use crate::stream::Mode;

/// Shards that an on-demand stream begins with.
const ON_DEMAND_SHARDS: u32 = 4;
const SHARD_COUNT: NumberRule = NumberRule::at_least(1);
const STREAM_MODE: TextRule = TextRule::one_of(&["PROVISIONED", "ON_DEMAND"]);
const MAX_RECORD_SIZE: NumberRule = NumberRule::within(1_024, 10_240);
const WARM_THROUGHPUT: NumberRule = NumberRule::at_least(0);
const DISTRIBUTION: TextRule = TextRule::one_of(&["AUTO", "USER_PARTITION_KEY"]);
const BYTES_PER_KIB: usize = 1024;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
    shard_count: Option<Integer>,
    #[serde(borrow)]
    stream_mode_details: Option<Structure<StreamModeDetails<'a>>>,
    #[serde(borrow)]
    tags: Option<Map<'a>>,
    #[serde(rename = "WarmThroughputMiBps")]
    warm_throughput: Option<Integer>,
    #[serde(rename = "MaxRecordSizeInKiB")]
    max_record_size: Option<Integer>,
    #[serde(borrow)]
    record_distribution_strategy: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamModeDetails<'a> {
    #[serde(borrow)]
    stream_mode: Option<Text<'a>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("ShardCount", &self.shard_count, SHARD_COUNT);
        check.required("StreamName", &self.stream_name, STREAM_NAME);
        check.optional("StreamModeDetails", &self.stream_mode_details, Fields);
        check.optional("Tags", &self.tags, TAGS);
        check.optional(
            "WarmThroughputMiBps",
            &self.warm_throughput,
            WARM_THROUGHPUT,
        );
        check.optional("MaxRecordSizeInKiB", &self.max_record_size, MAX_RECORD_SIZE);
        check.optional(
            "RecordDistributionStrategy",
            &self.record_distribution_strategy,
            DISTRIBUTION,
        );
    }
}

impl Shape for StreamModeDetails<'_> {
    fn check(&self, check: &mut Check) {
        check.required("StreamMode", &self.stream_mode, STREAM_MODE);
    }
}

/// Makes a stream. It is durable as CREATING when this answers, and ACTIVE a moment later.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let name = required("StreamName", &input.stream_name)?;
    let arn = StreamArn {
        region: call.caller.region.clone(),
        account: call.caller.account,
        name: StreamName::parse(name).map_err(|e| ApiError::validation(e.to_string()))?,
    };
    // Also decided by the catalog in its turn; here, because it goes before what follows.
    if streams.directory.at(&arn).is_some() {
        return Err(error::stream_exists(&arn));
    }
    refuse_what_is_not_served(&input)?;
    let (mode, shard_count) = shards(&input)?;
    let tags = match &input.tags {
        Some(tags) => tags::parse(tags, &arn)?,
        None => BTreeMap::new(),
    };
    let record_bytes_max = match input.max_record_size {
        Some(Integer(kib)) => usize::try_from(kib).map_err(out_of_range)? * BYTES_PER_KIB,
        None => RECORD_BYTES_MAX,
    };
    let new = NewStream {
        arn: arn.clone(),
        mode,
        shard_count,
        record_bytes_max,
        tags,
    };
    let made = streams.catalog.create(new).await;
    made.map_err(|error| error::change(error, &arn))?;
    Ok(Answer::empty())
}

fn shards(input: &Input<'_>) -> Result<(Mode, u32), ApiError> {
    let details = input.stream_mode_details.as_ref();
    let mode = details.and_then(|details| details.stream_mode.as_ref());
    let on_demand = mode.is_some_and(|mode| mode.as_str() == "ON_DEMAND");
    match (on_demand, input.shard_count) {
        (true, None) => Ok((Mode::OnDemand, ON_DEMAND_SHARDS)),
        (true, Some(_)) => Err(error::invalid_argument(
            "ShardCount must not be provided when StreamMode is ON_DEMAND.",
        )),
        (false, None) => Err(error::invalid_argument(
            "ShardCount must be provided when StreamMode is PROVISIONED.",
        )),
        (false, Some(Integer(count))) => {
            let count = u32::try_from(count).map_err(out_of_range)?;
            Ok((Mode::Provisioned, count))
        }
    }
}

/// The shape has let a number through that it does not allow.
fn out_of_range(error: std::num::TryFromIntError) -> ApiError {
    error::internal("read the numbers of CreateStream", &error)
}

/// What the model knows and this server does not do is refused, not taken and ignored.
fn refuse_what_is_not_served(input: &Input<'_>) -> Result<(), ApiError> {
    let strategy = input.record_distribution_strategy.as_ref();
    if strategy.is_some_and(|strategy| strategy.as_str() == "AUTO") {
        return Err(error::invalid_argument(
            "RecordDistributionStrategy AUTO is not supported.",
        ));
    }
    match input.warm_throughput {
        None | Some(Integer(0)) => Ok(()),
        Some(_) => Err(error::invalid_argument(
            "WarmThroughputMiBps is not supported.",
        )),
    }
}
