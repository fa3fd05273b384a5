//! A socket whose traffic is counted and noted.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::Connection;

/// Counts bytes for the metrics. Over HTTP/1.1 bytes are also signs of life; over HTTP/2 they are
/// not, because pings and windows move them, too.
pub(super) struct Watched {
    stream: TcpStream,
    connection: Arc<Connection>,
    signs_of_life: bool,
}

impl Watched {
    pub(super) fn h1(stream: TcpStream, connection: Arc<Connection>) -> Self {
        Self {
            stream,
            connection,
            signs_of_life: true,
        }
    }

    pub(super) fn h2(stream: TcpStream, connection: Arc<Connection>) -> Self {
        Self {
            stream,
            connection,
            signs_of_life: false,
        }
    }

    pub(super) fn into_inner(self) -> TcpStream {
        self.stream
    }

    fn note_written(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = written {
            self.connection.router.telemetry().bytes_out(count);
            if self.signs_of_life {
                self.connection.activity.moves();
            }
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
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let count = buffer.filled().len() - before;
        if count > 0 {
            self.connection.router.telemetry().bytes_in(count);
            if self.signs_of_life {
                self.connection.activity.bytes_came();
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
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note_written(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note_written(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
