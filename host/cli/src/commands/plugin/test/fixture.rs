//! Files of records, and of what should become of them: beside `tests/X.in.jsonl` lie
//! `X.out.jsonl`, `X.cost.jsonl`, and for a consumer `X.before.jsonl` and `X.after.jsonl`.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use types::{GivenNumber, SequenceNumber, Timestamp};

use super::change::KeptCost;
use crate::commands::plugin::entries::Entry;
use crate::commands::plugin::outcome::{Outcome, bytes};
use crate::commands::plugin::trials::{Ran, Record};

const FOLDER: &str = "tests";
const IN: &str = ".in.jsonl";
const OUT: &str = ".out.jsonl";
const COST: &str = ".cost.jsonl";
const BEFORE: &str = ".before.jsonl";
const AFTER: &str = ".after.jsonl";
/// Bytes of a file; a larger one is refused: its records would not fit into one batch.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The records of one file.
pub(in crate::commands::plugin) struct Fixture {
    /// The file of the records, as it is shown.
    pub(super) shown: String,
    pub(in crate::commands::plugin) records: Vec<Record>,
    /// Its files' names up to where they differ.
    stem: String,
}

/// A line of records.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    data: Option<String>,
    data_base64: Option<String>,
    #[serde(default)]
    partition_key: String,
    arrival_ms: Option<u64>,
    sequence_number: Option<String>,
}

impl Fixture {
    /// Those of a project, in order of their names.
    ///
    /// # Errors
    /// When there are none, or one cannot be read.
    pub(in crate::commands::plugin) fn all(project: &Path) -> Result<Vec<Self>, String> {
        let folder = project.join(FOLDER);
        let failed = |error| format!("{}: {error}", folder.display());
        let mut paths = Vec::new();
        for entry in fs::read_dir(&folder).map_err(failed)? {
            paths.push(entry.map_err(failed)?.path());
        }
        paths.retain(|path| path.to_string_lossy().ends_with(IN));
        paths.sort();
        if paths.is_empty() {
            return Err(format!("{}: holds no file *{IN}", folder.display()));
        }
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display().to_string();
        let lines = lines(path)?;
        let records = lines.iter().enumerate().map(|(place, line)| {
            record(line).map_err(|why| format!("{shown}:{}: {why}", place + 1))
        });
        let records = records.collect::<Result<_, _>>()?;
        let stem = shown.strip_suffix(IN).unwrap_or(&shown).to_owned();
        Ok(Self {
            stem,
            shown,
            records,
        })
    }

    /// Its file with this ending.
    fn file(&self, ending: &str) -> PathBuf {
        PathBuf::from(format!("{}{ending}", self.stem))
    }

    /// Where a record stands.
    pub(super) fn place(&self, record: usize) -> String {
        format!("{}:{}", self.shown, record + 1)
    }

    /// Where what is expected of it stands.
    pub(super) fn expected_place(&self, record: usize) -> String {
        format!("{}{OUT}:{}", self.stem, record + 1)
    }

    /// What should become of each record.
    ///
    /// # Errors
    /// When nothing says so, or a line cannot be read.
    pub(super) fn expected(&self) -> Result<Vec<Outcome>, String> {
        let parsed = self.parsed(OUT, Outcome::parse)?;
        parsed.ok_or_else(|| {
            format!(
                "{} is not there: `millrace plugin test --bless` writes what comes out now",
                self.file(OUT).display()
            )
        })
    }

    /// What a consumer's tables hold before the first record: nothing where there is no file.
    ///
    /// # Errors
    /// When a line cannot be read.
    pub(in crate::commands::plugin) fn before(&self) -> Result<Vec<Entry>, String> {
        Ok(self.parsed(BEFORE, Entry::parse)?.unwrap_or_default())
    }

    /// What they should hold after the last; `None`: whatever they do.
    ///
    /// # Errors
    /// When a line cannot be read.
    pub(super) fn after(&self) -> Result<Option<Vec<Entry>>, String> {
        self.parsed(AFTER, Entry::parse)
    }

    /// Where that stands.
    pub(super) fn after_place(&self) -> String {
        self.file(AFTER).display().to_string()
    }

    /// What each record cost when that was blessed.
    ///
    /// # Errors
    /// When a line cannot be read.
    pub(super) fn costs(&self) -> Result<Option<Vec<KeptCost>>, String> {
        self.parsed(COST, |line| {
            serde_json::from_str(line).map_err(|error| error.to_string())
        })
    }

    /// The lines of one of its files; `None` where there is no such file.
    fn parsed<T>(
        &self,
        ending: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<Vec<T>>, String> {
        let path = self.file(ending);
        if !path.exists() {
            return Ok(None);
        }
        let lines = lines(&path)?;
        let parsed = lines.iter().enumerate().map(|(place, line)| {
            parse(line).map_err(|why| format!("{}:{}: {why}", path.display(), place + 1))
        });
        parsed.collect::<Result<_, _>>().map(Some)
    }

    /// Writes what became of the records as what should, what they cost, and what tables hold now
    /// where they hold anything or are compared already.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn bless(
        &self,
        ran: &[Ran],
        costs: &[KeptCost],
        entries: &[Entry],
    ) -> Result<(), String> {
        self.write(OUT, ran.iter().map(|ran| ran.outcome.line()))?;
        let costs = costs.iter().map(serde_json::to_string);
        let costs: Vec<String> = costs
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        self.write(COST, costs.into_iter())?;
        if entries.is_empty() && !self.file(AFTER).exists() {
            return Ok(());
        }
        self.write(AFTER, entries.iter().map(ToString::to_string))
    }

    fn write(&self, ending: &str, lines: impl Iterator<Item = String>) -> Result<(), String> {
        let path = self.file(ending);
        let text: String = lines.map(|line| line + "\n").collect();
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

fn record(line: &str) -> Result<Record, String> {
    let line: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
    Ok(Record {
        data: bytes(line.data, line.data_base64)?,
        partition_key: line.partition_key,
        arrival: line.arrival_ms.map(Timestamp),
        sequence_number: line.sequence_number.as_deref().map(number).transpose()?,
    })
}

/// A sequence number as a server writes it.
fn number(text: &str) -> Result<SequenceNumber, String> {
    let given = GivenNumber::parse(text).map_err(|error| error.to_string())?;
    let exact = given.exact();
    exact.ok_or_else(|| format!("sequence_number {text} is none that a server of ours makes"))
}

/// The lines of a file; an empty line at its end is none.
fn lines(path: &Path) -> Result<Vec<String>, String> {
    let failed = |what: &str| format!("{}: {what}", path.display());
    let metadata = fs::metadata(path).map_err(|error| failed(&error.to_string()))?;
    if metadata.len() > FILE_BYTES_MAX {
        return Err(failed(&format!("has more than {FILE_BYTES_MAX} bytes")));
    }
    let text = fs::read_to_string(path).map_err(|error| failed(&error.to_string()))?;
    Ok(text.lines().map(str::to_owned).collect())
}
