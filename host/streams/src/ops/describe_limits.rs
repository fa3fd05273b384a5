//! DescribeLimits.

use serde::{Deserialize, Serialize};
use types::limits::{SHARDS_PER_REGION_MAX, TOLD_COUNT_MAX};
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::calls;
use crate::Streams;
use crate::calls::AccountCalls;

#[derive(Deserialize)]
struct Input {}

impl Shape for Input {
    fn check(&self, _: &mut Check) {}
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    shard_limit: usize,
    open_shard_count: usize,
    on_demand_stream_count: usize,
    on_demand_stream_count_limit: usize,
}

/// Tells how many shards and streams the account may have in a region, and how many it has. As many
/// of its streams as it may have at all can be ON_DEMAND. There are no channels, and nothing is
/// said of them.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let Input {} = call.parse()?;
    calls::of_account(streams, AccountCalls::DescribeLimits, &call.caller)?;
    let usage = streams.directory.usage(&call.caller);
    let limits = streams.options.limits;
    call.answer(&Output {
        shard_limit: told(SHARDS_PER_REGION_MAX.min(limits.shards_max)),
        open_shard_count: told(usage.shards_in_region),
        on_demand_stream_count: told(usage.on_demand_in_region),
        on_demand_stream_count_limit: told(limits.streams_max),
    })
}

fn told(count: usize) -> usize {
    count.min(TOLD_COUNT_MAX)
}
