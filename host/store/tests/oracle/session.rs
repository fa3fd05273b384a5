//! Asks a store for changes and notes what it answers.

use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use store::disk::simulated::{Random, SimulatedDisk, Survival};
use store::embedded::{Embedded, Options};
use store::{
    Append, CommitError, DATA_KEY_BYTES, DataKey, Engine, Expect, KeyId, LogId, NewFrame, Position,
    StoreError, TableWrite, Transaction,
};

use super::check::is_unknown;
use super::{Commit, Fate, History, Life, OWN_ROWS, SHARED_ROWS, SharedWrite, Step, author, body};

/// Shared rows there are.
const SHARED_ROWS_COUNT: u64 = 4;
/// Keys there are.
const KEYS: u64 = 3;
/// Transactions that are sealed with one key before it is the turn of the next.
const COMMITS_PER_KEY: u64 = 3;

/// An open store and its history.
pub struct Session {
    pub embedded: Arc<Embedded>,
    pub disk: SimulatedDisk,
    history: Mutex<History>,
}

/// A store whose files are so small that everything happens in a short run.
pub fn small_options() -> Options {
    Options {
        wal_file_bytes: 64 << 10,
        wal_files_max: 6,
        flush_bytes: 48 << 10,
        segment_bytes_max: 32 << 10,
        tail_cache_bytes: 16 << 10,
        free_bytes_min: 0,
        ballast_bytes: 4 << 10,
        ..Options::default()
    }
}

/// Opens a store where blocking is allowed, and gives it the keys of its frames.
pub async fn open(disk: &SimulatedDisk, options: Options) -> Result<Arc<Embedded>, StoreError> {
    let disk = Arc::new(disk.clone());
    let opened = tokio::task::spawn_blocking(move || Embedded::open(disk, options))
        .await
        .unwrap();
    if let Ok(store) = &opened {
        give_keys(&**store);
    }
    opened
}

/// The keys that frames of a history are sealed with.
pub fn give_keys(store: &dyn Engine) {
    for number in 1..=KEYS {
        let secret = [u8::try_from(number).unwrap(); DATA_KEY_BYTES];
        let key = DataKey::new(KeyId(number), &secret).unwrap();
        store.keys().put(key);
    }
}

/// What the frames of a transaction are sealed with: each key for a few transactions, then the
/// next, and then none.
fn key_of(commit: usize) -> Option<KeyId> {
    let turn = (commit as u64 / COMMITS_PER_KEY) % (KEYS + 1);
    (turn > 0).then_some(KeyId(turn))
}

/// A transaction to send.
pub struct Plan {
    pub logs: Vec<LogId>,
    pub sizes: Vec<usize>,
    pub has_row: bool,
    pub shared: Vec<(u64, SharedWrite)>,
}

impl Plan {
    /// Anything from one small frame to several large ones with rows.
    pub fn random(random: &mut Random, logs: &[LogId]) -> Self {
        let frames = if random.one_in(3) { random.below(4) } else { 1 };
        let logs: Vec<LogId> = (0..frames)
            .filter_map(|_| random.pick(logs).copied())
            .collect();
        let size = |random: &mut Random| match random.below(12) {
            0 => 0,
            1 => 6_000 + random.below(6_000),
            _ => random.below(700),
        };
        let sizes = logs
            .iter()
            .map(|_| size(random))
            .map(|size| usize::try_from(size).unwrap());
        let sizes = sizes.collect();
        let mut shared = Vec::new();
        if random.one_in(4) {
            let what = if random.one_in(4) {
                SharedWrite::Remove
            } else {
                SharedWrite::Put
            };
            shared.push((random.below(SHARED_ROWS_COUNT), what));
        }
        let has_row = logs.is_empty() || !shared.is_empty() || random.one_in(3);
        Self {
            logs,
            sizes,
            has_row,
            shared,
        }
    }
}

impl Session {
    pub fn new(embedded: Arc<Embedded>, disk: SimulatedDisk, history: History) -> Self {
        Self {
            embedded,
            disk,
            history: Mutex::new(history),
        }
    }

    pub fn engine(&self) -> Arc<dyn Engine> {
        self.embedded.clone()
    }

    pub fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap()
    }

    /// Sends a transaction; what it was answered.
    pub async fn commit(&self, plan: Plan) -> Result<usize, CommitError> {
        self.commit_expecting(plan, Expect::Any).await
    }

    /// Sends a transaction that expects something of its shared rows.
    pub async fn commit_expecting(&self, plan: Plan, expect: Expect) -> Result<usize, CommitError> {
        let (id, transaction) = self.note(plan, expect);
        let answer = self.embedded.commit(transaction).await;
        let mut history = self.history();
        // Under the lock, so that a disk image that is taken under it knows what was answered.
        let at = self.disk.recorded();
        match answer {
            Ok(committed) => {
                history.committed(id, &committed, at);
                Ok(id)
            }
            Err(error) => {
                if !is_unknown(&error) {
                    assert_eq!(
                        history.commits[id].fate,
                        Fate::Uncertain,
                        "refused, but seen"
                    );
                    history.commits[id].fate = Fate::Never;
                }
                Err(error)
            }
        }
    }

    fn note(&self, plan: Plan, expect: Expect) -> (usize, Transaction) {
        let mut history = self.history();
        let id = history.commits.len();
        let key = |number: u64| Bytes::from(number.to_be_bytes().to_vec());
        let frames = plan.logs.iter().zip(&plan.sizes).enumerate();
        let appends = frames
            .map(|(index, (&log, &size))| Append {
                log,
                frame: NewFrame {
                    key: key_of(id),
                    ..body(id, index, size)
                },
            })
            .collect();
        let mut writes = Vec::new();
        if plan.has_row {
            let (key, value) = (key(id as u64), Some(key(id as u64)));
            writes.push(TableWrite {
                table: OWN_ROWS,
                key,
                value,
                expect: Expect::Any,
            });
        }
        for &(row, what) in &plan.shared {
            let value = (what == SharedWrite::Put).then(|| key(id as u64));
            writes.push(TableWrite {
                table: SHARED_ROWS,
                key: key(row),
                value,
                expect,
            });
        }
        history.commits.push(Commit {
            sent_at: self.disk.recorded(),
            positions: vec![None; plan.logs.len()],
            logs: plan.logs,
            sizes: plan.sizes,
            has_row: plan.has_row,
            shared: plan.shared,
            fate: Fate::Uncertain,
            version: None,
        });
        (
            id,
            Transaction {
                appends,
                writes,
                ..Transaction::default()
            },
        )
    }

    fn step(&self) -> Step {
        Step {
            sent_at: self.disk.recorded(),
            fate: Fate::Uncertain,
        }
    }

    fn fate<T>(&self, outcome: &Result<T, StoreError>) -> Fate {
        match outcome {
            Ok(_) => Fate::Durable(self.disk.recorded()),
            Err(StoreError::Commit(error)) if !is_unknown(error) => Fate::Never,
            Err(StoreError::NoLog(_)) => Fate::Never,
            Err(_) => Fate::Uncertain,
        }
    }

    pub async fn create(&self, log: LogId) -> Result<(), StoreError> {
        let created = self.step();
        let life = Life {
            created,
            seals: vec![],
            deletes: vec![],
            trims: vec![],
        };
        self.history().logs.insert(log, life);
        let outcome = self.embedded.create_logs(&[log]).await;
        let mut history = self.history();
        let fate = self.fate(&outcome);
        history.logs.get_mut(&log).unwrap().created.fate = fate;
        outcome
    }

    pub async fn seal(&self, log: LogId) -> Result<Position, StoreError> {
        let step = self.step();
        let index = self.with_life(log, |life| {
            life.seals.push(step);
            life.seals.len() - 1
        });
        let outcome = self.embedded.seal(log).await;
        let mut history = self.history();
        let fate = self.fate(&outcome);
        history.logs.get_mut(&log).unwrap().seals[index].fate = fate;
        outcome
    }

    pub async fn trim(&self, log: LogId, before: Position) -> Result<(), StoreError> {
        let step = self.step();
        let index = self.with_life(log, |life| {
            life.trims.push((before, step));
            life.trims.len() - 1
        });
        let outcome = self.embedded.trim(log, before).await;
        let mut history = self.history();
        let fate = self.fate(&outcome);
        history.logs.get_mut(&log).unwrap().trims[index].1.fate = fate;
        outcome
    }

    pub async fn delete(&self, log: LogId) -> Result<(), StoreError> {
        let step = self.step();
        let index = self.with_life(log, |life| {
            life.deletes.push(step);
            life.deletes.len() - 1
        });
        let outcome = self.embedded.delete_logs(&[log]).await;
        let mut history = self.history();
        let fate = self.fate(&outcome);
        history.logs.get_mut(&log).unwrap().deletes[index].fate = fate;
        outcome
    }

    fn with_life<T>(&self, log: LogId, change: impl FnOnce(&mut Life) -> T) -> T {
        change(self.history().logs.get_mut(&log).unwrap())
    }

    /// Reads a log from a position on and notes that what was read is durable.
    pub async fn observe(&self, log: LogId, from: Position) -> Result<Position, StoreError> {
        let batch = self.embedded.read(log, from, 32 << 10).await?;
        let mut history = self.history();
        let at = self.disk.recorded();
        for frame in &batch.frames {
            let (id, _) = author(&frame.body).expect("strange bytes were read");
            history.seen(id, at);
        }
        Ok(batch.next)
    }

    /// The history, and the disk after a power cut, of the same moment.
    pub fn cut_power(&self, random: &mut Random, survival: Survival) -> (History, SimulatedDisk) {
        let history = self.history();
        (history.clone(), self.disk.after_power_cut(random, survival))
    }

    /// The history, and the disk after the process was killed, of the same moment.
    pub fn kill(&self) -> (History, SimulatedDisk) {
        let history = self.history();
        (history.clone(), self.disk.after_kill())
    }

    /// Closes the store; its history.
    pub async fn close(self) -> History {
        // The disk may be failing: what was answered counts, not this.
        let _ = self.embedded.close().await;
        self.history.into_inner().unwrap()
    }
}
