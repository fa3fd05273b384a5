//! Answers that nobody takes: how much memory they may have, and for how long.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use millrace_server::{Limits, Running};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use types::ManualClock;

use crate::fixture::{LIST_STREAMS, NOW, PATIENCE, Socket, call, metric, start, start_by};

const RECORDS: usize = 12;
const DATA_CHARS: usize = 1_000_000;
/// Of one GetRecords, at least.
pub const ANSWER_BYTES: usize = RECORDS * DATA_CHARS;
/// Bytes that the client of a stream takes of an answer before it asks for more.
const STREAM_WINDOW_BYTES: u32 = 16 * 1024;

/// Fills a stream and returns the input of a GetRecords that gives all of it.
pub async fn fill(server: &Running) -> Value {
    let name = json!({"StreamName": "s"});
    call(
        server,
        "CreateStream",
        json!({"StreamName": "s", "ShardCount": 1}),
    )
    .await;
    let active = async {
        loop {
            let answer = call(server, "DescribeStreamSummary", name.clone()).await;
            if answer["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE" {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, active).await.unwrap();
    let data = "A".repeat(DATA_CHARS);
    for _ in 0..RECORDS {
        let record = json!({"StreamName": "s", "PartitionKey": "k", "Data": data});
        call(server, "PutRecord", record).await;
    }
    let iterator = json!({
        "StreamName": "s",
        "ShardId": "shardId-000000000000",
        "ShardIteratorType": "TRIM_HORIZON",
    });
    let answer = call(server, "GetShardIterator", iterator).await;
    json!({"ShardIterator": answer["ShardIterator"]})
}

/// Asks for all records over a connection that has hardly any room for them.
async fn ask_deaf(server: &Running, input: &Value) -> Socket {
    let mut socket = Socket::connect_with_little_room(server).await;
    let body = input.to_string();
    let head = LIST_STREAMS.replace("ListStreams", "GetRecords");
    let length = body.len();
    socket
        .send(format!("{head}Content-Length: {length}\r\n\r\n{body}"))
        .await;
    socket
}

/// Answers that wait are in the budget, and whoever comes later is served all the same.
async fn others_are_served(server: &Running, input: &Value, bytes_max: usize) {
    until(|| server.in_flight_bytes() >= ANSWER_BYTES / 2).await;
    for _ in 0..10 {
        assert!(server.in_flight_bytes() <= bytes_max);
        call(server, "ListStreams", json!({})).await;
        let mut little = input.clone();
        little["Limit"] = json!(1);
        let answer = call(server, "GetRecords", little).await;
        assert_eq!(answer["Records"].as_array().unwrap().len(), 1);
        let told = metric(server, "millrace_in_flight_bytes").await;
        assert!(usize::try_from(told).unwrap() <= bytes_max);
    }
}

#[tokio::test]
async fn answers_that_wait_are_in_the_budget_and_others_are_served() {
    let bytes_max = 4 * ANSWER_BYTES;
    let server = start(|limits| limits.in_flight_bytes_max = bytes_max).await;
    let input = fill(&server).await;
    let mut deaf = Vec::new();
    for _ in 0..40 {
        deaf.push(ask_deaf(&server, &input).await);
    }
    others_are_served(&server, &input, bytes_max).await;
}

/// Waits until something is so.
pub async fn until(mut is_so: impl FnMut() -> bool) {
    let waits = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waits).await.unwrap();
}

#[tokio::test]
async fn answers_that_nobody_takes_are_given_up_and_their_memory_is_free() {
    const DEAF: usize = 10;
    let clock = Arc::new(ManualClock::new(NOW));
    let server = start_by(&clock, |limits| {
        limits.in_flight_bytes_max = 10 * DEAF * ANSWER_BYTES; // All of them find room.
    })
    .await;
    let input = fill(&server).await;
    let mut deaf = Vec::new();
    for _ in 0..DEAF {
        deaf.push(ask_deaf(&server, &input).await);
    }
    // What the system has buffered of an answer is no longer held.
    until(|| server.in_flight_bytes() > DEAF * ANSWER_BYTES / 2).await;
    let gone = until(|| {
        clock.advance(Limits::default().answer_grace);
        server.connections() == 0
    });
    gone.await;
    assert_eq!(server.in_flight_bytes(), 0);
}

/// Asks for all records `count` times over one connection whose streams have hardly any room.
async fn ask_over_http_2(server: &Running, input: &Value, count: usize) -> Vec<Incoming> {
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (client, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(16 * 1024 * 1024)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut bodies = Vec::new();
    for _ in 0..count {
        let request = Request::post("http://localhost/")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", "Kinesis_20131202.GetRecords")
            .body(Full::new(Bytes::from(input.to_string())))
            .unwrap();
        let mut client = client.clone();
        client.ready().await.unwrap();
        let response = client.send_request(request).await.unwrap();
        bodies.push(response.into_body());
    }
    bodies
}

#[tokio::test]
async fn one_connection_of_http_2_does_not_hold_it_all() {
    let bytes_max = 4 * ANSWER_BYTES;
    let server = start(|limits| limits.in_flight_bytes_max = bytes_max).await;
    let input = fill(&server).await;
    let _bodies = ask_over_http_2(&server, &input, 100).await;
    others_are_served(&server, &input, bytes_max).await;
}
