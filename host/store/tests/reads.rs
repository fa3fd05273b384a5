//! How much is read from the disk, by how much was asked.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod oracle;

use std::sync::Arc;

use oracle::session::{open, small_options};
use store::disk::simulated::{Call, SimulatedDisk};
use store::embedded::{Embedded, Options};
use store::{Append, BodyBuilder, Engine, LogId, NewFrame, Position, Transaction};
use types::Timestamp;

/// More than there are open segments.
const IDLE_LOGS: u64 = 400;
const FEW_LOGS: u64 = 4;
const FRAMES: u64 = 100;
const FRAME_BYTES: usize = 10_000;

/// Segments as large as they are in production next to what is put into them, and nothing is read
/// from memory.
fn options() -> Options {
    Options {
        segment_bytes_max: 64 << 20,
        wal_file_bytes: 8 << 20,
        flush_bytes: 1 << 30,
        tail_cache_bytes: 0,
        wal_files_ahead: 0,
        ..small_options()
    }
}

fn append(log: LogId, bytes: usize, arrival: u64) -> Append {
    let mut body = BodyBuilder::default();
    body.push("key", &vec![7; bytes]).unwrap();
    let (body, count) = body.finish();
    let arrival = Timestamp(arrival);
    let frame = NewFrame {
        count,
        arrival,
        body,
        key: None,
    };
    Append { log, frame }
}

/// A store just opened, with so many logs whose frames arrived at 1, 2, 3, ...
async fn filled(logs: u64, frames: u64, bytes: usize) -> (SimulatedDisk, Arc<Embedded>) {
    let disk = SimulatedDisk::new(1);
    let store = open(&disk, options()).await.unwrap();
    let ids: Vec<LogId> = (0..logs).map(LogId).collect();
    store.create_logs(&ids).await.unwrap();
    for arrival in 1..=frames {
        let appends = ids.iter().map(|log| append(*log, bytes, arrival));
        let transaction = Transaction {
            appends: appends.collect(),
            ..Transaction::default()
        };
        store.commit(transaction).await.unwrap();
    }
    (disk.clone(), reopened(&disk, store).await)
}

async fn reopened(disk: &SimulatedDisk, store: Arc<Embedded>) -> Arc<Embedded> {
    store.close().await.unwrap();
    drop(store);
    open(disk, options()).await.unwrap()
}

/// What retention does with each log, again and again.
async fn expire(store: &Embedded, logs: u64, cutoff: u64) {
    for log in (0..logs).map(LogId) {
        let keep_from = store.seek_time(log, Timestamp(cutoff)).await.unwrap();
        if store.horizon(log).unwrap() < keep_from {
            store.trim(log, keep_from).await.unwrap();
        }
    }
}

/// Retention asks every log for its oldest time each minute. Above 256 open segments each was
/// opened and read whole for that, again and again.
#[tokio::test]
async fn retention_reads_nothing_while_nothing_has_expired() {
    let (disk, store) = filled(IDLE_LOGS, 3, 1_000).await;
    let calls = || (disk.calls(Some(Call::ReadAt)), disk.calls(Some(Call::Open)));
    let before = calls();
    for cutoff in [0, 1] {
        expire(&store, IDLE_LOGS, cutoff).await;
    }
    assert_eq!(calls(), before);
    assert_eq!(store.horizon(LogId(0)).unwrap(), Position::FIRST);
    store.close().await.unwrap();
}

#[tokio::test]
async fn retention_reads_nothing_after_it_has_trimmed_what_had_expired() {
    let (disk, store) = filled(IDLE_LOGS, 3, 1_000).await;
    expire(&store, IDLE_LOGS, 2).await;
    assert_eq!(store.horizon(LogId(7)).unwrap(), Position(1));
    store.flush().await.unwrap();
    let calls = || (disk.calls(Some(Call::ReadAt)), disk.calls(Some(Call::Open)));
    let before = calls();
    for _ in 0..3 {
        expire(&store, IDLE_LOGS, 2).await;
    }
    assert_eq!(calls(), before);
    store.close().await.unwrap();
}

/// The last segment of a log that nobody writes to is never full and so was never closed: it had
/// no index on the disk, and all of it was read to find a time.
#[tokio::test]
async fn an_idle_segment_is_read_whole_at_most_once_for_all_that_expires_in_it() {
    let (disk, store) = filled(FEW_LOGS, FRAMES, FRAME_BYTES).await;
    expire(&store, FEW_LOGS, 10).await;
    store.flush().await.unwrap();
    let mut store = store;
    for cutoff in [20, 21, 50, 99] {
        // Without what is kept in memory.
        store = reopened(&disk, store).await;
        let before = disk.bytes_read();
        expire(&store, FEW_LOGS, cutoff).await;
        assert_eq!(store.horizon(LogId(1)).unwrap(), Position(cutoff - 1));
        let read = (disk.bytes_read() - before) / FEW_LOGS;
        let whole = FRAMES * FRAME_BYTES as u64;
        assert!(read < whole / 5, "{read} of {whole} bytes were read");
    }
    let rest = store
        .read(LogId(1), Position::FIRST, 1 << 20)
        .await
        .unwrap();
    assert_eq!(rest.frames.len(), 2);
    store.close().await.unwrap();
}

/// A flush held a descriptor for each segment that it wrote to until all were synced.
#[tokio::test]
async fn a_flush_of_thousands_of_logs_needs_few_open_files() {
    const LOGS: u64 = 3_000;
    let disk = SimulatedDisk::new(1);
    // The open segments, those of one batch, the write-ahead log.
    disk.set_open_files_max(400);
    let store = open(&disk, options()).await.unwrap();
    let ids: Vec<LogId> = (0..LOGS).map(LogId).collect();
    store.create_logs(&ids).await.unwrap();
    for _ in 0..2 {
        let appends = ids.iter().map(|log| append(*log, 10, 1));
        let transaction = Transaction {
            appends: appends.collect(),
            ..Transaction::default()
        };
        store.commit(transaction).await.unwrap();
        store.flush().await.unwrap();
        store.health().unwrap();
    }
    let store = reopened(&disk, store).await;
    for log in [0, 1_500, LOGS - 1] {
        let read = store.read(LogId(log), Position::FIRST, 1 << 20).await;
        assert_eq!(read.unwrap().frames.len(), 2);
    }
    store.close().await.unwrap();
}

/// The one frame that was wanted was a slice of what had been read with it, and kept all of that
/// in memory for as long as its reader kept the frame.
#[tokio::test]
async fn a_frame_keeps_at_most_twice_its_bytes_in_memory() {
    let (_disk, store) = filled(1, FRAMES, FRAME_BYTES).await;
    for (from, bytes_max) in [(0, 1), (50, 1), (99, 1), (7, 3 * FRAME_BYTES)] {
        let read = store.read(LogId(0), Position(from), bytes_max).await;
        let bodies = read.unwrap().frames.into_iter().map(|frame| frame.body);
        let bodies: Vec<_> = bodies.collect();
        let bytes: usize = bodies.iter().map(|body| body.len()).sum();
        assert!(bytes >= bytes_max.max(FRAME_BYTES));
        // A vector takes over the memory that its bytes lie in, if nobody else has a part of it.
        for body in bodies {
            assert!(body.is_unique());
            let kept = Vec::from(body).capacity();
            assert!(kept <= 2 * bytes, "{bytes} bytes keep {kept}");
        }
    }
    store.close().await.unwrap();
}

#[tokio::test]
async fn only_what_is_in_memory_is_read_from_there() {
    let (disk, store) = filled(1, 3, 1_000).await;
    let before = disk.bytes_read();
    for from in 0..3 {
        let read = store.read_from_memory(LogId(0), Position(from), 1 << 20);
        assert!(read.unwrap().is_none());
    }
    // There is nothing beyond the tip, and no need to look for it.
    let read = store.read_from_memory(LogId(0), Position(3), 1 << 20);
    let read = read.unwrap().unwrap();
    assert!(read.frames.is_empty());
    assert_eq!((read.next, read.tip), (Position(3), Position(3)));
    assert_eq!(disk.bytes_read(), before);
    store.close().await.unwrap();
}
