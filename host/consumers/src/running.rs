//! An application at work, as its lanes and everybody else see it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use store::Position;
use tokio::sync::{Notify, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use types::Timestamp;

use crate::application::Application;
use crate::contention::Reservation;
use crate::counts::Counts;
use crate::limits::REASON_CHARS_MAX;
use crate::table_ids::ShardKey;

/// How long a commit may take until it is shown as what stands in the way.
const COMMIT_TIME_MAX: Duration = Duration::from_secs(5);
const NOT_TAKEN: &str = "the store does not take its batch: the disk is full or fails, or a key is \
                         not to be had; /healthz says more";

/// An application of which this worker knows.
pub struct Running {
    application: Mutex<Arc<Application>>,
    /// Held by each batch until it is committed, and alone by one that met too many conflicts.
    turns: Arc<RwLock<()>>,
    shards: Mutex<BTreeMap<ShardKey, Arc<ShardAtWork>>>,
    trouble: Mutex<Option<String>>,
    /// Something is to be looked at again: another version is wanted.
    pub(crate) changed: Notify,
}

/// The right to work on a batch beside the others, or alone.
pub struct TurnOfBatch {
    #[expect(dead_code, reason = "held")]
    among_shards: AmongShards,
    /// Rows that nobody else writes meanwhile.
    reserved: Option<Reservation>,
}

enum AmongShards {
    /// Beside the batches of other shards.
    Beside(#[expect(dead_code, reason = "held")] OwnedRwLockReadGuard<()>),
    /// None of this application's is worked on beside it.
    Alone(#[expect(dead_code, reason = "held")] OwnedRwLockWriteGuard<()>),
}

impl TurnOfBatch {
    /// The same with rows that nobody else writes as long as it lasts.
    pub(crate) fn with(mut self, reserved: Option<Reservation>) -> Self {
        self.reserved = reserved;
        self
    }
}

impl Running {
    /// One that has no lanes.
    pub fn new(application: Application) -> Arc<Self> {
        Arc::new(Self {
            application: Mutex::new(Arc::new(application)),
            turns: Arc::default(),
            shards: Mutex::default(),
            trouble: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// What is kept of it.
    pub fn application(&self) -> Arc<Application> {
        Arc::clone(&lock(&self.application))
    }

    /// It is kept otherwise now.
    pub(crate) fn set(&self, application: Application) {
        *lock(&self.application) = Arc::new(application);
        self.changed.notify_waiters();
    }

    /// Waits for the right to work on a batch.
    pub(crate) async fn turn(&self, is_alone: bool) -> TurnOfBatch {
        let turns = Arc::clone(&self.turns);
        let among_shards = if is_alone {
            AmongShards::Alone(turns.write_owned().await)
        } else {
            AmongShards::Beside(turns.read_owned().await)
        };
        TurnOfBatch {
            among_shards,
            reserved: None,
        }
    }

    /// Where a shard shows how it is.
    pub(crate) fn shard(&self, key: ShardKey) -> Arc<ShardAtWork> {
        let mut shards = lock(&self.shards);
        Arc::clone(shards.entry(key).or_default())
    }

    /// Those shards that this worker has or had.
    pub fn shards(&self) -> Vec<(ShardKey, Arc<ShardAtWork>)> {
        let shards = lock(&self.shards);
        let all = shards.iter();
        all.map(|(key, shard)| (*key, Arc::clone(shard))).collect()
    }

    /// The shard of that key, if this worker has or had it.
    pub fn find(&self, key: ShardKey) -> Option<Arc<ShardAtWork>> {
        lock(&self.shards).get(&key).cloned()
    }

    pub(crate) fn forget(&self, key: ShardKey) {
        lock(&self.shards).remove(&key);
    }

    /// Something stands in the way of all shards, or nothing any more.
    pub(crate) fn has_trouble(&self, why: Option<String>) {
        let mut trouble = lock(&self.trouble);
        if let Some(why) = why.as_ref().filter(|_| *trouble != why) {
            let name = self.application().name.clone();
            tracing::warn!(application = %name, why, "an application stands still");
        }
        *trouble = why;
    }

    /// What stands in the way of all shards.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }
}

/// A shard of an application that this worker has or had.
#[derive(Default)]
pub struct ShardAtWork {
    shown: Mutex<Shown>,
    /// An operator wants what stands in the way to be passed over.
    skip: AtomicBool,
    /// An operator wants it to be tried at once.
    pub(crate) nudge: Notify,
}

/// What is shown of it.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// A lane of this worker works on it.
    pub is_here: bool,
    /// All before it is done.
    pub position: Position,
    /// When the last record arrived that is done.
    pub last_arrival: Option<Timestamp>,
    /// What became of all records so far.
    pub counts: Counts,
    /// The version at work.
    pub version: Option<String>,
    /// Why another version was not swapped in.
    pub swap_refused: Option<String>,
    /// How often an instance ended, or the shard, without what that wanted done at its end: it
    /// failed too often at saying so, or an operator skipped it.
    pub unheard: u64,
    /// What stands in the way of its next record, since when, and after how many tries.
    pub stuck: Option<Stuck>,
    /// Since when the store has a batch that it has not answered for.
    pub committing: Option<(Instant, Timestamp)>,
    /// Batches that were committed.
    pub batches: u64,
    /// Batches that met a conflict.
    pub conflicts: u64,
    /// Batches that were done again, for whatever reason.
    pub redone: u64,
    /// How long commits took together.
    pub commit_time: Duration,
    /// How long the longest of them took.
    pub commit_time_max: Duration,
}

/// A shard that does not get on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// What stands in its way.
    pub why: String,
    /// Since when.
    pub since: Timestamp,
    /// How often it was tried.
    pub tries: u32,
}

impl ShardAtWork {
    /// What is shown at the moment. A store that takes nothing for a while stands in the way as
    /// well: the pump tries it again and again without asking the lane.
    pub fn shown(&self) -> Shown {
        let mut shown = lock(&self.shown).clone();
        if let (None, Some((begun, since))) = (&shown.stuck, shown.committing)
            && begun.elapsed() > COMMIT_TIME_MAX
        {
            shown.stuck = Some(Stuck {
                why: NOT_TAKEN.to_owned(),
                since,
                tries: 1,
            });
        }
        shown
    }

    pub(crate) fn show(&self, change: impl FnOnce(&mut Shown)) {
        change(&mut lock(&self.shown));
    }

    /// Says what stands in the way. Returns whether that is news.
    pub(crate) fn is_stuck(&self, why: &str, now: Timestamp) -> bool {
        let why: String = why.chars().take(REASON_CHARS_MAX).collect();
        let mut shown = lock(&self.shown);
        match &mut shown.stuck {
            Some(stuck) if stuck.why == why => {
                stuck.tries = stuck.tries.saturating_add(1);
                false
            }
            Some(stuck) => {
                stuck.why = why;
                stuck.tries = stuck.tries.saturating_add(1);
                true
            }
            stuck @ None => {
                *stuck = Some(Stuck {
                    why,
                    since: now,
                    tries: 1,
                });
                true
            }
        }
    }

    pub(crate) fn gets_on(&self) {
        lock(&self.shown).stuck = None;
    }

    /// An operator wants it to be tried at once, or what stands in the way to be passed over.
    /// Whether anything stands in its way.
    pub fn order(&self, skips: bool) -> bool {
        let shown = lock(&self.shown);
        let is_stuck = shown.is_here && shown.stuck.is_some();
        drop(shown);
        if is_stuck {
            if skips {
                self.skip.store(true, Ordering::Release);
            }
            self.nudge.notify_one();
        }
        is_stuck
    }

    /// Whether what stands in the way is to be passed over. Asked once for each order.
    pub(crate) fn takes_skip(&self) -> bool {
        self.skip.swap(false, Ordering::AcqRel)
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // A guard is held for single statements, each of which leaves the value whole.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
