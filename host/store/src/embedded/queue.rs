//! What waits to be written, between the many who commit and the one thread that writes.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use std::time::Instant;

use tokio::sync::oneshot;

use crate::embedded::linger::{Lingered, Wait};
use crate::embedded::logs::Log;
use crate::embedded::options::FRAME_BYTES_MAX;
use crate::embedded::seal::SealedBody;
use crate::engine::{
    CommitError, Committed, LogChange, LogEnd, NewFrame, Purpose, RowCheck, TableWrite,
};
use crate::keys::KeyRing;

/// A frame and the log that it is for.
pub struct ResolvedAppend {
    pub log: Arc<Log>,
    pub frame: NewFrame,
    /// Bytes of its body as it is stored.
    pub length: u32,
    /// Of the body as it is stored, without its seal.
    pub body_crc: u32,
    /// The body as it is stored, if it is sealed.
    pub sealed: Option<SealedBody>,
}

impl ResolvedAppend {
    /// Does by whoever commits what the writer need not: seals the body if it has a key, and sums
    /// up its bytes.
    pub fn of(log: Arc<Log>, frame: NewFrame, keys: &KeyRing) -> Result<Self, CommitError> {
        let bytes = frame.body.len();
        let too_large = || CommitError::TooLarge(format!("a frame has {bytes} bytes"));
        if frame.count == 0 {
            return Err(CommitError::TooLarge("a frame has no records".to_owned()));
        }
        if bytes > FRAME_BYTES_MAX {
            return Err(too_large());
        }
        let sealed = match frame.key {
            None => None,
            Some(key) => {
                let sealed = SealedBody::of(log.id, &frame, key, keys);
                let sealed = sealed.map_err(|(key, why)| CommitError::Key { key, why })?;
                Some(sealed.ok_or_else(too_large)?)
            }
        };
        let (stored_bytes, body_crc) = match &sealed {
            None => (bytes, crc32c::crc32c(&frame.body)),
            Some(sealed) => (sealed.stored_bytes(), crc32c::crc32c(sealed.ciphertext())),
        };
        Ok(Self {
            log,
            length: u32::try_from(stored_bytes).map_err(|_| too_large())?,
            frame,
            body_crc,
            sealed,
        })
    }
}

/// A transaction, or steps in the lives of logs, and who waits for it.
pub struct QueuedCommit {
    pub appends: Vec<ResolvedAppend>,
    pub writes: Vec<TableWrite>,
    /// What rows must be that it does not write.
    pub checks: Vec<RowCheck>,
    pub changes: Vec<LogChange>,
    /// Rows that get the tips of logs which `changes` deletes.
    pub ends: Vec<LogEnd>,
    pub purpose: Purpose,
    /// Bytes that it takes in a block, or less: its checks are not written.
    pub bytes: usize,
    pub reply: oneshot::Sender<Result<Committed, CommitError>>,
}

/// The queue: bounded in bytes, first come first written.
pub struct Queue {
    bytes_max: usize,
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<QueuedCommit>,
    /// Of those waiting and of those being written.
    bytes: usize,
    writer_waits: bool,
    /// Why nothing is accepted any more.
    closed: Option<String>,
}

impl Queue {
    /// An empty queue.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            state: Mutex::default(),
            filled: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request, or says why not: busy, or closed.
    pub fn push(&self, request: QueuedCommit) -> Result<(), CommitError> {
        let mut state = self.state();
        if let Some(why) = &state.closed {
            return Err(CommitError::ReadOnly(why.clone()));
        }
        if self.bytes_max < state.bytes.saturating_add(request.bytes) && state.bytes != 0 {
            return Err(CommitError::Busy);
        }
        state.bytes += request.bytes;
        state.waiting.push(request);
        let wake = std::mem::take(&mut state.writer_waits);
        drop(state);
        if wake {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Waits for requests and moves those that came first into `group`, as many as fit
    /// `group_bytes` but at least one. `None` when the queue is closed and empty.
    ///
    /// Once there is one, waits for more as `wait` says.
    pub fn take(
        &self,
        group: &mut Vec<QueuedCommit>,
        group_bytes: usize,
        wait: Wait,
    ) -> Option<Lingered> {
        let mut state = self.state();
        while state.waiting.is_empty() {
            if state.closed.is_some() {
                return None;
            }
            state.writer_waits = true;
            state = self
                .filled
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let mut lingered = Lingered::default();
        if state.waiting.len() < wait.requests && !wait.at_most.is_zero() {
            let (before, until) = (state.waiting.len(), Instant::now() + wait.at_most);
            while state.waiting.len() < wait.requests && Instant::now() < until {
                drop(state);
                std::thread::yield_now();
                state = self.state();
            }
            lingered = Lingered {
                missing: wait.requests - before,
                came: state.waiting.len() - before,
            };
        }
        let mut bytes = 0;
        let fitting = state.waiting.iter().take_while(|request| {
            bytes += request.bytes;
            bytes <= group_bytes
        });
        let count = fitting.count().max(1);
        if count == state.waiting.len() {
            std::mem::swap(&mut state.waiting, group);
        } else {
            group.extend(state.waiting.drain(..count));
        }
        Some(lingered)
    }

    /// Gives back the room of requests that were answered. Returns how many wait now.
    pub fn release(&self, bytes: usize) -> usize {
        let mut state = self.state();
        state.bytes = state.bytes.saturating_sub(bytes);
        state.waiting.len()
    }

    /// Accepts nothing from now on and refuses what waits: nobody is left to write it.
    pub fn fail(&self, why: &str) {
        let mut state = self.state();
        state.closed.get_or_insert_with(|| why.to_owned());
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        for request in waiting {
            // Who dropped the future does not want the answer.
            let _ = request
                .reply
                .send(Err(CommitError::ReadOnly(why.to_owned())));
        }
        self.filled.notify_all();
    }

    /// Accepts nothing from now on; what waits is still written.
    pub fn close(&self, why: &str) {
        self.state().closed.get_or_insert_with(|| why.to_owned());
        self.filled.notify_all();
    }
}
