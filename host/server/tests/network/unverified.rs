//! Bodies whose signature has still to be checked, from clients that never finish them.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::Request;
use hyper::body::{Body, Frame, SizeHint};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use millrace_server::{Config, Limits, Running};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use types::Timestamp;

use crate::fixture::{
    GUESSED, LIST_STREAMS, NEIGHBOUR, NOW, PATIENCE, RIGHT, Signature, Socket, ask, ask_signed,
    call, head, protected, start,
};

const ATTACKERS: usize = 16;
const BODY_BYTES: usize = 1024 * 1024;

/// Little enough memory that the attackers' bodies do not fit in by far.
fn little_memory(limits: &mut Limits) {
    limits.request_bytes_max = BODY_BYTES;
    limits.in_flight_bytes_max = 8 * BODY_BYTES;
}

fn protected_with_little_memory(config: &mut Config) {
    little_memory(&mut config.limits);
}

fn lines(signature: &Signature, server: &Running) -> String {
    head(&signature.operation(server, "ListStreams", b"{}"))
}

/// Whoever cannot be right by the headers alone hears so at once: not a byte of the body has come,
/// and none is asked for.
#[tokio::test]
async fn what_the_headers_tell_is_answered_before_the_body_comes() {
    let server = protected(|_| {}).await;
    let right = lines(&RIGHT, &server);
    let stranger = Signature {
        key_id: "AKIDOTHER",
        ..RIGHT
    };
    let old = Signature {
        at: Timestamp(NOW.0 - 301_000),
        ..RIGHT
    };
    let other_service = Signature {
        service: "s3",
        ..RIGHT
    };
    let token = Signature {
        session_token: Some("t"),
        ..RIGHT
    };
    for (lines, code) in [
        (
            LIST_STREAMS.to_owned(),
            "MissingAuthenticationTokenException",
        ),
        (lines(&stranger, &server), "UnrecognizedClientException"),
        (lines(&token, &server), "UnrecognizedClientException"),
        (lines(&old, &server), "InvalidSignatureException"),
        (lines(&other_service, &server), "InvalidSignatureException"),
        (
            right.replace("Signature=", "Sig="),
            "IncompleteSignatureException",
        ),
        (
            right.replace("AWS4-HMAC-SHA256 ", "AWS4 "),
            "IncompleteSignatureException",
        ),
        (
            right.replace("ListStreams", "Fly"),
            "UnknownOperationException",
        ),
    ] {
        for body in [
            "Content-Length: 16777216\r\n",
            "Content-Length: 16777216\r\nExpect: 100-continue\r\n",
            "Content-Length: 2\r\nExpect: 100-continue\r\n",
            "Transfer-Encoding: chunked\r\n",
        ] {
            let mut socket = Socket::connect(&server).await;
            socket.send(format!("{lines}{body}\r\n")).await;
            let answer = socket.answer().await;
            assert_eq!(answer.code(), code, "{lines}{body}");
            assert_eq!(answer.header("connection"), Some("close"));
        }
    }
}

#[tokio::test]
async fn a_connection_goes_on_after_a_refused_request_with_a_small_body() {
    let server = protected(|_| {}).await;
    let mut socket = Socket::connect(&server).await;
    for lines in [LIST_STREAMS, &lines(&GUESSED, &server)] {
        socket
            .send(format!("{lines}Content-Length: 2\r\n\r\n{{}}"))
            .await;
        let answer = socket.answer().await;
        assert_eq!((answer.status, answer.header("connection")), (400, None));
    }
    let right = lines(&RIGHT, &server);
    socket
        .send(format!("{right}Content-Length: 2\r\n\r\n{{}}"))
        .await;
    assert_eq!(socket.answer().await.status, 200);
}

/// Sends all but the last byte of a body, as far as the server takes it, and stops.
async fn hang(server: &Running, lines: &str, is_chunked: bool) -> Socket {
    let mut socket = Socket::connect(server).await;
    let most = vec![b' '; BODY_BYTES - 1];
    if is_chunked {
        socket
            .send(format!(
                "{lines}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n",
                BODY_BYTES
            ))
            .await;
    } else {
        socket
            .send(format!("{lines}Content-Length: {BODY_BYTES}\r\n\r\n"))
            .await;
    }
    socket.offer(&most).await;
    socket
}

fn large_input() -> Value {
    json!({"Limit": 1, "NextToken": "x".repeat(BODY_BYTES / 2)})
}

/// The victims have the key id that the attackers know, and another, and are as near.
async fn victims_are_answered(server: &Running) {
    for victim in [&RIGHT, &NEIGHBOUR] {
        let answer = ask_signed(server, victim, "ListStreams", &json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        // No token of ours, but it was read: the answer is not that there is no room.
        let answer = ask_signed(server, victim, "ListStreams", &large_input()).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
}

#[tokio::test]
async fn bodies_without_a_signature_that_hang_take_nothing_from_others() {
    let server = protected(protected_with_little_memory).await;
    let mut attackers = Vec::new();
    for _ in 0..ATTACKERS {
        attackers.push(hang(&server, LIST_STREAMS, false).await);
    }
    victims_are_answered(&server).await;
}

#[tokio::test]
async fn bodies_with_a_known_key_that_hang_take_nothing_from_others() {
    for is_chunked in [false, true] {
        let server = protected(protected_with_little_memory).await;
        let guessed = lines(&GUESSED, &server);
        let mut attackers = Vec::new();
        for _ in 0..ATTACKERS {
            attackers.push(hang(&server, &guessed, is_chunked).await);
        }
        victims_are_answered(&server).await;
    }
}

#[tokio::test]
async fn without_credentials_bodies_that_hang_take_nothing_from_others() {
    let server = start(little_memory).await;
    let mut attackers = Vec::new();
    for _ in 0..ATTACKERS {
        attackers.push(hang(&server, LIST_STREAMS, false).await);
    }
    call(&server, "ListStreams", json!({})).await;
    let large = large_input().to_string();
    let length = large.len();
    let request = format!("{LIST_STREAMS}Content-Length: {length}\r\n\r\n{large}");
    let answer = ask(&server, &request).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
}

/// A body that gives most of what it announces, and then nothing.
struct Hanging(Option<Bytes>);

impl Body for Hanging {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.0.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None => Poll::Pending,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[tokio::test]
async fn streams_of_http_2_that_hang_take_nothing_from_others() {
    let server = protected(protected_with_little_memory).await;
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut asked = Vec::new();
    for _ in 0..ATTACKERS {
        let parts = GUESSED.operation(&server, "ListStreams", b"{}");
        let body = Hanging(Some(Bytes::from(vec![b' '; BODY_BYTES - 1])));
        let mut client = client.clone();
        asked.push(tokio::spawn(async move {
            client.send_request(Request::from_parts(parts, body)).await
        }));
    }
    let full = async {
        while server.in_flight_bytes() < BODY_BYTES {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, full).await.unwrap();
    victims_are_answered(&server).await;
    assert!(server.in_flight_bytes() <= 8 * BODY_BYTES);
}
