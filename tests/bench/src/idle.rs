//! What a server does while nobody does anything: ten thousand shards that have records.

use std::time::Duration;

use crate::Failure;
use crate::bench::Bench;
use crate::calls;
use crate::child::Server;
use crate::report::{Goal, Line};
use crate::shards;

const STREAM: &str = "bench";
/// Each shard gets some records in that time.
const SCATTER: Duration = Duration::from_secs(3);
/// Longer than the server lets records wait in the write-ahead log.
const SETTLE: Duration = Duration::from_secs(40);
/// Retention looks at every shard twice in that time.
const IDLE: Duration = Duration::from_secs(125);
const READ_GOAL_MB_PER_MINUTE: f64 = 1.0;
const PROCESSOR_GOAL_PERCENT: f64 = 1.0;

/// Bytes read, from the disk or the system's cache, and the share of a processor.
pub fn run(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let dir = bench.lasting_dir()?;
    let server = Server::start(bench, dir.path())?;
    calls::create_stream(server.address, STREAM, shards::SHARDS)?;
    let put = shards::scatter(bench, &server, SCATTER)?;
    std::thread::sleep(SETTLE);
    let (read, cpu) = (server.bytes_read()?, server.cpu()?);
    std::thread::sleep(IDLE);
    let read = server.bytes_read()?.saturating_sub(read);
    let cpu = server.cpu()?.saturating_sub(cpu);
    let minutes = IDLE.as_secs_f64() / 60.0;
    Ok(vec![
        Line {
            goal: Some(Goal::AtMost(READ_GOAL_MB_PER_MINUTE)),
            note: format!("{} shards, {} requests before", shards::SHARDS, put.good),
            ..Line::new("idle_shards/read", read as f64 / 1e6 / minutes, "MB/min")
        },
        Line {
            goal: Some(Goal::AtMost(PROCESSOR_GOAL_PERCENT)),
            ..Line::new(
                "idle_shards/processor",
                100.0 * cpu.as_secs_f64() / IDLE.as_secs_f64(),
                "% of one",
            )
        },
    ])
}
