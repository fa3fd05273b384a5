//! From kill -9 to ready again.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::Failure;
use crate::bench::Bench;
use crate::calls;
use crate::child::Server;
use crate::report::{Goal, Line};
use crate::shards;

const STREAM: &str = "bench";
const READY_GOAL_MS: f64 = 300.0;
const LOGS_GOAL_MS: f64 = 2_000.0;
const FILLED_SHARDS: usize = 16;
/// Written before the restart with many logs.
const SCATTER: Duration = Duration::from_secs(2);
/// Left free on the disk.
const SPARE_BYTES: u64 = 20_000_000_000;
/// Bytes on the disk for each byte put: its segment, and its place in the write-ahead log.
const DISK_BYTES_PER_BYTE: u64 = 2;
const GIB: u64 = 1_073_741_824;

/// An empty server, from its start to the line that says that it is ready.
pub fn empty(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let dir = bench.fresh_dir()?;
    let server = Server::start(bench, dir.path())?;
    let ready_ms = server.ready_after.as_secs_f64() * 1e3;
    Ok(vec![Line {
        goal: Some(Goal::AtMost(READY_GOAL_MS)),
        ..Line::new("start", ready_ms, "ms")
    }])
}

/// Killed with ten thousand logs that all have records.
pub fn logs(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let dir = bench.fresh_dir()?;
    let server = Server::start(bench, dir.path())?;
    calls::create_stream(server.address, STREAM, shards::SHARDS)?;
    shards::scatter(bench, &server, SCATTER)?.per_second()?;
    drop(server);
    let line = restart(bench, dir.path(), "restart_logs")?;
    Ok(vec![Line {
        goal: Some(Goal::AtMost(LOGS_GOAL_MS)),
        ..line
    }])
}

/// Killed with much data, as much as the disk has room for.
pub fn data(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let wanted = bench.options.restart_gib * GIB;
    let room = bench.free_bytes()?.saturating_sub(SPARE_BYTES) / DISK_BYTES_PER_BYTE;
    let bytes = wanted.min(room);
    if bytes == 0 {
        return Err("the disk has no room".into());
    }
    let dir = bench.fresh_dir()?;
    let server = Server::start(bench, dir.path())?;
    calls::create_stream(server.address, STREAM, FILLED_SHARDS)?;
    let begin = Instant::now();
    let put = calls::fill(&server, STREAM, bytes)?;
    let fill_rate = put as f64 / 1e6 / begin.elapsed().as_secs_f64();
    drop(server);
    let mut lines = Vec::new();
    for name in ["restart_data", "restart_data_again"] {
        let line = restart(bench, dir.path(), name)?;
        let note = format!(
            "{:.1} of {} GiB, put at {fill_rate:.0} MB/s; {}",
            put as f64 / GIB as f64,
            bench.options.restart_gib,
            line.note
        );
        lines.push(Line { note, ..line });
    }
    Ok(lines)
}

fn restart(bench: &Bench, dir: &std::path::Path, name: &str) -> Result<Line, Failure> {
    let begin = Instant::now();
    let server = Server::start(bench, dir)?;
    let ready_ms = server.ready_after.as_secs_f64() * 1e3;
    let input = json!({"StreamName": STREAM});
    calls::call(server.address, "DescribeStreamSummary", &input)?;
    let answered_ms = begin.elapsed().as_secs_f64() * 1e3;
    let resident = server.resident()?;
    Ok(Line {
        note: format!(
            "first answer after {answered_ms:.0} ms, {:.0} MB resident",
            resident.now_mb
        ),
        ..Line::new(name, ready_ms, "ms")
    })
}
