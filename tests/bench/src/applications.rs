//! A backlog of a stream through an application that reads and writes a row for each record, as the
//! server does it, without its HTTP; and how long a swap of its plugin keeps a record waiting.

use std::time::{Duration, Instant};

use bytes::Bytes;
use consumers::status::ApplicationStatus;
use store::BodyBuilder;

use crate::Failure;
use crate::bench::Bench;
use crate::components::Folder;
use crate::counter::counter;
use crate::engine::append;
use crate::hosting::{PLUGIN, SHARDS, World, until};
use crate::report::Line;

/// Records of the backlog, and bytes of each.
const RECORDS: usize = 200_000;
const RECORD_BYTES: usize = 100;
/// Different ones among them: rows of the table.
const WORDS: usize = 10_000;
const RECORDS_PER_FRAME: usize = 500;

/// Works on the backlog, then swaps.
pub fn run(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let folder = Folder::with(bench, PLUGIN, &counter().component())?;
    let dir = bench.fresh_dir()?;
    bench.runtime()?.block_on(async {
        let world = World::open(dir.path(), folder.open()?).await?;
        let logs = world.make().await?;
        for (shard, log) in logs.iter().enumerate() {
            for frame in 0..RECORDS / RECORDS_PER_FRAME / logs.len() {
                append(&world.engine, *log, &frame_of(shard, frame)?).await?;
            }
        }
        let begin = Instant::now();
        world.make_application().await?;
        let status = world.until_done(RECORDS as u64).await?;
        let time = begin.elapsed();
        let mut lines = throughput(&status, time);
        // The same with nothing in between, and with another version in between.
        let alone = world.one_more(&logs, RECORDS as u64 + 1).await?;
        let mut other = counter();
        other.fields.push_str("(global $other i32 (i32.const 1))");
        let before = world.version()?;
        folder.replace(PLUGIN, &other.component())?;
        until(|| Ok(world.version()? != before)).await?;
        let swapped = world.one_more(&logs, RECORDS as u64 + 2).await?;
        lines.push(Line {
            note: format!(
                "from a put until its effects are durable, where a version came into force before; \
                 without one {:.1} ms",
                alone.as_secs_f64() * 1e3
            ),
            ..Line::new("application/swap", swapped.as_secs_f64() * 1e3, "ms")
        });
        world.close().await?;
        Ok(lines)
    })
}

fn throughput(status: &ApplicationStatus, time: Duration) -> Vec<Line> {
    let seconds = time.as_secs_f64();
    let shown = || status.shards.iter().map(|shard| &shard.shown);
    let batches: u64 = shown().map(|shown| shown.batches).sum();
    let commits: Duration = shown().map(|shown| shown.commit_time).sum();
    let longest = shown().map(|shown| shown.commit_time_max).max();
    let redone: u64 = shown().map(|shown| shown.redone).sum();
    let mean = commits.as_secs_f64() * 1e3 / batches.max(1) as f64;
    vec![
        Line {
            note: format!(
                "{SHARDS} shards, a read and a write of one of {WORDS} rows for each record of \
                 {RECORD_BYTES} B, durable; {batches} batches, {redone} done again"
            ),
            ..Line::new("application/records", RECORDS as f64 / seconds, "records/s")
        },
        Line::new(
            "application/bytes",
            (RECORDS * RECORD_BYTES) as f64 / 1e6 / seconds,
            "MB/s",
        ),
        Line {
            note: format!(
                "mean of a batch's commit; the longest {:.1} ms",
                longest.unwrap_or_default().as_secs_f64() * 1e3
            ),
            ..Line::new("application/commit", mean, "ms")
        },
    ]
}

/// Records of one frame, each as long as all others.
fn frame_of(shard: usize, frame: usize) -> Result<(Bytes, u16), Failure> {
    let mut body =
        BodyBuilder::with_capacity(RECORDS_PER_FRAME, RECORDS_PER_FRAME * (RECORD_BYTES + 8));
    for record in 0..RECORDS_PER_FRAME {
        let word = (frame * RECORDS_PER_FRAME + record) * 7 + shard;
        let text = format!("{:0width$}", word % WORDS, width = RECORD_BYTES);
        body.push("key", text.as_bytes()).ok_or("a frame is full")?;
    }
    Ok(body.finish())
}
