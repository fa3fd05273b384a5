//! What goes on, and what is read, after something went wrong once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod oracle;

use std::path::{Path, PathBuf};

use oracle::History;
use oracle::check::check;
use oracle::session::{Plan, Session, open, small_options};
use store::disk::Disk;
use store::disk::simulated::{
    AfterFailedSync, Call, Failure, Fault, Random, SimulatedDisk, Survival,
};
use store::embedded::Options;
use store::embedded::format::{BLOCK_HEADER_BYTES, BlockCheck, Entry, decode_block};
use store::{
    CommitError, Engine, Expect, LogChange, LogId, Position, StoreError, TableId, TableWrite,
    Transaction,
};

const LOG: LogId = LogId(1);
const OTHER: LogId = LogId(2);
/// A body of one record, so that positions count frames.
const ONE_RECORD_BYTES: usize = 999;

/// Nothing is read from memory, made ready, or flushed unasked.
fn options() -> Options {
    Options {
        segment_bytes_max: 8 << 10,
        tail_cache_bytes: 0,
        wal_file_bytes: 1 << 20,
        wal_files_ahead: 0,
        flush_bytes: 1 << 30,
        ..small_options()
    }
}

async fn session(disk: SimulatedDisk, history: History) -> Session {
    let embedded = open(&disk, options()).await.unwrap();
    Session::new(embedded, disk, history)
}

fn frames(log: LogId, count: usize) -> Plan {
    Plan {
        logs: vec![log; count],
        sizes: vec![ONE_RECORD_BYTES; count],
        has_row: false,
        shared: vec![],
    }
}

async fn positions(session: &Session, log: LogId) -> Vec<Position> {
    let batch = session.embedded.read(log, Position::FIRST, 1 << 20).await;
    let frames = batch.unwrap().frames;
    frames.iter().map(|frame| frame.position).collect()
}

fn failing_syncs(under: &str) -> Fault {
    Fault {
        call: Some(Call::Sync),
        under: PathBuf::from(under),
        ..Fault::at(1, Failure::Io)
    }
}

/// The sync of a block fails and the process is killed. The next one reads the block from the
/// system's memory, where it counts as clean: a sync succeeds and writes nothing. So what was
/// read then was lost in a power cut.
#[tokio::test]
async fn a_block_whose_sync_failed_is_durable_once_the_next_start_has_read_it() {
    for seed in 0..20 {
        let first = session(SimulatedDisk::new(seed), History::default()).await;
        first.create(LOG).await.unwrap();
        first.disk.plan(failing_syncs("wal"));
        let refused = first.commit(frames(LOG, 3)).await.unwrap_err();
        assert!(matches!(refused, CommitError::Unknown(_)), "{refused:?}");
        let (history, killed) = first.kill();
        let second = session(killed, history).await;
        second.observe(LOG, Position::FIRST).await.unwrap();
        let random = &mut Random::new(seed);
        let (history, cut) = second.cut_power(random, Survival::Nothing);
        let third = session(cut, history.clone()).await;
        third.embedded.health().unwrap();
        check(&history, &third.engine(), usize::MAX).await.unwrap();
        for session in [first, second, third] {
            session.close().await;
        }
    }
}

/// A log that changed after a failed flush was flushed twice by the next one, and when that began
/// a segment, the frames were in two places and read twice.
#[tokio::test]
async fn frames_are_read_once_after_a_flush_that_failed() {
    let session = session(SimulatedDisk::new(1), History::default()).await;
    session.create(LOG).await.unwrap();
    session.commit(frames(LOG, 20)).await.unwrap();
    session.disk.plan(failing_syncs("tables.redb"));
    session.embedded.flush().await.unwrap_err();
    session.commit(frames(LOG, 1)).await.unwrap();
    session.embedded.flush().await.unwrap();
    let expected: Vec<Position> = (0..21).map(Position).collect();
    assert_eq!(positions(&session, LOG).await, expected);
    session.close().await;
}

/// A start may read a trim beside a catalog that has later frames already. One that said no more
/// than "all" took those along.
#[tokio::test]
async fn a_trim_of_all_names_the_place_that_was_the_tip() {
    let session = session(SimulatedDisk::new(1), History::default()).await;
    session.create(LOG).await.unwrap();
    session.commit(frames(LOG, 3)).await.unwrap();
    session.trim(LOG, Position(u64::MAX)).await.unwrap();
    let mut trims = Vec::new();
    for (path, length) in session.disk.files() {
        if !path.starts_with("wal") {
            continue;
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        let file = session.disk.open(&path).unwrap();
        file.read_at(&mut bytes, 0).unwrap();
        for at in (0..bytes.len()).step_by(4_096) {
            if let Some((_, BlockCheck::Sound(entries))) = decode_block(&bytes[at..]) {
                trims.extend(entries.into_iter().filter_map(|entry| match entry {
                    Entry::Change(LogChange::Trim(LOG, before)) => Some(before),
                    _ => None,
                }));
            }
        }
    }
    assert_eq!(trims, [Position(3)]);
    session.close().await;
}

/// One file that an operator removed, or one damaged sector, kept every log from being flushed,
/// until no write-ahead file was left.
#[tokio::test]
async fn a_segment_that_is_lost_keeps_no_log_from_being_flushed() {
    for is_removed in [true, false] {
        let first = session(SimulatedDisk::new(1), History::default()).await;
        for log in [LOG, OTHER] {
            first.create(log).await.unwrap();
            first.commit(frames(log, 2)).await.unwrap();
        }
        first.embedded.close().await.unwrap();
        let path = Path::new("logs/0000000000000001/00000000000000000000.seg");
        if is_removed {
            first.disk.remove(path).unwrap();
        } else {
            assert!(first.disk.flip(path, 20, 1));
        }
        let (history, disk) = first.kill();
        let second = session(disk, history).await;
        for log in [LOG, OTHER] {
            second.commit(frames(log, 2)).await.unwrap();
        }
        second.embedded.flush().await.unwrap();
        let [told] = &second.embedded.unreadable()[..] else {
            panic!("{:?}", second.embedded.unreadable())
        };
        assert!(told.starts_with(&path.display().to_string()), "{told}");
        second.embedded.health().unwrap();
        assert_eq!(positions(&second, OTHER).await.len(), 4);
        // What was hit is the file's own header, which nothing needs.
        let read = second.embedded.read(LOG, Position::FIRST, 1).await;
        assert_eq!(read.is_err(), is_removed, "{read:?}");
        let rest = second.embedded.read(LOG, Position(2), 1 << 20).await;
        assert_eq!(rest.unwrap().frames.len(), 2);
        second.close().await;
    }
}

/// Each block names the checksum of the one before it, and nobody compared the two: a block of
/// another course of events was taken for the next.
#[tokio::test]
async fn a_block_that_does_not_follow_the_one_before_it_is_reported() {
    let first = session(SimulatedDisk::new(1), History::default()).await;
    first.create(LOG).await.unwrap();
    for _ in 0..3 {
        first.commit(frames(LOG, 1)).await.unwrap();
    }
    let (history, disk) = first.kill();
    let file = disk.open(Path::new("wal/0000.wal")).unwrap();
    // The third block, with another checksum of the second, and sound in itself.
    let at = 2 * 4_096;
    let mut bytes = vec![0; 4_096];
    file.read_at(&mut bytes, at).unwrap();
    let (mut header, _) = decode_block(&bytes).unwrap();
    header.previous ^= 1;
    bytes[..BLOCK_HEADER_BYTES].copy_from_slice(&header.encode().0);
    let written = file.write_at(&[std::io::IoSlice::new(&bytes)], at);
    assert_eq!(written.unwrap(), bytes.len());
    let second = session(disk, history).await;
    let why = second.embedded.health().unwrap_err();
    assert!(why.contains("wal/0000.wal at byte 8192"), "{why}");
    assert!(why.contains("does not follow block"), "{why}");
    let refused = second.commit(frames(LOG, 1)).await;
    assert!(matches!(refused, Err(CommitError::ReadOnly(_))));
    for session in [first, second] {
        session.close().await;
    }
}

/// A log of which one frame was damaged took no record any more, for ever.
#[tokio::test]
async fn a_log_of_which_the_write_ahead_log_lost_a_frame_goes_on_without_it() {
    let first = session(SimulatedDisk::new(1), History::default()).await;
    first.create(LOG).await.unwrap();
    for _ in 0..3 {
        first.commit(frames(LOG, 1)).await.unwrap();
    }
    let (history, mut disk) = first.kill();
    // The second frame, which another block follows.
    assert!(disk.flip(Path::new("wal/0000.wal"), 2 * 4_096 + 200, 1));
    first.close().await;
    // In the write-ahead log, and once all of it is in a segment.
    for put in [3, 4] {
        let session = session(disk, history.clone()).await;
        session.commit(frames(LOG, 1)).await.unwrap();
        let engine = &session.embedded;
        engine.health().unwrap();
        let told = engine.unreadable();
        assert_eq!(told.is_empty(), put > 3, "{told:?}");
        let read = engine.read(LOG, Position(0), 1 << 20).await.unwrap();
        assert_eq!(read.next, Position(1));
        let damage = engine.read(LOG, Position(1), 1 << 20).await.unwrap_err();
        assert!(matches!(damage, StoreError::Corrupt { .. }), "{damage}");
        let behind = engine.readable_from(LOG, Position(1)).await.unwrap();
        assert_eq!(behind, Position(2));
        let read = engine.read(LOG, behind, 1 << 20).await.unwrap();
        assert_eq!(read.next, Position(put + 1));
        engine.flush().await.unwrap();
        disk = session.disk.after_kill();
        session.close().await;
    }
}

/// The catalog's commit fails at its last sync: what it says may be on the disk or not.
async fn commit_in_doubt(after: AfterFailedSync, count: usize) -> Session {
    let session = session(SimulatedDisk::new(3), History::default()).await;
    session.create(LOG).await.unwrap();
    session.commit(frames(LOG, count)).await.unwrap();
    session.disk.set_after_failed_sync(after);
    session.disk.plan(Fault {
        nth: 3,
        ..failing_syncs("tables.redb")
    });
    session.embedded.flush().await.unwrap_err();
    assert_eq!(session.disk.faults_hit(), 1);
    session.disk.forget_faults();
    session
}

/// The next flush emptied the segments that the catalog might have noted before it wrote them anew:
/// a start that read the catalog of the first flush found them short.
#[tokio::test]
async fn a_flush_after_a_commit_in_doubt_loses_nothing_at_any_moment() {
    for after in [AfterFailedSync::StillDirty, AfterFailedSync::CleanButLost] {
        let session = commit_in_doubt(after, 1).await;
        session.disk.record();
        session.commit(frames(LOG, 8)).await.unwrap();
        session.embedded.flush().await.unwrap();
        let mut replay = session.disk.trace().unwrap().replay();
        loop {
            let mut disks = vec![replay.after_kill(&mut Random::new(0))];
            for seed in 0..12 {
                disks.push(replay.after_power_cut(&mut Random::new(seed), Survival::Random));
            }
            for disk in disks {
                let next = open(&disk, options()).await.unwrap();
                let read = next.read(LOG, Position::FIRST, 1).await.unwrap();
                let first = read.frames.first().map(|frame| frame.position);
                let done = replay.done();
                assert_eq!(first, Some(Position::FIRST), "{after:?}, {done} changes");
                next.close().await.unwrap();
            }
            if !replay.advance() {
                break;
            }
        }
        session.close().await;
    }
}

/// A longer segment of a flush that failed lies where a shorter one is closed: its index is found
/// nonetheless, so that a time is looked for without reading all of it.
#[tokio::test]
async fn what_a_failed_flush_left_behind_the_end_of_a_segment_goes_when_it_is_closed() {
    let session = session(SimulatedDisk::new(1), History::default()).await;
    session.create(LOG).await.unwrap();
    session.commit(frames(LOG, 40)).await.unwrap();
    session.embedded.flush().await.unwrap();
    let segments = || {
        let mut files = session.disk.files();
        files.retain(|(path, _)| path.starts_with("logs"));
        files
    };
    let closed = segments();
    let (path, length) = closed[0].clone();
    let (_, killed) = session.kill();
    session.close().await;
    // As if the catalog had never heard of any flush.
    killed.remove("tables.redb".as_ref()).unwrap();
    let file = killed.open(&path).unwrap();
    file.set_length(length + 100_000).unwrap();
    file.sync().unwrap();
    drop(file);
    let again = Session::new(
        open(&killed, options()).await.unwrap(),
        killed,
        History::default(),
    );
    again.embedded.flush().await.unwrap();
    let mut files = again.disk.files();
    files.retain(|(path, _)| path.starts_with("logs"));
    assert_eq!(files, closed);
    again.close().await;
}

/// The open file of a log that is gone kept its room on the disk.
#[tokio::test]
async fn a_log_that_was_flushed_and_deleted_takes_no_room() {
    let session = session(SimulatedDisk::new(1), History::default()).await;
    session.create(LOG).await.unwrap();
    session.commit(frames(LOG, 40)).await.unwrap();
    session.embedded.flush().await.unwrap();
    session.delete(LOG).await.unwrap();
    session.embedded.flush().await.unwrap();
    let files = session.disk.files();
    assert!(files.iter().all(|(path, _)| !path.starts_with("logs")));
    let named: u64 = files.iter().map(|(_, bytes)| bytes).sum();
    assert_eq!(session.disk.used_bytes(), named);
    session.close().await;
}

/// The catalog of a flush that failed named segments that the next flush did not know of, since
/// their frames had been trimmed in part: a start then read some frames twice.
#[tokio::test]
async fn segments_of_a_commit_in_doubt_are_not_read_beside_those_written_after_a_trim() {
    for after in [AfterFailedSync::StillDirty, AfterFailedSync::CleanButLost] {
        let session = commit_in_doubt(after, 12).await;
        session.trim(LOG, Position(9)).await.unwrap();
        session.commit(frames(LOG, 3)).await.unwrap();
        session.embedded.flush().await.unwrap();
        let (_, disk) = session.kill();
        session.close().await;
        let next = open(&disk, options()).await.unwrap();
        let batch = next.read(LOG, Position::FIRST, 1 << 20).await.unwrap();
        let read: Vec<u64> = batch.frames.iter().map(|frame| frame.position.0).collect();
        next.close().await.unwrap();
        assert_eq!(read, (9..15).collect::<Vec<_>>(), "{after:?}");
    }
}

/// The row says which log takes what comes next: wherever a crash falls, the log before it is open
/// or the one after it is there.
#[tokio::test]
async fn a_log_that_follows_another_is_there_when_that_is_sealed_wherever_a_crash_falls() {
    const TABLE: TableId = TableId(3);
    let session = session(SimulatedDisk::new(1), History::default()).await;
    session.create(LOG).await.unwrap();
    session.commit(frames(LOG, 3)).await.unwrap();
    session.disk.record();
    let closing = Transaction {
        writes: vec![TableWrite {
            table: TABLE,
            key: b"open"[..].into(),
            value: Some(b"other"[..].into()),
            expect: Expect::Absent,
        }],
        changes: vec![LogChange::Create(OTHER), LogChange::Seal(LOG)],
        ..Transaction::default()
    };
    session.embedded.commit(closing).await.unwrap();
    session.embedded.flush().await.unwrap();
    let mut seen = [0; 2];
    let mut replay = session.disk.trace().unwrap().replay();
    loop {
        let mut disks = vec![replay.after_kill(&mut Random::new(0))];
        for seed in 0..12 {
            disks.push(replay.after_power_cut(&mut Random::new(seed), Survival::Random));
        }
        for disk in disks {
            let next = open(&disk, options()).await.unwrap();
            let row = next.get(TABLE, b"open").await.unwrap();
            let read = next.read(LOG, Position::FIRST, 1 << 20).await.unwrap();
            assert_eq!(read.next, Position(3));
            assert_eq!(read.sealed, row.is_some());
            assert_eq!(next.tip(OTHER).is_ok(), row.is_some());
            seen[usize::from(row.is_some())] += 1;
            next.close().await.unwrap();
        }
        if !replay.advance() {
            break;
        }
    }
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
    session.close().await;
}
