//! The work that no server can leave out, whatever it does beside: the hash of a request's body,
//! its base64, one copy and one checksum of the records, and one write of them that is durable. By
//! two threads, without a connection.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use base64_simd::STANDARD;
use sha2::{Digest, Sha256};

use crate::Failure;
use crate::bench::Bench;
use crate::latency::Latencies;
use crate::prewritten::{Block, Prewritten};
use crate::puts;
use crate::report::Line;
use crate::requests::Batch;
use crate::usage::own_cpu;

const THREADS: usize = 2;
const STREAM: &str = "bench";
const DATA: &[u8] = b"\"Data\":\"";

/// For PutRecords of 500 times 1 KiB.
pub fn large(bench: &Bench) -> Result<Vec<Line>, Failure> {
    work(bench, &Batch::LARGE)
}

/// For PutRecords of 100 times 100 bytes.
pub fn small(bench: &Bench) -> Result<Vec<Line>, Failure> {
    work(bench, &Batch::SMALL)
}

fn work(bench: &Bench, batch: &Batch) -> Result<Vec<Line>, Failure> {
    let dir = bench.fresh_dir()?;
    let mut workers = (0..THREADS)
        .map(|thread| Worker::new(&dir.path().join(thread.to_string()), batch))
        .collect::<Result<Vec<_>, _>>()?;
    let duration = bench.options.duration();
    let cpu_before = own_cpu();
    let all = std::thread::scope(|scope| {
        let threads: Vec<_> = workers
            .iter_mut()
            .map(|worker| scope.spawn(move || worker.run(duration)))
            .collect();
        let mut all = Latencies::new()?;
        for thread in threads {
            all.merge(&thread.join().map_err(|_| "a worker panicked")??)?;
        }
        Ok::<_, Failure>(all)
    })?;
    let cpu = own_cpu().saturating_sub(cpu_before);
    let calls = all.count() as f64;
    Ok(vec![Line {
        latency: Some(all.percentiles()),
        server_us: Some(cpu.as_secs_f64() * 1e6 / calls),
        note: "hash, base64, copy, checksum, durable write".to_owned(),
        ..Line::new(
            format!("unavoidable_{}", batch.name),
            batch.rate(calls / duration.as_secs_f64()),
            batch.unit,
        )
    }])
}

struct Worker {
    bodies: Vec<Vec<u8>>,
    file: Prewritten,
    decoded: Vec<u8>,
    block: Block,
}

impl Worker {
    fn new(path: &Path, batch: &Batch) -> Result<Self, Failure> {
        Ok(Self {
            bodies: batch.bodies(STREAM, puts::variants(batch)),
            file: Prewritten::new(path)?,
            decoded: Vec::with_capacity(batch.data_bytes()),
            block: Block::with_capacity(batch.data_bytes()),
        })
    }

    fn run(&mut self, duration: Duration) -> Result<Latencies, Failure> {
        let texts: Vec<_> = self.bodies.iter().map(|body| texts(body)).collect();
        let mut latencies = Latencies::new()?;
        let end = Instant::now() + duration;
        for (body, texts) in self.bodies.iter().zip(&texts).cycle() {
            let start = Instant::now();
            black_box(Sha256::digest(body));
            self.decoded.clear();
            for text in texts {
                STANDARD
                    .decode_append(text, &mut self.decoded)
                    .map_err(|_| "base64 that was just made was refused")?;
            }
            self.block.clear();
            self.block.push(&self.decoded);
            black_box(crc32c::crc32c(self.block.bytes()));
            self.file.write(&self.block)?;
            let now = Instant::now();
            if end < now {
                break;
            }
            latencies.add(now - start);
        }
        Ok(latencies)
    }
}

/// The base64 of each record of a body.
fn texts(body: &[u8]) -> Vec<&[u8]> {
    memchr::memmem::find_iter(body, DATA)
        .filter_map(|at| {
            let text = &body[at + DATA.len()..];
            memchr::memchr(b'"', text).map(|length| &text[..length])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_of_a_body_is_found() {
        for batch in [Batch::LARGE, Batch::SMALL] {
            let bodies = batch.bodies(STREAM, 1);
            let texts = texts(&bodies[0]);
            assert_eq!(texts.len(), batch.records);
            for text in texts {
                let data = STANDARD.decode_to_vec(text).unwrap();
                assert_eq!(data.len(), batch.record_bytes);
            }
        }
    }
}
