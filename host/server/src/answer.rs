//! An answer's body on its way out.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};
use wire::{Answer, Chunks};

use crate::activity::{Activity, Answering};
use crate::budget::Held;

/// The bytes of an answer with their number known in advance, made as they are sent. The memory
/// budget counts all of them until the client has taken them.
pub(crate) struct AnswerBody {
    left: u64,
    chunks: Chunks,
    held: Arc<Held>,
    /// Tells its connection that an answer is under way.
    _answering: Option<Answering>,
}

/// A stretch of an answer. As it is written to the socket, its bytes are given back to the budget.
pub(crate) struct Portion {
    bytes: Bytes,
    held: Arc<Held>,
}

/// The source of an answer has made more or fewer bytes than it had announced.
#[derive(Debug)]
pub(crate) struct WrongLength;

impl fmt::Display for WrongLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer does not have the length that it was announced with")
    }
}

impl std::error::Error for WrongLength {}

impl AnswerBody {
    /// An answer whose memory is charged to `held`.
    pub(crate) fn new(answer: Answer, held: Held) -> Self {
        Self {
            left: answer.length(),
            chunks: answer.into_chunks(),
            held: Arc::new(held),
            _answering: None,
        }
    }

    /// Lets the connection count the answer as under way until this body is dropped.
    pub(crate) fn noted_in(self, activity: &Arc<Activity>) -> Self {
        Self {
            _answering: Some(activity.answers()),
            ..self
        }
    }
}

impl Body for AnswerBody {
    type Data = Portion;
    type Error = WrongLength;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Portion>, WrongLength>>> {
        let Some(bytes) = self.chunks.next() else {
            let ended = if self.left == 0 {
                None
            } else {
                Some(Err(WrongLength))
            };
            return Poll::Ready(ended);
        };
        let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
            return Poll::Ready(Some(Err(WrongLength)));
        };
        self.left = left;
        let held = Arc::clone(&self.held);
        Poll::Ready(Some(Ok(Frame::data(Portion { bytes, held }))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl Buf for Portion {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.held.sent(count);
    }
}
