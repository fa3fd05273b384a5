//! What applications at work stand on, and what they share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use delivery::Delivery;
use delivery::objects::Objects;
use store::Engine;
use streams::Streams;
use streams::turns::AccountTurns;
use types::{AccountId, Clock};
use wasm::{GuestThreads, Party, Turn, TurnLost};

use super::input::Reader;
use super::limits::{STATE_BYTES_MAX, STATES_BYTES_MAX, STEPS_AT_ONCE_MAX};
use super::outputs::Takers;
use crate::application::ApplicationId;

/// Where the numbers of applications begin among the parties that share the threads: those below
/// are delivery streams and hosted consumers.
const PARTIES_FIRST: u64 = 3 << 62;

/// How much memory applications may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkLimits {
    /// Bytes of state of one application.
    pub state_bytes_max: usize,
    /// Bytes of state of all of them.
    pub states_bytes_max: usize,
    /// Steps that are in memory at a time.
    pub steps_at_once_max: usize,
}

impl Default for WorkLimits {
    fn default() -> Self {
        Self {
            state_bytes_max: STATE_BYTES_MAX,
            states_bytes_max: STATES_BYTES_MAX,
            steps_at_once_max: STEPS_AT_ONCE_MAX,
        }
    }
}

/// The parts of the server that applications use, and what they share.
pub struct Ground {
    pub engine: Arc<dyn Engine>,
    pub clock: Arc<dyn Clock>,
    pub streams: Arc<Streams>,
    pub delivery: Arc<Delivery>,
    /// Where reference data lies.
    pub objects: Arc<dyn Objects>,
    /// The threads that rows are worked on with, in turns with plugins.
    pub threads: Arc<GuestThreads>,
    /// Who has a step in memory.
    pub turns: AccountTurns,
    limits: WorkLimits,
    /// Bytes of state of all applications.
    states_bytes: AtomicUsize,
}

impl Ground {
    /// Nothing is held.
    pub fn new(parts: crate::analytics::Foundations, limits: WorkLimits) -> Self {
        Self {
            engine: parts.engine,
            clock: parts.clock,
            streams: parts.streams,
            delivery: parts.delivery,
            objects: parts.objects,
            threads: parts.threads,
            turns: AccountTurns::new(limits.steps_at_once_max),
            limits,
            states_bytes: AtomicUsize::new(0),
        }
    }

    /// What streams are read with.
    pub fn reader(&self) -> Reader {
        Reader {
            engine: Arc::clone(&self.engine),
            clock: Arc::clone(&self.clock),
            streams: Arc::clone(&self.streams),
        }
    }

    /// What takes records.
    pub fn takers(&self) -> Takers {
        Takers {
            streams: Arc::clone(&self.streams),
            delivery: Arc::clone(&self.delivery),
        }
    }

    /// Works on one of the threads, in an application's turn.
    ///
    /// # Errors
    /// The turn is lost, and with it what was handed to it.
    pub async fn on_thread<T: Send + 'static>(
        &self,
        (account, id): (AccountId, ApplicationId),
        work: impl FnOnce(&Turn) -> T + Send + 'static,
    ) -> Result<T, TurnLost> {
        let party = Party {
            account,
            delivery_stream: PARTIES_FIRST | id.0,
            plugin: None,
        };
        let is_slow = self.threads.is_slow(&party);
        self.threads.run(&party, is_slow, work).await
    }

    /// Bytes of state that one application may hold.
    pub fn state_bytes_max(&self) -> usize {
        self.limits.state_bytes_max
    }

    /// Bytes of state of all applications.
    pub fn states_bytes(&self) -> usize {
        self.states_bytes.load(Ordering::Relaxed)
    }
}

/// The memory that an application's state takes, given back when this is dropped.
pub struct StateMemory {
    ground: Arc<Ground>,
    bytes: usize,
}

impl StateMemory {
    /// None.
    pub fn none(ground: Arc<Ground>) -> Self {
        Self { ground, bytes: 0 }
    }

    /// The state has so many bytes now. Why it may not, if it may not.
    pub fn is(&mut self, bytes: usize) -> Result<(), String> {
        let Ground {
            limits,
            states_bytes,
            ..
        } = &*self.ground;
        states_bytes.fetch_add(bytes, Ordering::Relaxed);
        states_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        let is_more = bytes > self.bytes;
        self.bytes = bytes;
        let (one, all) = (limits.state_bytes_max, limits.states_bytes_max);
        if bytes > one {
            return Err(format!(
                "its state has {bytes} bytes, and may have {one}: windows of less time, or fewer \
                 groups in them, take less"
            ));
        }
        if is_more && states_bytes.load(Ordering::Relaxed) > all {
            return Err(format!(
                "its state has {bytes} bytes, and all applications together may have {all}"
            ));
        }
        Ok(())
    }
}

impl Drop for StateMemory {
    fn drop(&mut self) {
        self.ground
            .states_bytes
            .fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
