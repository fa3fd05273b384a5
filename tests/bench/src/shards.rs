//! Ten thousand shards, each given ten records a second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use store::LogId;

use crate::Failure;
use crate::bench::Bench;
use crate::calls;
use crate::child::Server;
use crate::engine::{Opened, append, body};
use crate::generator::{Generator, Load, Outcome, Pace};
use crate::latency::Latencies;
use crate::puts;
use crate::report::{Goal, Line};
use crate::requests::Batch;

/// How many.
pub const SHARDS: usize = 10_000;
const RECORDS_PER_SHARD_SECOND: usize = 10;
const RECORD_BYTES: usize = 1024;
const GOAL_P99_MS: f64 = 5.0;
const GOAL_RESIDENT_MB: f64 = 1_073.7;
const STREAM: &str = "bench";
/// Records of one PutRecords, on nearly as many shards.
const BATCH_RECORDS: usize = 500;
const BATCH_VARIANTS: usize = 40;

/// So long that all shards are flushed twice on the way.
const DURATION_MIN: Duration = Duration::from_secs(12);

fn duration(bench: &Bench) -> Duration {
    bench.options.duration().max(DURATION_MIN)
}

/// The engine alone: each record a commit of its own.
pub fn engine(bench: &Bench) -> Result<Vec<Line>, Failure> {
    const INTERVAL: Duration = Duration::from_millis(1_000 / RECORDS_PER_SHARD_SECOND as u64);
    let opened = Opened::within(bench.lasting_dir()?, bench, SHARDS as u64)?;
    let record = body(1, RECORD_BYTES)?;
    let begin = Instant::now();
    let end = begin + duration(bench);
    let appenders: Vec<_> = (0..SHARDS as u64)
        .map(|log| {
            let (engine, record) = (Arc::clone(&opened.engine), record.clone());
            opened.runtime.spawn(async move {
                let phase = INTERVAL.mul_f64(log as f64 / SHARDS as f64);
                let mut due = begin + phase;
                let mut took = Vec::new();
                while due < end {
                    tokio::time::sleep_until(due.into()).await;
                    let start = Instant::now();
                    append(&engine, LogId(log), &record).await?;
                    took.push(start.elapsed());
                    due += INTERVAL;
                }
                Ok::<_, Failure>(took)
            })
        })
        .collect();
    let mut latencies = Latencies::new()?;
    for appender in appenders {
        for took in opened.runtime.block_on(appender)?? {
            latencies.add(took);
        }
    }
    let achieved = latencies.count() as f64 / begin.elapsed().as_secs_f64();
    let percentiles = latencies.percentiles();
    Ok(vec![Line {
        goal: Some(Goal::AtMost(GOAL_P99_MS)),
        latency: Some(percentiles),
        note: format!("{achieved:.0} commits/s of 1 KiB, one log each"),
        ..Line::new("shards_engine/p99", percentiles.p99_us / 1e3, "ms")
    }])
}

/// Over HTTP: PutRecords of 500 records that scatter over all shards, due at even intervals.
pub fn http(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let dir = bench.lasting_dir()?;
    let server = Server::start(bench, dir.path())?;
    calls::create_stream(server.address, STREAM, SHARDS)?;
    let before = server.cpu()?;
    let outcome = scatter(bench, &server, duration(bench))?;
    let cpu = server.cpu()?.saturating_sub(before);
    let resident = server.resident()?;
    let rate = outcome.per_second()? * BATCH_RECORDS as f64;
    Ok(vec![
        Line {
            goal: Some(Goal::AtMost(GOAL_P99_MS)),
            latency: Some(outcome.latency),
            server_us: Some(cpu.as_secs_f64() * 1e6 / outcome.good as f64),
            note: format!("{rate:.0} records/s of 1 KiB {}", outcome.note()),
            ..Line::new("shards_http/p99", outcome.latency.p99_us / 1e3, "ms")
        },
        Line {
            goal: Some(Goal::AtMost(GOAL_RESIDENT_MB)),
            note: format!("peak {:.0} MB", resident.peak_mb),
            ..Line::new("shards_http/resident", resident.now_mb, "MB")
        },
    ])
}

/// Puts ten records a second to each of the stream's shards.
pub fn scatter(bench: &Bench, server: &Server, duration: Duration) -> Result<Outcome, Failure> {
    let batch = Batch {
        records: BATCH_RECORDS,
        ..Batch::LARGE
    };
    let requests = puts::signed(server.address, STREAM, &batch, BATCH_VARIANTS)?;
    let rate = (SHARDS * RECORDS_PER_SHARD_SECOND) as f64 / BATCH_RECORDS as f64;
    Generator::connect(server.address, bench.options.connections)?.run(&Load {
        requests: &requests,
        pace: Pace::PerSecond(rate),
        duration,
        enough: u64::MAX,
    })
}
