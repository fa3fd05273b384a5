//! The one list of what is measured.

use crate::bench::Bench;
use crate::report::Line;
use crate::{Failure, bare, ceiling, http, machine, reader};

/// Something to measure.
#[derive(Debug)]
pub struct Row {
    /// What the command line calls it.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Takes so long, or repeats by itself, that it runs once.
    pub once: bool,
    /// Does it once.
    pub run: fn(&Bench) -> Result<Vec<Line>, Failure>,
}

const fn row(
    name: &'static str,
    about: &'static str,
    run: fn(&Bench) -> Result<Vec<Line>, Failure>,
) -> Row {
    Row {
        name,
        about,
        once: false,
        run,
    }
}

/// All rows in the order of the table.
pub const ROWS: &[Row] = &[
    row(
        "machine_sync",
        "fdatasync into a prewritten file",
        machine::sync,
    ),
    row(
        "machine_disk",
        "sequential write and read of a file",
        machine::disk,
    ),
    row("machine_bytes", "hashes, base64 and copies", machine::bytes),
    row(
        "ceiling",
        "the load generator against canned bytes",
        ceiling::run,
    ),
    row(
        "bare",
        "HTTP, signature, JSON and base64, nothing kept",
        bare::run,
    ),
    row("put_record", "PutRecord of 1 KiB", http::put_record),
    row(
        "put_records_500",
        "PutRecords of 500 x 1 KiB",
        http::put_records_large,
    ),
    row(
        "put_records_100",
        "PutRecords of 100 x 100 B",
        http::put_records_small,
    ),
    row(
        "get_records",
        "GetRecords of a whole stream, again and again",
        reader::get_records,
    ),
    row(
        "memory",
        "resident memory before and after 200 MB put",
        http::memory,
    ),
];
