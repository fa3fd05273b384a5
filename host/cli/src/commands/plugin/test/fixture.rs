//! Files of records, and of what should become of them.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use types::{GivenNumber, SequenceNumber, Timestamp};

use crate::commands::plugin::outcome::{Outcome, bytes};
use crate::commands::plugin::trials::{Ran, Record};

const FOLDER: &str = "tests";
const IN: &str = ".in.jsonl";
const OUT: &str = ".out.jsonl";
/// Bytes of a file; a larger one is refused: its records would not fit into one batch.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The records of one file.
pub(in crate::commands::plugin) struct Fixture {
    /// The file of the records, as it is shown.
    pub(super) shown: String,
    pub(in crate::commands::plugin) records: Vec<Record>,
    out: PathBuf,
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
        let out = shown.strip_suffix(IN).unwrap_or(&shown);
        Ok(Self {
            out: PathBuf::from(format!("{out}{OUT}")),
            shown,
            records,
        })
    }

    /// Where a record stands.
    pub(super) fn place(&self, record: usize) -> String {
        format!("{}:{}", self.shown, record + 1)
    }

    /// Where what is expected of it stands.
    pub(super) fn expected_place(&self, record: usize) -> String {
        format!("{}:{}", self.out.display(), record + 1)
    }

    /// What should become of each record.
    ///
    /// # Errors
    /// When nothing says so, or a line cannot be read.
    pub(super) fn expected(&self) -> Result<Vec<Outcome>, String> {
        let shown = self.out.display();
        if !self.out.exists() {
            return Err(format!(
                "{shown} is not there: `millrace plugin test --bless` writes what comes out now"
            ));
        }
        let lines = lines(&self.out)?;
        let parsed = lines.iter().enumerate().map(|(place, line)| {
            Outcome::parse(line).map_err(|why| format!("{shown}:{}: {why}", place + 1))
        });
        parsed.collect()
    }

    /// Writes what became of the records as what should.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn bless(&self, ran: &[Ran]) -> Result<(), String> {
        let lines = ran.iter().map(|ran| ran.outcome.line() + "\n");
        let written = fs::write(&self.out, lines.collect::<String>());
        written.map_err(|error| format!("{}: {error}", self.out.display()))
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
