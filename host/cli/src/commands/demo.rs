//! `millrace demo`: a live click stream goes into a server of its own and comes out again.

mod clicks;
mod tally;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use server::{Config, PORT_DEFAULT, Running, StartError};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, sleep_until};
use types::SystemClock;

use crate::client::{Client, Target};
use crate::commands::stream::shapes::Placement;
use crate::commands::stream::{Come, Waiting, create, follow, shards};
use crate::failure::Failure;
use crate::{open, output};
use tally::Tally;

const STREAM: &str = "clicks";
const SHARDS: u32 = 4;
/// Between two lines that say how far it is.
const PROGRESS: Duration = Duration::from_secs(2);
/// How long the last records may take to come out.
const LAST_RECORDS: Duration = Duration::from_secs(20);
/// Answers on their way to be counted.
const EVENTS_MAX: usize = 64;

#[derive(Args)]
pub(crate) struct DemoArgs {
    /// How long clicks are fed in
    #[arg(long, value_name = "N", default_value_t = 12,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
}

/// What was put, or why nothing more can be.
pub(crate) type Gone = Result<Vec<(Waiting, Placement)>, Failure>;

pub(crate) async fn run(args: DemoArgs) -> Result<(), Failure> {
    let dir = tempfile::Builder::new()
        .prefix("millrace-demo-")
        .tempdir()
        .map_err(|error| format!("make a directory for the demo: {error}"))?;
    let engine = open::engine(dir.path()).await?;
    let running = start(&engine).await?;
    output::lines(&format!(
        "millrace demo: a server on http://{}, data in {} until the end",
        running.address(),
        dir.path().display()
    ))?;
    let shown = show(&running, Duration::from_secs(args.seconds)).await;
    let closed = running.shut_down().await;
    shown?;
    closed.map_err(|error| format!("close the data directory: {error}"))?;
    Ok(())
}

/// On the usual port, or on another if that is taken.
async fn start(engine: &Arc<store::embedded::Embedded>) -> Result<Running, String> {
    let mut config = Config::default();
    config.listen.set_port(PORT_DEFAULT);
    let engine = Arc::clone(engine);
    let clock = Arc::new(SystemClock);
    let started = server::start(config.clone(), engine.clone(), clock.clone()).await;
    match started {
        Err(StartError::Listen(..)) => {
            config.listen.set_port(0);
            server::start(config, engine, clock).await
        }
        started => started,
    }
    .map_err(|error| error.to_string())
}

async fn show(running: &Running, feed: Duration) -> Result<(), Failure> {
    let target = Arc::new(Target::local(running.address())?);
    create(&target, STREAM, SHARDS).await?;
    output::lines(&format!(
        "created the stream '{STREAM}' with {SHARDS} shards"
    ))?;
    let shards = shards(&mut Client::new(&target), STREAM).await?;
    let mut tally = Tally::new(shards.into_iter().map(|shard| shard.shard_id));
    let (come, mut comes) = mpsc::channel(EVENTS_MAX);
    for shard in tally.shards() {
        let (client, stream) = (Client::new(&target), STREAM.to_owned());
        let shard = vec![shard];
        tokio::spawn(follow(client, stream, shard, "TRIM_HORIZON", come.clone()));
    }
    let (gone, mut goes) = mpsc::channel(EVENTS_MAX);
    let began = Instant::now();
    tokio::spawn(clicks::feed(
        Client::new(&target),
        STREAM,
        began + feed,
        gone,
    ));
    watch(&mut tally, began, &mut goes, &mut comes).await?;
    let took = began.elapsed();
    output::lines(&format!(
        "\n{}",
        tally.table(feed.min(took)).trim_end_matches('\n')
    ))?;
    tally.verdict()?;
    Ok(output::lines(
        "\nEvery click that went in came out, once, unchanged and in the order of its shard.",
    )?)
}

/// Counts until the feed is over and everything is out, or for as long as that may take.
async fn watch(
    tally: &mut Tally,
    began: Instant,
    goes: &mut mpsc::Receiver<Gone>,
    comes: &mut mpsc::Receiver<Come>,
) -> Result<(), Failure> {
    let mut progress = interval_at(began + PROGRESS, PROGRESS);
    let mut last_out = None;
    while last_out.is_none() || !tally.is_even() {
        tokio::select! {
            gone = goes.recv(), if last_out.is_none() => match gone {
                Some(gone) => tally.went_in(&gone?),
                None => last_out = Some(Instant::now() + LAST_RECORDS),
            },
            come = comes.recv() => match come {
                Some(come) => {
                    let (shard, records) = come?;
                    tally.came_out(&shard, &records)?;
                }
                None => return Err("the shards came to an end".to_owned().into()),
            },
            _ = progress.tick() => output::lines(&tally.progress(began.elapsed()))?,
            () = sleep_until(last_out.unwrap_or(began)), if last_out.is_some() => return Ok(()),
        }
    }
    Ok(())
}
