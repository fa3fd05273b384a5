//! How others tell the flusher what to do.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::embedded::logs::Log;
use crate::engine::StoreError;

/// How others tell the flusher what to do.
#[derive(Default)]
pub struct FlushControl {
    state: Mutex<ControlState>,
    woken: Condvar,
}

#[derive(Default)]
struct ControlState {
    dirty: Vec<Arc<Log>>,
    asked_by: Vec<oneshot::Sender<Result<(), StoreError>>>,
    /// Those for whom the flusher is at work.
    worked_for: Vec<oneshot::Sender<Result<(), StoreError>>>,
    everything: bool,
    stop: bool,
}

/// What one turn of the flusher is to do.
pub enum Turn {
    /// End.
    Stop,
    /// See whether anything is due.
    Look,
    /// Flush everything and answer those who asked.
    Flush,
}

impl FlushControl {
    fn state(&self) -> MutexGuard<'_, ControlState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a log that changed. Its state says that it is noted, so it is noted once.
    pub fn note_dirty(&self, log: Arc<Log>) {
        self.state().dirty.push(log);
    }

    /// How many logs are noted.
    pub fn dirty(&self) -> usize {
        self.state().dirty.len()
    }

    /// Takes all logs that are noted.
    pub fn take_dirty(&self) -> Vec<Arc<Log>> {
        std::mem::take(&mut self.state().dirty)
    }

    /// Has the flusher look at once.
    pub fn wake(&self) {
        self.woken.notify_one();
    }

    /// Asks for a flush of everything, soon.
    pub fn request_all(&self) {
        self.state().everything = true;
        self.wake();
    }

    /// Asks for a flush of everything and for its outcome. Once the flusher is told to stop there
    /// is none: the sender is dropped.
    pub fn request(&self) -> oneshot::Receiver<Result<(), StoreError>> {
        let (reply, outcome) = oneshot::channel();
        let mut state = self.state();
        if !state.stop {
            state.asked_by.push(reply);
        }
        drop(state);
        self.wake();
        outcome
    }

    /// Ends the flusher without the flushes that it was asked for. Those who asked are told so only
    /// here, so that what the store says of itself by then is what it says from then on.
    pub fn stop_at_once(&self) {
        let mut state = self.state();
        state.stop = true;
        state.everything = false;
        state.asked_by.clear();
        state.worked_for.clear();
        drop(state);
        self.woken.notify_all();
    }

    /// Ends the flusher after what it is doing.
    pub fn stop(&self) {
        self.state().stop = true;
        self.woken.notify_all();
    }

    /// Waits until there is something to do.
    pub fn wait(&self, at_most: Duration) -> Turn {
        let mut state = self.state();
        if !state.stop && !state.everything && state.asked_by.is_empty() {
            state = self
                .woken
                .wait_timeout(state, at_most)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        if std::mem::take(&mut state.everything) || !state.asked_by.is_empty() {
            state.worked_for = std::mem::take(&mut state.asked_by);
            return Turn::Flush;
        }
        if state.stop { Turn::Stop } else { Turn::Look }
    }

    /// Answers those for whom the flusher was at work.
    pub fn answer(&self, outcome: &Result<(), StoreError>) {
        let worked_for = std::mem::take(&mut self.state().worked_for);
        for reply in worked_for {
            // Whoever asked may have gone.
            let _ = reply.send(outcome.clone());
        }
    }
}
