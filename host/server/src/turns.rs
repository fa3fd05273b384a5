//! The turns of the answers that share a connection of HTTP/2. They are sent in turn, so one that
//! waits for others is not one that its client does not take.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes that one answer may be sent before it is the next one's turn: a frame, or what it has
/// handed on where the window of the connection is what they wait for. An answer that has waited
/// for as much of each of the others was passed over: its own window is what keeps it.
const TURN_BYTES_MAX: usize = 512 * 1024;

/// What one connection has sent of its answers together.
#[derive(Default)]
pub(crate) struct Turns {
    /// Bytes; only differences matter.
    sent: AtomicUsize,
    /// Streams that are open.
    streams: AtomicUsize,
}

/// The turn of one answer.
pub(crate) struct Turn {
    all: Arc<Turns>,
    waits: Mutex<Waits>,
}

/// How an answer waits.
struct Waits {
    /// What the connection had sent when it was last this answer's turn.
    since: usize,
    /// Bytes that it has waited for since then.
    bytes: usize,
    /// Bytes that it has waited for in all.
    total: usize,
}

impl Turn {
    pub(crate) fn new(all: &Arc<Turns>) -> Self {
        all.streams.fetch_add(1, Ordering::Relaxed);
        Self {
            all: Arc::clone(all),
            waits: Mutex::new(Waits {
                since: all.sent.load(Ordering::Relaxed),
                bytes: 0,
                total: 0,
            }),
        }
    }

    /// It is its turn: so many bytes of it are sent, or more of it can be handed on.
    pub(crate) fn comes(&self, bytes: usize) {
        let mut waits = self.waits();
        let sent = self.all.sent.fetch_add(bytes, Ordering::Relaxed);
        self.look(&mut waits, sent);
        waits.since = sent.wrapping_add(bytes);
        waits.bytes = 0;
    }

    /// Bytes of others that it has waited for in all: those that were sent in its turn.
    pub(crate) fn waited_for_bytes(&self) -> usize {
        let mut waits = self.waits();
        self.look(&mut waits, self.all.sent.load(Ordering::Relaxed));
        waits.total
    }

    fn look(&self, waits: &mut Waits, sent: usize) {
        let streams = self.all.streams.load(Ordering::Relaxed);
        let in_turn = streams.saturating_sub(1).saturating_mul(TURN_BYTES_MAX);
        let bytes = sent.wrapping_sub(waits.since).min(in_turn);
        // When others are over, what it has waited for does not become less.
        let more = bytes.saturating_sub(waits.bytes);
        waits.bytes += more;
        waits.total = waits.total.wrapping_add(more);
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        // Every method leaves the numbers whole, so a panic elsewhere spoils nothing.
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.all.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: usize = 16 * 1024;

    fn turns<const COUNT: usize>() -> [Turn; COUNT] {
        let all = Arc::default();
        std::array::from_fn(|_| Turn::new(&all))
    }

    #[test]
    fn an_answer_has_waited_for_what_was_sent_of_others_and_not_for_its_own() {
        let [one, other] = turns();
        one.comes(FRAME);
        assert_eq!(one.waited_for_bytes(), 0);
        assert_eq!(other.waited_for_bytes(), FRAME);
        other.comes(FRAME);
        other.comes(FRAME);
        assert_eq!(one.waited_for_bytes(), 2 * FRAME);
        assert_eq!(other.waited_for_bytes(), FRAME);
    }

    #[test]
    fn an_answer_that_was_passed_over_waits_for_nobody() {
        let [one, stuck, idle] = turns();
        for _ in 0..1_000 {
            one.comes(FRAME);
        }
        assert_eq!(stuck.waited_for_bytes(), 2 * TURN_BYTES_MAX);
        one.comes(FRAME);
        assert_eq!(stuck.waited_for_bytes(), 2 * TURN_BYTES_MAX);
        drop(idle);
        assert_eq!(stuck.waited_for_bytes(), 2 * TURN_BYTES_MAX);
        stuck.comes(0);
        one.comes(FRAME);
        assert_eq!(stuck.waited_for_bytes(), 2 * TURN_BYTES_MAX + FRAME);
    }
}
