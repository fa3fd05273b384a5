//! MergeShards.

use serde::Deserialize;
use types::ShardId;
use wire::members::Text;
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::shapes::{SHARD_ID, StreamMembers};
use super::{calls, error, required};
use crate::Streams;
use crate::calls::AccountCalls;
use crate::catalog::By;
use crate::resharding::Resharding;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    shard_to_merge: Option<Text<'a>>,
    #[serde(borrow)]
    adjacent_shard_to_merge: Option<Text<'a>>,
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
            "AdjacentShardToMerge",
            &self.adjacent_shard_to_merge,
            SHARD_ID,
        );
        check.required("ShardToMerge", &self.shard_to_merge, SHARD_ID);
        self.stream().check(check);
    }
}

/// Makes one shard of two neighbours, of which the one with the lower hash keys is named first. It
/// is durable as UPDATING when this answers, and ACTIVE a moment later.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    calls::of_account(streams, AccountCalls::MergeShards, &call.caller)?;
    let stream = input.stream().find_to_change(streams, &call.caller)?;
    let shard = |text: &Text<'_>| {
        ShardId::parse(text).map_err(|_| error::no_shard_named(&stream.arn, text))
    };
    let merge = Resharding::Merge {
        shard: shard(required("ShardToMerge", &input.shard_to_merge)?)?,
        adjacent: shard(required(
            "AdjacentShardToMerge",
            &input.adjacent_shard_to_merge,
        )?)?,
    };
    let begun = streams
        .catalog
        .reshard(stream.arn.clone(), merge, By::Owner)
        .await;
    begun.map_err(|error| error::change(error, &stream.arn))?;
    Ok(Answer::empty())
}
