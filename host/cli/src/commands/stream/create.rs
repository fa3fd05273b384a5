//! `millrace stream create`.

use std::sync::Arc;

use clap::Args;

use super::active::until_active;
use super::describe::Description;
use super::shapes::CreateStream;
use crate::client::{Client, Target, TargetArgs};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct CreateArgs {
    /// The stream's name
    name: String,
    /// How many shards it has
    #[arg(long, value_name = "N", default_value_t = 1)]
    shards: u32,
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) async fn run(args: &CreateArgs) -> Result<(), Failure> {
    let target = Arc::new(args.target.target()?);
    let description = create(&target, &args.name, args.shards).await?;
    Ok(output::lines(&description.stream_arn)?)
}

/// Creates a stream and waits until it takes records.
pub(crate) async fn create(
    target: &Arc<Target>,
    name: &str,
    shards: u32,
) -> Result<Description, Failure> {
    let mut client = Client::new(target);
    let input = CreateStream {
        stream_name: name,
        shard_count: shards,
    };
    let _: Option<()> = client.call("CreateStream", &input).await?;
    until_active(&mut client, name, "created").await
}
