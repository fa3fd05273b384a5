//! Clients that read slowly and steadily, and what they do not read beside it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use millrace_server::{Limits, Running};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use types::ManualClock;

use crate::answers::{ANSWER_BYTES, fill, until};
use crate::fixture::{LIST_STREAMS, NOW, PATIENCE, call, start, start_by};

/// What a client's side takes ahead of it; the system doubles it.
const CLIENT_BUFFER_BYTES: u32 = 64 * 1024;
/// What a client reads at a time.
const READ_BYTES: usize = 64 * 1024;
/// Bytes that may be on their way to a client that reads nothing.
const AHEAD_BYTES_MAX: usize = 512 * 1024;
/// By the test's clock, and so short that the server looks at its answers every millisecond.
const GRACE: Duration = Duration::from_millis(8);
const BYTES_PER_SECOND_MIN: u64 = 30 * 1024 * 1024;
/// In which a client reads [`READ_BYTES`]: one that keeps the pace has twice as long.
const READ_TIME: Duration = Duration::from_millis(1);

fn hurried(limits: &mut Limits) {
    limits.answer_grace = GRACE;
    limits.answer_bytes_per_second_min = BYTES_PER_SECOND_MIN;
}

async fn connect(server: &Running) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(CLIENT_BUFFER_BYTES).unwrap();
    socket.connect(server.address()).await.unwrap()
}

/// So much time passes for a client that has read, and the server goes on meanwhile.
async fn pass(server: &Running, clock: &ManualClock) {
    clock.advance(READ_TIME);
    call(server, "ListStreams", json!({})).await;
}

/// Asks for records over HTTP/1.1, and reads how long the answer is.
async fn ask_for_records(server: &Running, input: &Value) -> (TcpStream, usize) {
    let mut socket = connect(server).await;
    let (head, body) = (
        LIST_STREAMS.replace("ListStreams", "GetRecords"),
        input.to_string(),
    );
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, socket.read_u8()).await.unwrap().unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length: "));
    (socket, length.unwrap().parse().unwrap())
}

/// The kernel took 2.6 to 4 MB of an answer: for a minute of a client that read 60 KB/s nothing
/// seemed to move, and a ping lay behind them.
#[tokio::test]
async fn a_socket_takes_little_ahead_of_its_client() {
    let server = start(|_| {}).await;
    let input = fill(&server).await;
    let (_socket, length) = ask_for_records(&server, &input).await;
    for _ in 0..20 {
        call(&server, "ListStreams", json!({})).await;
        let taken = length.saturating_sub(server.in_flight_bytes());
        assert!(taken <= AHEAD_BYTES_MAX, "{taken}");
    }
}

#[tokio::test]
async fn a_client_that_reads_slowly_and_keeps_the_pace_is_answered_whole() {
    let clock = Arc::new(ManualClock::new(NOW));
    let server = start_by(&clock, hurried).await;
    let input = fill(&server).await;
    let (mut socket, mut left) = ask_for_records(&server, &input).await;
    assert!(left > ANSWER_BYTES);
    let mut read = vec![0; READ_BYTES];
    while left > 0 {
        let count = left.min(READ_BYTES);
        let whole = timeout(PATIENCE, socket.read_exact(&mut read[..count])).await;
        let whole = whole.unwrap();
        assert!(whole.is_ok(), "{left} bytes before the end: {whole:?}");
        left -= count;
        pass(&server, &clock).await;
    }
}

/// How much a client may still read.
#[derive(Default)]
struct Meter(Mutex<(usize, Option<Waker>)>);

impl Meter {
    /// Reads so much, or to the end.
    async fn read(&self, bytes: usize, is_over: impl Fn() -> bool) {
        let waker = {
            let mut state = self.0.lock().unwrap();
            state.0 += bytes;
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        until(|| self.0.lock().unwrap().0 == 0 || is_over()).await;
    }
}

/// A socket of which no more is read than a meter says.
struct Metered(TcpStream, Arc<Meter>);

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let meter = Arc::clone(&self.1);
        let mut state = meter.0.lock().unwrap();
        if state.0 == 0 {
            state.1 = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let mut piece = vec![0; state.0.min(buffer.remaining())];
        let mut read = ReadBuf::new(&mut piece);
        let polled = Pin::new(&mut self.0).poll_read(cx, &mut read);
        buffer.put_slice(read.filled());
        state.0 -= read.filled().len();
        polled
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

type Client = SendRequest<Full<Bytes>>;

/// A client of HTTP/2 that reads by a meter, and takes so much of a stream before it asks for more.
async fn connect_metered(server: &Running, window_bytes: u32) -> (Client, Arc<Meter>) {
    let meter = Arc::<Meter>::default();
    let socket = Metered(connect(server).await, Arc::clone(&meter));
    let mut builder = http2::Builder::new(TokioExecutor::new());
    let client = builder
        .initial_stream_window_size(window_bytes)
        .initial_connection_window_size(64 * 1024 * 1024);
    let (client, connection) = client.handshake(TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    (client, meter)
}

async fn ask(
    mut client: Client,
    operation: &str,
    input: Value,
) -> hyper::Result<Response<Incoming>> {
    let request = Request::post("http://localhost/")
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", format!("Kinesis_20131202.{operation}"))
        .body(Full::from(input.to_string()));
    client.send_request(request.unwrap()).await
}

async fn take_records(client: Client, input: Value) -> hyper::Result<usize> {
    let answer = ask(client, "GetRecords", input).await?;
    Ok(answer.into_body().collect().await?.to_bytes().len())
}

/// The pace was asked of each answer: 200 of them wanted 3.3 MB/s of their client together.
#[tokio::test]
async fn answers_that_share_a_slow_connection_wait_for_each_other() {
    const ANSWERS: usize = 16;
    let clock = Arc::new(ManualClock::new(NOW));
    let server = start_by(&clock, hurried).await;
    let mut input = fill(&server).await;
    input["Limit"] = json!(1);
    let (client, meter) = connect_metered(&server, 4 * 1024 * 1024).await;
    let mut answers = JoinSet::new();
    for _ in 0..ANSWERS {
        answers.spawn(take_records(client.clone(), input.clone()));
    }
    let answers = tokio::spawn(answers.join_all());
    while !answers.is_finished() {
        meter.read(READ_BYTES, || answers.is_finished()).await;
        pass(&server, &clock).await;
    }
    for answer in answers.await.unwrap() {
        assert!(answer.unwrap() > ANSWER_BYTES / 12);
    }
}

/// Its task was over when its last bytes were handed on, and so the connection was ended for it.
#[tokio::test]
async fn a_stream_that_is_not_taken_is_reset_by_itself_though_all_of_it_was_handed_on() {
    const SHARDS: usize = 300;
    let clock = Arc::new(ManualClock::new(NOW));
    let server = start_by(&clock, hurried).await;
    let all = fill(&server).await;
    // Its answer is one piece, and more than the stream's window.
    let wide = json!({"StreamName": "wide"});
    let create = json!({"StreamName": "wide", "ShardCount": SHARDS});
    call(&server, "CreateStream", create).await;
    let active = async {
        let status = async || call(&server, "DescribeStreamSummary", wide.clone()).await;
        while status().await["StreamDescriptionSummary"]["StreamStatus"] != "ACTIVE" {}
    };
    timeout(PATIENCE, active).await.unwrap();
    let (client, meter) = connect_metered(&server, 16 * 1024).await;
    let untaken = tokio::spawn(ask(client.clone(), "ListShards", wide));
    meter.read(READ_BYTES, || untaken.is_finished()).await;
    let untaken = untaken.await.unwrap().unwrap();
    for _ in 0..2 {
        let taken = tokio::spawn(take_records(client.clone(), all.clone()));
        while !taken.is_finished() {
            meter.read(READ_BYTES, || taken.is_finished()).await;
            pass(&server, &clock).await;
        }
        assert!(taken.await.unwrap().unwrap() > ANSWER_BYTES);
    }
    assert!(untaken.into_body().collect().await.is_err());
}

/// They wait for its turns, and no longer.
#[tokio::test]
async fn a_stream_that_is_taken_does_not_keep_the_others_alive() {
    let clock = Arc::new(ManualClock::new(NOW));
    let server = start_by(&clock, hurried).await;
    let input = fill(&server).await;
    let (client, meter) = connect_metered(&server, 16 * 1024).await;
    let mut asked = JoinSet::new();
    for _ in 0..8 {
        asked.spawn(ask(client.clone(), "GetRecords", input.clone()));
    }
    let asked = tokio::spawn(asked.join_all());
    while !asked.is_finished() {
        meter.read(READ_BYTES, || asked.is_finished()).await;
    }
    let mut untaken: Vec<_> = asked
        .await
        .unwrap()
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert!(server.in_flight_bytes() > 7 * ANSWER_BYTES);
    let taken = untaken.pop().unwrap().into_body().collect();
    let taken = tokio::spawn(taken);
    while !taken.is_finished() {
        meter.read(READ_BYTES, || taken.is_finished()).await;
        pass(&server, &clock).await;
    }
    assert!(taken.await.unwrap().unwrap().to_bytes().len() > ANSWER_BYTES);
    assert_eq!(server.in_flight_bytes(), 0);
    for answer in untaken {
        assert!(answer.into_body().collect().await.is_err());
    }
}
