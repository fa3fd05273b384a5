use std::time::Duration;

use crate::fixture::{LIST_STREAMS, Socket, ask, start};

const SOON: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let server = start(|limits| limits.first_byte = SOON).await;
    let mut socket = Socket::connect(&server).await;
    assert_eq!(socket.closed().await, b"");
}

#[tokio::test]
async fn a_connection_that_says_half_a_preface_is_closed() {
    let server = start(|limits| limits.first_byte = SOON).await;
    let mut socket = Socket::connect(&server).await;
    socket.send("PR").await;
    assert_eq!(socket.closed().await, b"");
}

#[tokio::test]
async fn headers_that_do_not_come_to_an_end_are_not_waited_for() {
    let server = start(|limits| limits.head = SOON).await;
    let mut socket = Socket::connect(&server).await;
    socket.send("POST / HTTP/1.1\r\nHost: local").await;
    assert_eq!(socket.closed().await, b"");
}

#[tokio::test]
async fn headers_of_a_later_request_have_the_same_deadline() {
    let server = start(|limits| limits.head = SOON).await;
    let mut socket = Socket::connect(&server).await;
    socket
        .send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!(socket.answer().await.status, 200);
    socket.send("GET /hea").await;
    assert_eq!(socket.closed().await, b"");
}

#[tokio::test]
async fn a_connection_without_requests_is_closed_after_a_while() {
    let server = start(|limits| limits.idle = SOON).await;
    let mut socket = Socket::connect(&server).await;
    socket
        .send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!(socket.answer().await.status, 200);
    assert_eq!(socket.closed().await, b"");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let server = start(|limits| limits.body_grace = SOON).await;
    let answer = ask(
        &server,
        &format!("{LIST_STREAMS}Content-Length: 9\r\n\r\n{{"),
    )
    .await;
    assert_eq!(answer.status, 408);
    assert_eq!(answer.code(), "RequestTimeoutException");
}

/// What came fast was once saved up: whoever had sent a lot could be silent for a minute.
#[tokio::test]
async fn a_body_that_stops_is_not_waited_for_however_much_of_it_has_come() {
    let server = start(|limits| limits.body_grace = SOON).await;
    let most = "x".repeat(1_000_000);
    let request = format!("{LIST_STREAMS}Content-Length: 1000001\r\n\r\n{most}");
    let answer = ask(&server, &request).await;
    assert_eq!(answer.code(), "RequestTimeoutException");
}

#[tokio::test]
async fn a_body_has_a_deadline_however_fast_it_comes() {
    let server = start(|limits| limits.body = SOON).await;
    let half = "x".repeat(100_000);
    let request = format!("{LIST_STREAMS}Content-Length: 200000\r\n\r\n{half}");
    assert_eq!(ask(&server, &request).await.status, 408);
}
