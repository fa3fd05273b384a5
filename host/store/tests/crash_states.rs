//! Every state in which a power cut or a kill can leave the disk, as far as a test can try them:
//! a run is recorded, and after each of its changes to the disk the power goes. What was never
//! synced is lost, kept, or survives by chance, sector by sector and name by name.
//!
//! Every such disk must open without a word of damage, hold every transaction that was
//! acknowledged by then in full, hold no other in part, hold what had been read by then, and take
//! new ones without giving a position twice. What is read from it must survive the next power
//! cut too.
//!
//! `MILLRACE_CRASH_STATES` says how many disks are opened, `MILLRACE_SEED` which run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod oracle;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use oracle::check::check;
use oracle::session::{Plan, Session, open, small_options};
use oracle::{At, History};
use store::disk::simulated::{Random, Replay, SimulatedDisk, Survival};
use store::{Engine, LogId, Position};

/// Disks that the test command opens.
const STATES: usize = 10_000;
/// Disks that are opened of one run.
const STATES_PER_RUN: usize = 1_250;
/// Logs of a run.
const LOGS: u64 = 3;
/// Tasks that commit at the same time.
const TASKS: u64 = 4;
/// Transactions of each.
const COMMITS: u64 = 25;

#[test]
fn every_state_that_a_crash_leaves_opens_with_all_that_was_acknowledged() {
    let states = number_from("MILLRACE_CRASH_STATES").unwrap_or(STATES);
    let first_seed = number_from("MILLRACE_SEED").unwrap_or(1);
    let runs = states.div_ceil(STATES_PER_RUN);
    let next = AtomicUsize::new(0);
    let opened = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let run = next.fetch_add(1, Ordering::Relaxed);
                    if runs <= run {
                        return;
                    }
                    let seed = (first_seed + run) as u64;
                    opened.fetch_add(crash_everywhere(seed), Ordering::Relaxed);
                }
            });
        }
    });
    assert!(states <= opened.into_inner());
}

fn number_from(variable: &str) -> Option<usize> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Says which state was being looked at when something fails.
struct Looking {
    seed: u64,
    done: At,
    how: String,
}

impl Drop for Looking {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { seed, done, how } = self;
            eprintln!("run {seed}, after change {done}, {how}: MILLRACE_SEED={seed}");
        }
    }
}

/// Records one run and opens many of the disks that it could have left; how many.
fn crash_everywhere(seed: u64) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (history, disk) = runtime.block_on(run(seed));
    let changes = disk.recorded();
    let rounds = STATES_PER_RUN.div_ceil(changes + 1);
    let mut random = Random::new(!seed);
    let mut replay = disk.trace().unwrap().replay();
    let mut opened = 0;
    loop {
        for round in 0..rounds {
            let (disk, how) = crash(&replay, &mut random, round);
            let _looking = Looking {
                seed,
                done: replay.done(),
                how,
            };
            runtime.block_on(look(&history, &disk, replay.done(), &mut random));
            opened += 1;
        }
        if !replay.advance() {
            return opened;
        }
    }
}

fn crash(replay: &Replay, random: &mut Random, round: usize) -> (SimulatedDisk, String) {
    let survival = match (round + replay.done()) % 6 {
        0 => Survival::Nothing,
        1 => Survival::Everything,
        2 => return (replay.after_kill(random), "killed".to_owned()),
        _ => Survival::Random,
    };
    (
        replay.after_power_cut(random, survival),
        format!("{survival:?}"),
    )
}

/// A run with commits, reads, trims, a seal, a deletion and flushes at the same time.
async fn run(seed: u64) -> (History, SimulatedDisk) {
    let disk = SimulatedDisk::new(seed);
    disk.record();
    let embedded = open(&disk, small_options()).await.unwrap();
    let session = Arc::new(Session::new(embedded, disk.clone(), History::default()));
    let logs: Vec<LogId> = (1..=LOGS).map(LogId).collect();
    for &log in &logs {
        session.create(log).await.unwrap();
    }
    let over = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn(read(session.clone(), logs.clone(), over.clone()));
    let writers: Vec<_> = (0..TASKS)
        .map(|task| {
            let random = Random::new(seed << 8 | task);
            tokio::spawn(write(session.clone(), logs.clone(), random))
        })
        .collect();
    tokio::spawn(live(session.clone(), Random::new(seed)))
        .await
        .unwrap();
    for writer in writers {
        writer.await.unwrap();
    }
    over.store(true, Ordering::Relaxed);
    reader.await.unwrap();
    session.embedded.close().await.unwrap();
    let history = session.history().clone();
    (history, disk)
}

async fn write(session: Arc<Session>, logs: Vec<LogId>, mut random: Random) {
    for _ in 0..COMMITS {
        session
            .commit(Plan::random(&mut random, &logs))
            .await
            .unwrap();
    }
}

/// Reads along and notes what it saw.
async fn read(session: Arc<Session>, logs: Vec<LogId>, over: Arc<AtomicBool>) {
    let mut next = vec![Position::FIRST; logs.len()];
    while !over.load(Ordering::Relaxed) {
        for (&log, next) in logs.iter().zip(&mut next) {
            *next = session.observe(log, *next).await.unwrap();
        }
        tokio::task::yield_now().await;
    }
}

/// Everything that happens in the life of a log, and flushes.
async fn live(session: Arc<Session>, mut random: Random) {
    let (sealed, deleted) = (LogId(101), LogId(102));
    for log in [sealed, deleted] {
        session.create(log).await.unwrap();
        for _ in 0..3 {
            session
                .commit(Plan::random(&mut random, &[log]))
                .await
                .unwrap();
        }
    }
    session.seal(sealed).await.unwrap();
    for _ in 0..3 {
        session.embedded.flush().await.unwrap();
        let log = LogId(1 + random.below(LOGS));
        let tip = session.embedded.tip(log).unwrap();
        session
            .trim(log, Position(random.below(tip.0 + 1)))
            .await
            .unwrap();
    }
    session.delete(deleted).await.unwrap();
    session.embedded.flush().await.unwrap();
}

/// Opens a disk, checks it, goes on with it, and lets the power go once more.
async fn look(history: &History, disk: &SimulatedDisk, at: At, random: &mut Random) {
    let embedded = open(disk, small_options()).await.unwrap();
    embedded.health().unwrap();
    let engine: Arc<dyn Engine> = embedded.clone();
    let contents = check(history, &engine, at).await.unwrap();
    let mut after = history.up_to(at);
    after.resolve(&contents, 0);
    let session = Session::new(embedded, disk.clone(), after);
    // A fresh disk has none of the logs, so there is nothing to append to.
    let logs: Vec<LogId> = (1..=LOGS)
        .map(LogId)
        .filter(|log| engine.tip(*log).is_ok())
        .collect();
    for &log in &logs {
        let taken = history
            .highest_position(log, at)
            .max(contents.last_position(log));
        let plan = Plan {
            logs: vec![log; 2],
            sizes: vec![10; 2],
            has_row: true,
            shared: vec![],
        };
        let id = session.commit(plan).await.unwrap();
        let given = session.history().commits[id].positions.clone();
        assert!(
            taken < given[0] && given[0] < given[1],
            "{taken:?} was given again: {given:?}"
        );
    }
    if random.one_in(3) {
        session.embedded.flush().await.unwrap();
    }
    let (after, disk) = match random.below(4) {
        0 => session.cut_power(random, Survival::Nothing),
        1 => session.cut_power(random, Survival::Random),
        _ => return session.embedded.close().await.unwrap(),
    };
    session.embedded.close().await.unwrap();
    let embedded = open(&disk, small_options()).await.unwrap();
    embedded.health().unwrap();
    let engine: Arc<dyn Engine> = embedded.clone();
    check(&after, &engine, usize::MAX).await.unwrap();
    embedded.close().await.unwrap();
}
