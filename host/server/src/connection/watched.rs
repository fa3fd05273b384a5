//! A connection whose traffic is counted and noted.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::refusal::Refusal;
use crate::activity::Activity;
use crate::ending::Ending;
use crate::route::Router;
use crate::transport::Transport;

/// Counts bytes for the metrics, and knows whether the client takes what is written.
pub(super) struct Watched {
    pub(super) transport: Transport,
    /// What was read from it and not yet used; it is read again first.
    pub(super) unused: Bytes,
    pub(super) router: Arc<Router>,
    pub(super) activity: Arc<Activity>,
    pub(super) ending: Arc<Ending>,
    /// What goes out in the place of a refusal without a body.
    pub(super) refusal: Option<Refusal>,
    /// How many requests had come when all answers to them had gone out. Until the next one comes,
    /// whatever is written is hyper's own; at any other time it may be bytes of a record, which can
    /// look like anything.
    pub(super) answered: Option<usize>,
    /// Over HTTP/1.1 bytes are signs of life; over HTTP/2 they are not, because pings and windows
    /// move them, too.
    pub(super) signs_of_life: bool,
}

impl Watched {
    /// Gives back what was read and not used.
    pub(super) fn put_back(&mut self, unused: Bytes) {
        // Copied, so that a few bytes do not keep the buffer that they were read into; what is
        // left of those that were put back before was not read yet.
        self.unused = [&unused[..], &self.unused[..]].concat().into();
    }

    /// Writes a refusal with its body where it is one without that is written; `None`: it is none.
    fn refuse(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Option<Poll<io::Result<usize>>> {
        let is_hypers = self.answered == Some(self.activity.requests());
        if self.refusal.is_none() && self.signs_of_life && is_hypers {
            self.refusal = Refusal::in_place_of(bytes, || self.router.ids.next());
        }
        self.refusal.is_some().then(|| self.write_refusal(cx))
    }

    fn write_refusal(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut replaced = 0;
        while let Some(mut refusal) = self.refusal.take() {
            let written = Pin::new(&mut self.transport).poll_write(cx, &refusal.unsent);
            let written = self.note_written(written);
            if let Poll::Ready(Ok(count @ 1..)) = written {
                refusal.unsent.advance(count);
                replaced = refusal.replaced;
            }
            if !refusal.unsent.is_empty() {
                self.refusal = Some(refusal);
            }
            if ready!(written)? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        Poll::Ready(Ok(replaced))
    }

    fn note_written(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(count)) => {
                self.router.telemetry().bytes_out(count);
                self.ending.is_free();
                if self.signs_of_life {
                    self.activity.moves();
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.ending.is_blocked(),
        }
        written
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.unused.is_empty() {
            let count = self.unused.len().min(buffer.remaining());
            buffer.put_slice(&self.unused.split_to(count));
            if self.signs_of_life {
                self.activity.bytes_came();
            }
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.transport).poll_read(cx, buffer);
        let count = buffer.filled().len() - before;
        if count > 0 {
            self.router.telemetry().bytes_in(count);
            if self.signs_of_life {
                self.activity.bytes_came();
            }
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(refused) = self.refuse(cx, bytes) {
            return refused;
        }
        let written = Pin::new(&mut self.transport).poll_write(cx, bytes);
        self.note_written(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [head] = slices
            && let Some(refused) = self.refuse(cx, head)
        {
            return refused;
        }
        let written = Pin::new(&mut self.transport).poll_write_vectored(cx, slices);
        self.note_written(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    /// hyper flushes once all that it had was written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.activity.has_answered() {
            self.answered = Some(self.activity.requests());
        }
        let flushed = Pin::new(&mut self.transport).poll_flush(cx);
        // TLS takes more than its socket does: until that has all of it, nothing may rest.
        match &flushed {
            Poll::Ready(_) => self.ending.is_free(),
            Poll::Pending => self.ending.is_blocked(),
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}
