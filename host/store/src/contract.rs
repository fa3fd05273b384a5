//! What every engine promises, one function per promise, and the engines that are held to it.
//!
//! What an engine promises about crashes and faults of its disk depends on the disk below it;
//! see `host/store/tests`.

mod checks;
mod commits;
mod engines;
mod logs;
mod reopening;
mod seals;
mod tables;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use types::Timestamp;

use crate::engine::{
    Append, Coming, CommitError, Committed, Engine, Expect, Frame, LogChange, LogEnd, LogId,
    NewFrame, Position, StoreError, TableId, TableWrite, Transaction, Version, Versioned,
};
use crate::records::{BodyBuilder, Records};

/// How long a promise that something happens may take before it counts as broken.
const PATIENCE: Duration = Duration::from_secs(20);

const LOG: LogId = LogId(7);
const OTHER: LogId = LogId(8);
const TABLE: TableId = TableId(3);

/// Opens the engine under test on storage that is empty at first and its own alone.
#[async_trait]
trait Opener: Send + Sync {
    async fn open(&self) -> Result<Arc<dyn Engine>, StoreError>;
}

/// An open engine with the logs [`LOG`] and [`OTHER`].
async fn open(opener: &dyn Opener) -> Arc<dyn Engine> {
    let engine = opener.open().await.unwrap();
    engine.create_logs(&[LOG, OTHER]).await.unwrap();
    engine
}

async fn reopen(opener: &dyn Opener, engine: Arc<dyn Engine>) -> Arc<dyn Engine> {
    engine.close().await.unwrap();
    drop(engine);
    opener.open().await.unwrap()
}

/// A frame of one record.
fn frame(text: &str, arrival: u64) -> NewFrame {
    let mut body = BodyBuilder::default();
    body.push("key", text.as_bytes()).unwrap();
    let (body, count) = body.finish();
    NewFrame {
        count,
        arrival: Timestamp(arrival),
        body,
        key: None,
    }
}

fn append(log: LogId, text: &str) -> Transaction {
    append_at(log, text, 1_000)
}

fn append_at(log: LogId, text: &str, arrival: u64) -> Transaction {
    let frame = frame(text, arrival);
    Transaction {
        appends: vec![Append { log, frame }],
        ..Transaction::default()
    }
}

/// A frame of so many records.
fn append_many(log: LogId, count: u16) -> Transaction {
    let mut body = BodyBuilder::default();
    for number in 0..count {
        body.push("key", number.to_string().as_bytes()).unwrap();
    }
    let (body, count) = body.finish();
    let arrival = Timestamp(1_000);
    let frame = NewFrame {
        count,
        arrival,
        body,
        key: None,
    };
    Transaction {
        appends: vec![Append { log, frame }],
        ..Transaction::default()
    }
}

fn write(key: &'static str, value: Option<&'static str>, expect: Expect) -> TableWrite {
    let value = value.map(|value| Bytes::from_static(value.as_bytes()));
    TableWrite {
        table: TABLE,
        key: Bytes::from_static(key.as_bytes()),
        value,
        expect,
    }
}

fn writing(writes: Vec<TableWrite>) -> Transaction {
    Transaction {
        writes,
        ..Transaction::default()
    }
}

async fn put(engine: &Arc<dyn Engine>, key: &'static str, value: &'static str) -> Committed {
    let write = write(key, Some(value), Expect::Any);
    engine.commit(writing(vec![write])).await.unwrap()
}

async fn commit_text(engine: &Arc<dyn Engine>, log: LogId, text: &str) -> Position {
    engine.commit(append(log, text)).await.unwrap().positions[0]
}

/// All frames of a log from `from` on, read in as many steps as the engine likes.
async fn frames_from(engine: &Arc<dyn Engine>, log: LogId, from: Position) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    let mut next = from;
    loop {
        let batch = engine.read(log, next, 1 << 20).await.unwrap();
        for frame in &batch.frames {
            assert!(next < frame.end(), "{} ends before {next}", frame.position);
        }
        for pair in batch.frames.windows(2) {
            assert_eq!(pair[0].end(), pair[1].position);
        }
        assert!(next <= batch.next);
        next = batch.next;
        if batch.frames.is_empty() {
            assert!(
                batch.tip <= next,
                "nothing read, and yet the tip is beyond {next}"
            );
            return frames;
        }
        frames.extend(batch.frames);
    }
}

/// The data of the first record of each frame.
async fn texts(engine: &Arc<dyn Engine>, log: LogId) -> Vec<String> {
    let frames = frames_from(engine, log, Position::FIRST).await;
    frames.iter().map(|frame| text(&frame.body)).collect()
}

fn text(body: &[u8]) -> String {
    let record = Records::new(body).next().unwrap();
    assert_eq!(record.partition_key, "key");
    String::from_utf8(record.data.to_vec()).unwrap()
}

/// The rows of [`TABLE`] as text.
async fn rows(engine: &Arc<dyn Engine>) -> Vec<(String, String)> {
    let rows = engine.scan(TABLE, Bytes::new(), None, 1_000).await.unwrap();
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    rows.iter()
        .map(|(key, row)| (text(key), text(&row.value)))
        .collect()
}

async fn row(engine: &Arc<dyn Engine>, key: &str) -> Option<Versioned> {
    engine.get(TABLE, key.as_bytes()).await.unwrap()
}

fn is_no_log<T>(outcome: &Result<T, StoreError>) -> bool {
    match outcome {
        Err(StoreError::NoLog(_)) => true,
        Err(StoreError::Commit(error)) => matches!(**error, CommitError::NoLog(_)),
        _ => false,
    }
}
