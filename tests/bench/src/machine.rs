//! The machine's own limits: what no server on it can be faster than. One thread each.

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use base64_simd::{AsOut, STANDARD};
use md5::Md5;
use sha2::{Digest, Sha256};

use crate::Failure;
use crate::bench::Bench;
use crate::latency::Latencies;
use crate::random::Random;
use crate::report::Line;

const KIB: usize = 1024;
/// Written round and round by the fdatasync loops, as a recycled log file is.
const LOG_BYTES: usize = 128 * KIB * KIB;
/// Fits the second level cache, as a request's body does.
const BLOCK_BYTES: usize = 256 * KIB;
/// Does not fit any cache.
const COPY_BYTES: usize = 64 * KIB * KIB;
/// Written and read front to back.
const FILE_BYTES: usize = 1024 * KIB * KIB;
/// Between two looks at the clock.
const ROUNDS: usize = 16;

/// Write a block into a file that was written before, then fdatasync, and again.
pub fn sync(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let dir = bench.fresh_dir()?;
    let file = File::create(dir.path().join("log"))?;
    let block = Random::new(1).bytes(KIB * KIB);
    for offset in (0..LOG_BYTES).step_by(block.len()) {
        file.write_all_at(&block, offset as u64)?;
    }
    file.sync_all()?;
    let mut lines = Vec::new();
    for (name, bytes) in [("4k", 4 * KIB), ("512k", 512 * KIB), ("1m", KIB * KIB)] {
        let mut latencies = Latencies::new()?;
        let begin = Instant::now();
        let mut offset = 0;
        while begin.elapsed() < bench.options.duration() {
            let start = Instant::now();
            file.write_all_at(&block[..bytes], offset as u64)?;
            file.sync_data()?;
            latencies.add(start.elapsed());
            offset = (offset + bytes) % LOG_BYTES;
        }
        let per_second = latencies.count() as f64 / begin.elapsed().as_secs_f64();
        lines.push(Line {
            latency: Some(latencies.percentiles()),
            note: format!("{:.0} MB/s", per_second * bytes as f64 / 1e6),
            ..Line::new(format!("machine_sync/{name}"), per_second, "syncs/s")
        });
    }
    Ok(lines)
}

/// Write a new file front to back and sync it at the end; then read it back from the disk.
pub fn disk(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let dir = bench.fresh_dir()?;
    let path = dir.path().join("data");
    let file = File::create(&path)?;
    let mut block = Random::new(2).bytes(KIB * KIB);
    let start = Instant::now();
    for offset in (0..FILE_BYTES).step_by(block.len()) {
        file.write_all_at(&block, offset as u64)?;
    }
    file.sync_all()?;
    let megabytes = FILE_BYTES as f64 / 1e6;
    let written = megabytes / start.elapsed().as_secs_f64();
    let file = File::open(&path)?;
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    let start = Instant::now();
    for offset in (0..FILE_BYTES).step_by(block.len()) {
        file.read_exact_at(&mut block, offset as u64)?;
    }
    let read = megabytes / start.elapsed().as_secs_f64();
    Ok(vec![
        Line {
            note: "1 GiB, a new file, synced at the end".to_owned(),
            ..Line::new("machine_disk/write", written, "MB/s")
        },
        Line {
            note: "1 GiB, not in the page cache".to_owned(),
            ..Line::new("machine_disk/read", read, "MB/s")
        },
    ])
}

/// The work on every byte of a request or a record.
pub fn bytes(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let plain = Random::new(3).bytes(BLOCK_BYTES);
    let text = STANDARD.encode_type::<Vec<u8>>(&plain);
    let mut encoded = vec![0; text.len()];
    let mut decoded = vec![0; plain.len()];
    let mut refused = 0;
    let from = Random::new(4).bytes(COPY_BYTES);
    let mut cached = vec![0; BLOCK_BYTES];
    let mut to = vec![0; COPY_BYTES];
    let lines = vec![
        throughput(bench, "sha256", plain.len(), || {
            black_box(Sha256::digest(black_box(&plain)));
        }),
        throughput(bench, "crc32c", plain.len(), || {
            black_box(crc32c::crc32c(black_box(&plain)));
        }),
        throughput(bench, "base64_encode", plain.len(), || {
            black_box(STANDARD.encode(black_box(&plain), encoded.as_out()).len());
        }),
        throughput(bench, "base64_decode", plain.len(), || {
            let outcome = STANDARD.decode(black_box(&text), decoded.as_out());
            refused += usize::from(black_box(outcome.is_err()));
        }),
        throughput(bench, "memcpy", COPY_BYTES, || {
            to.copy_from_slice(black_box(&from));
            black_box(&to);
        }),
        throughput(bench, "memcpy_cached", BLOCK_BYTES, || {
            cached.copy_from_slice(black_box(&plain));
            black_box(&cached);
        }),
        hash_keys(bench),
    ];
    if refused > 0 {
        return Err("base64 that was just made was refused".into());
    }
    Ok(lines)
}

/// MB/s of decoded bytes.
fn throughput(bench: &Bench, name: &str, bytes: usize, mut work: impl FnMut()) -> Line {
    let per_second = repeat(bench, &mut work);
    let name = format!("machine_bytes/{name}");
    Line::new(name, per_second * bytes as f64 / 1e6, "MB/s")
}

fn hash_keys(bench: &Bench) -> Line {
    let per_second = repeat(bench, &mut || {
        black_box(Md5::digest(black_box(b"partition-key-000012")));
    });
    Line::new("machine_bytes/md5_of_a_key", 1e9 / per_second, "ns")
}

fn repeat(bench: &Bench, work: &mut impl FnMut()) -> f64 {
    let duration = bench.options.duration() / 6;
    let mut rounds = 0_usize;
    let begin = Instant::now();
    while begin.elapsed() < duration {
        for _ in 0..ROUNDS {
            work();
        }
        rounds += ROUNDS;
    }
    rounds as f64 / begin.elapsed().as_secs_f64()
}
