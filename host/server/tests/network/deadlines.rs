use std::time::Duration;

use serde_json::json;

use crate::fixture::{LIST_STREAMS, PATIENCE, Socket, ask, call, start};

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

#[tokio::test]
async fn a_body_has_a_deadline_however_fast_it_comes() {
    let server = start(|limits| limits.body = SOON).await;
    let half = "x".repeat(100_000);
    let request = format!("{LIST_STREAMS}Content-Length: 200000\r\n\r\n{half}");
    assert_eq!(ask(&server, &request).await.status, 408);
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_given_up() {
    let server = start(|limits| limits.answer_stall = SOON).await;
    call(
        &server,
        "CreateStream",
        json!({"StreamName": "s", "ShardCount": 1}),
    )
    .await;
    let active = async {
        let stream = json!({"StreamName": "s"});
        loop {
            let answer = call(&server, "DescribeStreamSummary", stream.clone()).await;
            if answer["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE" {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, active).await.unwrap();
    let data = "A".repeat(1_000_000);
    for _ in 0..12 {
        let record = json!({"StreamName": "s", "PartitionKey": "k", "Data": data});
        call(&server, "PutRecord", record).await;
    }
    let iterator = json!({
        "StreamName": "s",
        "ShardId": "shardId-000000000000",
        "ShardIteratorType": "TRIM_HORIZON",
    });
    let answer = call(&server, "GetShardIterator", iterator).await;
    let mut deaf = Socket::connect_with_little_room(&server).await;
    let body = json!({"ShardIterator": answer["ShardIterator"]}).to_string();
    let head = LIST_STREAMS.replace("ListStreams", "GetRecords");
    let length = body.len();
    deaf.send(format!("{head}Content-Length: {length}\r\n\r\n{body}"))
        .await;
    let gone = async {
        // The others are closed by their clients.
        while server.connections() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}
