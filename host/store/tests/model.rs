//! Random lives of a store against an oracle in memory: transactions, seals, trims, deletions,
//! flushes, clean reopenings, kills and power cuts in any order.
//!
//! `MILLRACE_SEQUENCES` says how many, `MILLRACE_SEED` runs the one sequence of a seed that a
//! failure printed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod oracle;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use oracle::check::check;
use oracle::session::{Plan, Session, open, small_options};
use oracle::{History, SHARED_ROWS, SharedWrite};
use store::disk::simulated::{Random, SimulatedDisk, Survival};
use store::embedded::Options;
use store::{CommitError, Engine, Expect, LogId, Position};

/// Sequences that the test command runs.
const SEQUENCES: u64 = 2_000;
/// Steps of a sequence, at most.
const STEPS_MAX: u64 = 40;
/// Logs of a sequence, at most at one time.
const LOGS: usize = 4;

#[test]
fn a_store_is_what_was_asked_of_it_through_any_life() {
    if let Some(seed) = number_from("MILLRACE_SEED") {
        return live(seed);
    }
    let sequences = number_from("MILLRACE_SEQUENCES").unwrap_or(SEQUENCES);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if sequences <= seed {
                        return;
                    }
                    live(seed);
                }
            });
        }
    });
}

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Says which seed was being played when something fails.
struct Playing(u64);

impl Drop for Playing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to play this sequence again: MILLRACE_SEED={}", self.0);
        }
    }
}

fn live(seed: u64) {
    let _playing = Playing(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut random = Random::new(seed);
        let disk = SimulatedDisk::new(seed);
        let options = options(&mut random);
        let embedded = open(&disk, options.clone()).await.unwrap();
        let mut session = Arc::new(Session::new(embedded, disk, History::default()));
        let mut life = Life {
            random,
            options,
            logs: Vec::new(),
            logs_made: 0,
        };
        for _ in 0..10 + life.random.below(STEPS_MAX - 10) {
            session = life.step(session).await;
        }
        let history = session.history().clone();
        check(&history, &session.engine(), usize::MAX)
            .await
            .unwrap();
        session.embedded.health().unwrap();
        session.embedded.close().await.unwrap();
    });
}

fn options(random: &mut Random) -> Options {
    let small = small_options();
    let scale = 1 << random.below(3);
    Options {
        flush_bytes: small.flush_bytes / scale,
        segment_bytes_max: small.segment_bytes_max / scale,
        tail_cache_bytes: if random.one_in(4) {
            0
        } else {
            small.tail_cache_bytes
        },
        ..small
    }
}

struct Life {
    random: Random,
    options: Options,
    /// Logs that can be appended to, as far as is known.
    logs: Vec<LogId>,
    logs_made: u64,
}

impl Life {
    async fn step(&mut self, session: Arc<Session>) -> Arc<Session> {
        match self.random.below(20) {
            0 if self.logs.len() < LOGS => self.create(&session).await,
            1 => self.seal(&session).await,
            2 => self.trim(&session).await,
            3 => self.delete(&session).await,
            4 => session.embedded.flush().await.unwrap(),
            5 => self.check(&session).await,
            6 => return self.reopen(session).await,
            7 => return self.crash(session).await,
            8 => return self.crash_while_committing(session).await,
            9 | 10 => self.commit_together(&session).await,
            11 | 12 => self.commit_expecting(&session).await,
            _ => self.commit(&session).await,
        }
        session
    }

    async fn create(&mut self, session: &Session) {
        self.logs_made += 1;
        let log = LogId(self.logs_made);
        session.create(log).await.unwrap();
        self.logs.push(log);
    }

    fn take_log(&mut self) -> Option<LogId> {
        let index = usize::try_from(self.random.below(self.logs.len() as u64)).unwrap();
        (index < self.logs.len()).then(|| self.logs.swap_remove(index))
    }

    async fn seal(&mut self, session: &Session) {
        if !self.random.one_in(3) {
            return;
        }
        let Some(log) = self.take_log() else { return };
        let tip = session.embedded.tip(log).unwrap();
        assert_eq!(session.seal(log).await.unwrap(), tip);
        let plan = Plan {
            logs: vec![log],
            sizes: vec![1],
            has_row: true,
            shared: vec![],
        };
        let refused = session.commit(plan).await.unwrap_err();
        assert!(
            matches!(refused, CommitError::Sealed(of) if of == log),
            "{refused:?}"
        );
    }

    async fn trim(&mut self, session: &Session) {
        let all: Vec<LogId> = session.history().logs.keys().copied().collect();
        let Some(&log) = self.random.pick(&all) else {
            return;
        };
        let Ok(tip) = session.embedded.tip(log) else {
            return;
        };
        let before = Position(self.random.below(tip.0 + 1));
        let horizon = session.embedded.horizon(log).unwrap().max(before);
        session.trim(log, before).await.unwrap();
        assert_eq!(session.embedded.horizon(log).unwrap(), horizon);
    }

    async fn delete(&mut self, session: &Session) {
        if !self.random.one_in(3) {
            return;
        }
        let Some(log) = self.take_log() else { return };
        session.delete(log).await.unwrap();
    }

    async fn check(&mut self, session: &Session) {
        let history = session.history().clone();
        check(&history, &session.engine(), usize::MAX)
            .await
            .unwrap();
    }

    async fn commit(&mut self, session: &Session) {
        let plan = Plan::random(&mut self.random, &self.logs);
        session.commit(plan).await.unwrap();
    }

    async fn commit_together(&mut self, session: &Arc<Session>) {
        let commits: Vec<_> = (0..self.random.below(8))
            .map(|_| {
                let plan = Plan::random(&mut self.random, &self.logs);
                let session = session.clone();
                tokio::spawn(async move { session.commit(plan).await })
            })
            .collect();
        for commit in commits {
            commit.await.unwrap().unwrap();
        }
    }

    /// A transaction whose condition holds or does not: it goes through accordingly.
    async fn commit_expecting(&mut self, session: &Session) {
        let row = self.random.below(3);
        let mut plan = Plan::random(&mut self.random, &self.logs);
        plan.has_row = true;
        plan.shared = vec![(row, SharedWrite::Put)];
        let found = session
            .embedded
            .get(SHARED_ROWS, &row.to_be_bytes())
            .await
            .unwrap();
        let version = found.map(|row| row.version);
        let expect = match (self.random.below(3), version) {
            (0, _) => Expect::Absent,
            (1, Some(version)) => Expect::Version(version),
            (_, version) => Expect::Version(store::Version(version.map_or(1, |v| v.0 + 1))),
        };
        let holds = match expect {
            Expect::Any => true,
            Expect::Absent => version.is_none(),
            Expect::Version(expected) => version == Some(expected),
        };
        match session.commit_expecting(plan, expect).await {
            Ok(_) => assert!(
                holds,
                "row {row} is {version:?}, and {expect:?} went through"
            ),
            Err(CommitError::Conflict { .. }) => assert!(!holds, "{version:?}, {expect:?}"),
            Err(other) => panic!("{other:?}"),
        }
    }

    async fn reopen(&mut self, session: Arc<Session>) -> Arc<Session> {
        session.embedded.close().await.unwrap();
        let (history, disk) = (session.history().clone(), session.disk.clone());
        self.go_on(history, disk).await
    }

    async fn crash(&mut self, session: Arc<Session>) -> Arc<Session> {
        let (history, disk) = self.cut(&session);
        session.embedded.close().await.unwrap();
        self.go_on(history, disk).await
    }

    async fn crash_while_committing(&mut self, session: Arc<Session>) -> Arc<Session> {
        let commits: Vec<_> = (0..1 + self.random.below(5))
            .map(|_| {
                let plan = Plan::random(&mut self.random, &self.logs);
                let session = session.clone();
                tokio::spawn(async move { session.commit(plan).await })
            })
            .collect();
        for _ in 0..self.random.below(30) {
            tokio::task::yield_now().await;
        }
        let (history, disk) = self.cut(&session);
        for commit in commits {
            commit.await.unwrap().unwrap();
        }
        session.embedded.close().await.unwrap();
        self.go_on(history, disk).await
    }

    fn cut(&mut self, session: &Session) -> (History, SimulatedDisk) {
        let random = &mut self.random;
        match random.below(8) {
            0 => session.cut_power(random, Survival::Nothing),
            1 => session.cut_power(random, Survival::Everything),
            2 | 3 => session.kill(),
            _ => session.cut_power(random, Survival::Random),
        }
    }

    /// Opens what a crash or a close left, checks it and takes it as settled.
    async fn go_on(&mut self, mut history: History, disk: SimulatedDisk) -> Arc<Session> {
        let embedded = open(&disk, self.options.clone()).await.unwrap();
        embedded.health().unwrap();
        let engine: Arc<dyn Engine> = embedded.clone();
        let contents = check(&history, &engine, usize::MAX).await.unwrap();
        history.resolve(&contents, 0);
        let is_there = |log: &LogId| engine.tip(*log).is_ok();
        self.logs.retain(is_there);
        Arc::new(Session::new(embedded, disk, history))
    }
}
