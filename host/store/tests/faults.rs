//! A disk that refuses: EIO, ENOSPC and short calls at the n-th call for every n, a failed sync
//! and what may follow it, a full disk that gets room again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod oracle;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use oracle::check::check;
use oracle::session::{Plan, Session, open, small_options};
use oracle::{History, SharedWrite};
use store::disk::Disk;
use store::disk::simulated::{
    AfterFailedSync, Call, Failure, Fault, Random, SimulatedDisk, Survival,
};
use store::embedded::{Embedded, Options};
use store::{CommitError, Engine, LogId, Position, StoreError};

/// How long a store may take to notice that the disk has room again.
const PATIENCE: Duration = Duration::from_secs(20);
/// A run makes fewer calls than this, or something makes them for ever.
const CALLS_MAX: u64 = 20_000;

const LOG: LogId = LogId(1);
const OTHER: LogId = LogId(2);

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// Plays `run` with a fault at the n-th call for every n, until a run meets none.
fn at_every_call(run: impl Fn(u64) -> u64 + Sync) {
    let next = AtomicU64::new(1);
    let last = AtomicU64::new(CALLS_MAX);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if last.load(Ordering::Relaxed) < nth {
                        return;
                    }
                    let _playing = Playing(nth);
                    if run(nth) == 0 {
                        last.fetch_min(nth, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let last = last.into_inner();
    assert!(
        (50..CALLS_MAX).contains(&last),
        "{last} calls are not a run"
    );
}

/// Says which call failed when something else does.
struct Playing(u64);

impl Drop for Playing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("with the fault at call {}", self.0);
        }
    }
}

/// Small, so that a run flushes, rolls its segments and recycles its write-ahead files.
fn options() -> Options {
    Options {
        flush_bytes: 24 << 10,
        segment_bytes_max: 8 << 10,
        ..small_options()
    }
}

/// No file is made ready by another thread, whose syncs would take the failures meant for blocks.
fn none_ahead() -> Options {
    Options {
        wal_files_ahead: 0,
        ..options()
    }
}

/// The same life every time: whatever fails, the oracle notes what was answered.
async fn live(session: &Session, seed: u64) {
    let mut random = Random::new(seed);
    for log in [LOG, OTHER] {
        note(session.create(log).await);
    }
    for number in 0..24 {
        let plan = Plan::random(&mut random, &[LOG, OTHER]);
        match session.commit(plan).await {
            // Reading what was not acknowledged is the oracle's worry, not that reading fails.
            Ok(_) | Err(CommitError::Unknown(_) | CommitError::ReadOnly(_)) => {}
            Err(CommitError::Busy | CommitError::DiskFull | CommitError::Store(_)) => {}
            // Its creation failed.
            Err(CommitError::NoLog(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
        for log in [LOG, OTHER] {
            note(session.observe(log, Position::FIRST).await);
        }
        if number % 8 == 7 {
            note(session.embedded.flush().await);
            // The oracle knows no trim beyond the tip: one now means another place than later.
            let tip = session.embedded.tip(LOG).unwrap_or_default();
            note(session.trim(LOG, tip.min(Position(number / 8))).await);
        }
    }
    note(session.seal(OTHER).await);
}

/// An operation may fail, but not by finding other bytes where the disk only refused.
fn note<T>(outcome: Result<T, StoreError>) {
    if let Err(error @ StoreError::Corrupt { .. }) = outcome {
        let told = error.to_string();
        assert!(told.contains("does not give it back"), "{told}");
    }
}

/// What is on the disk afterwards, however the process ends.
async fn check_all_ends(history: &History, session: &Session, random: &mut Random) {
    session.disk.forget_faults();
    let ends = [
        session.disk.after_kill(),
        session.disk.after_power_cut(random, Survival::Nothing),
        session.disk.after_power_cut(random, Survival::Random),
    ];
    for disk in ends {
        check_disk(history, &disk).await;
    }
}

async fn check_disk(history: &History, disk: &SimulatedDisk) {
    let embedded = open(disk, options()).await.unwrap();
    embedded.health().unwrap();
    let engine: Arc<dyn Engine> = embedded.clone();
    let contents = check(history, &engine, usize::MAX).await.unwrap();
    let mut history = history.clone();
    history.resolve(&contents, 0);
    let session = Session::new(embedded, disk.clone(), history);
    // It is as good as any: takes new transactions, and is read the same by the next start.
    session.commit(row_only()).await.unwrap();
    session.embedded.close().await.unwrap();
    let embedded = open(disk, options()).await.unwrap();
    let engine: Arc<dyn Engine> = embedded.clone();
    let history = session.history().clone();
    check(&history, &engine, usize::MAX).await.unwrap();
    embedded.close().await.unwrap();
}

fn row_only() -> Plan {
    Plan {
        logs: vec![],
        sizes: vec![],
        has_row: true,
        shared: vec![(0, SharedWrite::Put)],
    }
}

fn one_frame(log: LogId) -> Plan {
    Plan {
        logs: vec![log],
        // One record.
        sizes: vec![99],
        has_row: true,
        shared: vec![],
    }
}

/// A run with one fault of a kind; how many calls it hit.
fn run_with(fault: Fault, after: AfterFailedSync) -> u64 {
    block_on(async {
        let disk = SimulatedDisk::new(fault.nth);
        let embedded = open(&disk, options()).await.unwrap();
        disk.set_after_failed_sync(after);
        let mut random = Random::new(fault.nth);
        let session = Session::new(embedded, disk, History::default());
        session.disk.plan(fault);
        live(&session, 5).await;
        let history = session.history().clone();
        check_all_ends(&history, &session, &mut random).await;
        // The end may fail too: what was acknowledged does not depend on it.
        note(session.embedded.close().await);
        check_disk(
            &history,
            &session.disk.after_power_cut(&mut random, Survival::Nothing),
        )
        .await;
        session.disk.faults_hit()
    })
}

#[test]
fn an_io_error_at_any_call_loses_nothing_acknowledged() {
    at_every_call(|nth| run_with(Fault::at(nth, Failure::Io), AfterFailedSync::CleanButLost));
}

#[test]
fn a_failed_sync_is_not_trusted_whatever_the_system_does_with_the_bytes() {
    for after in [AfterFailedSync::StillDirty, AfterFailedSync::Reverted] {
        at_every_call(|nth| run_with(Fault::at(nth, Failure::Io), after));
    }
}

#[test]
fn a_full_disk_at_any_call_loses_nothing_acknowledged() {
    at_every_call(|nth| {
        run_with(
            Fault::at(nth, Failure::NoSpace),
            AfterFailedSync::StillDirty,
        )
    });
}

#[test]
fn a_short_call_changes_nothing() {
    at_every_call(|nth| run_with(Fault::at(nth, Failure::Short), AfterFailedSync::StillDirty));
}

#[test]
fn a_disk_that_fails_from_any_call_on_loses_nothing_acknowledged() {
    at_every_call(|nth| {
        let fault = Fault {
            times: u64::MAX,
            ..Fault::at(nth, Failure::Io)
        };
        run_with(fault, AfterFailedSync::CleanButLost)
    });
}

/// A disk with some content that was not closed, and its history.
fn crashed_disk() -> (History, SimulatedDisk) {
    block_on(async {
        let disk = SimulatedDisk::new(1);
        let embedded = open(&disk, options()).await.unwrap();
        let session = Session::new(embedded, disk, History::default());
        live(&session, 6).await;
        session.commit(one_frame(LOG)).await.unwrap();
        let (history, disk) = session.kill();
        session.embedded.close().await.unwrap();
        (history, disk)
    })
}

#[test]
fn a_start_that_the_disk_refuses_at_any_call_is_an_error_and_no_harm() {
    let (history, crashed) = crashed_disk();
    for failure in [Failure::Io, Failure::NoSpace, Failure::Short] {
        at_every_call_of_a_start(|nth| {
            let disk = crashed.after_kill();
            disk.plan(Fault::at(nth, failure));
            block_on(async {
                match open(&disk, options()).await {
                    Ok(embedded) => {
                        disk.forget_faults();
                        note(embedded.close().await);
                    }
                    Err(error) => note::<()>(Err(error)),
                }
                disk.forget_faults();
                let random = &mut Random::new(nth);
                check_disk(&history, &disk.after_power_cut(random, Survival::Random)).await;
                check_disk(&history, &disk).await;
            });
            disk.faults_hit()
        });
    }
}

fn at_every_call_of_a_start(run: impl Fn(u64) -> u64) {
    for nth in 1..CALLS_MAX {
        let _playing = Playing(nth);
        if run(nth) == 0 {
            assert!(10 < nth, "{nth} calls are not a start");
            return;
        }
    }
    panic!("a start never ends");
}

fn wal_syncs(nth: u64, times: u64) -> Fault {
    let (call, under) = (Some(Call::Sync), PathBuf::from("wal"));
    Fault {
        call,
        under,
        nth,
        times,
        failure: Failure::Io,
    }
}

async fn open_with_log(options: Options) -> Session {
    let disk = SimulatedDisk::new(3);
    let embedded = open(&disk, options).await.unwrap();
    let session = Session::new(embedded, disk, History::default());
    session.create(LOG).await.unwrap();
    session.commit(one_frame(LOG)).await.unwrap();
    session
}

async fn read_log(embedded: &Embedded) -> usize {
    let (mut frames, mut from) = (0, Position::FIRST);
    // One answer need not be all there is: it may end where a segment does.
    loop {
        let read = embedded.read(LOG, from, 1 << 20).await.unwrap();
        if read.frames.is_empty() {
            return frames;
        }
        frames += read.frames.len();
        from = read.next;
    }
}

#[test]
fn after_a_failed_sync_the_waiting_are_told_so_and_the_store_goes_on_in_another_file() {
    block_on(async {
        let session = open_with_log(none_ahead()).await;
        session.disk.plan(wal_syncs(1, 1));
        let refused = session.commit(one_frame(LOG)).await.unwrap_err();
        assert!(matches!(refused, CommitError::Unknown(_)), "{refused:?}");
        assert_eq!(
            read_log(&session.embedded).await,
            1,
            "what is not durable was read"
        );
        session.commit(one_frame(LOG)).await.unwrap();
        assert_eq!(read_log(&session.embedded).await, 2);
        session.embedded.health().unwrap();
        let history = session.history().clone();
        check_all_ends(&history, &session, &mut Random::new(1)).await;
        session.embedded.close().await.unwrap();
    });
}

#[test]
fn after_two_failed_syncs_the_store_is_read_only_and_says_so() {
    block_on(async {
        let session = open_with_log(none_ahead()).await;
        session.disk.plan(wal_syncs(1, 2));
        for _ in 0..2 {
            let refused = session.commit(one_frame(LOG)).await.unwrap_err();
            assert!(matches!(refused, CommitError::Unknown(_)), "{refused:?}");
        }
        for _ in 0..3 {
            let refused = session.commit(one_frame(LOG)).await.unwrap_err();
            assert!(matches!(refused, CommitError::ReadOnly(_)), "{refused:?}");
        }
        assert!(session.embedded.health().is_err());
        assert_eq!(read_log(&session.embedded).await, 1);
        let history = session.history().clone();
        check_all_ends(&history, &session, &mut Random::new(1)).await;
        note(session.embedded.close().await);
    });
}

/// Fills the disk of a store until it refuses; how many frames it took.
async fn fill(session: &Session) -> usize {
    let mut acknowledged = 1;
    let started = Instant::now();
    let refused = loop {
        match session.commit(one_frame(LOG)).await {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
        assert!(
            started.elapsed() < PATIENCE,
            "{acknowledged} frames on a full disk"
        );
    };
    let health = session.embedded.health();
    assert!(
        matches!(refused, CommitError::DiskFull),
        "{refused:?}, {health:?}"
    );
    acknowledged
}

async fn recovers_with_room(session: Session, acknowledged: usize) {
    assert_eq!(read_log(&session.embedded).await, acknowledged);
    session.disk.set_capacity(1 << 40);
    let started = Instant::now();
    while session.commit(one_frame(LOG)).await.is_err() {
        assert!(
            started.elapsed() < PATIENCE,
            "the disk has room and is not used"
        );
    }
    assert_eq!(read_log(&session.embedded).await, acknowledged + 1);
    session.embedded.flush().await.unwrap();
    session.embedded.health().unwrap();
    let history = session.history().clone();
    check_all_ends(&history, &session, &mut Random::new(1)).await;
    session.embedded.close().await.unwrap();
}

#[test]
fn a_disk_that_is_full_to_the_last_byte_refuses_reads_on_and_recovers_with_room() {
    block_on(async {
        let session = open_with_log(options()).await;
        session.disk.set_capacity(session.disk.used_bytes());
        let acknowledged = fill(&session).await;
        recovers_with_room(session, acknowledged).await;
    });
}

#[test]
fn new_data_is_refused_before_the_disk_is_full() {
    block_on(async {
        // More than can be written between two looks at the free space.
        let free_bytes_min = 1 << 30;
        let options = Options {
            free_bytes_min,
            ..options()
        };
        let session = open_with_log(options).await;
        let filler = session.disk.create("filler".as_ref()).unwrap();
        session.disk.set_capacity(20 * free_bytes_min);
        let free = session.disk.space().unwrap().free_bytes;
        filler.reserve(free - free_bytes_min - (64 << 10)).unwrap();
        let acknowledged = fill(&session).await;
        assert!(session.embedded.health().is_err());
        // What frees room is not refused.
        session.trim(LOG, Position::FIRST.after(1)).await.unwrap();
        session.embedded.flush().await.unwrap();
        recovers_with_room(session, acknowledged - 1).await;
    });
}

/// A quota that is used up was taken for a broken disk: two such blocks made the store read-only
/// for good.
#[test]
fn a_quota_that_is_used_up_is_a_full_disk() {
    block_on(async {
        let session = open_with_log(none_ahead()).await;
        session.disk.plan(Fault {
            call: Some(Call::WriteAt),
            under: PathBuf::from("wal"),
            nth: 1,
            times: 3,
            failure: Failure::OverQuota,
        });
        // Nor does it find room while it looks by itself.
        session.disk.plan(Fault {
            call: Some(Call::Reserve),
            under: PathBuf::from("probe"),
            nth: 1,
            times: u64::MAX,
            failure: Failure::OverQuota,
        });
        for _ in 0..3 {
            let refused = session.commit(one_frame(LOG)).await.unwrap_err();
            assert!(matches!(refused, CommitError::DiskFull), "{refused:?}");
            let why = session.embedded.health().unwrap_err();
            assert!(why.contains("full"), "{why}");
        }
        recovers_with_room(session, 1).await;
    });
}

/// Nobody writes any more once all are refused, and only a commit looked whether there was room.
#[test]
fn a_full_disk_is_healthy_again_once_there_is_room_though_nobody_writes() {
    block_on(async {
        // Full by its free space, and full by what it says to a write.
        for free_bytes_min in [1 << 30, 0] {
            let options = Options {
                free_bytes_min,
                ..none_ahead()
            };
            let session = open_with_log(options).await;
            session.disk.set_capacity(session.disk.used_bytes());
            fill(&session).await;
            session.embedded.health().unwrap_err();
            session.disk.set_capacity(1 << 40);
            let started = Instant::now();
            while let Err(why) = session.embedded.health() {
                assert!(started.elapsed() < PATIENCE, "{why}");
                tokio::task::yield_now().await;
            }
            session.embedded.close().await.unwrap();
        }
    });
}
