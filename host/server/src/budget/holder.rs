//! Who holds a share, as far as others must know.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::ending::Lever;

/// The value of an answer's bytes while there is no answer.
const NO_ANSWER: usize = usize::MAX;

/// What holds memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A few bytes for somebody who has proven nothing: a refusal, or what anybody may know.
    Unproven,
    /// A body that has not come to its end. It waits for its client, and nothing of it is proven.
    Receiving,
    /// A request at work, of an account that has signed. It waits for nobody outside.
    AtWork,
    /// An answer to an account. It waits for its client.
    Answering,
}

/// A request that holds memory: how far it has moved, and how it is ended.
pub(crate) struct Holder {
    /// Bytes that came from its client or went to it.
    moved: AtomicUsize,
    /// Bytes that a request at work will hold from now on, because it is answered.
    answer_bytes: AtomicUsize,
    /// What its body's receiver waits for beside the next bytes.
    unwanted: Notify,
    /// Ends its answer.
    lever: Lever,
}

impl Holder {
    pub(super) fn new(lever: Lever) -> Self {
        Self {
            moved: AtomicUsize::new(0),
            answer_bytes: AtomicUsize::new(NO_ANSWER),
            unwanted: Notify::new(),
            lever,
        }
    }

    /// Bytes that have moved while it was its turn, or others' before it.
    pub(super) fn moved(&self) -> usize {
        let moved = self.moved.load(Ordering::Relaxed);
        moved.wrapping_add(self.lever.waited_for_bytes())
    }

    pub(super) fn moves(&self, bytes: usize) {
        self.moved.fetch_add(bytes, Ordering::Relaxed);
    }

    /// It is answered, and holds no more than so many bytes from now on.
    pub(super) fn answers(&self, bytes: usize) {
        self.answer_bytes.store(bytes, Ordering::Relaxed);
    }

    /// What it holds if it is answered.
    pub(super) fn answer_bytes(&self) -> Option<usize> {
        let bytes = self.answer_bytes.load(Ordering::Relaxed);
        (bytes != NO_ANSWER).then_some(bytes)
    }

    /// It has to let go of what it holds in this phase.
    pub(super) fn end(&self, phase: Phase) {
        match phase {
            Phase::Receiving => self.unwanted.notify_one(),
            // What is at work is never told to go.
            Phase::AtWork => {}
            Phase::Unproven | Phase::Answering => self.lever.pull(),
        }
    }

    /// Waits until its body is no longer wanted.
    pub(super) async fn ended(&self) {
        self.unwanted.notified().await;
    }
}
