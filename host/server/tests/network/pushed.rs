//! Answers that are streams of events: what they may hold, and how they end.

use std::sync::Arc;
use std::time::Duration;

use millrace_server::{Limits, Running};
use serde_json::{Value, json};
use types::ManualClock;

use crate::fixture::{LIST_STREAMS, NOW, PATIENCE, Socket, call, metric, start, start_by};

const DATA_CHARS: usize = 1_000_000;
/// More than an event with one record of that size has.
const EVENT_BYTES: usize = DATA_CHARS + 1_024;
const STREAM: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/s";

/// A stream with a consumer; the input of a SubscribeToShard from its first record on.
async fn prepare(server: &Running) -> Value {
    prepare_with(server, 1).await
}

/// The same of the first of so many shards.
async fn prepare_with(server: &Running, shards: usize) -> Value {
    let stream = json!({"StreamName": "s", "ShardCount": shards});
    call(server, "CreateStream", stream).await;
    let active = async {
        loop {
            let summary = call(server, "DescribeStreamSummary", json!({"StreamName": "s"})).await;
            if summary["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE" {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, active).await.unwrap();
    let consumer = json!({"StreamARN": STREAM, "ConsumerName": "c"});
    let consumer = call(server, "RegisterStreamConsumer", consumer).await;
    json!({
        "ConsumerARN": consumer["Consumer"]["ConsumerARN"],
        "ShardId": "shardId-000000000000",
        "StartingPosition": {"Type": "TRIM_HORIZON"},
    })
}

async fn put(server: &Running) {
    let data = "A".repeat(DATA_CHARS);
    let record = json!({"StreamName": "s", "PartitionKey": "k", "Data": data});
    call(server, "PutRecord", record).await;
}

async fn subscribe(socket: &mut Socket, input: &Value) {
    let body = input.to_string();
    let head = LIST_STREAMS.replace("ListStreams", "SubscribeToShard");
    let length = body.len();
    let request = format!("{head}Content-Length: {length}\r\n\r\n{body}");
    socket.send(request).await;
}

async fn until(mut is_so: impl FnMut() -> bool) {
    let waits = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waits).await.unwrap();
}

async fn until_open(server: &Running, count: u64) {
    let open = async { while metric(server, "millrace_subscriptions").await != count {} };
    tokio::time::timeout(PATIENCE, open).await.unwrap();
}

#[tokio::test]
async fn a_consumer_that_does_not_read_holds_an_event_or_two_and_is_cut_off() {
    let clock = Arc::new(ManualClock::new(NOW));
    let server = start_by(&clock, |_| {}).await;
    let input = prepare(&server).await;
    let mut deaf = Socket::connect_with_little_room(&server).await;
    subscribe(&mut deaf, &input).await;
    until_open(&server, 1).await;
    for _ in 0..20 {
        put(&server).await;
    }
    until(|| server.in_flight_bytes() > EVENT_BYTES / 2).await;
    assert!(server.in_flight_bytes() < 3 * EVENT_BYTES);
    until(|| {
        clock.advance(Limits::default().answer_grace);
        server.connections() == 0
    })
    .await;
    assert_eq!(server.in_flight_bytes(), 0);
}

#[tokio::test]
async fn a_consumer_that_waits_for_records_is_left_alone_however_long() {
    let clock = Arc::new(ManualClock::new(NOW));
    let server = start_by(&clock, |limits| limits.idle = Duration::from_millis(1)).await;
    let input = prepare(&server).await;
    let mut socket = Socket::connect(&server).await;
    subscribe(&mut socket, &input).await;
    until_open(&server, 1).await;
    // Less than a subscription lasts, and more than an answer may wait.
    clock.advance(Duration::from_secs(200));
    for _ in 0..100 {
        call(&server, "ListStreams", json!({})).await;
    }
    assert_eq!(metric(&server, "millrace_subscriptions").await, 1);
    put(&server).await;
    let pushed = async {
        while metric(&server, "millrace_subscribe_to_shard_event_records_total").await != 1 {}
    };
    tokio::time::timeout(PATIENCE, pushed).await.unwrap();
    // Five minutes are over: it ends well, with what was put in time.
    clock.advance(Duration::from_secs(200));
    put(&server).await;
    let said = socket.ends_well().await.len();
    assert!((DATA_CHARS..2 * DATA_CHARS).contains(&said), "{said}");
}

/// Of an event more room may be taken than it needs, and what is left of that would be waited for.
#[tokio::test]
async fn a_consumer_that_has_taken_everything_holds_what_it_held_before() {
    let server = start(|_| {}).await;
    let input = prepare(&server).await;
    let mut first = Socket::connect(&server).await;
    subscribe(&mut first, &input).await;
    until_open(&server, 1).await;
    let at_rest = server.in_flight_bytes();
    assert!(at_rest > 0);
    for count in 1..4 {
        let record = json!({"StreamName": "s", "PartitionKey": "k", "Data": "AAAA"});
        call(&server, "PutRecord", record).await;
        let pushed = async {
            let name = "millrace_subscribe_to_shard_event_records_total";
            while metric(&server, name).await != count {}
        };
        tokio::time::timeout(PATIENCE, pushed).await.unwrap();
        until(|| server.in_flight_bytes() == at_rest).await;
    }
}

#[tokio::test]
async fn what_is_pushed_ends_when_its_client_goes() {
    let server = start(|_| {}).await;
    let input = prepare(&server).await;
    let mut socket = Socket::connect(&server).await;
    subscribe(&mut socket, &input).await;
    until_open(&server, 1).await;
    drop(socket);
    until_open(&server, 0).await;
    until(|| server.in_flight_bytes() == 0).await;
}

#[tokio::test]
async fn a_server_that_stops_ends_what_it_pushes_and_does_not_wait_for_it() {
    let server = start(|limits| limits.drain = Duration::from_secs(3_600)).await;
    let input = prepare(&server).await;
    let mut socket = Socket::connect(&server).await;
    subscribe(&mut socket, &input).await;
    until_open(&server, 1).await;
    let stopped = tokio::time::timeout(PATIENCE, server.shut_down()).await;
    stopped.unwrap().unwrap();
    socket.ends_well().await;
}

/// 32,000 subscriptions that waited for records stopped the puts of their account.
#[tokio::test]
async fn subscriptions_at_rest_are_refused_by_name_before_they_stop_what_their_account_does() {
    const SHARDS: usize = 200;
    let server = start(|limits| {
        limits.request_bytes_max = 256 * 1024;
        limits.in_flight_bytes_max = 1024 * 1024;
    })
    .await;
    let mut input = prepare_with(&server, SHARDS).await;
    let mut open = Vec::new();
    let mut shards = 0..SHARDS;
    let refused = loop {
        let shard = shards.next().expect("one is refused");
        input["ShardId"] = json!(format!("shardId-{shard:012}"));
        let mut socket = Socket::connect(&server).await;
        subscribe(&mut socket, &input).await;
        let head = socket.head().await;
        if !head.starts_with("HTTP/1.1 200") {
            break socket.answer_after(head).await;
        }
        open.push(socket);
    };
    assert_eq!(refused.status, 400);
    assert_eq!(refused.code(), "LimitExceededException");
    assert!(open.len() > 5, "{}", open.len());
    // What is put finds room for its body, and is read.
    let data = "A".repeat(150_000);
    let record = json!({"StreamName": "s", "PartitionKey": "k", "Data": data});
    call(&server, "PutRecord", record).await;
    // Another one may begin once one has ended.
    let count = open.len() as u64;
    until_open(&server, count).await;
    drop(open.pop());
    until_open(&server, count - 1).await;
    let mut socket = Socket::connect(&server).await;
    subscribe(&mut socket, &input).await;
    assert!(socket.head().await.starts_with("HTTP/1.1 200"));
}

/// GetRecords asked for up to 10 MiB whatever an answer may hold, and was refused for ever.
#[tokio::test]
async fn a_backlog_is_read_bit_by_bit_where_no_answer_may_hold_it_whole() {
    const RECORDS: usize = 12;
    let server = start(|limits| {
        limits.request_bytes_max = 2 * 1024 * 1024;
        limits.in_flight_bytes_max = 8 * 1024 * 1024;
    })
    .await;
    prepare(&server).await;
    for _ in 0..RECORDS {
        put(&server).await;
    }
    let first = json!({
        "StreamName": "s", "ShardId": "shardId-000000000000",
        "ShardIteratorType": "TRIM_HORIZON",
    });
    let first = call(&server, "GetShardIterator", first).await;
    let (mut iterator, mut read, mut answers) = (first["ShardIterator"].clone(), 0, 0);
    while read < RECORDS {
        let input = json!({"ShardIterator": iterator});
        let answer = call(&server, "GetRecords", input).await;
        let records = answer["Records"].as_array().unwrap().len();
        assert!(records > 0);
        (read, answers) = (read + records, answers + 1);
        iterator = answer["NextShardIterator"].clone();
    }
    assert_eq!(read, RECORDS);
    assert!(answers > 2, "{answers}");
}
