//! An answer's way over a stream of HTTP/2, beside those of others.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::mpsc;

use crate::ending::StreamEnding;

/// Bytes of a portion that may be handed on with the end of its answer. The end of an answer that
/// had a larger one is handed on when all of it was sent: a stream is reset by itself only as long
/// as its task is not over.
const WITH_THE_END_BYTES_MAX: usize = 16 * 1024;

/// Bytes that are handed on at a time, so that each answer has its turn: what a stream has handed
/// on has its place in the window of the connection, whether or not it is sent. hyper takes 400 KB
/// of one stream, and one piece more.
pub(super) const PIECE_BYTES_MAX: usize = 64 * 1024;

/// Where the portions of one answer go.
pub(super) struct Way {
    stream: Arc<StreamEnding>,
    large: Option<Large>,
}

/// The large portions that are on their way: each has a sender until it was sent.
struct Large {
    unsent: Option<mpsc::Sender<Infallible>>,
    all_sent: mpsc::Receiver<Infallible>,
}

/// Goes with one portion.
pub(super) struct OnItsWay {
    stream: Arc<StreamEnding>,
    _unsent: Option<mpsc::Sender<Infallible>>,
}

impl Way {
    pub(super) fn new(stream: Arc<StreamEnding>) -> Self {
        Self {
            stream,
            large: None,
        }
    }

    /// A portion of so many bytes is handed on, for which there was room in the stream's window.
    pub(super) fn takes(&mut self, bytes: usize) -> OnItsWay {
        self.stream.turn().comes(0);
        if bytes > WITH_THE_END_BYTES_MAX && self.large.is_none() {
            let (unsent, all_sent) = mpsc::channel(1);
            self.large = Some(Large {
                unsent: Some(unsent),
                all_sent,
            });
        }
        let large = self.large.as_ref();
        OnItsWay {
            stream: Arc::clone(&self.stream),
            _unsent: large.and_then(|large| large.unsent.clone()),
        }
    }

    /// Whether the end of the answer goes with its last portion.
    pub(super) fn ends_at_once(&self) -> bool {
        self.large.is_none()
    }

    /// No more comes: waits until what was handed on is sent.
    pub(super) fn poll_sent(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.large {
            Some(large) => {
                large.unsent = None;
                large.all_sent.poll_recv(context).map(|_| ())
            }
            None => Poll::Ready(()),
        }
    }
}

impl OnItsWay {
    pub(super) fn sent(&self, bytes: usize) {
        self.stream.turn().comes(bytes);
    }
}
