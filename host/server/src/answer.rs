//! An answer's body on its way out.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use wire::{Answer, Chunks};

use crate::connection::Connection;

/// The bytes of an answer with their number known in advance, made as they are sent.
pub(crate) struct AnswerBody {
    left: u64,
    chunks: Chunks,
    noted_by: Option<Arc<Connection>>,
}

impl AnswerBody {
    /// The answer's place in its connection is noted there until it is sent.
    pub(crate) fn noted_by(mut self, connection: &Arc<Connection>) -> Self {
        connection.activity.answer_begins();
        self.noted_by = Some(Arc::clone(connection));
        self
    }
}

impl From<Answer> for AnswerBody {
    fn from(answer: Answer) -> Self {
        Self {
            left: answer.length(),
            chunks: answer.into_chunks(),
            noted_by: None,
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = self.chunks.next();
        if let Some(chunk) = &chunk {
            let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            self.left = self.left.saturating_sub(length);
        }
        if let Some(connection) = &self.noted_by {
            connection.activity.moves();
        }
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        if let Some(connection) = &self.noted_by {
            connection.activity.answer_ends();
        }
    }
}
