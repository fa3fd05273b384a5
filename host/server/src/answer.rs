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
    held: Option<Arc<Held>>,
    /// Its connection knows that an answer is under way.
    _answering: Option<Answering>,
}

/// A stretch of an answer. Whoever writes it to a socket says how far it has come.
pub(crate) struct Portion {
    bytes: Bytes,
    held: Option<Arc<Held>>,
}

/// What makes an answer made more or fewer bytes than it said.
#[derive(Debug)]
pub(crate) struct WrongLength;

impl fmt::Display for WrongLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer does not have the length that it was announced with")
    }
}

impl std::error::Error for WrongLength {}

impl AnswerBody {
    /// The memory that the answer is charged to.
    pub(crate) fn held_by(self, held: Held) -> Self {
        Self {
            held: Some(Arc::new(held)),
            ..self
        }
    }

    /// An answer that is in the budget is under way as long as this body is. Others are a few
    /// bytes.
    pub(crate) fn noted_in(self, activity: &Arc<Activity>) -> Self {
        let answering = self.held.as_ref().map(|_| activity.answers());
        Self {
            _answering: answering,
            ..self
        }
    }
}

impl From<Answer> for AnswerBody {
    fn from(answer: Answer) -> Self {
        Self {
            left: answer.length(),
            chunks: answer.into_chunks(),
            held: None,
            _answering: None,
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
        let left = u64::try_from(bytes.len())
            .ok()
            .and_then(|length| self.left.checked_sub(length));
        let Some(left) = left else {
            return Poll::Ready(Some(Err(WrongLength)));
        };
        self.left = left;
        let held = self.held.clone();
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
        if let Some(held) = &self.held {
            held.sent(count);
        }
    }
}
