//! Reading from the engine alone: at the tip by many, and from disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use store::{Engine, LogId, Position};

use crate::Failure;
use crate::bench::Bench;
use crate::engine::{Opened, append, body};
use crate::report::{Goal, Line};

const FRAME_RECORDS: usize = 64;
const RECORD_BYTES: usize = 1024;
const READ_BYTES: usize = 1024 * 1024;
const TAIL_READERS: usize = 20;
const TAIL_WRITERS: usize = 32;
const TAIL_GOAL_MB_PER_SECOND: f64 = 2_000.0;
const COLD_LOGS: u64 = 8;
const COLD_FRAMES: u64 = 16_384;
const COLD_WRITERS: u64 = 32;
const COLD_GOAL_MB_PER_SECOND: f64 = 1_000.0;

/// Twenty readers that wait at the tip of one log while it is written as fast as it goes.
pub fn tail(bench: &Bench) -> Result<Vec<Line>, Failure> {
    const LOG: LogId = LogId(0);
    let opened = Opened::new(bench, 1)?;
    let frame = body(FRAME_RECORDS, RECORD_BYTES)?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for _ in 0..TAIL_WRITERS {
        let (engine, frame) = (Arc::clone(&opened.engine), frame.clone());
        let stop = Arc::clone(&stop);
        writers.push(opened.runtime.spawn(async move {
            let mut written = 0_usize;
            while !stop.load(Ordering::Relaxed) {
                append(&engine, LOG, &frame).await?;
                written += frame.0.len();
            }
            Ok::<_, Failure>(written)
        }));
    }
    let begin = Instant::now();
    let end = begin + bench.options.duration();
    let mut readers = Vec::new();
    for _ in 0..TAIL_READERS {
        let engine = Arc::clone(&opened.engine);
        readers.push(opened.runtime.spawn(async move {
            let (mut from, mut read) = (Position::FIRST, 0_usize);
            while Instant::now() < end {
                engine.wait_beyond(LOG, from).await?;
                let batch = engine.read(LOG, from, READ_BYTES).await?;
                read += batch.frames.iter().map(|f| f.body.len()).sum::<usize>();
                from = batch.next;
            }
            Ok::<_, Failure>(read)
        }));
    }
    let mut read = 0;
    for reader in readers {
        read += opened.runtime.block_on(reader)??;
    }
    let took = begin.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    let mut written = 0;
    for writer in writers {
        written += opened.runtime.block_on(writer)??;
    }
    Ok(vec![Line {
        goal: Some(Goal::AtLeast(TAIL_GOAL_MB_PER_SECOND)),
        note: format!("while {:.0} MB/s are written", written as f64 / 1e6 / took),
        ..Line::new("tail_readers", read as f64 / 1e6 / took, "MB/s")
    }])
}

/// A gigabyte in logs read one after another by one task each, none of it in any cache.
pub fn cold(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let mut opened = Opened::new(bench, COLD_LOGS)?;
    write(&opened)?;
    let opening = opened.reopen_cold()?;
    let begin = Instant::now();
    let mut readers = Vec::new();
    for log in (0..COLD_LOGS).map(LogId) {
        let engine = Arc::clone(&opened.engine);
        readers.push(opened.runtime.spawn(async move {
            let (mut from, mut read) = (Position::FIRST, 0_usize);
            loop {
                let batch = engine.read(log, from, READ_BYTES).await?;
                read += batch.frames.iter().map(|f| f.body.len()).sum::<usize>();
                if batch.next >= batch.tip {
                    return Ok::<_, Failure>(read);
                }
                from = batch.next;
            }
        }));
    }
    let mut read = 0;
    for reader in readers {
        read += opened.runtime.block_on(reader)??;
    }
    let rate = read as f64 / 1e6 / begin.elapsed().as_secs_f64();
    Ok(vec![Line {
        goal: Some(Goal::AtLeast(COLD_GOAL_MB_PER_SECOND)),
        note: format!(
            "{:.0} MB from disk, opened in {:.0} ms",
            read as f64 / 1e6,
            opening.as_secs_f64() * 1e3
        ),
        ..Line::new("cold_read", rate, "MB/s")
    }])
}

fn write(opened: &Opened) -> Result<(), Failure> {
    let frame = body(FRAME_RECORDS, RECORD_BYTES)?;
    let mut writers = Vec::new();
    for writer in 0..COLD_WRITERS {
        let (engine, frame) = (Arc::clone(&opened.engine), frame.clone());
        writers.push(opened.runtime.spawn(async move {
            for _ in 0..COLD_FRAMES / COLD_WRITERS {
                append(&engine, LogId(writer % COLD_LOGS), &frame).await?;
            }
            Ok::<_, Failure>(())
        }));
    }
    for writer in writers {
        opened.runtime.block_on(writer)??;
    }
    Ok(())
}
