//! One connection: which protocol it speaks, what it is doing, and when it has taken too long.
//!
//! hyper's own timers are not used for HTTP/1.1: its header deadline also runs while a connection
//! is idle, and it arms a timer for every request. Here a connection notes in [`Activity`] what
//! it does, which costs a few atomic writes, and one slow tick per connection looks at the notes.
//! A deadline is therefore noticed up to an eighth of it late.

mod refusal;
mod stream_tasks;
mod watched;

use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONNECTION;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use stream_tasks::StreamTasks;
use watched::Watched;

use crate::activity::{Activity, Verdict};
use crate::answer::AnswerBody;
use crate::budget::NoRoom;
use crate::ending::{Ending, Lever};
use crate::limits::{
    H2_CONNECTION_WINDOW_BYTES, H2_PENDING_RESETS_MAX, H2_PING_INTERVAL, H2_PING_TIMEOUT,
    H2_STREAM_WINDOW_BYTES, H2_STREAMS_MAX, HEAD_BYTES_MAX, HEADERS_MAX, Limits, read_bytes_max,
};
use crate::route::{Router, Visitor};
use crate::shutdown::Stage;
use crate::tls::{Agreed, Tls};
use crate::transport::Transport;

/// How an HTTP/2 connection begins; no method of HTTP/1.1 that we serve does.
const H2_PREFACE_START: &[u8; 3] = b"PRI";
/// How often a deadline is looked at before it is due.
const TICKS_PER_DEADLINE: u32 = 8;

/// An accepted connection, shared by the requests that came over it.
pub(crate) struct Connection {
    router: Arc<Router>,
    peer: IpAddr,
    is_encrypted: bool,
    activity: Arc<Activity>,
    ending: Arc<Ending>,
    stage: watch::Receiver<Stage>,
}

/// What a client speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    H1,
    H2,
}

/// How a connection is to end, or to go on with less.
enum End {
    /// Not yet: it is between requests, and shall give back its buffers meanwhile.
    Rest,
    /// Answer what was taken, then end.
    Ask,
    /// End now.
    Cut(&'static str),
}

impl Connection {
    pub(crate) fn new(router: Arc<Router>, peer: IpAddr, stage: watch::Receiver<Stage>) -> Self {
        Self {
            router,
            peer,
            is_encrypted: false,
            activity: Arc::new(Activity::new()),
            ending: Arc::new(Ending::new()),
            stage,
        }
    }

    /// Serves until either side ends the connection.
    pub(crate) async fn serve(self, stream: TcpStream, tls: Option<&Tls>) {
        let mut stage = self.stage.clone();
        let opened = tokio::select! {
            biased;
            opened = self.open(stream, tls) => opened,
            _ = stage.wait_for(|stage| *stage != Stage::Running) => return,
        };
        let connection = Arc::new(Self {
            is_encrypted: tls.is_some(),
            ..self
        });
        let ended = match opened {
            Ok((socket, Protocol::H2)) => connection.serve_h2(socket).await,
            Ok((socket, Protocol::H1)) => connection.serve_h1(socket).await,
            Err(reason) => Err(reason),
        };
        if let Err(reason) = ended {
            tracing::debug!(reason, "a connection was ended");
        }
    }

    /// Goes through the handshake, where TLS is spoken, and waits for the bytes that tell which
    /// protocol the client speaks, unless it said so. They are read again.
    async fn open(
        &self,
        stream: TcpStream,
        tls: Option<&Tls>,
    ) -> Result<(Watched, Protocol), String> {
        let (mut transport, agreed) = match tls {
            None => (Transport::Plain(stream), Agreed::Nothing),
            // A connection waits here but once, and would keep the room for it.
            Some(tls) => {
                let accept = tls.accept(stream, self.limits(), self.read_bytes_max());
                let accepted = Box::pin(accept).await;
                accepted.inspect_err(|_| self.router.telemetry().handshake_failed())?
            }
        };
        let first = timeout(self.limits().first_byte, first_bytes(&mut transport));
        let first = first.await.map_err(|_| "it sent nothing in time")?;
        let first = first.map_err(|error| error.to_string())?;
        self.router.telemetry().bytes_in(first.len());
        let protocol = match agreed {
            Agreed::H1 => Protocol::H1,
            Agreed::H2 => Protocol::H2,
            Agreed::Nothing if first == H2_PREFACE_START[..] => Protocol::H2,
            Agreed::Nothing => Protocol::H1,
        };
        Ok((self.watched(transport, first, protocol), protocol))
    }

    /// Serves requests, and between them keeps nothing but the socket: what hyper has read with it
    /// keeps, however long there is nothing to read.
    async fn serve_h1(self: Arc<Self>, socket: Watched) -> Result<(), String> {
        let mut overseer = Overseer::new(&self);
        let mut resting = socket;
        while let Some(rested) = self.serve_requests(resting, &mut overseer).await? {
            resting = rested;
            // Of a request that is there in part the rest may be long in coming, but is on its way.
            if resting.unused.is_empty() && !self.rest(&resting.transport, &mut overseer).await? {
                resting.transport.close().await;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Serves until either side ends the connection, or it rests: then the socket is given back.
    async fn serve_requests(
        self: &Arc<Self>,
        socket: Watched,
        overseer: &mut Overseer,
    ) -> Result<Option<Watched>, String> {
        let shared = Arc::clone(self);
        let service = service_fn(move |request| answer(Arc::clone(&shared), request));
        let mut http = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_headers(HEADERS_MAX)
            .max_header_size(HEAD_BYTES_MAX as usize)
            .max_buf_size(self.read_bytes_max())
            .serve_connection(TokioIo::new(socket), service);
        let ended = loop {
            let end = tokio::select! {
                biased;
                ended = &mut http => break ended,
                end = overseer.next() => end,
            };
            match end {
                End::Rest => {
                    let parts = http.into_parts();
                    let mut socket = parts.io.into_inner();
                    socket.put_back(parts.read_buf);
                    return Ok(Some(socket));
                }
                End::Ask => Pin::new(&mut http).graceful_shutdown(),
                End::Cut(reason) => return Err(reason.to_owned()),
            }
        };
        // Where there was no room for an answer, there is none that the client could miss.
        let is_answered = !ended.as_ref().is_err_and(hyper::Error::is_user);
        if is_answered && (ended.is_err() || self.activity.has_unread()) {
            http.into_parts().io.into_inner().transport.linger().await;
        }
        ended.map(|()| None).map_err(|error| error.to_string())
    }

    /// Waits for the next request. Returns whether one comes.
    async fn rest(&self, transport: &Transport, overseer: &mut Overseer) -> Result<bool, String> {
        let _rest = self.router.telemetry().connection_rests();
        loop {
            let end = tokio::select! {
                biased;
                readable = transport.readable() => {
                    return readable.map_err(|error| error.to_string());
                }
                end = overseer.next() => end,
            };
            match end {
                End::Rest => {}
                End::Ask => return Ok(false),
                End::Cut(reason) => return Err(reason.to_owned()),
            }
        }
    }

    async fn serve_h2(self: Arc<Self>, socket: Watched) -> Result<(), String> {
        let io = TokioIo::new(socket);
        let mut overseer = Overseer::new(&self);
        let shared = Arc::clone(&self);
        let service = service_fn(move |request| answer(Arc::clone(&shared), request));
        let frame_bytes_max = u32::try_from(self.read_bytes_max()).map_err(|e| e.to_string())?;
        let http = http2::Builder::new(StreamTasks::of(&self.ending))
            .timer(TokioTimer::new())
            .keep_alive_interval(H2_PING_INTERVAL)
            .keep_alive_timeout(H2_PING_TIMEOUT)
            .max_concurrent_streams(H2_STREAMS_MAX)
            .max_pending_accept_reset_streams(H2_PENDING_RESETS_MAX)
            .max_header_list_size(HEAD_BYTES_MAX)
            .initial_stream_window_size(H2_STREAM_WINDOW_BYTES)
            .initial_connection_window_size(H2_CONNECTION_WINDOW_BYTES)
            .max_frame_size(frame_bytes_max)
            .serve_connection(io, service);
        let mut http = pin!(http);
        loop {
            tokio::select! {
                biased;
                ended = http.as_mut() => return ended.map_err(|error| error.to_string()),
                end = overseer.next() => match end {
                    End::Rest => {}
                    End::Ask => http.as_mut().graceful_shutdown(),
                    End::Cut(reason) => return Err(reason.to_owned()),
                }
            }
        }
    }

    fn watched(&self, transport: Transport, unused: Bytes, protocol: Protocol) -> Watched {
        Watched {
            transport,
            unused,
            router: Arc::clone(&self.router),
            activity: Arc::clone(&self.activity),
            ending: Arc::clone(&self.ending),
            refusal: None,
            answered: Some(0),
            signs_of_life: protocol == Protocol::H1,
        }
    }

    fn limits(&self) -> &Limits {
        self.router.limits()
    }

    /// What it may read at once, as crowded as it is now.
    fn read_bytes_max(&self) -> usize {
        read_bytes_max(self.router.telemetry().connections())
    }
}

async fn answer(
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, NoRoom> {
    let _serving = connection.activity.serves();
    let visitor = Visitor {
        address: connection.peer,
        is_encrypted: connection.is_encrypted,
        lever: Lever {
            connection: Arc::clone(&connection.ending),
            stream: stream_tasks::current(),
        },
    };
    let stream = visitor.lever.stream.clone();
    let response = connection.router.dispatch(visitor, request).await?;
    if response.headers().contains_key(CONNECTION) {
        connection.activity.leaves_unread();
    }
    Ok(response.map(|body| {
        let body = body.noted_in(&connection.activity, &connection.stage);
        body.sent_over(stream)
    }))
}

/// Reads until it is certain whether the bytes are the beginning of [`H2_PREFACE_START`] or not.
async fn first_bytes(transport: &mut Transport) -> io::Result<Bytes> {
    let mut start = [0; H2_PREFACE_START.len()];
    let mut count = 0;
    while count < start.len() && H2_PREFACE_START.starts_with(&start[..count]) {
        let more = transport.read(&mut start[count..]).await?;
        if more == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        count += more;
    }
    Ok(Bytes::copy_from_slice(&start[..count]))
}

/// Tells when a connection is to end.
struct Overseer {
    connection: Arc<Connection>,
    stage: watch::Receiver<Stage>,
    ticks: Interval,
    asked: bool,
    /// Since when nothing moved, at the last tick.
    still_since: Option<u64>,
}

impl Overseer {
    fn new(connection: &Arc<Connection>) -> Self {
        let limits = connection.limits();
        let shortest = limits.head.min(limits.idle);
        // An interval of zero panics.
        let period = (shortest / TICKS_PER_DEADLINE).max(Duration::from_millis(1));
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            connection: Arc::clone(connection),
            stage: connection.stage.clone(),
            ticks,
            asked: false,
            still_since: None,
        }
    }

    /// Whether nothing was received, handled or sent since the tick before.
    fn is_at_rest(&mut self) -> bool {
        let still_since = self.connection.activity.still_since();
        let was_still_since = std::mem::replace(&mut self.still_since, still_since);
        still_since.is_some() && still_since == was_still_since && self.connection.ending.takes()
    }

    /// Loses nothing when it is dropped and called again.
    async fn next(&mut self) -> End {
        loop {
            tokio::select! {
                () = self.connection.ending.asked() => {
                    return End::Cut("the client does not take its answers");
                }
                _ = self.ticks.tick() => {
                    let limits = self.connection.limits();
                    match self.connection.activity.verdict(limits) {
                        Verdict::GoOn if self.is_at_rest() => return End::Rest,
                        Verdict::GoOn => {}
                        Verdict::Idle if self.asked => return End::Cut("it had nothing to do"),
                        Verdict::Idle => {
                            self.asked = true;
                            return End::Ask;
                        }
                        Verdict::Late(reason) => return End::Cut(reason),
                    }
                }
                changed = self.stage.changed() => {
                    let stage = *self.stage.borrow_and_update();
                    match changed {
                        Ok(()) if stage != Stage::Stopped => return End::Ask,
                        _ => return End::Cut("the server stops"),
                    }
                }
            }
        }
    }
}
