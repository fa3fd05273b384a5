//! Records whose bytes look like parts of HTTP: CBOR carries them as they are.

use base64_simd::STANDARD;
use millrace_server::Running;
use serde_json::json;

use crate::fixture::{LIST_STREAMS, PATIENCE, Socket, call, start};

/// What begins wherever a write of the body can, if it is long enough and moved by every phase.
const LOOKS_LIKE_A_HEAD: &str = "HTTP/1.1 400";
const DATA_BYTES: usize = 1_000_000;

/// The end of an answer without a body, and the whole of another.
fn key() -> String {
    let forged = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: {}\r\n\r\n",
        "f".repeat(49)
    );
    format!("content-length: 0\r\n{forged}")
}

async fn make_stream(server: &Running) {
    let input = json!({"StreamName": "s", "ShardCount": 1});
    call(server, "CreateStream", input).await;
    let active = async {
        loop {
            let answer = call(server, "DescribeStreamSummary", json!({"StreamName": "s"})).await;
            if answer["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE" {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, active).await.unwrap();
}

/// A request that asks in CBOR for the record alone that has this number.
async fn request(server: &Running, number: &str) -> Vec<u8> {
    let iterator = json!({
        "StreamName": "s",
        "ShardId": "shardId-000000000000",
        "ShardIteratorType": "AT_SEQUENCE_NUMBER",
        "StartingSequenceNumber": number,
    });
    let answer = call(server, "GetShardIterator", iterator).await;
    let iterator = answer["ShardIterator"].as_str().unwrap();
    let length = u16::try_from(iterator.len()).unwrap();
    let body = [
        &b"\xa2\x65Limit\x01\x6dShardIterator\x79"[..],
        &length.to_be_bytes(),
        iterator.as_bytes(),
    ]
    .concat();
    let head = LIST_STREAMS
        .replace("ListStreams", "GetRecords")
        .replace("amz-json", "amz-cbor");
    let head = format!("{head}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), &body].concat()
}

/// The last bytes of such a body came out as those of a refusal, with another body behind them.
#[tokio::test]
async fn a_record_that_looks_like_a_refusal_reaches_its_reader_as_it_is() {
    let server = start(|_| {}).await;
    make_stream(&server).await;
    let copies = DATA_BYTES / LOOKS_LIKE_A_HEAD.len();
    for phase in 0..LOOKS_LIKE_A_HEAD.len() {
        let data = "a".repeat(phase) + &LOOKS_LIKE_A_HEAD.repeat(copies);
        let data = STANDARD.encode_to_string(data);
        let record = json!({"StreamName": "s", "PartitionKey": key(), "Data": data});
        let put = call(&server, "PutRecord", record).await;
        let request = request(&server, put["SequenceNumber"].as_str().unwrap()).await;

        let mut socket = Socket::connect_with_little_room(&server).await;
        socket.send(&request).await;
        let head = socket.head().await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length = lengths.next().unwrap().1.parse().unwrap();
        let body = socket.bytes(length).await;
        let end = String::from_utf8_lossy(&body[length - 300..]).into_owned();
        assert!(body.ends_with(key().as_bytes()), "phase {phase}: {end}");

        // And the next answer is that to the next request.
        socket
            .send(format!("{LIST_STREAMS}Content-Length: 2\r\n\r\n{{}}"))
            .await;
        assert_eq!(socket.answer().await.json()["StreamNames"], json!(["s"]));
    }
}
