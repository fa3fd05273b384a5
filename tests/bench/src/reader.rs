//! GetRecords from the oldest record of every shard on, over and over, by several connections.
//!
//! Answers have megabytes: they pass through a small buffer in which the records are counted, so
//! that the reader costs little more than the system calls.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Failure;
use crate::bench::Bench;
use crate::calls;
use crate::child::Server;
use crate::counting;
use crate::latency::Latencies;
use crate::report::Line;
use crate::requests::{Batch, Service, Signer};
use crate::usage::thread_cpu;

const STREAM: &str = "bench";
const SHARDS: usize = 16;
const STORED_BYTES: u64 = 1_000_000_000;
const BUFFER_BYTES: usize = 256 * 1024;
const READ_MAX: Duration = Duration::from_secs(30);

/// GetRecords as clients send it, and with at most 1,000 records an answer.
pub fn get_records(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let dir = bench.fresh_dir()?;
    let server = Server::start(bench, dir.path())?;
    calls::create_stream(server.address, STREAM, SHARDS)?;
    calls::fill(&server, STREAM, STORED_BYTES)?;
    let walk_with = |limit| {
        let source = Source {
            address: server.address,
            iterators: calls::oldest_iterators(server.address, STREAM)?,
            limit,
            cpu: &|| server.cpu(),
        };
        walk(bench, &source)
    };
    let full = walk_with(None)?;
    let short = walk_with(Some(1_000))?;
    let resident = server.resident()?;
    Ok(vec![
        Line {
            note: format!("server's memory at most {:.0} MB", resident.peak_mb),
            ..full.line("get_records/10mib")
        },
        short.line("get_records/1000"),
    ])
}

/// Where to read.
pub struct Source<'a> {
    /// The server.
    pub address: SocketAddr,
    /// Where each shard begins.
    pub iterators: Vec<String>,
    /// Records of an answer at most, if fewer than the service's limit.
    pub limit: Option<usize>,
    /// Processor time of the server so far.
    pub cpu: &'a dyn Fn() -> Result<Duration, Failure>,
}

impl Source<'_> {
    /// A request such as the readers send, for one of the iterators.
    pub fn request(&self) -> Result<Vec<u8>, Failure> {
        let signer = Signer::new(self.address, Service::STREAMS)?;
        let iterator = self.iterators.first().ok_or("no shard to read")?;
        request(&signer, iterator, self.limit)
    }
}

fn request(signer: &Signer, iterator: &str, limit: Option<usize>) -> Result<Vec<u8>, Failure> {
    let input = match limit {
        Some(limit) => json!({"ShardIterator": iterator, "Limit": limit}),
        None => json!({"ShardIterator": iterator}),
    };
    signer.request("GetRecords", &serde_json::to_vec(&input)?)
}

/// What all readers together have read.
pub struct Walked {
    records: u64,
    answers: Latencies,
    took: Duration,
    server: Duration,
    client: Duration,
}

impl Walked {
    /// As a line of the table.
    pub fn line(&self, name: &str) -> Line {
        let bytes = self.records as f64 * Batch::LARGE.record_bytes as f64;
        let us_each = |time: Duration| Some(time.as_secs_f64() * 1e6 / self.answers.count() as f64);
        Line {
            latency: Some(self.answers.percentiles()),
            server_us: us_each(self.server),
            client_us: us_each(self.client),
            ..Line::new(name, bytes / 1e6 / self.took.as_secs_f64(), "MB/s")
        }
    }
}

/// Reads all shards over and over.
pub fn walk(bench: &Bench, source: &Source<'_>) -> Result<Walked, Failure> {
    let iterators = &source.iterators;
    let readers = bench.options.connections.min(iterators.len());
    let signer = Signer::new(source.address, Service::STREAMS)?;
    let begin = Barrier::new(readers + 1);
    let duration = bench.options.duration();
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for reader in 0..readers {
            let own = iterators.iter().skip(reader).step_by(readers).cloned();
            let mut reader = Reader {
                signer: &signer,
                limit: source.limit,
                oldest: own.collect(),
                buffer: vec![0; BUFFER_BYTES],
                records: 0,
                answers: Latencies::new()?,
            };
            let (begin, address) = (&begin, source.address);
            threads.push(scope.spawn(move || {
                begin.wait();
                let outcome = reader.run(address, Instant::now() + duration);
                outcome.map(|()| (reader.records, reader.answers, thread_cpu()))
            }));
        }
        let cpu_before = (source.cpu)()?;
        begin.wait();
        let mut walked = Walked {
            records: 0,
            answers: Latencies::new()?,
            took: duration,
            server: Duration::ZERO,
            client: Duration::ZERO,
        };
        for thread in threads {
            let (records, answers, cpu) = thread.join().map_err(|_| "a reader panicked")??;
            walked.records += records;
            walked.answers.merge(&answers)?;
            walked.client += cpu;
        }
        walked.server = (source.cpu)()?.saturating_sub(cpu_before);
        Ok(walked)
    })
}

/// One connection, and the shards that it reads.
struct Reader<'a> {
    signer: &'a Signer,
    limit: Option<usize>,
    oldest: Vec<String>,
    buffer: Vec<u8>,
    records: u64,
    answers: Latencies,
}

impl Reader<'_> {
    fn run(&mut self, address: SocketAddr, end: Instant) -> Result<(), Failure> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(READ_MAX))?;
        let oldest = self.oldest.clone();
        for start in oldest.iter().cycle() {
            let mut iterator = start.clone();
            loop {
                let begin = Instant::now();
                let (records, next) = self.call(&mut socket, &iterator)?;
                if Instant::now() >= end {
                    return Ok(());
                }
                self.records += records;
                self.answers.add(begin.elapsed());
                match next {
                    Some(next) if records > 0 => iterator = next,
                    _ => break,
                }
            }
        }
        Ok(())
    }

    fn call(
        &mut self,
        socket: &mut TcpStream,
        iterator: &str,
    ) -> Result<(u64, Option<String>), Failure> {
        socket.write_all(&request(self.signer, iterator, self.limit)?)?;
        counting::records(&mut self.buffer, socket)
    }
}
