//! Enhanced fan-out: how long after a record is acknowledged every consumer has it, and how many
//! bytes are pushed to all together.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64_simd::STANDARD;
use serde_json::{Value, json};

use crate::Failure;
use crate::bench::Bench;
use crate::calls;
use crate::child::Server;
use crate::latency::Latencies;
use crate::report::{Goal, Line};
use crate::requests::{Batch, Service, Signer};

const STREAM: &str = "bench";
const CONSUMERS: usize = 20;
/// With 20 consumers 100 subscriptions, each over a connection of its own.
const PUSH_SHARDS: usize = 5;
/// Between two records.
const PUT_PAUSE: Duration = Duration::from_millis(5);
const RECORD_BYTES: usize = 1_024;
/// Digits that a record's data begins with: its number.
const NUMBER_DIGITS: usize = 9;
/// Characters of their base64.
const NUMBER_CHARS: usize = NUMBER_DIGITS / 3 * 4;
/// What a record pushed late adds up to: the time from durable to pushed, of a hundred the slowest.
const PUSHED_GOAL_US: f64 = 5_000.0;
const READ_MAX: Duration = Duration::from_millis(200);
const BEGIN_MAX: Duration = Duration::from_secs(20);
const DATA: &[u8] = b"\"Data\":\"";
const BYTES_SHARDS: usize = 16;
const STORED_BYTES: u64 = 400_000_000;

/// When records were acknowledged, by their numbers.
type Acknowledged = Mutex<HashMap<u64, Instant>>;

/// One record every few milliseconds, to 20 consumers of 5 shards.
pub fn push(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let dir = bench.fresh_dir()?;
    let server = Server::start(bench, dir.path())?;
    calls::create_stream(server.address, STREAM, PUSH_SHARDS)?;
    let inputs = inputs(server.address, CONSUMERS, PUSH_SHARDS, "LATEST")?;
    let (stop, acknowledged) = (AtomicBool::new(false), Acknowledged::default());
    let begun = AtomicU64::new(0);
    let mut latencies = Latencies::new()?;
    let mut pushed = 0;
    std::thread::scope(|scope| -> Result<(), Failure> {
        let readers: Vec<_> = inputs
            .iter()
            .map(|input| {
                let (stop, acknowledged, begun) = (&stop, &acknowledged, &begun);
                let address = server.address;
                scope.spawn(move || listen(address, input, (stop, begun), acknowledged))
            })
            .collect();
        let put = all_begun(&begun, inputs.len())
            .and_then(|()| put_paced(bench, server.address, &acknowledged));
        stop.store(true, Ordering::Relaxed);
        for reader in readers {
            let (count, own) = reader.join().map_err(|_| "a reader panicked")??;
            pushed += count;
            latencies.merge(&own)?;
        }
        let put = put?;
        if pushed != put * CONSUMERS as u64 {
            return Err(format!("{put} records were pushed {pushed} times").into());
        }
        Ok(())
    })?;
    let percentiles = latencies.percentiles();
    Ok(vec![Line {
        goal: Some(Goal::AtMost(PUSHED_GOAL_US)),
        latency: Some(percentiles),
        note: format!("{CONSUMERS} consumers, {pushed} pushed; acknowledged to received"),
        ..Line::new("fanout_push", percentiles.p99_us, "us, p99")
    }])
}

/// A backlog, to 2 consumers of 16 shards.
pub fn bytes(bench: &Bench) -> Result<Vec<Line>, Failure> {
    const CONSUMERS: usize = 2;
    let dir = bench.fresh_dir()?;
    let server = Server::start(bench, dir.path())?;
    calls::create_stream(server.address, STREAM, BYTES_SHARDS)?;
    let stored = calls::fill(&server, STREAM, STORED_BYTES)?;
    let wanted = stored / Batch::LARGE.record_bytes as u64 * CONSUMERS as u64;
    let inputs = inputs(server.address, CONSUMERS, BYTES_SHARDS, "TRIM_HORIZON")?;
    let (stop, seen) = (AtomicBool::new(false), AtomicU64::new(0));
    let cpu_before = server.cpu()?;
    let begin = Instant::now();
    std::thread::scope(|scope| -> Result<(), Failure> {
        let readers: Vec<_> = inputs
            .iter()
            .map(|input| {
                let (stop, seen, address) = (&stop, &seen, server.address);
                scope.spawn(move || count(address, input, (stop, seen), wanted))
            })
            .collect();
        for reader in readers {
            reader.join().map_err(|_| "a reader panicked")??;
        }
        Ok(())
    })?;
    let took = begin.elapsed().as_secs_f64();
    let records = seen.load(Ordering::Relaxed);
    let bytes = records as f64 * Batch::LARGE.record_bytes as f64;
    let cpu = server.cpu()?.saturating_sub(cpu_before);
    Ok(vec![Line {
        note: format!(
            "{CONSUMERS} consumers, {records} records; server {:.2} us a record",
            cpu.as_secs_f64() * 1e6 / records as f64
        ),
        ..Line::new("fanout_bytes", bytes / 1e6 / took, "MB/s")
    }])
}

/// Registers consumers; the input of each one's subscription to each shard.
fn inputs(
    address: SocketAddr,
    consumers: usize,
    shards: usize,
    from: &str,
) -> Result<Vec<Value>, Failure> {
    let summary = calls::call(
        address,
        "DescribeStreamSummary",
        &json!({"StreamName": STREAM}),
    )?;
    let stream = &summary["StreamDescriptionSummary"]["StreamARN"];
    let mut inputs = Vec::new();
    for number in 0..consumers {
        let input = json!({"StreamARN": stream, "ConsumerName": format!("consumer-{number}")});
        let consumer = calls::call(address, "RegisterStreamConsumer", &input)?;
        for shard in 0..shards {
            inputs.push(json!({
                "ConsumerARN": consumer["Consumer"]["ConsumerARN"],
                "ShardId": format!("shardId-{shard:012}"),
                "StartingPosition": {"Type": from},
            }));
        }
    }
    Ok(inputs)
}

fn all_begun(begun: &AtomicU64, count: usize) -> Result<(), Failure> {
    let since = Instant::now();
    while begun.load(Ordering::Relaxed) < count as u64 {
        if since.elapsed() > BEGIN_MAX {
            return Err("not all subscriptions begin".into());
        }
        std::thread::sleep(PUT_PAUSE);
    }
    Ok(())
}

/// Puts records for as long as a run takes. Returns how many.
fn put_paced(
    bench: &Bench,
    address: SocketAddr,
    acknowledged: &Acknowledged,
) -> Result<u64, Failure> {
    let signer = Signer::new(address, Service::STREAMS)?;
    let mut socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    let mut answer = vec![0; 16 * 1024];
    let end = Instant::now() + bench.options.duration();
    let mut number = 0_u64;
    while Instant::now() < end {
        let mut data = format!("{number:09}").into_bytes();
        data.resize(RECORD_BYTES, b'.');
        let input = json!({
            "StreamName": STREAM,
            "PartitionKey": number.to_string(),
            "Data": STANDARD.encode_to_string(&data),
        });
        let request = signer.request("PutRecord", &serde_json::to_vec(&input)?)?;
        socket.write_all(&request)?;
        let count = socket.read(&mut answer)?;
        if !answer[..count].starts_with(b"HTTP/1.1 200") {
            return Err("a record was not taken".into());
        }
        let mut times = acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        times.insert(number, Instant::now());
        drop(times);
        number += 1;
        std::thread::sleep(PUT_PAUSE);
    }
    // What was put last is on its way.
    std::thread::sleep(READ_MAX);
    Ok(number)
}

/// Subscribes; the socket that events come over.
fn subscribe(address: SocketAddr, input: &Value) -> Result<TcpStream, Failure> {
    let signer = Signer::new(address, Service::STREAMS)?;
    let mut socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(READ_MAX))?;
    socket.write_all(&signer.request("SubscribeToShard", &serde_json::to_vec(input)?)?)?;
    Ok(socket)
}

/// Reads more into the buffer, behind what is there; 0 if nothing came for a while.
fn more(socket: &mut TcpStream, buffer: &mut [u8], filled: usize) -> Result<usize, Failure> {
    match socket.read(&mut buffer[filled..]) {
        Ok(0) => Err("the server closed a subscription".into()),
        Ok(count) => Ok(count),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Receives records until told to stop. A record may be here before its putter has heard of it:
/// then no time has passed.
fn listen(
    address: SocketAddr,
    input: &Value,
    (stop, begun): (&AtomicBool, &AtomicU64),
    acknowledged: &Acknowledged,
) -> Result<(u64, Latencies), Failure> {
    let mut socket = subscribe(address, input)?;
    let mut latencies = Latencies::new()?;
    let mut early = HashMap::new();
    let (mut records, mut filled, mut has_begun) = (0, 0, false);
    let mut buffer = vec![0; 64 * 1024];
    while !stop.load(Ordering::Relaxed) {
        let count = more(&mut socket, &mut buffer, filled)?;
        let now = Instant::now();
        if count > 0 && !has_begun {
            has_begun = true;
            begun.fetch_add(1, Ordering::Relaxed);
        }
        filled += count;
        let mut from = 0;
        while let Some(at) = memchr::memmem::find(&buffer[from..filled], DATA) {
            let start = from + at + DATA.len();
            let Some(text) = buffer[..filled].get(start..start + NUMBER_CHARS) else {
                break;
            };
            let digits = STANDARD
                .decode_to_vec(text)
                .map_err(|_| "data is not base64")?;
            let number = String::from_utf8(digits)?.parse()?;
            early.insert(number, now);
            records += 1;
            from = start + NUMBER_CHARS;
        }
        // What may be the start of the next record stays.
        let rest = from.max(filled.saturating_sub(DATA.len() + NUMBER_CHARS));
        buffer.copy_within(rest..filled, 0);
        filled -= rest;
        let times = acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        early.retain(|number, came| match times.get(number) {
            Some(told) => {
                latencies.add(came.saturating_duration_since(*told));
                false
            }
            None => true,
        });
    }
    Ok((records, latencies))
}

/// Receives records until all consumers together have had what is wanted.
fn count(
    address: SocketAddr,
    input: &Value,
    (stop, seen): (&AtomicBool, &AtomicU64),
    wanted: u64,
) -> Result<(), Failure> {
    let mut socket = subscribe(address, input)?;
    let mut buffer = vec![0; 256 * 1024];
    let mut filled = 0;
    while !stop.load(Ordering::Relaxed) {
        filled += more(&mut socket, &mut buffer, filled)?;
        let found = memchr::memmem::find_iter(&buffer[..filled], DATA).count() as u64;
        // The start of a name that was cut in two stays.
        let rest = filled.saturating_sub(DATA.len() - 1);
        buffer.copy_within(rest..filled, 0);
        filled -= rest;
        if seen.fetch_add(found, Ordering::Relaxed) + found >= wanted {
            stop.store(true, Ordering::Relaxed);
        }
    }
    Ok(())
}
