use std::time::Duration;

use tokio::net::TcpStream;

use crate::fixture::{LIST_STREAMS, Socket, start};

#[tokio::test]
async fn a_request_under_way_is_answered_and_no_other_is_taken() {
    let server = start(|_| {}).await;
    let address = server.address();
    let mut socket = Socket::connect(&server).await;
    socket
        .send(format!(
            "{LIST_STREAMS}Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        ))
        .await;
    socket.continues().await; // The server has taken the request and waits for its body.
    let mut idle = Socket::connect(&server).await;
    let down = tokio::spawn(server.shut_down());
    assert_eq!(idle.closed().await, b"");
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    socket.send("{}").await;
    assert_eq!(socket.answer().await.status, 200);
    assert_eq!(socket.closed().await, b"");
    down.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_cut_off() {
    let server = start(|limits| limits.drain = Duration::from_millis(100)).await;
    let mut socket = Socket::connect(&server).await;
    socket
        .send(format!(
            "{LIST_STREAMS}Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        ))
        .await;
    socket.continues().await;
    server.shut_down().await.unwrap();
    assert_eq!(socket.closed().await, b"");
}
