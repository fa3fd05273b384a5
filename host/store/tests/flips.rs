//! A disk that changes bytes: each byte of a small segment and of a small write-ahead log is
//! flipped, and the store opened on what is left.
//!
//! A flip may be harmless (padding, a derived index that is made again), it may be reported: by
//! the read, with file and offset, or by the store's health. It may never change what is read,
//! take something away in silence, or touch a log that has nothing at that place. In a segment it
//! takes away the frame that it hits and no other, and none where it hits the file's own header.
//!
//! One case looks the same as a crash: a flip in the very last block of the write-ahead log. Any
//! block that is followed by another was synced, because a block is written only when the one
//! before it is durable; of the last one nobody can tell whether its write was torn before the
//! sync or changed after it. It is dropped as a whole, as after a crash, and nothing else is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod oracle;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use oracle::body;
use oracle::session::open;
use store::disk::simulated::SimulatedDisk;
use store::embedded::Options;
use store::{
    Append, Engine, Expect, LogId, Position, StoreError, TableId, TableWrite, Transaction,
};
use types::Timestamp;

const LOG: LogId = LogId(1);
const NEIGHBOURS: [LogId; 2] = [LogId(2), LogId(3)];
const TABLE: TableId = TableId(1);
/// Transactions in the segment that is flipped, and in the write-ahead log.
const IN_SEGMENT: usize = 8;
const IN_WAL: usize = 4;
/// Bytes before the first frame of a segment.
const SEGMENT_HEADER_BYTES: u64 = 64;
/// redb's page.
const PAGE_BYTES: u64 = 4_096;

type Frames = BTreeMap<Position, Bytes>;

/// What a store held before the flip.
struct Expected {
    logs: BTreeMap<LogId, Frames>,
    rows: usize,
}

fn options() -> Options {
    Options {
        wal_file_bytes: 1 << 20,
        free_bytes_min: 0,
        ballast_bytes: 0,
        wal_files_ahead: 0,
        ..Options::default()
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// A store that was killed after a few transactions, each a block of its own with a frame for
/// every log and a row.
async fn written(transactions: usize, flushed: bool) -> (SimulatedDisk, Expected) {
    let disk = SimulatedDisk::new(1);
    let store = open(&disk, options()).await.unwrap();
    let all = [LOG, NEIGHBOURS[0], NEIGHBOURS[1]];
    store.create_logs(&all).await.unwrap();
    let mut logs: BTreeMap<LogId, Frames> = BTreeMap::new();
    for number in 0..transactions {
        let frames = all.map(|log| {
            let index = usize::try_from(log.0).unwrap();
            Append {
                log,
                frame: body(number, index, 40 + 31 * number),
            }
        });
        let key = Bytes::from(vec![u8::try_from(number).unwrap()]);
        let value = Some(Bytes::from_static(b"value"));
        let writes = vec![TableWrite {
            table: TABLE,
            key,
            value,
            expect: Expect::Any,
        }];
        let transaction = Transaction {
            appends: frames.to_vec(),
            writes,
            ..Transaction::default()
        };
        let committed = store.commit(transaction).await.unwrap();
        for (append, position) in frames.iter().zip(committed.positions) {
            logs.entry(append.log)
                .or_default()
                .insert(position, append.frame.body.clone());
        }
    }
    if flushed {
        store.flush().await.unwrap();
    }
    let killed = disk.after_kill();
    store.close().await.unwrap();
    (
        killed,
        Expected {
            logs,
            rows: transactions,
        },
    )
}

/// The frames of a log as far as they can be read, and why not further.
async fn read(store: &Arc<dyn Engine>, log: LogId) -> (Frames, Option<StoreError>) {
    let mut frames = Frames::new();
    let mut next = Position::FIRST;
    loop {
        match store.read(log, next, 300).await {
            Ok(batch) if batch.frames.is_empty() => return (frames, None),
            Ok(batch) => {
                next = batch.next;
                frames.extend(
                    batch
                        .frames
                        .into_iter()
                        .map(|frame| (frame.position, frame.body)),
                );
            }
            Err(error) => return (frames, Some(error)),
        }
    }
}

/// The frames that can be read, by somebody who passes what cannot, and how often that was.
async fn read_around(store: &Arc<dyn Engine>, log: LogId) -> (Frames, usize) {
    let (mut frames, mut places, mut next) = (Frames::new(), 0, Position::FIRST);
    loop {
        match store.read(log, next, 300).await {
            Ok(batch) if batch.frames.is_empty() => return (frames, places),
            Ok(batch) => {
                next = batch.next;
                let read = batch.frames.into_iter();
                frames.extend(read.map(|frame| (frame.position, frame.body)));
            }
            Err(StoreError::Corrupt { .. }) => {
                places += 1;
                next = store.readable_from(log, next).await.unwrap();
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Where each frame lies in its segment, in which they are back to back.
fn frames_at(frames: &Frames) -> Vec<(Range<u64>, Position)> {
    let mut end = SEGMENT_HEADER_BYTES;
    let places = frames.iter().map(|(position, body)| {
        let start = end;
        end += (store::embedded::format::FRAME_HEADER_BYTES + body.len()) as u64;
        (start..end, *position)
    });
    places.collect()
}

/// Flips one bit of every byte of a file, in turn, and looks at what each flip does.
fn flip_each(
    disk: &SimulatedDisk,
    path: &Path,
    bytes: u64,
    look: impl Fn(SimulatedDisk, u64) + Sync,
) {
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let offset = next.fetch_add(1, Ordering::Relaxed);
                    if bytes <= offset {
                        return;
                    }
                    let _flipping = Flipping(offset);
                    let flipped = disk.after_kill();
                    assert!(flipped.flip(path, offset, 1 << (offset % 8)));
                    look(flipped, offset);
                }
            });
        }
    });
}

/// Says which byte was flipped when something fails.
struct Flipping(u64);

impl Drop for Flipping {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("with byte {} flipped", self.0);
        }
    }
}

fn assert_all_as_written(frames: &Frames, expected: &Frames) {
    for (position, body) in frames {
        assert!(
            expected.get(position) == Some(body),
            "a wrong frame at {position}"
        );
    }
}

fn assert_names(error: &StoreError, path: &Path) {
    match error {
        StoreError::Corrupt { file, what, .. } => {
            assert!(path.ends_with(file) && !what.is_empty(), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

/// All frames are read but the one that was hit, and that and a hit of the file's own header are
/// told.
async fn assert_only_the_hit_is_lost(
    store: &Arc<dyn Engine>,
    expected: &Frames,
    (path, offset): (&Path, u64),
) {
    let places = frames_at(expected);
    let hit = places.iter().find(|(bytes, _)| bytes.contains(&offset));
    let mut sound = expected.clone();
    sound.retain(|position, _| hit.is_none_or(|(_, hit)| position != hit));
    let (frames, passed) = read_around(store, LOG).await;
    assert_eq!(frames, sound, "more is lost than what was hit, or less");
    assert_eq!(passed, usize::from(hit.is_some()));
    let (told, name) = (store.unreadable(), path.display().to_string());
    let is_told = hit.is_some() || offset < SEGMENT_HEADER_BYTES;
    assert_eq!(told.len(), usize::from(is_told), "{told:?}");
    assert!(told.iter().all(|told| told.starts_with(&name)));
    store.health().unwrap();
}

#[test]
fn a_flipped_byte_of_a_segment_is_reported_with_file_and_offset_and_never_served() {
    let (disk, expected) = block_on(written(IN_SEGMENT, true));
    let prefix = PathBuf::from("logs");
    let segments: Vec<_> = disk
        .files()
        .into_iter()
        .filter(|(path, _)| path.starts_with(&prefix))
        .collect();
    assert_eq!(segments.len(), 3, "one for each log: {segments:?}");
    let (path, bytes) = segments[0].clone();
    let reported = AtomicUsize::new(0);
    flip_each(&disk, &path, bytes, |flipped, offset| {
        block_on(async {
            let store = open(&flipped, options()).await.unwrap();
            let engine: Arc<dyn Engine> = store.clone();
            let (frames, error) = read(&engine, LOG).await;
            assert_all_as_written(&frames, &expected.logs[&LOG]);
            match error {
                Some(error) => {
                    assert_names(&error, &path);
                    reported.fetch_add(1, Ordering::Relaxed);
                    let StoreError::Corrupt { offset: at, .. } = error else {
                        unreachable!()
                    };
                    assert!(at <= offset, "byte {offset} is reported at {at}");
                }
                None => assert_eq!(frames, expected.logs[&LOG], "frames vanished in silence"),
            }
            assert_only_the_hit_is_lost(&engine, &expected.logs[&LOG], (&path, offset)).await;
            for log in NEIGHBOURS {
                let (frames, error) = read(&engine, log).await;
                assert!(
                    error.is_none() && frames == expected.logs[&log],
                    "{error:?}"
                );
                let sought = engine.seek_time(log, Timestamp(0)).await.unwrap();
                assert_eq!(sought, Position::FIRST);
                let frame = body(99, 0, 10);
                let appends = vec![Append { log, frame }];
                engine
                    .commit(Transaction {
                        appends,
                        ..Transaction::default()
                    })
                    .await
                    .unwrap();
            }
            let third = expected.logs[&LOG].keys().nth(3).copied();
            match engine.seek_time(LOG, Timestamp(1_000 + 3)).await {
                // Nobody knows when the frame before it arrived.
                Ok(sought) if Some(sought) < third => {
                    let read = engine.read(LOG, sought, 300).await;
                    assert!(read.is_err(), "{sought} arrived too early");
                }
                sought => assert!(sought.is_err() || sought.ok() == third),
            }
            // The end may report the damage as well.
            let _ = engine.close().await;
        });
    });
    // Every byte of every frame, and no other: the rest is the file's own header and derived data.
    let bodies: usize = expected.logs[&LOG].values().map(Bytes::len).sum();
    let of_frames = bodies + IN_SEGMENT * store::embedded::format::FRAME_HEADER_BYTES;
    assert_eq!(reported.into_inner(), of_frames);
}

#[test]
fn a_flipped_byte_of_the_write_ahead_log_is_reported_and_never_served() {
    let (disk, expected) = block_on(written(IN_WAL, false));
    let path = PathBuf::from("wal/0000.wal");
    let used = used_bytes(&disk, &path);
    let silent = AtomicUsize::new(0);
    flip_each(&disk, &path, used, |flipped, offset| {
        block_on(async {
            let store = match open(&flipped, options()).await {
                Ok(store) => store,
                Err(error) => return assert_names(&error, &path),
            };
            let engine: Arc<dyn Engine> = store.clone();
            let mut is_reported = engine.health().is_err();
            let mut lost = 0;
            for (log, expected) in &expected.logs {
                let (frames, error) = read(&engine, *log).await;
                assert_all_as_written(&frames, expected);
                match error {
                    None => {}
                    // The block that made the logs is gone: the health must say why.
                    Some(StoreError::NoLog(_)) => assert!(is_reported),
                    Some(error) => {
                        assert_names(&error, &path);
                        is_reported = true;
                    }
                }
                lost += expected.len() - frames.len();
            }
            let rows = engine.scan(TABLE, Bytes::new(), None, 100).await.unwrap();
            let lost_rows = expected.rows - rows.len();
            if !is_reported && (lost, lost_rows) != (0, 0) {
                silent.fetch_add(1, Ordering::Relaxed);
                let last_block = used - 4_096..used;
                assert!(
                    last_block.contains(&offset),
                    "{lost} frames vanished in silence"
                );
                assert_eq!(
                    (lost, lost_rows),
                    (3, 1),
                    "the last block was dropped in part"
                );
            }
            let _ = engine.close().await;
        });
    });
    assert!(
        0 < silent.into_inner(),
        "the last block cannot be told from a torn one"
    );
}

/// Up to the end of the last block.
fn used_bytes(disk: &SimulatedDisk, path: &Path) -> u64 {
    use store::disk::Disk;
    let file = disk.open(path).unwrap();
    let mut bytes = vec![0; usize::try_from(file.length().unwrap()).unwrap()];
    file.read_at(&mut bytes, 0).unwrap();
    let last = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    (last as u64 + 1).next_multiple_of(4_096)
}

/// What a start makes of a flip in the tables' file.
#[derive(Default)]
struct Starts {
    /// All is as it was written, and the store is healthy.
    whole: AtomicUsize,
    /// The start says which file is damaged, and where.
    refused: AtomicUsize,
    /// Of those, how many named the very page.
    exact: AtomicUsize,
}

/// Opens a store whose tables' file was flipped: it holds everything, or says what is wrong.
async fn start(flipped: &SimulatedDisk, expected: &Expected, offset: u64, starts: &Starts) {
    let path = PathBuf::from("tables.redb");
    let store = match open(flipped, options()).await {
        Ok(store) => store,
        Err(error) => {
            assert_names(&error, &path);
            starts.refused.fetch_add(1, Ordering::Relaxed);
            if let StoreError::Corrupt { offset: at, .. } = error
                && at / PAGE_BYTES == offset / PAGE_BYTES
            {
                starts.exact.fetch_add(1, Ordering::Relaxed);
            }
            return;
        }
    };
    store.health().unwrap();
    let engine: Arc<dyn Engine> = store.clone();
    for (log, expected) in &expected.logs {
        let (frames, error) = read(&engine, *log).await;
        assert!(error.is_none(), "log {}: {error:?}", log.0);
        assert_eq!(&frames, expected, "log {}", log.0);
    }
    let rows = engine.scan(TABLE, Bytes::new(), None, 100).await.unwrap();
    assert_eq!(rows.len(), expected.rows);
    // It goes on like any other.
    let frame = body(99, 0, 10);
    let appends = vec![Append { log: LOG, frame }];
    let transaction = Transaction {
        appends,
        ..Transaction::default()
    };
    engine.commit(transaction).await.unwrap();
    engine.close().await.unwrap();
    starts.whole.fetch_add(1, Ordering::Relaxed);
}

/// Flips some bits of every page of the tables' file, and of the first, which redb reads before
/// all others, one bit of every byte that is not zero.
fn flip_tables(disk: &SimulatedDisk, expected: &Expected) -> Starts {
    use store::disk::Disk;
    let path = PathBuf::from("tables.redb");
    let file = disk.open(&path).unwrap();
    let mut bytes = vec![0; usize::try_from(file.length().unwrap()).unwrap()];
    assert_eq!(file.read_at(&mut bytes, 0).unwrap(), bytes.len());
    let pages = bytes.len() as u64 / PAGE_BYTES;
    let of_page = |page| {
        let first = page * PAGE_BYTES;
        let here = first..first + PAGE_BYTES;
        here.filter(move |at| at % PAGE_BYTES < 64 || at % 509 == 0)
    };
    let offsets: Vec<u64> = (0..pages)
        .flat_map(of_page)
        .filter(|at| bytes[usize::try_from(*at).unwrap()] != 0 || at % 509 == 0)
        .chain((64..512).filter(|at| usize::try_from(*at).is_ok_and(|at| bytes[at] != 0)))
        .collect();
    let starts = Starts::default();
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(&offset) = offsets.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let _flipping = Flipping(offset);
                    let flipped = disk.after_kill();
                    assert!(flipped.flip(&path, offset, 1 << (offset % 8)));
                    block_on(start(&flipped, expected, offset, &starts));
                }
            });
        }
    });
    starts
}

/// Eight of seventeen pages ended the start with a panic.
#[test]
fn a_flip_anywhere_in_the_tables_file_is_mended_while_the_log_holds_everything() {
    let (disk, expected) = block_on(written(IN_SEGMENT, true));
    let starts = flip_tables(&disk, &expected);
    assert_eq!(starts.refused.into_inner(), 0);
    assert!(starts.whole.into_inner() > 100);
}

#[test]
fn a_flip_anywhere_in_the_tables_file_is_reported_once_the_log_was_written_over() {
    let (disk, expected) = block_on(written(IN_SEGMENT, true));
    // As if another block had been written over the first.
    assert!(disk.flip(Path::new("wal/0000.wal"), 0, 1));
    let starts = flip_tables(&disk, &expected);
    let (refused, exact) = (starts.refused.into_inner(), starts.exact.into_inner());
    assert!(refused > 20, "{refused} flips were found");
    assert!(
        exact * 10 >= refused * 8,
        "{exact} of {refused} named the page"
    );
    // Most of the file is free.
    assert!(starts.whole.into_inner() > 20);
}

#[test]
fn a_tables_file_that_is_gone_or_cut_is_made_anew_from_the_log() {
    use store::disk::Disk;
    let (disk, expected) = block_on(written(IN_SEGMENT, true));
    let path = Path::new("tables.redb");
    for cut_to in [None, Some(0), Some(100), Some(5_000)] {
        let damaged = disk.after_kill();
        match cut_to {
            None => damaged.remove(path).unwrap(),
            Some(bytes) => damaged.open(path).unwrap().set_length(bytes).unwrap(),
        }
        let starts = Starts::default();
        block_on(start(&damaged, &expected, 0, &starts));
        assert_eq!(starts.whole.into_inner(), 1, "cut to {cut_to:?}");
        let kept = damaged.open(Path::new("tables.redb.damaged"));
        assert_eq!(kept.is_ok(), cut_to.is_some());
    }
}

/// The second start wrote over the first blocks, though there were files that had never been used.
#[test]
fn a_tables_file_is_mended_after_a_restart_while_there_were_unused_files() {
    use store::disk::Disk;
    block_on(async {
        let (disk, mut expected) = written(IN_SEGMENT, true).await;
        for slot in ["wal/0001.wal", "wal/0002.wal"] {
            disk.create(Path::new(slot)).unwrap();
        }
        // Another start in each of the files that there are, the first one last.
        for (start_number, mended) in [(1, true), (2, true), (3, false)] {
            let store = open(&disk, options()).await.unwrap();
            let frame = body(start_number, 0, 50);
            let appends = vec![Append { log: LOG, frame }];
            let kept = appends[0].frame.body.clone();
            let transaction = Transaction {
                appends,
                ..Transaction::default()
            };
            let position = store.commit(transaction).await.unwrap().positions[0];
            store.close().await.unwrap();
            let frames = expected.logs.get_mut(&LOG).unwrap();
            frames.insert(position, kept);
            let damaged = disk.after_kill();
            damaged.remove(Path::new("tables.redb")).unwrap();
            let starts = Starts::default();
            start(&damaged, &expected, 0, &starts).await;
            let whole = starts.whole.into_inner();
            assert_eq!(whole == 1, mended, "start {start_number}");
        }
    });
}
