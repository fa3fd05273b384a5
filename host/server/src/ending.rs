//! Ending from outside what waits for a client: a connection, or one stream of HTTP/2.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::limits::{ANSWER_BYTES_PER_SECOND_MIN, UNSENT_BYTES_MAX};
use crate::turns::{Turn, Turns};

/// The value of a time that has not come.
const NEVER: u64 = u64::MAX;

/// How long a socket takes nothing before a stream is no longer ended by itself: what a stream has
/// handed on already, and the news of its end, wait behind the same socket. One that is taken from
/// at the pace of an answer is free again in half of that.
const BLOCKED: Duration =
    Duration::from_secs(2 * UNSENT_BYTES_MAX as u64 / ANSWER_BYTES_PER_SECOND_MIN);
/// How long a stream that was ended may hold what it has handed on: until its turn on a connection
/// that is slow and has many streams. Then its connection ends with it.
const LINGERS: Duration = Duration::from_secs(20);

/// Whether a connection is to end, for its task to wait for and for others to say.
pub(crate) struct Ending {
    began: Instant,
    asked: Notify,
    /// Since when its socket takes nothing, in milliseconds since it began.
    blocked_since_ms: AtomicU64,
    /// What it gives its streams.
    turns: Arc<Turns>,
}

impl Ending {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            asked: Notify::new(),
            blocked_since_ms: AtomicU64::new(NEVER),
            turns: Arc::default(),
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

    /// A stream of it begins.
    pub(crate) fn stream(&self) -> StreamEnding {
        StreamEnding {
            asked: Notify::new(),
            asked_at_ms: AtomicU64::new(NEVER),
            gone: AtomicBool::new(false),
            turn: Turn::new(&self.turns),
        }
    }

    /// Its socket takes nothing at the moment.
    pub(crate) fn is_blocked(&self) {
        if self.blocked_since_ms.load(Ordering::Relaxed) == NEVER {
            self.blocked_since_ms
                .store(ms_since(self.began), Ordering::Relaxed);
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
}

/// Whether a stream is to end, likewise.
pub(crate) struct StreamEnding {
    asked: Notify,
    /// When it was first told to end, in milliseconds since its connection began.
    asked_at_ms: AtomicU64,
    /// Its task is over: there is nobody to hear.
    gone: AtomicBool,
    turn: Turn,
}

impl StreamEnding {
    /// Waits until it is to end.
    pub(crate) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Its task is over.
    pub(crate) fn is_over(&self) {
        self.gone.store(true, Ordering::Release);
    }

    /// Its turn among the streams of its connection.
    pub(crate) fn turn(&self) -> &Turn {
        &self.turn
    }
}

/// What ends an answer that is given up.
#[derive(Clone)]
pub(crate) struct Lever {
    /// The connection that it is sent on.
    pub(crate) connection: Arc<Ending>,
    /// Over HTTP/2 its stream.
    pub(crate) stream: Option<Arc<StreamEnding>>,
}

impl Lever {
    /// Ends the answer: its stream, or else its whole connection. It is pulled again as long as
    /// the answer is held.
    pub(crate) fn pull(&self) {
        self.pull_at(ms_since(self.connection.began));
    }

    fn pull_at(&self, now_ms: u64) {
        let blocked_since_ms = self.connection.blocked_since_ms.load(Ordering::Relaxed);
        match &self.stream {
            Some(stream) if !is_over(blocked_since_ms, BLOCKED, now_ms) => {
                let asked_at_ms = stream.asked_at_ms.load(Ordering::Relaxed);
                let is_gone = stream.gone.load(Ordering::Acquire);
                if asked_at_ms == NEVER && !is_gone {
                    stream.asked_at_ms.store(now_ms, Ordering::Relaxed);
                    stream.asked.notify_one();
                } else if asked_at_ms == NEVER || is_over(asked_at_ms, LINGERS, now_ms) {
                    self.connection.ask();
                }
            }
            _ => self.connection.ask(),
        }
    }

    /// Bytes of other answers that this one has waited for.
    pub(crate) fn waited_for_bytes(&self) -> usize {
        let stream = self.stream.as_ref();
        stream.map_or(0, |stream| stream.turn.waited_for_bytes())
    }
}

/// Whether so much time has passed since then.
fn is_over(since_ms: u64, time: Duration, now_ms: u64) -> bool {
    since_ms != NEVER && u128::from(now_ms.saturating_sub(since_ms)) >= time.as_millis()
}

fn ms_since(began: Instant) -> u64 {
    // 584 million years are as long ago as any other moment that has come.
    u64::try_from(began.elapsed().as_millis()).unwrap_or(NEVER - 1)
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    const MINUTE_MS: u64 = 60_000;

    fn lever() -> (Lever, Arc<StreamEnding>) {
        let connection = Arc::new(Ending::new());
        let stream = Arc::new(connection.stream());
        let lever = Lever {
            connection,
            stream: Some(Arc::clone(&stream)),
        };
        (lever, stream)
    }

    fn is_asked(asked: impl Future<Output = ()>) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        pin!(asked).poll(&mut context) == Poll::Ready(())
    }

    fn ms(time: Duration) -> u64 {
        u64::try_from(time.as_millis()).unwrap()
    }

    /// A client that took 1 MB/s lost all its streams with the one that it did not take: a large
    /// buffer in the kernel is blocked for a second at a time.
    #[test]
    fn a_stream_is_ended_by_itself_while_its_connection_is_taken_from_at_the_pace() {
        let (lever, stream) = lever();
        lever
            .connection
            .blocked_since_ms
            .store(MINUTE_MS, Ordering::Relaxed);
        lever.pull_at(MINUTE_MS + ms(BLOCKED) - 1);
        assert!(is_asked(stream.asked()));
        assert!(!is_asked(lever.connection.asked()));
    }

    #[test]
    fn a_connection_whose_socket_takes_nothing_ends_with_its_stream() {
        let (lever, _stream) = lever();
        lever
            .connection
            .blocked_since_ms
            .store(MINUTE_MS, Ordering::Relaxed);
        lever.pull_at(MINUTE_MS + ms(BLOCKED));
        assert!(is_asked(lever.connection.asked()));
    }

    /// It was ended with its connection a second after it was told, whoever was served meanwhile.
    #[test]
    fn what_an_ended_stream_has_handed_on_may_wait_for_its_turn() {
        let (lever, stream) = lever();
        lever.pull_at(MINUTE_MS);
        stream.is_over();
        lever.pull_at(MINUTE_MS + ms(LINGERS) - 1);
        assert!(!is_asked(lever.connection.asked()));
        lever.pull_at(MINUTE_MS + ms(LINGERS));
        assert!(is_asked(lever.connection.asked()));
    }
}
