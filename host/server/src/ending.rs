//! Ending from outside what waits for a client: a connection, or one stream of HTTP/2.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// The value of a time that has not come.
const NEVER: u64 = u64::MAX;

/// Whether something is to end, for its task to wait for and for others to say.
pub(crate) struct Ending {
    began: Instant,
    asked: Notify,
    /// Its task is over: there is nobody to hear.
    gone: AtomicBool,
    /// Since when its socket takes nothing, in milliseconds since it began.
    blocked_since_ms: AtomicU64,
}

impl Ending {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            asked: Notify::new(),
            gone: AtomicBool::new(false),
            blocked_since_ms: AtomicU64::new(NEVER),
        }
    }

    /// Ends the task that waits in [`Ending::asked`], or that waits there next.
    pub(crate) fn ask(&self) {
        self.asked.notify_one();
    }

    /// Waits until it is to end.
    pub(crate) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Its task is over.
    pub(crate) fn is_over(&self) {
        self.gone.store(true, Ordering::Release);
    }

    /// Its socket takes nothing at the moment.
    pub(crate) fn is_blocked(&self) {
        if self.blocked_since_ms.load(Ordering::Relaxed) == NEVER {
            self.blocked_since_ms
                .store(self.now_ms(), Ordering::Relaxed);
        }
    }

    /// Its socket has taken something.
    pub(crate) fn is_free(&self) {
        if self.blocked_since_ms.load(Ordering::Relaxed) != NEVER {
            self.blocked_since_ms.store(NEVER, Ordering::Relaxed);
        }
    }

    /// Whether its socket has taken all that was written to it.
    pub(crate) fn takes(&self) -> bool {
        self.blocked_since_ms.load(Ordering::Relaxed) == NEVER
    }

    fn has_been_blocked_for(&self, time: Duration) -> bool {
        let since_ms = self.blocked_since_ms.load(Ordering::Relaxed);
        let passed_ms = u128::from(self.now_ms().saturating_sub(since_ms));
        since_ms != NEVER && passed_ms >= time.as_millis()
    }

    fn now_ms(&self) -> u64 {
        // 584 million years are as long ago as any other moment that has come.
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(NEVER - 1)
    }
}

/// What ends an answer that is given up.
#[derive(Clone)]
pub(crate) struct Lever {
    /// The connection that it is sent on.
    pub(crate) connection: Arc<Ending>,
    /// Over HTTP/2 its stream.
    pub(crate) stream: Option<Arc<Ending>>,
}

/// How long a socket takes nothing before a stream is no longer ended by itself: what a stream has
/// handed on already, and the news of its end, wait behind the same socket.
const BLOCKED: Duration = Duration::from_millis(500);

impl Lever {
    /// Ends the answer: its stream, or else its whole connection.
    pub(crate) fn pull(&self) {
        match &self.stream {
            Some(stream)
                if !stream.gone.load(Ordering::Acquire)
                    && !self.connection.has_been_blocked_for(BLOCKED) =>
            {
                stream.ask();
            }
            _ => self.connection.ask(),
        }
    }
}
