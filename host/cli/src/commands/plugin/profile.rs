//! `millrace plugin profile`: where a plugin of a server spends its time.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use serde::Deserialize;

use super::project::plugin_name;
use crate::client::{Client, Method, TargetArgs};
use crate::failure::Failure;
use crate::output;

/// How long the answer may take beyond the profile itself.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// Samples what a plugin does for a while, and writes a profile that <https://profiler.firefox.com>
/// opens. Instances that are at work go on undisturbed.
#[derive(Args)]
pub(crate) struct ProfileArgs {
    /// The plugin's name
    #[arg(value_parser = plugin_name)]
    name: String,
    /// How long: 1s to 60s
    #[arg(default_value = "10s", value_parser = parse_seconds)]
    time: u64,
    /// The file to write [default: NAME.profile.json]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    target: TargetArgs,
}

/// What is said of a profile to people.
#[derive(Deserialize)]
struct Profile {
    meta: Meta,
    threads: Vec<Thread>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    samples_left_out: u64,
}

#[derive(Deserialize)]
struct Thread {
    samples: Samples,
}

#[derive(Deserialize)]
struct Samples {
    length: u64,
}

pub(crate) async fn run(args: &ProfileArgs) -> Result<(), Failure> {
    let time = Duration::from_secs(args.time) + ANSWER_TIME;
    let mut client = Client::new(&args.target.target()?.into()).that_waits(time);
    let page = format!("plugins/{}/profile?seconds={}", args.name, args.time);
    let answer = client.page_whole(Method::GET, &page, Bytes::new()).await?;
    let profile: Profile = client.read(&page, &answer)?;
    let file = args.output.clone();
    let file = file.unwrap_or_else(|| PathBuf::from(format!("{}.profile.json", args.name)));
    fs::write(&file, &answer)
        .map_err(|error| Failure::Text(format!("write {}: {error}", file.display())))?;
    let samples = profile.threads.iter().map(|thread| thread.samples.length);
    let samples = output::count(samples.sum());
    let threads = output::count(profile.threads.len() as u64);
    output::lines(&format!(
        "{samples} samples of {threads} threads in {}; open it at https://profiler.firefox.com",
        file.display()
    ))?;
    match profile.meta.samples_left_out {
        0 => Ok(()),
        left_out => Ok(output::lines(&format!(
            "({} more samples were left out, as there was no room)",
            output::count(left_out)
        ))?),
    }
}

fn parse_seconds(text: &str) -> Result<u64, String> {
    let digits = text.strip_suffix('s').unwrap_or(text);
    let seconds = digits.parse().ok();
    let seconds = seconds.filter(|seconds| (1..=60).contains(seconds));
    seconds.ok_or_else(|| "it is 1s to 60s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_with_its_unit_or_without() {
        assert_eq!(parse_seconds("10s"), Ok(10));
        assert_eq!(parse_seconds("60"), Ok(60));
        for bad in ["0s", "61s", "1m", "s", "1.5s"] {
            assert!(parse_seconds(bad).is_err(), "{bad}");
        }
    }
}
