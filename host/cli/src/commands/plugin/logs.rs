//! `millrace plugin logs`: what a plugin of a server logged last.

use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::project::plugin_name;
use crate::client::{CallError, Client, Method, TargetArgs};
use crate::failure::Failure;
use crate::output;

/// Between two looks for lines that came.
const LOOK: Duration = Duration::from_millis(250);
/// How long a server that does not answer is waited for while its lines are followed; after that
/// the command ends and says what it heard last.
const SILENCE_MAX: Duration = Duration::from_secs(120);

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
struct Page {
    run: String,
    lines: Vec<Line>,
    next: u64,
    missed: u64,
    left_out: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    at_ms: u64,
    version: String,
    level: String,
    delivery_stream: Option<String>,
    application: Option<String>,
    shard: Option<String>,
    text: String,
}

/// How far somebody has read the log of a plugin.
pub(super) struct Reader {
    page: String,
    after: u64,
    /// The run of the server whose numbers that are; `None` before the first look.
    run: Option<String>,
    /// Lines that were left out by the last look, since the plugin said too much.
    left_out: u64,
    /// More lines are there already.
    has_more: bool,
    /// Some lines are passed over.
    chooses: bool,
}

/// What a look brought.
pub(super) struct News {
    /// Lines, as they are printed.
    pub(super) lines: Vec<String>,
    /// Lines that were gone before they were read.
    pub(super) missed: u64,
    /// Lines that were left out since the look before, since the plugin said too much.
    pub(super) left_out: u64,
}

pub(crate) async fn run(args: &LogsArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let mut reader = Reader::choosing(&args.name, args);
    let mut is_silent = true;
    let mut silent_since = None;
    loop {
        match reader.next(&mut client).await {
            Ok(news) => {
                silent_since = None;
                news.print()?;
            }
            Err(error) if args.follow && reader.run.is_some() && may_pass(&error) => {
                let since = *silent_since.get_or_insert_with(Instant::now);
                if since.elapsed() > SILENCE_MAX {
                    return Err(error.into());
                }
                reader.has_more = false;
            }
            Err(error) => return Err(error.into()),
        }
        if reader.has_more {
            is_silent = false;
            continue;
        }
        if !args.follow {
            if is_silent {
                let what = if reader.chooses { " of that" } else { "" };
                output::complain(&format!("{} has logged nothing{what}", args.name))?;
            }
            return Ok(());
        }
        output::check_reader()?;
        sleep(LOOK).await;
    }
}

/// Whether a server that starts anew may say something else in a moment: then it does not answer,
/// or has not found the plugin yet.
fn may_pass(error: &CallError) -> bool {
    match error {
        CallError::Broken(_) => true,
        CallError::Refused { code, .. } => error.passes() || code == "ResourceNotFoundException",
    }
}

impl Reader {
    pub(super) fn new(plugin: &str) -> Self {
        Self {
            page: format!("plugins/{plugin}/logs?"),
            after: 0,
            run: None,
            left_out: 0,
            has_more: false,
            chooses: false,
        }
    }

    fn choosing(plugin: &str, args: &LogsArgs) -> Self {
        let mut reader = Self::new(plugin);
        let given = [
            ("version", &args.version),
            ("shard", &args.shard),
            ("level", &args.level),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                reader.chooses = true;
                reader.page.push_str(&format!("{name}={}&", encoded(value)));
            }
        }
        reader
    }

    /// What came. The numbers of lines begin anew with the server.
    pub(super) async fn next(&mut self, client: &mut Client) -> Result<News, CallError> {
        let run = self.run.as_deref().unwrap_or_default();
        let run = if run.is_empty() {
            String::new()
        } else {
            format!("&run={}", encoded(run))
        };
        let page = format!("{}after={}{run}", self.page, self.after);
        let page: Page = client.page(Method::GET, &page).await?;
        let is_first_look = self.run.is_none();
        let is_same = self.run.as_ref() == Some(&page.run);
        let left_out_before = if is_same { self.left_out } else { 0 };
        let news = News {
            // Nobody asked for those that were gone before the first look.
            missed: if is_first_look { 0 } else { page.missed },
            // Those of a version that is held no longer are counted no longer.
            left_out: page.left_out.saturating_sub(left_out_before),
            lines: page.lines.iter().map(Line::text).collect(),
        };
        self.has_more = !page.lines.is_empty();
        self.after = page.next;
        self.left_out = page.left_out;
        self.run = Some(page.run);
        Ok(news)
    }
}

impl News {
    fn print(&self) -> Result<(), Failure> {
        if self.missed > 0 {
            let missed = output::count(self.missed);
            output::lines(&format!("({missed} lines were gone before they were read)"))?;
        }
        for line in &self.lines {
            output::lines(line)?;
        }
        if self.left_out > 0 {
            let left_out = output::count(self.left_out);
            output::lines(&format!(
                "({left_out} lines were left out, as it said more than it may)"
            ))?;
        }
        Ok(())
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

/// A value in a query: what is none of these letters is written as its bytes.
fn encoded(value: &str) -> String {
    let bytes = value.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    bytes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_plain_letter_is_written_as_its_bytes() {
        assert_eq!(encoded("shardId-000000000001"), "shardId-000000000001");
        assert_eq!(encoded("a b&c=ü"), "a%20b%26c%3D%C3%BC");
    }
}
