//! `millrace stream describe`.

use clap::Args;
use serde::Deserialize;

use super::shapes::{ListShards, OfStream, Shard, Shards};
use crate::client::{CallError, Client, TargetArgs};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct DescribeArgs {
    /// The stream's name
    name: String,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    stream_description_summary: Description,
}

/// What a stream is.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Description {
    #[serde(rename = "StreamARN")]
    pub(crate) stream_arn: String,
    pub(crate) stream_status: String,
    pub(crate) retention_period_hours: u32,
    open_shard_count: u32,
    encryption_type: String,
    pub(crate) key_id: Option<String>,
}

impl Description {
    /// What its records are sealed with, in words.
    pub(crate) fn encryption(&self) -> String {
        match &self.key_id {
            Some(key) => format!("{} with {key}", self.encryption_type),
            None => self.encryption_type.clone(),
        }
    }
}

pub(crate) async fn run(args: &DescribeArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let description = summary(&mut client, &args.name).await?;
    // The shards of a stream that is only being made, or deleted, are not told.
    let shards = match description.stream_status.as_str() {
        "CREATING" | "DELETING" => Vec::new(),
        _ => shards(&mut client, &args.name).await?,
    };
    output::lines(&format!(
        "{}\n  arn         {}\n  status      {}\n  retention   {} hours\n  encryption  {}\n  \
         open shards {}\n\n{}",
        args.name,
        description.stream_arn,
        description.stream_status,
        description.retention_period_hours,
        description.encryption(),
        description.open_shard_count,
        output::table(&rows(&shards)).trim_end(),
    ))?;
    Ok(())
}

/// What a stream is, without its shards.
pub(crate) async fn summary(client: &mut Client, name: &str) -> Result<Description, CallError> {
    let input = OfStream { stream_name: name };
    let summary: Summary = client.call("DescribeStreamSummary", &input).await?;
    Ok(summary.stream_description_summary)
}

/// All shards of a stream.
pub(crate) async fn shards(client: &mut Client, name: &str) -> Result<Vec<Shard>, CallError> {
    let mut all = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let input = ListShards {
            stream_name: token.is_none().then_some(name),
            next_token: token.as_deref(),
        };
        let page: Shards = client.call("ListShards", &input).await?;
        all.extend(page.shards);
        token = page.next_token;
        if token.is_none() {
            return Ok(all);
        }
    }
}

/// Shows all shards of a stream.
pub(super) async fn show_shards(client: &mut Client, name: &str) -> Result<(), Failure> {
    let shards = shards(client, name).await?;
    Ok(output::lines(output::table(&rows(&shards)).trim_end())?)
}

fn rows(shards: &[Shard]) -> Vec<Vec<String>> {
    let head = ["shard", "state", "first hash key", "last hash key"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for shard in shards {
        let closed = &shard.sequence_number_range.ending_sequence_number;
        let state = if closed.is_some() { "closed" } else { "open" };
        rows.push(vec![
            shard.shard_id.clone(),
            state.to_owned(),
            shard.hash_key_range.starting_hash_key.clone(),
            shard.hash_key_range.ending_hash_key.clone(),
        ]);
    }
    rows
}
