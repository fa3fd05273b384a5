//! Puts to the real server, every signature verified, every record synced to disk.

use crate::Failure;
use crate::bench::Bench;
use crate::calls;
use crate::child::Server;
use crate::puts::{self, Target};
use crate::report::{Goal, Line};
use crate::requests::Batch;
use crate::socket::Trust;

const STREAM: &str = "bench";
const SHARDS: usize = 16;
/// So many that the disk does not decide any more.
pub const MANY_CONNECTIONS: usize = 64;
const RESIDENT_AFTER_PUT_GOAL_MB: f64 = 120.0;
const RESIDENT_PUT_BYTES: u64 = 200_000_000;

/// PutRecord of 1 KiB. With few connections a disk that syncs slowly decides: at most one record
/// a connection is answered for each sync. With many it does not.
pub fn put_record(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let batch = &Batch::ONE;
    Ok(vec![
        put(bench, batch, batch.name, bench.options.connections)?,
        put(bench, batch, "put_record_64_connections", MANY_CONNECTIONS)?,
    ])
}

/// PutRecords of 500 times 1 KiB.
pub fn put_records_large(bench: &Bench) -> Result<Vec<Line>, Failure> {
    put_records(bench, &Batch::LARGE)
}

/// The same in CBOR.
pub fn put_records_large_cbor(bench: &Bench) -> Result<Vec<Line>, Failure> {
    put_records(bench, &Batch::LARGE_CBOR)
}

/// The same into a stream whose records are sealed with the service's own key.
pub fn put_records_large_encrypted(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let batch = &Batch::LARGE_ENCRYPTED;
    let dir = bench.fresh_dir()?;
    let server = Server::start(bench, dir.path())?;
    calls::create_stream(server.address, STREAM, SHARDS)?;
    calls::encrypt_stream(server.address, STREAM)?;
    let line = put_into(
        bench,
        batch,
        batch.name,
        (&server, bench.options.connections),
    )?;
    Ok(vec![line])
}

/// PutRecords of 100 times 100 bytes.
pub fn put_records_small(bench: &Bench) -> Result<Vec<Line>, Failure> {
    put_records(bench, &Batch::SMALL)
}

/// PutRecord of 1 KiB within TLS.
pub fn put_record_tls(bench: &Bench) -> Result<Vec<Line>, Failure> {
    Ok(vec![put_tls(bench, &Batch::ONE, "put_record_tls")?])
}

/// PutRecords of 500 times 1 KiB within TLS.
pub fn put_records_large_tls(bench: &Bench) -> Result<Vec<Line>, Failure> {
    Ok(vec![put_tls(
        bench,
        &Batch::LARGE,
        "put_records_500x1k_tls",
    )?])
}

fn put_tls(bench: &Bench, batch: &Batch, name: &str) -> Result<Line, Failure> {
    let dir = bench.fresh_dir()?;
    let server = Server::start_with_tls(bench, dir.path())?;
    let tls = server
        .tls
        .as_ref()
        .ok_or("the server names no port for TLS")?;
    calls::create_stream(server.address, STREAM, SHARDS)?;
    let target = Target {
        name,
        address: tls.address,
        trust: Some(Trust::of(&tls.authority)?),
        stream: STREAM,
        connections: bench.options.connections,
        cpu: &|| server.cpu(),
    };
    puts::measure(bench, &target, batch)
}

fn put_records(bench: &Bench, batch: &Batch) -> Result<Vec<Line>, Failure> {
    let connections = bench.options.connections;
    Ok(vec![put(bench, batch, batch.name, connections)?])
}

fn put(bench: &Bench, batch: &Batch, name: &str, connections: usize) -> Result<Line, Failure> {
    let dir = bench.fresh_dir()?;
    let server = Server::start(bench, dir.path())?;
    calls::create_stream(server.address, STREAM, SHARDS)?;
    put_into(bench, batch, name, (&server, connections))
}

fn put_into(
    bench: &Bench,
    batch: &Batch,
    name: &str,
    (server, connections): (&Server, usize),
) -> Result<Line, Failure> {
    let target = Target {
        name,
        address: server.address,
        trust: None,
        stream: STREAM,
        connections,
        cpu: &|| server.cpu(),
    };
    puts::measure(bench, &target, batch)
}

/// What the server keeps in memory before and after it was given data.
pub fn memory(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let dir = bench.fresh_dir()?;
    let server = Server::start(bench, dir.path())?;
    let idle = server.resident()?;
    calls::create_stream(server.address, STREAM, SHARDS)?;
    let put = calls::fill(&server, STREAM, RESIDENT_PUT_BYTES)?;
    let after = server.resident()?;
    Ok(vec![
        Line::new("memory/idle", idle.now_mb, "MB"),
        Line {
            goal: Some(Goal::AtMost(RESIDENT_AFTER_PUT_GOAL_MB)),
            note: format!("after {} MB, peak {:.0} MB", put / 1_000_000, after.peak_mb),
            ..Line::new("memory/after_put", after.now_mb, "MB")
        },
    ])
}
