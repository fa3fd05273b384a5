//! `millrace plugin run`: records of a live stream through a plugin, on this machine, with nothing
//! written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use tokio::task::block_in_place;
use tokio::time::sleep;
use types::{Clock, GivenNumber, SystemClock};
use wasm::{Files, Limits, PluginName, Version, Workbench};

use super::cache;
use super::limits::LimitArgs;
use super::project::Given;
use super::trials::{Record, Runner};
use crate::client::{Client, Method, Target, TargetArgs};
use crate::commands::stream::{Read, Reading, Since};
use crate::failure::Failure;
use crate::output;

/// Outcomes of each kind that are shown.
const SAMPLES_MAX: usize = 3;
/// Reasons of failures that are counted apart; those beyond are counted together.
const REASONS_MAX: usize = 20;
/// Characters of an outcome that are shown.
const SAMPLE_CHARS_MAX: usize = 200;
/// Between two rounds of reading, so that other readers of the shards find room.
const PAUSE: Duration = Duration::from_millis(220);

/// Runs records of a live stream through a plugin, without putting anything anywhere: counts what
/// becomes of them, and shows some.
#[derive(Args)]
pub(crate) struct RunArgs {
    /// A component, the folder of a plugin's sources, or the name of a plugin of the server
    #[arg(value_name = "FILE|DIR|NAME")]
    plugin: PathBuf,
    /// The stream whose records are read
    #[arg(long, value_name = "NAME")]
    stream: String,
    /// Where to begin: how long ago (5m, or -5m), a time, TRIM_HORIZON or LATEST
    #[arg(long, value_name = "WHEN", default_value = "5m", value_parser = parse_from,
          allow_hyphen_values = true)]
    from: Since,
    /// Records at most
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    records: usize,
    /// Say that nothing is to be written; there is no other way to run
    #[arg(long, required = true)]
    dry_run: bool,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) async fn run(args: &RunArgs) -> Result<(), Failure> {
    let target = Arc::new(args.target.target()?);
    let limits = args.limits.limits().map_err(Failure::Unable)?;
    let (name, files) = find(&args.plugin, &limits, &target).await?;
    let options = cache::options(limits).map_err(Failure::Unable)?;
    let version = block_in_place(|| {
        let bench = Workbench::open(&options).map_err(|error| error.to_string())?;
        let version = bench.load(&name, &files, SystemClock.now());
        version.map_err(|why| format!("refused: {why}"))
    })?;
    output::lines(&format!("{name} {}", files.hash().short()))?;
    let begin = args.from.begin(SystemClock.now())?;
    let mut reading = Reading::begin(&target, &args.stream, begin).await?;
    let mut seen = Seen::new(&version);
    while seen.records < args.records {
        let read = reading.next().await?;
        let is_done = read.is_empty() && reading.is_at_tip();
        let left = args.records - seen.records;
        block_in_place(|| seen.work(read.into_iter().take(left)))?;
        if is_done {
            break;
        }
        sleep(PAUSE).await;
    }
    output::lines(&seen.text())?;
    if seen.records == 0 {
        let stream = &args.stream;
        output::complain(&format!(
            "no record has arrived in {stream} since then: --from TRIM_HORIZON begins with the \
             oldest"
        ))?;
    }
    Ok(())
}

/// `-5m` is as good as `5m`.
fn parse_from(text: &str) -> Result<Since, String> {
    Since::parse(text.strip_prefix('-').unwrap_or(text))
}

/// The files of a plugin here, or of the one that the server has in force.
async fn find(
    plugin: &Path,
    limits: &Limits,
    target: &Arc<Target>,
) -> Result<(PluginName, Files), Failure> {
    if plugin.exists() {
        let given = Given::read(plugin, limits);
        let Given { name, files } = given.map_err(|why| Failure::Unable(String::from(why)))?;
        return Ok((name, files));
    }
    let shown = plugin.display().to_string();
    let name = PluginName::parse(&shown).map_err(|error| {
        Failure::Unable(format!("{shown} is no file and no folder, and {error}"))
    })?;
    let page = format!("plugins/{name}/component");
    let mut client = Client::new(target);
    let whole = client.page_whole(Method::GET, &page, Bytes::new()).await?;
    let files = Files::split(&whole).map_err(Failure::Text)?;
    Ok((name, files))
}

/// What became of the records so far.
struct Seen {
    runner: Runner,
    records: usize,
    outcomes: BTreeMap<&'static str, usize>,
    samples: BTreeMap<&'static str, Vec<String>>,
    reasons: BTreeMap<String, usize>,
    took: Duration,
}

impl Seen {
    fn new(version: &Arc<Version>) -> Self {
        Self {
            runner: Runner::new(version),
            records: 0,
            outcomes: BTreeMap::new(),
            samples: BTreeMap::new(),
            reasons: BTreeMap::new(),
            took: Duration::ZERO,
        }
    }

    fn work(&mut self, records: impl Iterator<Item = Read>) -> Result<(), String> {
        for record in records {
            let record = record_of(record);
            let began = Instant::now();
            let outcome = self.runner.run(&record)?.outcome;
            self.took += began.elapsed();
            self.records += 1;
            *self.outcomes.entry(outcome.status()).or_default() += 1;
            let samples = self.samples.entry(outcome.status()).or_default();
            if samples.len() < SAMPLES_MAX {
                samples.push(shortened(&outcome.line()));
            }
            if let Some(reason) = outcome.reason() {
                let known = self.reasons.contains_key(reason);
                let reason = if known || self.reasons.len() < REASONS_MAX {
                    reason
                } else {
                    "(other reasons)"
                };
                *self.reasons.entry(reason.to_owned()).or_default() += 1;
            }
        }
        Ok(())
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{} records, nothing written\n",
            output::count(self.records as u64)
        );
        for (status, count) in &self.outcomes {
            text.push_str(&format!("  {status:<8} {}\n", output::count(*count as u64)));
            for sample in self.samples.get(status).into_iter().flatten() {
                text.push_str(&format!("    {sample}\n"));
            }
        }
        for (reason, count) in &self.reasons {
            let count = output::count(*count as u64);
            text.push_str(&format!("  {count} for: {}\n", shortened(reason)));
        }
        let each = self.took.as_micros() / (self.records.max(1) as u128);
        text.push_str(&format!("  {each} us for each, one by one"));
        text
    }
}

/// A record that was read, as it goes into a plugin.
pub(super) fn record_of(read: Read) -> Record {
    let number = GivenNumber::parse(&read.sequence_number).ok();
    Record {
        data: read.data,
        partition_key: read.partition_key,
        arrival: Some(read.arrival),
        sequence_number: number.and_then(GivenNumber::exact),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SAMPLE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
