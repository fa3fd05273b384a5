//! `millrace stream merge`.

use clap::Args;
use serde::Serialize;

use super::active::until_active;
use super::describe::show_shards;
use crate::client::{Client, TargetArgs};
use crate::failure::Failure;

#[derive(Args)]
pub(crate) struct MergeArgs {
    /// The stream's name
    name: String,
    /// The shard's name, as `describe` shows it
    shard: String,
    /// The name of the shard whose hash keys follow, or come before
    adjacent: String,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MergeShards<'a> {
    stream_name: &'a str,
    shard_to_merge: &'a str,
    adjacent_shard_to_merge: &'a str,
}

pub(crate) async fn run(args: &MergeArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let input = MergeShards {
        stream_name: &args.name,
        shard_to_merge: &args.shard,
        adjacent_shard_to_merge: &args.adjacent,
    };
    let _: Option<()> = client.call("MergeShards", &input).await?;
    until_active(&mut client, &args.name, "merged").await?;
    show_shards(&mut client, &args.name).await
}
