//! `millrace plugin logs`: what a plugin of a server logged last.

use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use tokio::time::sleep;

use super::project::plugin_name;
use crate::client::{CallError, Client, Method, TargetArgs};
use crate::failure::Failure;
use crate::output;

/// Between two looks for lines that came.
const LOOK: Duration = Duration::from_millis(250);

/// Prints the last lines that a plugin logged, with when and by which version. The server keeps a
/// thousand of each plugin, or 256 KiB of them; its own log has all.
#[derive(Args)]
pub(crate) struct LogsArgs {
    /// The plugin's name
    #[arg(value_parser = plugin_name)]
    name: String,
    /// Go on with the lines that come
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Deserialize)]
pub(super) struct Lines {
    lines: Vec<Line>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    number: u64,
    at_ms: u64,
    version: String,
    level: String,
    text: String,
}

/// How far somebody has read the log of a plugin.
pub(super) struct Reader {
    page: String,
    after: u64,
}

pub(crate) async fn run(args: &LogsArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let mut reader = Reader::new(&args.name);
    let mut is_silent = true;
    loop {
        let (lines, missed) = reader.next(&mut client).await?;
        if missed > 0 {
            output::lines(&format!("({missed} lines were gone before they were read)"))?;
        }
        for line in &lines {
            output::lines(line)?;
        }
        if !lines.is_empty() {
            is_silent = false;
            continue;
        }
        if !args.follow {
            if is_silent {
                output::complain(&format!("{} has logged nothing", args.name))?;
            }
            return Ok(());
        }
        output::check_reader()?;
        sleep(LOOK).await;
    }
}

impl Reader {
    pub(super) fn new(plugin: &str) -> Self {
        Self {
            page: format!("plugins/{plugin}/logs"),
            after: 0,
        }
    }

    /// Lines that came, and how many that were gone already. The numbers begin anew with the
    /// server.
    pub(super) async fn next(
        &mut self,
        client: &mut Client,
    ) -> Result<(Vec<String>, u64), CallError> {
        let page = format!("{}?after={}", self.page, self.after);
        let Lines { lines } = client.page(Method::GET, &page).await?;
        let first = lines.first().map_or(self.after + 1, |line| line.number);
        let is_first_look = self.after == 0;
        let missed = first.saturating_sub(self.after + 1);
        self.after = lines.last().map_or(self.after, |line| line.number);
        let shown = lines.iter().map(Line::text);
        Ok((shown.collect(), if is_first_look { 0 } else { missed }))
    }
}

impl Line {
    fn text(&self) -> String {
        let Self {
            version,
            level,
            text,
            ..
        } = self;
        format!("{} {version} {level:<5} {text}", output::time(self.at_ms))
    }
}
