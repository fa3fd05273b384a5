//! What a store takes of the disk: a process that is killed again and again, and a start on a disk
//! that is full to the last byte.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod oracle;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use oracle::body;
use oracle::session::open;
use store::disk::Disk;
use store::disk::simulated::{Call, Failure, Fault, SimulatedDisk};
use store::embedded::{Embedded, Options};
use store::{
    Append, CommitError, Engine, Expect, LogId, Position, Purpose, StoreError, TableId, TableWrite,
    Transaction,
};

const LOG: LogId = LogId(1);
/// Lives that each write one frame.
const LIVES: usize = 30;
/// More logs than a start flushes, and how many files gather for their sake.
const MANY_LOGS: u64 = 300;
const GATHERED_FILES: usize = 8;
/// Write-ahead files that may be there after any number of lives: one that holds what the last
/// life wrote, two of this life, and those that are free.
const FILES_MAX: usize = 9;

fn options(wal_files_ahead: usize) -> Options {
    Options {
        wal_file_bytes: 64 << 10,
        free_bytes_min: 0,
        ballast_bytes: 4 << 10,
        wal_files_ahead,
        ..Options::default()
    }
}

fn wal_files(disk: &SimulatedDisk) -> Vec<PathBuf> {
    let files = disk.files().into_iter().map(|(path, _)| path);
    files.filter(|path| path.starts_with("wal")).collect()
}

async fn append(store: &Embedded, number: usize) -> Result<(), CommitError> {
    let frame = body(number, 0, 10);
    let transaction = Transaction {
        appends: vec![Append { log: LOG, frame }],
        ..Transaction::default()
    };
    store.commit(transaction).await.map(|_| ())
}

/// Bodies of the log's frames.
async fn frames(store: &Embedded) -> Vec<Bytes> {
    let (mut found, mut next) = (Vec::new(), Position::FIRST);
    loop {
        let batch = store.read(LOG, next, usize::MAX).await.unwrap();
        if batch.frames.is_empty() {
            return found;
        }
        next = batch.next;
        found.extend(batch.frames.into_iter().map(|frame| frame.body));
    }
}

/// Each life began a file, kept it for its one frame, and had made others ready.
#[tokio::test]
async fn short_lives_leave_no_more_than_a_few_write_ahead_files() {
    for ahead in [0, 2] {
        let mut disk = SimulatedDisk::new(1);
        for number in 0..LIVES {
            let store = open(&disk, options(ahead)).await.unwrap();
            store.create_logs(&[LOG]).await.unwrap();
            append(&store, number).await.unwrap();
            let killed = disk.after_kill();
            let files = wal_files(&killed).len();
            assert!(files <= FILES_MAX, "{files} files after {number} lives");
            store.close().await.unwrap();
            disk = killed;
        }
        let store = open(&disk, options(ahead)).await.unwrap();
        let expected: Vec<_> = (0..LIVES).map(|n| body(n, 0, 10).body).collect();
        assert_eq!(frames(&store).await, expected);
        store.close().await.unwrap();
    }
}

/// A start made a file and a directory for each of ten thousand logs before it served anything.
#[tokio::test]
async fn a_start_leaves_many_logs_in_the_write_ahead_log_until_files_have_gathered() {
    let options = || Options {
        wal_file_bytes: 1 << 20,
        ..options(0)
    };
    let logs: Vec<LogId> = (1..=MANY_LOGS).map(LogId).collect();
    let has_segments = |disk: &SimulatedDisk| {
        let files = disk.files();
        files.iter().any(|(path, _)| path.starts_with("logs"))
    };
    let mut disk = SimulatedDisk::new(1);
    let mut flushed_at = None;
    for number in 0..LIVES {
        let store = open(&disk, options()).await.unwrap();
        if number == 0 {
            store.create_logs(&logs).await.unwrap();
        }
        flushed_at = flushed_at.or(has_segments(&disk).then_some(number));
        let appends = logs.iter().map(|log| {
            let frame = body(number, 0, 10);
            Append { log: *log, frame }
        });
        let transaction = Transaction {
            appends: appends.collect(),
            ..Transaction::default()
        };
        store.commit(transaction).await.unwrap();
        let killed = disk.after_kill();
        let files = wal_files(&killed).len();
        assert!(files <= FILES_MAX + GATHERED_FILES, "{files} files");
        store.close().await.unwrap();
        disk = killed;
    }
    assert_eq!(flushed_at, Some(GATHERED_FILES + 1));
    let store = open(&disk, options()).await.unwrap();
    let expected: Vec<_> = (0..LIVES).map(|n| body(n, 0, 10).body).collect();
    assert_eq!(frames(&store).await, expected);
    store.close().await.unwrap();
}

/// A life that is cut off while it brings things in order leaves no file more.
#[tokio::test]
async fn lives_that_end_at_any_call_of_their_start_leave_no_file_more() {
    let disk = SimulatedDisk::new(1);
    let store = open(&disk, options(0)).await.unwrap();
    store.create_logs(&[LOG]).await.unwrap();
    append(&store, 0).await.unwrap();
    let one = disk.after_kill();
    store.close().await.unwrap();
    let store = open(&one, options(0)).await.unwrap();
    append(&store, 1).await.unwrap();
    let two = one.after_kill();
    store.close().await.unwrap();
    let files = wal_files(&two).len();
    for nth in 1.. {
        let dying = two.after_kill();
        dying.plan(Fault {
            times: u64::MAX,
            ..Fault::at(nth, Failure::Io)
        });
        let started = open(&dying, options(0)).await;
        let left = dying.after_kill();
        assert!(wal_files(&left).len() <= files, "cut off at call {nth}");
        let whole = open(&left, options(0)).await.unwrap();
        assert_eq!(frames(&whole).await.len(), 2, "cut off at call {nth}");
        whole.close().await.unwrap();
        if let Ok(started) = started {
            let is_done = dying.faults_hit() == 0;
            // The end may fail: the disk does.
            let _ = started.close().await;
            if is_done {
                return;
            }
        }
    }
}

#[tokio::test]
async fn write_ahead_files_without_a_use_are_given_back_at_the_next_start() {
    let disk = SimulatedDisk::new(1);
    let store = open(&disk, options(2)).await.unwrap();
    store.create_logs(&[LOG]).await.unwrap();
    append(&store, 0).await.unwrap();
    store.close().await.unwrap();
    for slot in 20..60 {
        let file = disk.create(Path::new(&format!("wal/{slot:04}.wal")));
        file.unwrap().reserve(64 << 10).unwrap();
    }
    let store = open(&disk, options(2)).await.unwrap();
    let files = wal_files(&disk).len();
    assert!(files <= FILES_MAX, "{files}");
    assert_eq!(frames(&store).await.len(), 1);
    store.close().await.unwrap();
}

/// A store that was killed, whose disk then refuses to write the tables' file `times` times.
async fn full(options: Options, times: u64) -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    let store = open(&disk, options).await.unwrap();
    store.create_logs(&[LOG]).await.unwrap();
    append(&store, 0).await.unwrap();
    let killed = disk.after_kill();
    store.close().await.unwrap();
    killed.plan(Fault {
        call: Some(Call::WriteAt),
        under: PathBuf::from("tables.redb"),
        nth: 1,
        times,
        failure: Failure::NoSpace,
    });
    killed
}

/// It could not even be read from.
#[tokio::test]
async fn a_start_on_a_full_disk_gives_up_what_only_holds_room() {
    let unused = Path::new("wal/0007.wal");
    for times in [1, 2] {
        let disk = full(options(0), times).await;
        disk.create(unused).unwrap().set_length(64 << 10).unwrap();
        let store = open(&disk, options(0)).await.unwrap();
        assert_eq!(frames(&store).await.len(), 1);
        let is_unused_kept = wal_files(&disk).contains(&unused.to_owned());
        assert_eq!(is_unused_kept, times == 1, "the ballast goes first");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_start_on_a_full_disk_never_gives_up_what_was_acknowledged() {
    let disk = full(options(0), u64::MAX).await;
    let files = wal_files(&disk);
    match open(&disk, options(0)).await {
        Err(StoreError::Io { doing, .. }) => assert!(doing.contains("tables.redb"), "{doing}"),
        other => panic!("{:?}", other.map(|_| ())),
    }
    assert_eq!(wal_files(&disk), files);
    disk.forget_faults();
    let store = open(&disk, options(0)).await.unwrap();
    assert_eq!(frames(&store).await.len(), 1);
    store.close().await.unwrap();
}

#[tokio::test]
async fn rows_that_make_room_are_taken_while_new_ones_are_refused() {
    let disk = SimulatedDisk::new(1);
    let short = Options {
        free_bytes_min: 1 << 30,
        ..options(0)
    };
    let store = open(&disk, short).await.unwrap();
    store.create_logs(&[LOG]).await.unwrap();
    // Less than is to be kept free, and enough for what is written here.
    let filler = disk.create(Path::new("filler")).unwrap();
    disk.set_capacity(20 << 30);
    let free = disk.space().unwrap().free_bytes;
    filler.reserve(free - (512 << 20)).unwrap();
    let mut number = 0;
    while append(&store, number).await.is_ok() {
        number += 1;
    }
    let row = |key: &'static [u8]| Transaction {
        writes: vec![TableWrite {
            table: TableId(1),
            key: Bytes::from_static(key),
            value: Some(Bytes::from_static(b"value")),
            expect: Expect::Any,
        }],
        ..Transaction::default()
    };
    let refused = store.commit(row(b"new")).await;
    assert!(matches!(refused, Err(CommitError::DiskFull)), "{refused:?}");
    let marked = store.commit_for(Purpose::MakeRoom, row(b"deleted"));
    marked.await.unwrap();
    let appended = Transaction {
        appends: vec![Append {
            log: LOG,
            frame: body(0, 0, 10),
        }],
        ..Transaction::default()
    };
    let refused = store.commit_for(Purpose::MakeRoom, appended).await;
    assert!(matches!(refused, Err(CommitError::DiskFull)), "{refused:?}");
    store.close().await.unwrap();
}
