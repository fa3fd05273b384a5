//! `millrace demo`: live records go into a server of its own, through a component that is swapped
//! half way, and come out as objects.

mod deliver;
mod objects;
mod plugin;
mod tally;
mod visits;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use server::{Config, PORT_DEFAULT, Running, StartError};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at};
use types::SystemClock;

use crate::client::{Client, Target};
use crate::commands::compile_worker;
use crate::commands::stream::create;
use crate::failure::Failure;
use crate::{open, output};
use plugin::PluginFolder;
use tally::Tally;

const STREAM: &str = "visits";
const SHARDS: u32 = 4;
/// Between two lines that say how far it is.
const PROGRESS: Duration = Duration::from_secs(2);
/// Answers on their way to be counted.
const EVENTS_MAX: usize = 64;

#[derive(Args)]
pub(crate) struct DemoArgs {
    /// How long records are fed in
    #[arg(long, value_name = "N", default_value_t = 12,
          value_parser = clap::value_parser!(u64).range(2..=3600))]
    seconds: u64,
    /// A directory with the plugin parse-access-log, built; without it records are delivered as
    /// they are
    #[arg(long, value_name = "DIR")]
    plugins: Option<PathBuf>,
    /// Another version of its component, which takes its place half way
    #[arg(long, value_name = "FILE", requires = "plugins")]
    swap: Option<PathBuf>,
}

/// The demo's own directory and server.
struct Stage {
    dir: tempfile::TempDir,
    plugin: Option<PluginFolder>,
    running: Running,
    target: Arc<Target>,
}

pub(crate) async fn run(args: DemoArgs) -> Result<(), Failure> {
    let stage = Stage::set(args.plugins.as_deref()).await?;
    output::lines(&format!(
        "millrace demo: a server on {}, everything it keeps in {} until the end",
        stage.target.endpoint(),
        stage.dir.path().display()
    ))?;
    let shown = stage.show(&args).await;
    let closed = stage.running.shut_down().await;
    shown?;
    closed.map_err(|error| format!("close the data directory: {error}"))?;
    Ok(())
}

impl Stage {
    async fn set(plugins: Option<&Path>) -> Result<Self, Failure> {
        let dir = tempfile::Builder::new()
            .prefix("millrace-demo-")
            .tempdir()
            .map_err(|error| format!("make a directory for the demo: {error}"))?;
        let plugin = plugins
            .map(|from| PluginFolder::copied(from, &dir.path().join("plugins")))
            .transpose()?;
        let config = Config {
            data: dir.path().join("data"),
            compiler: compile_worker::program(),
            plugins: plugin.as_ref().map(|plugin| plugin.directory().to_owned()),
            ..Config::default()
        };
        let running = start(config).await?;
        let target = Arc::new(Target::local(running.address())?);
        Ok(Self {
            dir,
            plugin,
            running,
            target,
        })
    }

    async fn show(&self, args: &DemoArgs) -> Result<(), Failure> {
        create(&self.target, STREAM, SHARDS).await?;
        output::lines(&format!(
            "created the stream '{STREAM}' with {SHARDS} shards"
        ))?;
        let mut client = Client::new(&self.target);
        let has_plugin = self.plugin.is_some();
        deliver::create(&mut client, has_plugin).await?;
        let through = match &self.plugin {
            Some(plugin) => format!("through {}", plugin.first_version()),
            None => "as they are".to_owned(),
        };
        output::lines(&format!(
            "created the delivery stream '{}': records go {through} into gzip objects",
            deliver::NAME
        ))?;
        let mut tally = Tally::default();
        self.feed(args, &mut client, &mut tally).await?;
        deliver::flush(&mut client).await?;
        let status = deliver::status(&mut client).await?;
        let found = objects::read(&self.dir.path().join("data/s3"))?;
        output::lines(&format!(
            "\n{}",
            tally.table(&status).trim_end_matches('\n')
        ))?;
        output::lines(&format!("\n{}", found.list().trim_end_matches('\n')))?;
        if let Some(line) = found.first_line() {
            output::lines(&format!("\na line of the first: {line}"))?;
        }
        tally.verdict(&status, &found, args.swap.is_some())?;
        Ok(output::lines(
            "\nEvery record that went in was delivered, dropped or failed, once.",
        )?)
    }

    /// Feeds records in, says how far it is, and swaps the component half way.
    async fn feed(
        &self,
        args: &DemoArgs,
        client: &mut Client,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let (began, feed) = (Instant::now(), Duration::from_secs(args.seconds));
        let (gone, mut goes) = mpsc::channel(EVENTS_MAX);
        let feeder = Client::new(&self.target);
        tokio::spawn(visits::feed(feeder, STREAM, began + feed, gone));
        let mut progress = interval_at(began + PROGRESS, PROGRESS);
        let mut swap = args.swap.as_deref();
        loop {
            tokio::select! {
                gone = goes.recv() => match gone {
                    Some(gone) => tally.went_in(&gone?),
                    None => return Ok(()),
                },
                _ = progress.tick() => {
                    let status = deliver::status(client).await?;
                    output::lines(&tally.progress(began.elapsed(), &status))?;
                }
            }
            if began + feed / 2 <= Instant::now()
                && let (Some(file), Some(plugin)) = (swap.take(), &self.plugin)
            {
                let version = plugin.swap(file)?;
                output::lines(&format!("       swapped: {version} takes its place"))?;
            }
        }
    }
}

/// On the usual port, or on another if that is taken.
async fn start(mut config: Config) -> Result<Running, String> {
    config.listen.set_port(PORT_DEFAULT);
    let engine = open::engine(&config.data).await?;
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
