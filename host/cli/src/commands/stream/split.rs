//! `millrace stream split`.

use clap::Args;
use serde::Serialize;

use super::active::until_active;
use super::describe::{shards, show_shards};
use super::shapes::HashKeyRange;
use crate::client::{Client, TargetArgs};
use crate::failure::Failure;

/// From the first to the last hash key of a shard that can be split: the upper of the two begins
/// after the second key of the shard and before its last (SplitShard, NewStartingHashKey).
const SPAN_MIN: u128 = 3;

#[derive(Args)]
pub(crate) struct SplitArgs {
    /// The stream's name
    name: String,
    /// The shard's name, as `describe` shows it
    shard: String,
    /// The hash key that the upper of the two begins with [default: the middle]
    #[arg(long, value_name = "HASH_KEY")]
    at: Option<u128>,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SplitShard<'a> {
    stream_name: &'a str,
    shard_to_split: &'a str,
    new_starting_hash_key: String,
}

pub(crate) async fn run(args: &SplitArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let at = match args.at {
        Some(at) => at,
        None => middle(&mut client, args).await?,
    };
    let input = SplitShard {
        stream_name: &args.name,
        shard_to_split: &args.shard,
        new_starting_hash_key: at.to_string(),
    };
    let _: Option<()> = client.call("SplitShard", &input).await?;
    until_active(&mut client, &args.name, "split").await?;
    show_shards(&mut client, &args.name).await
}

/// The hash key in the middle of the shard.
async fn middle(client: &mut Client, args: &SplitArgs) -> Result<u128, Failure> {
    let all = shards(client, &args.name).await?;
    let shard = all.iter().find(|shard| shard.shard_id == args.shard);
    let shard = shard.ok_or_else(|| format!("stream '{}' has no {}", args.name, args.shard))?;
    let HashKeyRange {
        starting_hash_key: first,
        ending_hash_key: last,
    } = &shard.hash_key_range;
    let (first, last) = (number(first)?, number(last)?);
    let span = last.checked_sub(first);
    let span = span.ok_or_else(|| format!("{} ends before it begins", args.shard))?;
    if span < SPAN_MIN {
        let why = format!("{} has too few hash keys to be split", args.shard);
        return Err(why.into());
    }
    Ok(first + span / 2 + 1)
}

fn number(hash_key: &str) -> Result<u128, Failure> {
    let number = hash_key.parse();
    number.map_err(|_| format!("'{hash_key}' is not a hash key").into())
}
