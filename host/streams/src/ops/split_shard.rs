//! SplitShard.

use serde::Deserialize;
use types::ShardId;
use wire::members::Text;
use wire::shape::{Check, Shape};
use wire::{Answer, ApiError, Call};

use super::shapes::{HASH_KEY, SHARD_ID, StreamMembers};
use super::{calls, error, required};
use crate::Streams;
use crate::calls::AccountCalls;
use crate::catalog::By;
use crate::new_record::hash_key;
use crate::resharding::Resharding;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    shard_to_split: Option<Text<'a>>,
    #[serde(borrow)]
    new_starting_hash_key: Option<Text<'a>>,
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
        check.required("NewStartingHashKey", &self.new_starting_hash_key, HASH_KEY);
        check.required("ShardToSplit", &self.shard_to_split, SHARD_ID);
        self.stream().check(check);
    }
}

/// Makes two shards of one. It is durable as UPDATING when this answers, and ACTIVE a moment later.
/// Records that are put meanwhile wait for that moment; none is refused.
pub async fn handle(streams: &Streams, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    calls::of_account(streams, AccountCalls::SplitShard, &call.caller)?;
    let stream = input.stream().find_to_change(streams, &call.caller)?;
    let shard = required("ShardToSplit", &input.shard_to_split)?;
    let at = required("NewStartingHashKey", &input.new_starting_hash_key)?;
    let split = Resharding::Split {
        shard: ShardId::parse(shard).map_err(|_| error::no_shard_named(&stream.arn, shard))?,
        at: hash_key("NewStartingHashKey", at)?,
    };
    let begun = streams
        .catalog
        .reshard(stream.arn.clone(), split, By::Owner)
        .await;
    begun.map_err(|error| error::change(error, &stream.arn))?;
    Ok(Answer::empty())
}
