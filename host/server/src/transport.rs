//! What HTTP is spoken over, and what can be done with it below HTTP.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use crate::limits::{UNACKNOWLEDGED_TIME_MAX, UNSENT_BYTES_MAX};

/// How long we go on reading from a client that was answered before it had sent all of its
/// request; if we closed at once, it might never see the answer.
const LINGER: Duration = Duration::from_secs(2);
/// Bytes that we go on reading in that time.
const LINGER_BYTES_MAX: usize = 64 * 1024 * 1024;
const LINGER_READ_BYTES: usize = 64 * 1024;

/// Lets a socket send at once, take little ahead of its client, and end when nobody is there.
pub(crate) fn set_up(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX)?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_TIME_MAX))
}

/// A connection's bytes as HTTP reads and writes them.
pub(crate) enum Transport {
    /// The socket's own.
    Plain(TcpStream),
    /// Those within TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    /// Waits until there is something to read, and takes nothing. Returns `false` when there is
    /// only the end.
    pub(crate) async fn readable(&self) -> io::Result<bool> {
        if let Self::Tls(stream) = self
            && !stream.get_ref().1.wants_read()
        {
            return Ok(true); // It has been taken from the socket already.
        }
        let mut first_byte = [0];
        Ok(self.tcp().peek(&mut first_byte).await? > 0)
    }

    /// Tells the client that nothing more comes, unless the socket has no room for that.
    pub(crate) async fn close(mut self) {
        poll_fn(|cx| {
            // Whether or not the client hears it, the connection ends.
            let _ = Pin::new(&mut self).poll_shutdown(cx);
            Poll::Ready(())
        })
        .await;
    }

    /// Reads on until the client ends its side, too. Our side is shut down already.
    pub(crate) async fn linger(self) {
        linger(self.into_tcp()).await;
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }

    fn into_tcp(self) -> TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.into_inner().0,
        }
    }
}

/// Reads and drops what still comes, within bounds.
pub(crate) async fn linger(mut stream: TcpStream) {
    let mut dropped = vec![0; LINGER_READ_BYTES];
    let mut left = LINGER_BYTES_MAX;
    let read_on = async {
        while let Ok(count @ 1..) = stream.read(&mut dropped).await {
            left = left.saturating_sub(count);
            if left == 0 {
                return;
            }
        }
    };
    // Over the time is as good as done: the connection is dropped either way.
    let _ = timeout(LINGER, read_on).await;
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
