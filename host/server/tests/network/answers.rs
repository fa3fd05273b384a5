//! Answers that nobody takes: how much memory they may have, and for how long.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use millrace_server::Running;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::fixture::{LIST_STREAMS, PATIENCE, Socket, call, metric, start};

const RECORDS: usize = 12;
const DATA_CHARS: usize = 1_000_000;
/// Of one GetRecords, at least.
const ANSWER_BYTES: usize = RECORDS * DATA_CHARS;
const SOON: Duration = Duration::from_millis(500);

/// Fills a stream and returns the input of a GetRecords that gives all of it.
async fn fill(server: &Running) -> Value {
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
    let waits = async {
        while server.in_flight_bytes() < ANSWER_BYTES / 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waits).await.unwrap();
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

async fn no_connection_is_left(server: &Running) {
    let gone = async {
        while server.connections() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn answers_that_nobody_takes_are_given_up_and_their_memory_is_free() {
    let server = start(|limits| {
        limits.answer_grace = SOON;
        limits.in_flight_bytes_max = 200 * ANSWER_BYTES; // All of them find room.
    })
    .await;
    let input = fill(&server).await;
    let mut deaf = Vec::new();
    for _ in 0..40 {
        deaf.push(ask_deaf(&server, &input).await);
    }
    no_connection_is_left(&server).await;
    assert_eq!(server.in_flight_bytes(), 0);
}

/// Asks for all records `count` times over one connection whose streams have hardly any room.
async fn ask_over_http_2(server: &Running, input: &Value, count: usize) -> Vec<Incoming> {
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (client, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(512)
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

#[tokio::test]
async fn a_stream_that_moves_does_not_keep_the_others_alive() {
    let server = start(|limits| limits.answer_grace = 4 * SOON).await;
    let input = fill(&server).await;
    let mut bodies = ask_over_http_2(&server, &input, 8).await;
    let mut moving = bodies.pop().unwrap();
    let mut taken = 0;
    // Slower than the others are ended, and faster than it has to be.
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    while server.in_flight_bytes() > 2 * ANSWER_BYTES {
        ticks.tick().await;
        let frame = tokio::time::timeout(PATIENCE, moving.frame())
            .await
            .unwrap();
        let data = frame.unwrap().unwrap().into_data().unwrap();
        taken += data.len();
        assert!(
            taken < ANSWER_BYTES,
            "the others are held as long as this one"
        );
    }
    for mut body in bodies {
        let mut received = 0;
        while let Some(Ok(frame)) = body.frame().await {
            received += frame.into_data().unwrap().len();
        }
        assert!(received < ANSWER_BYTES, "{received}");
    }
    let rest = moving.collect().await.unwrap().to_bytes();
    assert!(taken + rest.len() >= ANSWER_BYTES);
}
