//! Who holds a share, as far as others must know.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::ending::{Ending, Lever};

/// What holds memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A body that has not come to its end. It waits for its client, and nothing of it is proven.
    Receiving,
    /// A request at work. It waits for nobody outside.
    Handled,
    /// An answer. It waits for its client.
    Answering,
}

/// A request that holds memory: how far it has moved, and how it is ended.
pub(crate) struct Holder {
    /// Bytes that came from its client or went to it.
    moved: AtomicUsize,
    /// What its body's receiver waits for beside the next bytes.
    ending: Ending,
    /// Ends its answer.
    lever: Lever,
}

impl Holder {
    pub(super) fn new(lever: Lever) -> Self {
        Self {
            moved: AtomicUsize::new(0),
            ending: Ending::new(),
            lever,
        }
    }

    pub(super) fn moved(&self) -> usize {
        self.moved.load(Ordering::Relaxed)
    }

    pub(super) fn moves(&self, bytes: usize) {
        self.moved.fetch_add(bytes, Ordering::Relaxed);
    }

    /// It has to let go of what it holds in this phase.
    pub(super) fn end(&self, phase: Phase) {
        match phase {
            Phase::Receiving => self.ending.ask(),
            // What is at work is never told to go.
            Phase::Handled => {}
            Phase::Answering => self.lever.pull(),
        }
    }

    /// Waits until its body is no longer wanted.
    pub(super) async fn ended(&self) {
        self.ending.asked().await;
    }
}
