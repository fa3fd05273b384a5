//! What is known of each log in memory.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::Notify;
use types::Timestamp;

use crate::engine::{Coming, Frame, LogChange, LogId, Position, StoreError};

/// A log. Its state is changed by the writer when a block became durable, and by the flusher when
/// frames have moved from the write-ahead log to a segment.
pub struct Log {
    pub id: LogId,
    tip: AtomicU64,
    state: Mutex<LogState>,
    changed: Notify,
}

/// Where the next frame goes and what it must follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NextFrame {
    /// The next record's position.
    pub next: Position,
    /// The header checksum of the last frame.
    pub chain: u32,
    /// The last frame's arrival.
    pub arrival: Timestamp,
    /// No frame may follow.
    pub sealed: bool,
}

/// A frame that is only in the write-ahead log as yet.
#[derive(Clone, Copy, Debug)]
pub struct WalFrame {
    /// The place of its first record.
    pub position: Position,
    /// The place of what comes after its last record.
    pub end: Position,
    pub arrival: Timestamp,
    /// The write-ahead file.
    pub slot: u32,
    /// Where the frame's header starts in it.
    pub offset: u64,
    /// Bytes of header and body.
    pub length: u32,
}

/// A file of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The place of its first record; names the file.
    pub base: Position,
    /// The place of what comes after its last record.
    pub end: Position,
    /// Bytes of frames, without the file's header.
    pub bytes: u64,
    pub first_arrival: Timestamp,
    pub last_arrival: Timestamp,
    /// No frame is added any more.
    pub closed: bool,
}

/// A frame in a segment, as far as looking for a time needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sought {
    /// The place of its first record.
    pub position: Position,
    /// The place of what comes after its last record.
    pub end: Position,
    pub arrival: Timestamp,
}

#[derive(Debug, Default)]
pub struct LogState {
    /// The oldest position that may be read.
    pub horizon: Position,
    /// The frame that was found last when a time was looked for. Once the log is trimmed to it,
    /// whether more has expired is told without reading anything.
    pub sought: Option<Sought>,
    /// As of the last durable block.
    pub durable: NextFrame,
    /// As of the block that is being made durable. Goes back to `durable` if that fails.
    pub assigned: NextFrame,
    /// No frame that is not placed yet reads as older. A block that fails changes nothing of it.
    pub arrivals_from: Timestamp,
    /// As of the last frame that is in a segment.
    pub flushed: NextFrame,
    /// In order; the last may be open.
    pub segments: Vec<Segment>,
    /// Frames from `flushed.next` on.
    pub unflushed: VecDeque<WalFrame>,
    /// The newest frames, without a gap, up to the tip.
    pub cached: VecDeque<Frame>,
    /// The log is in the list of those that the flusher must look at.
    pub dirty: bool,
    /// It was deleted while somebody held it.
    pub deleted: bool,
}

impl LogState {
    /// When the frame at the horizon arrived, if that was found out.
    pub fn oldest_arrival(&self) -> Option<Timestamp> {
        let holds = |found: &Sought| found.position <= self.horizon && self.horizon < found.end;
        self.sought.filter(holds).map(|found| found.arrival)
    }

    fn trim(&mut self, before: Position) {
        self.horizon = self.horizon.max(before.min(self.durable.next));
        while self
            .cached
            .front()
            .is_some_and(|frame| frame.end() <= self.horizon)
        {
            self.cached.pop_front();
        }
        while self
            .unflushed
            .front()
            .is_some_and(|frame| frame.end <= self.horizon)
        {
            self.unflushed.pop_front();
        }
    }
}

impl Log {
    /// A log with the given past.
    pub fn new(id: LogId, state: LogState) -> Self {
        let tip = AtomicU64::new(state.durable.next.0);
        Self {
            id,
            tip,
            state: Mutex::new(state),
            changed: Notify::new(),
        }
    }

    /// The state. A holder that panicked left it whole: every change is a few plain stores.
    pub fn state(&self) -> MutexGuard<'_, LogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The position after the last durable record.
    pub fn tip(&self) -> Position {
        Position(self.tip.load(Ordering::Acquire))
    }

    /// Lets no frame that is not placed yet read as older than `at`.
    pub fn arrivals_from(&self, at: Timestamp) -> Coming {
        let mut state = self.state();
        state.arrivals_from = state.arrivals_from.max(at);
        Coming {
            from: state.assigned.next,
            at: state.arrivals_from.max(state.assigned.arrival),
            sealed: state.durable.sealed,
        }
    }

    /// Makes visible what `state` says is durable, and wakes those who wait for it.
    pub fn publish(&self, state: MutexGuard<'_, LogState>) {
        self.tip.store(state.durable.next.0, Ordering::Release);
        drop(state);
        self.changed.notify_waiters();
    }

    /// Returns when the tip is beyond `position`, or when no record will ever be there.
    pub async fn wait_beyond(&self, position: Position) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Listen before looking, so that a change between the two is not missed.
            changed.as_mut().enable();
            if self.tip() > position || self.is_ended() {
                return;
            }
            changed.await;
        }
    }

    fn is_ended(&self) -> bool {
        let state = self.state();
        state.durable.sealed || state.deleted
    }
}

/// All logs by their numbers.
#[derive(Default)]
pub struct Logs {
    by_id: RwLock<HashMap<LogId, Arc<Log>>>,
}

impl Logs {
    /// The log, if it exists.
    pub fn find(&self, id: LogId) -> Result<Arc<Log>, StoreError> {
        let by_id = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        by_id.get(&id).cloned().ok_or(StoreError::NoLog(id))
    }

    /// When the newest durable frame of all logs arrived.
    pub fn newest_arrival(&self) -> Option<Timestamp> {
        let by_id = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        let last = by_id.values().map(|log| log.state().durable);
        last.filter(|last| last.next > Position::FIRST)
            .map(|last| last.arrival)
            .max()
    }

    /// Adds a log unless there is one with its number; returns the one that is there then.
    pub fn add(&self, log: Log) -> Arc<Log> {
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        by_id.entry(log.id).or_insert_with(|| Arc::new(log)).clone()
    }

    /// Takes a log out, if it exists.
    pub fn remove(&self, id: LogId) -> Option<Arc<Log>> {
        self.by_id
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id)
    }

    /// Makes a durable step in a log's life visible. Steps of logs that are gone do nothing.
    /// Returns the log if it must now be noted as dirty.
    pub fn apply(&self, change: LogChange) -> Option<Arc<Log>> {
        let log = match change {
            LogChange::Create(id) => self.add(Log::new(id, LogState::default())),
            LogChange::Seal(id) | LogChange::Trim(id, _) => self.find(id).ok()?,
            LogChange::Delete(id) => self.remove(id)?,
        };
        let mut state = log.state();
        match change {
            LogChange::Create(_) => {}
            LogChange::Seal(_) => {
                state.durable.sealed = true;
                state.assigned.sealed = true;
            }
            LogChange::Trim(_, before) => state.trim(before),
            LogChange::Delete(_) => {
                state.deleted = true;
                state.cached.clear();
                state.unflushed.clear();
            }
        }
        let noted = std::mem::replace(&mut state.dirty, true);
        log.publish(state);
        (!noted).then_some(log)
    }
}
