//! A backlog of one shard through the delivery service into objects in a directory, beside the
//! parts of that work alone on one thread.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::alone::{self, Took};
use crate::assembled::{self, Assembled};
use crate::bench::Bench;
use crate::components::{self, Folder};
use crate::destination::Destination;
use crate::events::Frames;
use crate::report::{Goal, Line};
use crate::usage::own_cpu;

const BYTES: usize = 512 * MIB;
const MIB: usize = 1024 * 1024;
/// `SizeInMBs`: one that is large, and the default.
const SIZES_MIB: [usize; 2] = [64, 5];
/// `SizeInMBs` of a delivery stream that makes rows, at least.
const ROWS_SIZE_MIB: usize = 64;
/// What delivery must reach of the speed of its slowest part alone.
const SHARE_GOAL: f64 = 0.9;
const PLUGIN: &str = "parse-access-log";

/// Events as they are; beside a plain copy into synced files.
pub fn uncompressed(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let frames = Frames::of_events()?;
    let mut lines = Vec::new();
    for size_mib in SIZES_MIB {
        let alone = alone::copy(bench, &frames, BYTES, size_mib * MIB)?;
        let destination = Destination {
            size_mib,
            compression: "UNCOMPRESSED",
            plugin: None,
            converts: false,
            partitions: false,
        };
        let delivered = backlog(bench, &frames, &destination, None)?;
        let row = format!("delivery_uncompressed/{size_mib}");
        lines.extend(delivered.beside(&row, "copy_alone", &alone));
    }
    Ok(lines)
}

/// Events as rows of Parquet files; beside what writes these.
pub fn parquet(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let frames = Frames::of_events()?;
    let alone = alone::rows(&frames, BYTES, ROWS_SIZE_MIB * MIB)?;
    let destination = Destination {
        size_mib: ROWS_SIZE_MIB,
        compression: "UNCOMPRESSED",
        plugin: None,
        converts: true,
        partitions: false,
    };
    let delivered = backlog(bench, &frames, &destination, None)?;
    let row = format!("delivery_parquet/{ROWS_SIZE_MIB}");
    Ok(delivered.beside(&row, "writer_alone", &alone).into())
}

/// Events in gzip; beside the compressor.
pub fn gzip(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let frames = Frames::of_events()?;
    let mut lines = Vec::new();
    for size_mib in SIZES_MIB {
        let alone = alone::compress(&frames, BYTES, size_mib * MIB)?;
        let destination = Destination {
            size_mib,
            compression: "GZIP",
            plugin: None,
            converts: false,
            partitions: false,
        };
        let delivered = backlog(bench, &frames, &destination, None)?;
        let row = format!("delivery_gzip/{size_mib}");
        lines.extend(delivered.beside(&row, "compressor_alone", &alone));
    }
    Ok(lines)
}

/// Lines of an access log through a plugin, then in gzip; beside the plugin and the compressor.
pub fn transform_gzip(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let frames = Frames::of_visits()?;
    let folder = Folder::with(bench, PLUGIN, &components::built(bench, PLUGIN)?)?;
    let mut lines = Vec::new();
    for size_mib in SIZES_MIB {
        let alone = {
            let (_plugins, version) = folder.version(PLUGIN)?;
            alone::transform_and_compress(&version, &frames, BYTES, size_mib * MIB)?
        };
        let destination = Destination {
            size_mib,
            compression: "GZIP",
            plugin: Some(PLUGIN),
            converts: false,
            partitions: false,
        };
        let plugins = folder.plugins();
        let delivered = backlog(bench, &frames, &destination, Some(&plugins))?;
        let row = format!("delivery_transform_gzip/{size_mib}");
        lines.extend(delivered.beside(&row, "plugin_and_compressor_alone", &alone));
    }
    Ok(lines)
}

/// A backlog that was delivered.
struct Delivered {
    bytes: usize,
    time: Duration,
    records: u64,
    objects: u64,
    /// Processor time of all threads.
    cpu: Duration,
}

impl Delivered {
    fn beside(&self, row: &str, part: &str, alone: &Took) -> [Line; 2] {
        let seconds = self.time.as_secs_f64();
        let rate = self.bytes as f64 / 1e6 / seconds;
        let cores = self.cpu.as_secs_f64() / seconds;
        let packed = alone.bytes_in as f64 / alone.bytes_out as f64;
        let share = rate / alone.mb_per_second();
        let work = self.cpu.as_secs_f64() / alone.cpu.as_secs_f64();
        let Self {
            records, objects, ..
        } = self;
        [
            Line {
                note: format!("one thread; packed {packed:.2} times"),
                ..Line::new(format!("{row}/{part}"), alone.mb_per_second(), "MB/s")
            },
            Line {
                goal: Some(Goal::AtLeast(SHARE_GOAL * alone.mb_per_second())),
                note: format!(
                    "{share:.2} of that with {work:.2} times its processor time, {cores:.2} \
                     processors busy; one shard, {:.0} k records/s, {objects} objects",
                    *records as f64 / seconds / 1e3,
                ),
                ..Line::new(row, rate, "MB/s")
            },
        ]
    }
}

/// Delivers what lies in a shard when the deliveries begin, most of it in no cache of the store.
fn backlog(
    bench: &Bench,
    frames: &Frames,
    destination: &Destination<'_>,
    plugins: Option<&Path>,
) -> Result<Delivered, Failure> {
    let dir = bench.fresh_dir()?;
    bench.runtime()?.block_on(async {
        let assembled = Assembled::open(dir.path(), plugins).await?;
        assembled.make(destination).await?;
        let records = assembled.fill(frames, BYTES).await?;
        assembled.close().await?;
        let assembled = Assembled::open(dir.path(), plugins).await?;
        let (begin, cpu_before) = (Instant::now(), own_cpu());
        let delivery = assembled.deliver().await?;
        let status = assembled::delivered(&delivery, records).await?;
        let (time, cpu) = (begin.elapsed(), own_cpu().saturating_sub(cpu_before));
        delivery.close().await;
        assembled.close().await?;
        Ok(Delivered {
            bytes: frames.data_bytes(BYTES),
            time,
            records,
            objects: status.objects,
            cpu,
        })
    })
}
