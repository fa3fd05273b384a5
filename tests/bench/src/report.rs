//! What was measured, beside what it should be: a table for people and JSON for machines.

use std::fmt::{self, Write as _};
use std::path::Path;

use serde::Serialize;

use crate::Failure;
use crate::latency::Percentiles;
use crate::ratios::{self, Figure, Measured};

/// What the project set out to reach.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The more the better.
    AtLeast(f64),
    /// The less the better.
    AtMost(f64),
}

impl Goal {
    /// 1 or more where `value` reaches it.
    pub fn reached_by(self, value: f64) -> f64 {
        match self {
            Self::AtLeast(goal) => value / goal,
            // None at all is as good as it gets.
            Self::AtMost(_) if value <= 0.0 => 1.0,
            Self::AtMost(goal) => goal / value,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(goal) => write!(f, ">= {}", number(*goal)),
            Self::AtMost(goal) => write!(f, "<= {}", number(*goal)),
        }
    }
}

/// One number of one repetition.
#[derive(Clone, Debug)]
pub struct Line {
    /// The row's name, and after a `/` which of its numbers this is.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What it should be.
    pub goal: Option<Goal>,
    /// How long one request, commit or call took.
    pub latency: Option<Percentiles>,
    /// Processor time of the server for one request, in microseconds.
    pub server_us: Option<f64>,
    /// Processor time of the load generator for one request, in microseconds.
    pub client_us: Option<f64>,
    /// What else must be known to read the number.
    pub note: String,
}

impl Line {
    /// A number with nothing beside it.
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            goal: None,
            latency: None,
            server_us: None,
            client_us: None,
            note: String::new(),
        }
    }
}

/// A line over all repetitions. Where the repetitions differ, it is the one with the median.
#[derive(Debug, Serialize)]
pub struct Entry {
    name: String,
    median: f64,
    min: f64,
    max: f64,
    repetitions: usize,
    unit: &'static str,
    goal: Option<Goal>,
    /// 1 or more where the goal is reached.
    of_goal: Option<f64>,
    latency: Option<Percentiles>,
    server_cpu_us: Option<f64>,
    client_cpu_us: Option<f64>,
    note: String,
}

impl Entry {
    /// The repetitions of one line, of which there is at least one.
    pub fn from_repetitions(mut lines: Vec<Line>) -> Option<Self> {
        lines.sort_by(|a, b| a.value.total_cmp(&b.value));
        let (min, max) = (lines.first()?.value, lines.last()?.value);
        let repetitions = lines.len();
        let line = lines.swap_remove(repetitions / 2);
        Some(Self {
            of_goal: line.goal.map(|goal| goal.reached_by(line.value)),
            name: line.name,
            median: line.value,
            min,
            max,
            repetitions,
            unit: line.unit,
            goal: line.goal,
            latency: line.latency,
            server_cpu_us: line.server_us,
            client_cpu_us: line.client_us,
            note: line.note,
        })
    }

    /// The line's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One of its numbers, if it has that.
    pub fn figure(&self, figure: Figure) -> Option<f64> {
        match figure {
            Figure::Value => Some(self.median),
            Figure::ServerTime => self.server_cpu_us,
        }
    }
}

/// A row that gave no number.
#[derive(Debug, Serialize)]
pub struct Failed {
    /// The row.
    pub row: &'static str,
    /// Why.
    pub why: String,
}

/// A whole run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The processors that client and server shared.
    pub processors: Vec<usize>,
    /// Seconds of one timed run.
    pub seconds: f64,
    /// Connections of a load over HTTP.
    pub connections: usize,
    /// What was measured.
    pub entries: Vec<Entry>,
    /// What could not be.
    pub failed: Vec<Failed>,
    /// Lines beside each other.
    pub ratios: Vec<Measured>,
}

impl Report {
    /// Fills in the ratios of what was measured.
    pub fn compare(&mut self) {
        self.ratios = ratios::measured(&self.entries);
    }

    /// The table, and below it the ratios.
    pub fn table(&self) -> String {
        let head = [
            "row", "median", "min..max", "unit", "goal", "of goal", "p50", "p99", "srv us",
            "cli us", "note",
        ];
        let mut text = format!(
            "processors {:?}, {} s a run, {} connections\n\n",
            self.processors, self.seconds, self.connections
        );
        align(&mut text, head, &[0, 3, 10], self.entries.iter().map(cells));
        for failed in &self.failed {
            let _ = writeln!(text, "{}: no number: {}", failed.row, failed.why);
        }
        if !self.ratios.is_empty() {
            text.push('\n');
            let head = ["of the same run", "beside", "ratio", "goal", "of goal"];
            align(
                &mut text,
                head,
                &[0, 1],
                self.ratios.iter().map(Measured::cells),
            );
        }
        text
    }

    /// Writes the run as JSON.
    pub fn save(&self, path: &Path) -> Result<(), Failure> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        std::fs::write(path, json).map_err(|error| format!("write {}: {error}", path.display()))?;
        Ok(())
    }
}

/// Writes lines of cells below their heads, those of the columns in `to_the_left` flush left.
fn align<const COLUMNS: usize>(
    text: &mut String,
    head: [&str; COLUMNS],
    to_the_left: &[usize],
    lines: impl Iterator<Item = [String; COLUMNS]>,
) {
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(lines);
    let widths: Vec<usize> = (0..COLUMNS)
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max())
        .map(Option::unwrap_or_default)
        .collect();
    for row in &rows {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Writing to a string does not fail.
            let _ = if to_the_left.contains(&column) {
                write!(text, "{cell:<width$}  ")
            } else {
                write!(text, "{cell:>width$}  ")
            };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
}

fn cells(entry: &Entry) -> [String; 11] {
    let or_empty = |value: Option<f64>| value.map(number).unwrap_or_default();
    [
        entry.name.clone(),
        number(entry.median),
        match entry.repetitions {
            1 => String::new(),
            _ => format!("{}..{}", number(entry.min), number(entry.max)),
        },
        entry.unit.to_owned(),
        match entry.goal {
            Some(goal) => goal.to_string(),
            None => String::new(),
        },
        entry
            .of_goal
            .map(|ratio| format!("{ratio:.2}"))
            .unwrap_or_default(),
        entry
            .latency
            .map(|latency| micros(latency.p50_us))
            .unwrap_or_default(),
        entry
            .latency
            .map(|latency| micros(latency.p99_us))
            .unwrap_or_default(),
        or_empty(entry.server_cpu_us),
        or_empty(entry.client_cpu_us),
        entry.note.clone(),
    ]
}

/// Three significant digits or all before the point, in groups of three.
fn number(value: f64) -> String {
    if value.abs() < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn micros(us: f64) -> String {
    if us < 1_000.0 {
        format!("{us:.0} us")
    } else {
        format!("{:.1} ms", us / 1_000.0)
    }
}
