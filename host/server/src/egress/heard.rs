//! A connection of which no more is heard than an answer may have, whatever it consists of: heads
//! that say that another one follows have no end otherwise (RFC 9110, 15.2), nor have trailers.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::HEAD_BYTES_MAX;

/// Bytes of a chunk of one byte, with what stands around it, and some more.
const BYTES_PER_BYTE: usize = 8;

/// A connection, and bytes that may still come over it.
pub(super) struct Heard<S> {
    stream: S,
    left: usize,
}

impl<S> Heard<S> {
    /// One for the answer to a request, with a body of up to so many bytes.
    pub(super) fn new(stream: S, body_bytes_max: usize) -> Self {
        // Of the answer itself, and of one that says that it follows.
        let heads = 2 * HEAD_BYTES_MAX;
        Self {
            stream,
            left: heads.saturating_add(body_bytes_max.saturating_mul(BYTES_PER_BYTE)),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = to.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, to))?;
        let heard = to.filled().len() - before;
        match self.left.checked_sub(heard) {
            Some(left) => {
                self.left = left;
                Poll::Ready(Ok(()))
            }
            None => Poll::Ready(Err(io::Error::new(
                ErrorKind::InvalidData,
                "more comes than an answer may have",
            ))),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
