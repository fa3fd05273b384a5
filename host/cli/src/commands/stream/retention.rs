//! `millrace stream retention`.

use std::cmp::Ordering;

use clap::Args;
use serde::Serialize;

use super::describe::summary;
use crate::client::{Client, TargetArgs};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct RetentionArgs {
    /// The stream's name
    name: String,
    /// For how many hours records shall be kept, 24 to 8,760 [default: only tell]
    hours: Option<u32>,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Retention<'a> {
    stream_name: &'a str,
    retention_period_hours: u32,
}

pub(crate) async fn run(args: &RetentionArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let now = summary(&mut client, &args.name)
        .await?
        .retention_period_hours;
    let wanted = args.hours.unwrap_or(now);
    let operation = match wanted.cmp(&now) {
        Ordering::Less => "DecreaseStreamRetentionPeriod",
        Ordering::Greater => "IncreaseStreamRetentionPeriod",
        Ordering::Equal => return Ok(output::lines(&format!("{now} hours"))?),
    };
    let input = Retention {
        stream_name: &args.name,
        retention_period_hours: wanted,
    };
    let _: Option<()> = client.call(operation, &input).await?;
    Ok(output::lines(&format!("{wanted} hours, {now} before"))?)
}
