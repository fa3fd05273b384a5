use std::net::SocketAddr;
use std::time::Duration;

use millrace_server::StartError;
use tokio::time::timeout;

use crate::fixture::{LIST_STREAMS, PATIENCE, Socket, ask, config, metric, start, try_start};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test]
async fn a_connection_over_the_limit_is_closed_and_the_others_go_on() {
    let server = start(|limits| limits.connections_max = 2).await;
    let (mut one, mut two) = (
        Socket::connect(&server).await,
        Socket::connect(&server).await,
    );
    for socket in [&mut one, &mut two] {
        socket.send(HEALTH).await;
        assert_eq!(socket.answer().await.status, 200);
    }
    let mut three = Socket::connect(&server).await;
    assert_eq!(three.closed().await, b"");
    one.send(HEALTH).await;
    assert_eq!(one.answer().await.status, 200);
}

#[tokio::test]
async fn the_place_of_a_closed_connection_is_free_again() {
    let server = start(|limits| limits.connections_max = 1).await;
    for _ in 0..20 {
        let mut socket = Socket::connect(&server).await;
        socket
            .send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await;
        // The answer may come before the place is given back, the end of the connection after.
        assert!(socket.closed().await.starts_with(b"HTTP/1.1 200 "));
        drop(socket);
        wait_for_connections(&server, 0).await;
    }
}

/// The server learns a moment later than we that a connection is over.
async fn wait_for_connections(server: &millrace_server::Running, count: usize) {
    let gone = async {
        while server.connections() > count {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn clients_of_this_machine_are_not_limited_by_their_address() {
    let server = start(|limits| limits.connections_per_address_max = 1).await;
    let mut sockets = Vec::new();
    for _ in 0..3 {
        let mut socket = Socket::connect(&server).await;
        socket.send(HEALTH).await;
        assert_eq!(socket.answer().await.status, 200);
        sockets.push(socket);
    }
}

#[tokio::test]
async fn a_request_may_come_byte_by_byte() {
    let server = start(|_| {}).await;
    let mut socket = Socket::connect(&server).await;
    for byte in HEALTH.as_bytes() {
        socket.send([*byte]).await;
    }
    assert_eq!(socket.answer().await.status, 200);
}

/// 3,000 connections with nothing to do held 256 MB, each the buffer of its last request.
#[tokio::test]
async fn a_connection_keeps_no_buffer_between_its_requests() {
    let server = start(|limits| limits.head = Duration::from_secs(1)).await;
    let resting = |count| {
        let server = &server;
        async move { while metric(server, "millrace_connections_at_rest").await != count {} }
    };
    let mut sockets = Vec::new();
    for _ in 0..3 {
        sockets.push(Socket::connect(&server).await);
    }
    for _ in 0..3 {
        for socket in &mut sockets {
            let (length, body) = (600_000, "{}".to_owned() + &" ".repeat(600_000 - 2));
            socket
                .send(format!(
                    "{LIST_STREAMS}Content-Length: {length}\r\n\r\n{body}"
                ))
                .await;
            assert_eq!(socket.answer().await.status, 200);
        }
        timeout(PATIENCE, resting(3)).await.unwrap();
    }
    drop(sockets.pop());
    timeout(PATIENCE, resting(2)).await.unwrap();
    wait_for_connections(&server, 2).await;
}

/// The deadline began with a request's first byte, unless that came with the request before: then
/// the connection and its buffer were kept for as long as one may have nothing to do.
#[tokio::test]
async fn headers_that_began_behind_another_request_have_a_deadline_too() {
    let server = start(|limits| limits.head = Duration::from_millis(400)).await;
    let mut socket = Socket::connect(&server).await;
    socket.send(format!("{HEALTH}GET /heal")).await;
    assert_eq!(socket.answer().await.status, 200);
    assert_eq!(socket.closed().await, b"");
}

#[tokio::test]
async fn without_credentials_only_loopback_is_listened_on() {
    let mut config = config();
    config.listen = SocketAddr::from(([0, 0, 0, 0], 0));
    let error = try_start(config).await.err().unwrap();
    assert!(matches!(error, StartError::Unprotected(_)));
    assert!(error.to_string().contains("0.0.0.0:0"));
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let server = start(|_| {}).await;
    let mut config = config();
    config.listen = server.address();
    let error = try_start(config).await.err().unwrap();
    assert!(
        error.to_string().contains(&server.address().to_string()),
        "{error}"
    );
    assert_eq!(ask(&server, HEALTH).await.status, 200);
}
