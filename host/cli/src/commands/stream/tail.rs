//! `millrace stream tail`: all shards of a stream, merged as their records come.

mod follow;
mod line;

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::sync::mpsc;
use tokio::time::timeout;

use follow::{Come, Followed, LATEST, TRIM_HORIZON, follow};

use super::describe::shards;
use crate::client::{Client, TargetArgs};
use crate::failure::Failure;
use crate::output;

/// Shards that are read at the same time, over a connection each; more take turns on them.
const CONNECTIONS_MAX: usize = 16;
/// Answers with records that wait to be printed. While there are that many, no more are read.
const COME_MAX: usize = 16;
/// How often we look whether anybody still reads while there is nothing to print.
const READER_CHECK: Duration = Duration::from_millis(500);

#[derive(Args)]
pub(crate) struct TailArgs {
    /// The stream's name
    name: String,
    /// Where to begin in every shard
    #[arg(long, value_enum, default_value_t = From::Latest)]
    from: From,
    /// What a record is printed as
    #[arg(long, value_enum, default_value_t = Format::Raw)]
    format: Format,
    /// End after so many records
    #[arg(short = 'n', value_name = "COUNT")]
    count: Option<u64>,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum From {
    /// The oldest record that is kept
    TrimHorizon,
    /// After the newest record
    Latest,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// The data, and a line feed
    Raw,
    /// An object per line: shard, sequence number, arrival, partition key, data
    Json,
}

pub(crate) async fn run(args: &TailArgs) -> Result<(), Failure> {
    let target = Arc::new(args.target.target()?);
    let all = shards(&mut Client::new(&target), &args.name).await?;
    let kind = match args.from {
        From::TrimHorizon => TRIM_HORIZON,
        From::Latest => LATEST,
    };
    let followed = Followed::default();
    let shards = followed.begin(kind, all);
    let (come, mut comes) = mpsc::channel(COME_MAX);
    let readers = shards.len().clamp(1, CONNECTIONS_MAX);
    let mut parts = vec![Vec::new(); readers];
    for (place, shard) in shards.into_iter().enumerate() {
        parts[place % readers].push(shard);
    }
    for shards in parts {
        let client = Client::new(&target);
        tokio::spawn(follow(
            client,
            (args.name.clone(), followed.clone()),
            shards,
            kind,
            come.clone(),
        ));
    }
    drop(come);
    tokio::select! {
        printed = print(args, &mut comes) => printed,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

async fn print(args: &TailArgs, comes: &mut mpsc::Receiver<Come>) -> Result<(), Failure> {
    let mut left = args.count;
    while left != Some(0) {
        let Ok(come) = timeout(READER_CHECK, comes.recv()).await else {
            output::check_reader()?;
            continue;
        };
        let Some(come) = come else {
            return Ok(()); // Every shard was read to its end.
        };
        let (shard, records) = come?;
        for record in &records {
            match &mut left {
                None => {}
                Some(0) => break,
                Some(left) => *left -= 1,
            }
            output::raw(&match args.format {
                Format::Raw => line::raw(record)?,
                Format::Json => line::json(&shard, record)?,
            })?;
        }
        output::flush()?;
    }
    Ok(())
}
