//! Short answers that nobody takes, to clients that have proven nothing.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use millrace_server::{Limits, Running};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use types::ManualClock;

use crate::fixture::{
    NEIGHBOUR, NOW, PATIENCE, RIGHT, Signature, ask_signed, protected, start, start_by,
};

const MEBIBYTE: usize = 1024 * 1024;
const IN_FLIGHT_BYTES_MAX: usize = 8 * MEBIBYTE;
const CONNECTIONS: usize = 9;
/// As many as a connection may have open.
const STREAMS: usize = 250;

type Answered = hyper::Result<Response<Incoming>>;

/// A connection that takes headers, and not a byte of what follows.
async fn connect_deaf(server: &Running) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (client, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(0)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

/// Asks so often; what came of it. The answers wait as long as this is kept.
async fn ask_deaf(
    client: &SendRequest<Full<Bytes>>,
    count: usize,
    request: impl Fn() -> Request<Full<Bytes>>,
) -> Vec<Answered> {
    let mut asked = JoinSet::new();
    for _ in 0..count {
        let (mut client, request) = (client.clone(), request());
        asked.spawn(async move { client.send_request(request).await });
    }
    let all = tokio::time::timeout(PATIENCE, asked.join_all());
    all.await.unwrap()
}

fn unsigned() -> Request<Full<Bytes>> {
    Request::post("http://localhost/")
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", "Kinesis_20131202.ListStreams")
        .body(Full::default())
        .unwrap()
}

async fn call(
    server: &Running,
    signature: &Signature,
    operation: &str,
    input: Value,
) -> (u16, Value) {
    let answer = ask_signed(server, signature, operation, &input).await;
    (answer.status, answer.json())
}

async fn create_stream(server: &Running, signature: &Signature) {
    let create = json!({"StreamName": "s", "ShardCount": 1});
    assert_eq!(call(server, signature, "CreateStream", create).await.0, 200);
    let active = async {
        loop {
            let name = json!({"StreamName": "s"});
            let (_, answer) = call(server, signature, "DescribeStreamSummary", name).await;
            if answer["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE" {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, active).await.unwrap();
}

/// Refusals counted whether or not there was room for them: the next answer of anybody found none,
/// that to a put among them, whose record was kept all the same.
#[tokio::test]
async fn refusals_that_nobody_takes_take_nothing_from_those_who_sign() {
    let server = protected(|config| {
        config.limits.request_bytes_max = MEBIBYTE;
        config.limits.in_flight_bytes_max = IN_FLIGHT_BYTES_MAX;
    })
    .await;
    for signature in [&RIGHT, &NEIGHBOUR] {
        create_stream(&server, signature).await;
    }
    let mut untaken = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = connect_deaf(&server).await;
        untaken.push((ask_deaf(&client, STREAMS, unsigned).await, client));
        assert!(server.in_flight_bytes() <= IN_FLIGHT_BYTES_MAX);
    }
    let refused = untaken.iter().flat_map(|(answered, _)| answered).flatten();
    assert!(refused.count() > 0, "some find room");
    let many = json!({"Data": "A".repeat(1000), "PartitionKey": "k"});
    for signature in [&RIGHT, &NEIGHBOUR] {
        for _ in 0..10 {
            let one = json!({"StreamName": "s", "Data": "QQ==", "PartitionKey": "k"});
            assert_eq!(call(&server, signature, "PutRecord", one).await.0, 200);
        }
        let many = json!({"StreamName": "s", "Records": vec![many.clone(); 500]});
        assert_eq!(call(&server, signature, "PutRecords", many).await.0, 200);
        let iterator = json!({
            "StreamName": "s",
            "ShardId": "shardId-000000000000",
            "ShardIteratorType": "TRIM_HORIZON",
        });
        let (_, iterator) = call(&server, signature, "GetShardIterator", iterator).await;
        let iterator = json!({"ShardIterator": iterator["ShardIterator"]});
        let (status, records) = call(&server, signature, "GetRecords", iterator).await;
        assert_eq!(status, 200, "{records}");
        assert_eq!(records["Records"].as_array().unwrap().len(), 510);
    }
}

/// What is answered without an operation, and with which status.
fn without_operation() -> Vec<(Request<Full<Bytes>>, u16)> {
    let get = |uri: &str| Request::get(uri).body(Full::default()).unwrap();
    let put = Request::put("http://localhost/healthz").body(Full::default());
    let foreign = Request::post("http://localhost/").header("origin", "https://evil.example");
    vec![
        (get("http://localhost/healthz"), 200),
        (get("http://localhost/nothing"), 403),
        (put.unwrap(), 405),
        (get("http://evil.example/healthz"), 400),
        (foreign.body(Full::default()).unwrap(), 403),
    ]
}

/// Such answers were in no budget, and no deadline was theirs.
#[tokio::test]
async fn every_answer_that_waits_is_counted() {
    for (request, status) in without_operation() {
        let server = start(|_| {}).await;
        let client = connect_deaf(&server).await;
        let answered = ask_deaf(&client, STREAMS, || request.clone()).await;
        for answer in &answered {
            assert_eq!(answer.as_ref().unwrap().status(), status);
        }
        let bytes = server.in_flight_bytes();
        assert!(bytes > STREAMS * 1024, "{status}: {bytes}");
    }
}

#[tokio::test]
async fn every_answer_that_nobody_takes_is_given_up() {
    for (request, status) in without_operation() {
        let clock = Arc::new(ManualClock::new(NOW));
        let server = start_by(&clock, |_| {}).await;
        let client = connect_deaf(&server).await;
        let answers = ask_deaf(&client, 3, || request.clone()).await;
        clock.advance(Limits::default().answer_grace);
        for answer in answers {
            let body = answer.unwrap().into_body().collect();
            let ended = tokio::time::timeout(PATIENCE, body).await.unwrap();
            assert!(ended.is_err(), "{status}");
        }
        assert_eq!(server.in_flight_bytes(), 0);
    }
}
