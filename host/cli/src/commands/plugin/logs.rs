//! `millrace plugin logs`: what a plugin of a server logged last.

use clap::Args;
use serde::Deserialize;

use super::project::plugin_name;
use crate::client::{Client, TargetArgs, encoded};
use crate::commands::log_reader::{LogLine, Reader};
use crate::failure::Failure;
use crate::output;

/// Prints the last lines that a plugin logged, with when, by which version, and for which delivery
/// stream or application and shard. The server keeps a thousand of each plugin, or 256 KiB of them;
/// its own log has all.
#[derive(Args)]
pub(crate) struct LogsArgs {
    /// The plugin's name
    #[arg(value_parser = plugin_name)]
    name: String,
    /// Go on with the lines that come, also after a restart of the server
    #[arg(short, long)]
    follow: bool,
    /// Only lines of this version: the first digits of its hash
    #[arg(long, value_name = "HASH")]
    version: Option<String>,
    /// Only lines about this shard
    #[arg(long, value_name = "SHARD")]
    shard: Option<String>,
    /// Only lines of this level and of graver ones: trace, debug, info, warn, error
    #[arg(long, value_name = "LEVEL")]
    level: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    at_ms: u64,
    version: String,
    level: String,
    delivery_stream: Option<String>,
    application: Option<String>,
    shard: Option<String>,
    text: String,
}

pub(crate) async fn run(args: &LogsArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let chosen = args.chosen();
    let of_that = if chosen.is_empty() { "" } else { " of that" };
    let nothing = format!("{} has logged nothing{of_that}", args.name);
    let reader = Reader::<Line>::new(page(&args.name) + &chosen);
    reader.print(&mut client, args.follow, &nothing).await
}

/// The log of a plugin.
pub(super) fn page(plugin: &str) -> String {
    format!("plugins/{plugin}/logs?")
}

impl LogsArgs {
    /// Which lines are wanted, as members of a query.
    fn chosen(&self) -> String {
        let given = [
            ("version", &self.version),
            ("shard", &self.shard),
            ("level", &self.level),
        ];
        let given = given.iter().filter_map(|(name, value)| {
            let value = value.as_deref()?;
            Some(format!("{name}={}&", encoded(value)))
        });
        given.collect()
    }
}

impl LogLine for Line {
    fn text(&self) -> String {
        let Self {
            version,
            level,
            text,
            ..
        } = self;
        let mut at = String::new();
        let parts = [&self.delivery_stream, &self.application, &self.shard];
        for part in parts.into_iter().flatten() {
            at.push_str(part);
            at.push(' ');
        }
        format!(
            "{} {version} {level:<5} {at}{text}",
            output::time(self.at_ms)
        )
    }
}
