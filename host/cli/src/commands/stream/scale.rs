//! `millrace stream scale`.

use clap::Args;
use serde::{Deserialize, Serialize};

use super::active::until_active;
use crate::client::{Client, TargetArgs};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct ScaleArgs {
    /// The stream's name
    name: String,
    /// How many open shards it shall have: at most twice as many as now, and at least half
    shards: u32,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateShardCount<'a> {
    stream_name: &'a str,
    target_shard_count: u32,
    scaling_type: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Scaled {
    current_shard_count: u64,
    target_shard_count: u64,
}

pub(crate) async fn run(args: &ScaleArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let input = UpdateShardCount {
        stream_name: &args.name,
        target_shard_count: args.shards,
        scaling_type: "UNIFORM_SCALING",
    };
    let scaled: Scaled = client.call("UpdateShardCount", &input).await?;
    until_active(&mut client, &args.name, "scaled").await?;
    let (before, now) = (scaled.current_shard_count, scaled.target_shard_count);
    output::lines(&format!(
        "{} open shards became {now}",
        output::count(before)
    ))?;
    Ok(())
}
