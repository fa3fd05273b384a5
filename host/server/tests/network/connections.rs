use std::net::SocketAddr;

use millrace_server::StartError;

use crate::fixture::{PATIENCE, Socket, ask, config, start, try_start};

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
        wait_for_no_connection(&server).await;
    }
}

/// The server learns a moment later than we that a connection is over.
async fn wait_for_no_connection(server: &millrace_server::Running) {
    let gone = async {
        while server.connections() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
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
