//! A thread of the store that dies: nobody waits for it, nothing acknowledged is lost, and the
//! store says why it takes nothing more.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod oracle;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use oracle::History;
use oracle::check::check;
use oracle::session::{Plan, Session, open, small_options};
use store::disk::simulated::{Call, Failure, Fault, Random, SimulatedDisk, Survival};
use store::embedded::Options;
use store::{CommitError, Engine, LogId, Position};

const LOG: LogId = LogId(1);
/// How long a promise that something happens may take before it counts as broken.
const PATIENCE: Duration = Duration::from_secs(20);
/// Commits that are sent at once.
const TOGETHER: usize = 50;

/// The next call of a kind below a path panics, in whichever thread makes it.
fn panics(call: Call, under: &str) -> Fault {
    Fault {
        call: Some(call),
        under: PathBuf::from(under),
        ..Fault::at(1, Failure::Panic)
    }
}

async fn session() -> Session {
    let disk = SimulatedDisk::new(1);
    // No file is made ready by another thread, whose calls would take the fault.
    let options = Options {
        wal_files_ahead: 0,
        ..small_options()
    };
    let embedded = open(&disk, options).await.unwrap();
    let session = Session::new(embedded, disk, History::default());
    session.create(LOG).await.unwrap();
    session.commit(one_frame()).await.unwrap();
    session
}

fn one_frame() -> Plan {
    Plan {
        logs: vec![LOG],
        sizes: vec![300],
        has_row: true,
        shared: vec![],
    }
}

/// The store takes nothing more, at once, says that `thread` is why, and still reads.
async fn assert_read_only(session: &Session, thread: &str) {
    for _ in 0..3 {
        match session.commit(one_frame()).await {
            Err(CommitError::ReadOnly(why)) => {
                assert!(
                    why.contains(thread) && why.contains("told to panic"),
                    "{why}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
    let why = session.embedded.health().unwrap_err();
    assert!(why.contains(thread), "{why}");
    assert!(session.create(LogId(2)).await.is_err());
    assert!(session.observe(LOG, Position::FIRST).await.unwrap() > Position::FIRST);
}

/// All that was acknowledged is there after the process is killed, and after a power cut.
async fn assert_nothing_is_lost(session: Session) {
    let history = session.history().clone();
    let random = &mut Random::new(1);
    let ends = [
        session.disk.after_kill(),
        session.disk.after_power_cut(random, Survival::Nothing),
    ];
    for disk in ends {
        let embedded = open(&disk, small_options()).await.unwrap();
        embedded.health().unwrap();
        let engine: Arc<dyn Engine> = embedded.clone();
        check(&history, &engine, usize::MAX).await.unwrap();
        embedded.close().await.unwrap();
    }
    // It ends like any other, though it may say that something went wrong.
    let _ = session.embedded.close().await;
}

#[tokio::test]
async fn commits_fail_at_once_when_the_writer_dies() {
    let session = Arc::new(session().await);
    session.disk.plan(panics(Call::WriteAt, "wal"));
    let commits: Vec<_> = (0..TOGETHER)
        .map(|_| {
            let session = session.clone();
            tokio::spawn(async move { session.commit(one_frame()).await })
        })
        .collect();
    for commit in commits {
        let answered = tokio::time::timeout(PATIENCE, commit).await;
        match answered.expect("a commit waits for a dead thread").unwrap() {
            Err(CommitError::Unknown(_) | CommitError::ReadOnly(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_read_only(&session, "store-writer").await;
    let session = Arc::into_inner(session).unwrap();
    assert_nothing_is_lost(session).await;
}

#[tokio::test]
async fn a_flush_fails_at_once_when_the_flusher_dies() {
    let session = session().await;
    session.disk.plan(panics(Call::Create, "logs"));
    let flushing = tokio::time::timeout(PATIENCE, session.embedded.flush()).await;
    flushing
        .expect("a flush waits for a dead thread")
        .unwrap_err();
    assert_read_only(&session, "store-flusher").await;
    let again = tokio::time::timeout(PATIENCE, session.embedded.flush()).await;
    again.expect("a flush waits for a dead thread").unwrap_err();
    assert_nothing_is_lost(session).await;
}

#[tokio::test]
async fn the_death_of_the_thread_that_prepares_files_is_noticed() {
    let disk = SimulatedDisk::new(1);
    disk.plan(panics(Call::Reserve, "wal"));
    let embedded = open(&disk, small_options()).await.unwrap();
    let session = Session::new(embedded, disk, History::default());
    // It begins when the first block is written, which that block does not wait for.
    session.create(LOG).await.unwrap();
    let started = Instant::now();
    while session.embedded.health().is_ok() {
        assert!(started.elapsed() < PATIENCE, "nobody has noticed");
        std::thread::yield_now();
    }
    let refused = session.commit(one_frame()).await;
    assert!(matches!(refused, Err(CommitError::ReadOnly(_))));
    let why = session.embedded.health().unwrap_err();
    assert!(why.contains("store-preparer"), "{why}");
    assert_nothing_is_lost(session).await;
}
