//! What a flush moves, however it lies in the write-ahead log.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod oracle;

use oracle::History;
use oracle::session::{Plan, Session, open, small_options};
use store::disk::simulated::SimulatedDisk;
use store::embedded::Options;
use store::{Engine, LogId, Position};

/// More than are flushed together.
const LOGS: u64 = 300;
/// Blocks are 4 KiB at least.
const BLOCKS_PER_FILE: u64 = 4;

async fn session(options: Options) -> Session {
    let disk = SimulatedDisk::new(1);
    // Nothing is read from memory, made ready, or flushed unasked.
    let options = Options {
        tail_cache_bytes: 0,
        wal_files_ahead: 0,
        flush_bytes: 1 << 30,
        ..options
    };
    let embedded = open(&disk, options).await.unwrap();
    Session::new(embedded, disk, History::default())
}

async fn append(session: &Session, logs: Vec<LogId>) {
    let plan = Plan {
        // One record each.
        sizes: vec![99; logs.len()],
        logs,
        has_row: false,
        shared: vec![],
    };
    session.commit(plan).await.unwrap();
}

/// Where the frames of a log are, read from its segments.
async fn flushed(session: &Session, log: LogId) -> Vec<Position> {
    session.embedded.flush().await.unwrap();
    let batch = session.embedded.read(log, Position::FIRST, 1 << 20).await;
    let frames = batch.unwrap().frames;
    frames.iter().map(|frame| frame.position).collect()
}

fn positions(count: u64) -> Vec<Position> {
    (0..count).map(Position).collect()
}

#[tokio::test]
async fn frames_of_many_logs_mixed_with_each_other_go_each_to_its_own() {
    let session = session(small_options()).await;
    for log in 0..LOGS {
        session.create(LogId(log)).await.unwrap();
    }
    for round in 1..=3 {
        for log in 0..LOGS {
            append(&session, vec![LogId(log), LogId((log + 150) % LOGS)]).await;
        }
        for log in [0, 1, 127, 128, 150, LOGS - 1] {
            let found = flushed(&session, LogId(log)).await;
            assert_eq!(found, positions(round * 2), "log {log}");
        }
    }
    session.close().await;
}

#[tokio::test]
async fn frames_in_files_that_are_used_again_go_in_the_order_they_were_written_in() {
    let (mixed, other) = (LogId(1), LogId(2));
    let session = session(Options {
        wal_file_bytes: BLOCKS_PER_FILE * 4_096,
        ..small_options()
    })
    .await;
    for log in [mixed, other] {
        session.create(log).await.unwrap();
    }
    let mut count = 0;
    // Each round frees all files but the last, and goes on in the freed ones.
    for files in [3, 2, 4, 1, 3] {
        for _ in 0..files * BLOCKS_PER_FILE {
            append(&session, vec![mixed, other, mixed]).await;
            count += 2;
        }
        assert_eq!(flushed(&session, mixed).await, positions(count));
        assert_eq!(flushed(&session, other).await, positions(count / 2));
    }
    session.close().await;
}
