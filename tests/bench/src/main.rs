//! Measures millrace and, in the same run, what the machine and a server that stores nothing can
//! do. Never part of the tests: numbers depend on the machine and on what else it does.

mod alone;
mod answer;
mod application_swap;
mod applications;
mod arrivals;
mod assembled;
mod bare;
mod bare_append;
mod bench;
mod calls;
mod ceiling;
mod child;
mod components;
#[path = "../../hostile/consumer_guest.rs"]
mod consumer_guest;
#[expect(dead_code, reason = "what other tests make of it")]
#[path = "../../consumers/counter.rs"]
mod counter;
mod counting;
mod deliveries;
mod delivering;
mod destination;
mod echo;
mod end_to_end;
mod engine;
mod engine_reads;
mod events;
mod fanout;
mod generator;
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "a test's, of which this takes some"
)]
#[path = "../../hostile/guest.rs"]
mod guest;
mod hostile;
mod hosting;
mod http;
mod idle;
mod idle_deliveries;
mod languages;
mod latency;
mod machine;
mod many_plugins;
mod native;
mod nexmark;
mod options;
mod paced;
mod partitions;
mod prewritten;
mod puts;
mod random;
mod ratios;
mod reader;
mod report;
mod requests;
mod reshard;
mod responder;
mod restart;
mod rollback;
mod rows;
mod shards;
mod socket;
mod split_pause;
mod sql;
mod swap;
mod tail;
mod transforms;
mod unavoidable;
mod usage;
mod versions;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::bench::Bench;
use crate::options::Options;
use crate::report::{Entry, Failed, Line, Report};
use crate::rows::{ROWS, Row};

// As the server, so that the rows that run in this process are comparable.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Why a row gave no number, in words for the person who runs it.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<ExitCode, Failure> {
    let mut out = std::io::stdout().lock();
    if options.list {
        for row in ROWS {
            writeln!(out, "{:<24} {}", row.name, row.about)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    options.refuse_nonsense()?;
    let rows = chosen(&options.rows)?;
    let bench = Bench::new(options)?;
    let report = measure(&bench, &rows);
    write!(out, "{}", report.table())?;
    report.save(&bench.options.json)?;
    writeln!(out, "\nwritten to {}", bench.options.json.display())?;
    Ok(if report.failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A name chooses the row of that name, or all rows that it is part of.
fn chosen(names: &[String]) -> Result<Vec<&'static Row>, Failure> {
    let chosen_by = |row: &Row, name: &str| {
        row.name == name || ROWS.iter().all(|r| r.name != name) && row.name.contains(name)
    };
    for name in names {
        if !ROWS.iter().any(|row| chosen_by(row, name)) {
            return Err(format!("no row is named {name}; see --list").into());
        }
    }
    let chosen = |row: &&Row| names.is_empty() || names.iter().any(|name| chosen_by(row, name));
    Ok(ROWS.iter().filter(chosen).collect())
}

fn measure(bench: &Bench, rows: &[&'static Row]) -> Report {
    let mut report = Report {
        processors: bench.processors.clone(),
        seconds: bench.options.seconds,
        connections: bench.options.connections,
        entries: Vec::new(),
        failed: Vec::new(),
        ratios: Vec::new(),
    };
    for row in rows {
        let repetitions = if row.once { 1 } else { bench.options.repeat };
        let mut by_line: Vec<Vec<Line>> = Vec::new();
        for repetition in 1..=repetitions {
            eprintln!("{} {repetition}/{repetitions}", row.name);
            match (row.run)(bench) {
                Ok(lines) => {
                    by_line.resize_with(by_line.len().max(lines.len()), Vec::new);
                    for (all, line) in by_line.iter_mut().zip(lines) {
                        all.push(line);
                    }
                }
                Err(failure) => report.failed.push(Failed {
                    row: row.name,
                    why: failure.to_string(),
                }),
            }
        }
        let entries = by_line.into_iter().filter_map(Entry::from_repetitions);
        report.entries.extend(entries);
    }
    report.compare();
    report
}
