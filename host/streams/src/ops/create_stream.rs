//! CreateStream.

use std::collections::BTreeMap;

use serde::Deserialize;
use types::limits::{ON_DEMAND_SHARDS_MIN, RECORD_BYTES_MAX};
use types::{Caller, StreamArn, StreamName};
use wire::members::{Integer, Map, Structure, Text};
use wire::shape::{Check, Fields, NumberRule, Shape};
use wire::{Action, Answer, ApiError, Call, Target};

use super::modes::{DISTRIBUTION, StreamModeDetails, WARM_THROUGHPUT};
use super::shapes::{MAX_RECORD_SIZE, STREAM_NAME, TAGS};
use super::{address, calls, error, modes, record_size, required, tags};
use crate::Streams;
use crate::calls::AccountCalls;
use crate::catalog::NewStream;
use crate::mode::{Distribution, Mode, OnDemand};

const SHARD_COUNT: NumberRule = NumberRule::at_least(1);

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

/// What may be done besides by whoever makes a stream with labels (CreateStream).
const TAGGING: Action = Action {
    service: "kinesis",
    operation: "AddTagsToStream",
};

/// Makes a stream. It is durable as CREATING when this answers, and ACTIVE a moment later.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    calls::of_account(streams, AccountCalls::CreateStream, &call.caller)?;
    let name = required("StreamName", &input.stream_name)?;
    let arn = StreamArn {
        region: call.caller.region.clone(),
        account: call.caller.account,
        name: StreamName::parse(name).map_err(|e| ApiError::validation(e.to_string()))?,
    };
    let caller = match &input.tags {
        Some(tags) => {
            tags::check_count(tags, &arn)?;
            call.caller.tagging(tags::pairs(tags))
        }
        None => call.caller.clone(),
    };
    // Also decided by the catalog in its turn; here, because it goes before what follows.
    if address::look_at(streams, &caller, &arn)?.is_some() {
        return Err(error::stream_exists(&arn));
    }
    if input.tags.is_some() {
        caller.permit_to(TAGGING, &Target::named(&arn, arn.account))?;
    }
    let (mode, shard_count) = shards(streams, &call.caller, &input).await?;
    let tags = match &input.tags {
        Some(tags) => tags::parse(tags, &arn)?,
        None => BTreeMap::new(),
    };
    let record_bytes_max = match input.max_record_size {
        Some(kib) => record_size::parse(kib)?,
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

async fn shards(
    streams: &Streams,
    caller: &Caller,
    input: &Input<'_>,
) -> Result<(Mode, u32), ApiError> {
    let mode = match &input.stream_mode_details {
        Some(details) => modes::mode(details)?,
        None => Mode::Provisioned,
    };
    let distribution = match &input.record_distribution_strategy {
        Some(strategy) => modes::distribution(strategy)?,
        None => Distribution::default(),
    };
    // Without any there is nothing to be ready for.
    let warm = input.warm_throughput.filter(|Integer(mibps)| *mibps > 0);
    match (mode, input.shard_count) {
        (Mode::OnDemand(_), None) => {
            let warm_mibps = match warm {
                Some(mibps) => Some(modes::warm_mibps(streams, caller, mibps).await?),
                None => None,
            };
            let mode = Mode::OnDemand(OnDemand {
                distribution,
                warm_mibps,
            });
            // A shard takes a MiB in a second.
            Ok((mode, ON_DEMAND_SHARDS_MIN.max(warm_mibps.unwrap_or(0))))
        }
        (Mode::OnDemand(_), Some(_)) => Err(error::invalid_argument(
            "ShardCount must not be provided when StreamMode is ON_DEMAND.",
        )),
        (Mode::Provisioned, _) if warm.is_some() => Err(error::warm_throughput_of_provisioned()),
        (Mode::Provisioned, _) if distribution == Distribution::Auto => {
            Err(error::auto_of_provisioned())
        }
        (Mode::Provisioned, None) => Err(error::invalid_argument(
            "ShardCount must be provided when StreamMode is PROVISIONED.",
        )),
        (Mode::Provisioned, Some(Integer(count))) => {
            let count = u32::try_from(count).map_err(out_of_range)?;
            Ok((mode, count))
        }
    }
}

/// The shape has let a number through that it does not allow.
fn out_of_range(error: std::num::TryFromIntError) -> ApiError {
    error::internal("read the numbers of CreateStream", &error)
}
