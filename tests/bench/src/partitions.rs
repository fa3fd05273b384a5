//! Records that go to partitions by a key that a query finds in them: one, a thousand, and a
//! hundred thousand of them in one delivery.

use std::time::Instant;

use crate::Failure;
use crate::assembled::{self, Assembled};
use crate::bench::Bench;
use crate::destination::Destination;
use crate::events::Frames;
use crate::report::{Goal, Line};
use crate::usage::{Peak, own_cpu};

/// Different keys.
const KEYS: [u64; 3] = [1, 1_000, 100_000];
/// One delivery.
const SIZE_MIB: usize = 128;
const BYTES: usize = SIZE_MIB * 1024 * 1024;
/// What the whole process may take, in megabytes: 256 MiB.
const RESIDENT_GOAL_MB: f64 = 268.4;

/// How fast they are delivered, and the most memory that takes.
pub fn run(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let mut lines = Vec::new();
    for keys in KEYS {
        lines.extend(of(bench, keys)?);
    }
    Ok(lines)
}

fn of(bench: &Bench, keys: u64) -> Result<[Line; 2], Failure> {
    let frames = Frames::of_keys(keys, BYTES)?;
    let destination = Destination {
        size_mib: SIZE_MIB,
        compression: "UNCOMPRESSED",
        plugin: None,
        converts: false,
        partitions: true,
    };
    let dir = bench.fresh_dir()?;
    bench.runtime()?.block_on(async {
        let assembled = Assembled::open(dir.path(), None).await?;
        assembled.make(&destination).await?;
        let records = assembled.fill(&frames, BYTES).await?;
        let bytes = frames.data_bytes(BYTES);
        drop(frames);
        assembled.close().await?;
        let assembled = Assembled::open(dir.path(), None).await?;
        let (begin, cpu_before, peak) = (Instant::now(), own_cpu(), Peak::begin()?);
        let delivery = assembled.deliver().await?;
        let status = assembled::delivered(&delivery, records).await?;
        let seconds = begin.elapsed().as_secs_f64();
        let cpu = own_cpu().saturating_sub(cpu_before).as_secs_f64();
        let resident = peak.end()?;
        delivery.close().await;
        assembled.close().await?;
        let row = format!("delivery_partitions/{keys}");
        let objects = status.objects;
        Ok([
            Line {
                goal: Some(Goal::AtMost(RESIDENT_GOAL_MB)),
                ..Line::new(format!("{row}/resident"), resident, "MB")
            },
            Line {
                note: format!(
                    "{records} records, {objects} objects, {:.0} a second, {:.2} processors busy",
                    objects as f64 / seconds,
                    cpu / seconds,
                ),
                ..Line::new(row, bytes as f64 / 1e6 / seconds, "MB/s")
            },
        ])
    })
}
