//! How long puts wait while a shard is split: a record every few milliseconds by several
//! connections, and a split or a merge all the time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Failure;
use crate::bench::Bench;
use crate::calls;
use crate::child::Server;
use crate::latency::Latencies;
use crate::report::{Goal, Line};
use crate::requests::{Service, Signer};

const STREAM: &str = "bench";
const PUT_PAUSE: Duration = Duration::from_millis(2);
const CONNECTIONS: usize = 4;
/// The slowest of a hundred puts.
const PAUSE_GOAL_US: f64 = 20_000.0;
/// 2^127, the middle of all hash keys.
const HALF: u128 = 1 << 127;

/// Puts to one shard that is split and merged again, over and over.
pub fn run(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let dir = bench.fresh_dir()?;
    let server = Server::start(bench, dir.path())?;
    calls::create_stream(server.address, STREAM, 1)?;
    let stop = AtomicBool::new(false);
    let mut latencies = Latencies::new()?;
    let mut changes = 0;
    std::thread::scope(|scope| -> Result<(), Failure> {
        let putters: Vec<_> = (0..CONNECTIONS)
            .map(|putter| {
                let (stop, address) = (&stop, server.address);
                scope.spawn(move || put(address, putter, stop))
            })
            .collect();
        let changed = change(bench, server.address);
        stop.store(true, Ordering::Relaxed);
        for putter in putters {
            latencies.merge(&putter.join().map_err(|_| "a putter panicked")??)?;
        }
        changes = changed?;
        Ok(())
    })?;
    let percentiles = latencies.percentiles();
    Ok(vec![Line {
        goal: Some(Goal::AtMost(PAUSE_GOAL_US)),
        latency: Some(percentiles),
        note: format!("{changes} splits and merges, {} puts", latencies.count()),
        ..Line::new("split_pause", percentiles.p99_us, "us, p99")
    }])
}

/// Splits and merges for as long as a run takes. Returns how often.
fn change(bench: &Bench, address: SocketAddr) -> Result<u64, Failure> {
    let end = Instant::now() + bench.options.duration();
    let (mut changes, mut newest) = (0, 0);
    let name = |number: u64| format!("shardId-{number:012}");
    while Instant::now() < end {
        let split = json!({
            "StreamName": STREAM, "ShardToSplit": name(newest),
            "NewStartingHashKey": HALF.to_string(),
        });
        calls::call(address, "SplitShard", &split)?;
        until_active(address)?;
        let merge = json!({
            "StreamName": STREAM, "ShardToMerge": name(newest + 1),
            "AdjacentShardToMerge": name(newest + 2),
        });
        calls::call(address, "MergeShards", &merge)?;
        until_active(address)?;
        changes += 2;
        newest += 3;
    }
    Ok(changes)
}

fn until_active(address: SocketAddr) -> Result<(), Failure> {
    loop {
        let input = json!({"StreamName": STREAM});
        let answer = calls::call(address, "DescribeStreamSummary", &input)?;
        if answer["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE" {
            return Ok(());
        }
    }
}

/// Puts records until told to stop; how long each took.
fn put(address: SocketAddr, putter: usize, stop: &AtomicBool) -> Result<Latencies, Failure> {
    let signer = Signer::new(address, Service::STREAMS)?;
    let mut socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    let mut answer = vec![0; 16 * 1024];
    let mut latencies = Latencies::new()?;
    let mut number = putter;
    while !stop.load(Ordering::Relaxed) {
        let input = json!({
            "StreamName": STREAM, "PartitionKey": number.to_string(), "Data": "AAAA",
        });
        let request = signer.request("PutRecord", &serde_json::to_vec(&input)?)?;
        let begin = Instant::now();
        socket.write_all(&request)?;
        let count = socket.read(&mut answer)?;
        if !answer[..count].starts_with(b"HTTP/1.1 200") {
            let text = String::from_utf8_lossy(&answer[..count]).into_owned();
            return Err(format!("a record was not taken: {text}").into());
        }
        latencies.add(begin.elapsed());
        number += CONNECTIONS;
        std::thread::sleep(PUT_PAUSE);
    }
    Ok(latencies)
}
