//! From kill -9 to ready again.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use base64_simd::STANDARD;
use serde_json::json;

use crate::Failure;
use crate::bench::Bench;
use crate::calls;
use crate::child::Server;
use crate::random::Random;
use crate::report::{Goal, Line};
use crate::shards;

const STREAM: &str = "bench";
const READY_GOAL_MS: f64 = 300.0;
const LOGS_GOAL_MS: f64 = 2_000.0;
const FILLED_SHARDS: usize = 16;
/// Written before the restart with many logs.
const SCATTER: Duration = Duration::from_secs(2);
/// The streams that ten thousand shards are spread over; each has as many shards as a call has
/// records at most.
const STREAMS: usize = 20;
const RECORDS_PER_SHARD: usize = 3;
const RECORD_BYTES: usize = 1_024;
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

/// Killed with ten thousand shards of several streams that all have records: from the start of the
/// process to the first answer that any stream gives. Once after they were
/// put, and once more right after that start.
pub fn shards(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let dir = bench.lasting_dir()?;
    let server = Server::start(bench, dir.path())?;
    for number in 0..STREAMS {
        let stream = format!("{STREAM}-{number}");
        calls::create_stream(server.address, &stream, shards::SHARDS / STREAMS)?;
        put_to_each_shard(server.address, &stream)?;
    }
    drop(server);
    let [first, of_first] = answered(bench, dir.path(), "restart_10000_shards")?;
    let [again, of_again] = answered(bench, dir.path(), "restart_10000_shards/again")?;
    let first = Line {
        goal: Some(Goal::AtMost(LOGS_GOAL_MS)),
        ..first
    };
    Ok(vec![first, of_first, again, of_again])
}

/// How long a start takes to its first answer, and how much memory it then has.
fn answered(bench: &Bench, dir: &Path, name: &str) -> Result<[Line; 2], Failure> {
    let begin = Instant::now();
    let server = Server::start(bench, dir)?;
    let input = json!({"StreamName": format!("{STREAM}-{}", STREAMS - 1)});
    let answer = calls::call(server.address, "DescribeStreamSummary", &input)?;
    let answered_ms = begin.elapsed().as_secs_f64() * 1e3;
    if answer["StreamDescriptionSummary"]["StreamStatus"] != "ACTIVE" {
        return Err(format!("a stream is not there: {answer}").into());
    }
    let resident = server.resident()?;
    Ok([
        Line {
            note: format!(
                "{STREAMS} streams of {} shards, {RECORDS_PER_SHARD} records in each; ready after \
                 {:.0} ms",
                shards::SHARDS / STREAMS,
                server.ready_after.as_secs_f64() * 1e3
            ),
            ..Line::new(name, answered_ms, "ms")
        },
        Line {
            note: format!("peak {:.0} MB", resident.peak_mb),
            ..Line::new(format!("{name}/resident"), resident.now_mb, "MB")
        },
    ])
}

/// Puts a few records into each shard of a stream, by hash keys that lie there.
fn put_to_each_shard(address: SocketAddr, stream: &str) -> Result<(), Failure> {
    let shards = shards::SHARDS / STREAMS;
    let width = u128::MAX / shards as u128;
    let data = STANDARD.encode_to_string(Random::new(1).bytes(RECORD_BYTES));
    for _ in 0..RECORDS_PER_SHARD {
        let records = (0..shards).map(|shard| {
            let middle = width * shard as u128 + width / 2;
            json!({
                "Data": data, "PartitionKey": shard.to_string(),
                "ExplicitHashKey": middle.to_string(),
            })
        });
        let records: Vec<_> = records.collect();
        let input = json!({"StreamName": stream, "Records": records});
        let put = calls::call(address, "PutRecords", &input)?;
        if put["FailedRecordCount"] != 0 {
            return Err(format!("records were not taken: {put}").into());
        }
    }
    Ok(())
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

fn restart(bench: &Bench, dir: &Path, name: &str) -> Result<Line, Failure> {
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
