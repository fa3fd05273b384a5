//! Requests of one account that wait for something in the server, and what is left to the others.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use millrace_server::Running;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::fixture::{
    NEIGHBOUR, PATIENCE, RIGHT, Signature, Socket, ask_firehose, ask_signed, head, protected,
};

const MEBIBYTE: usize = 1024 * 1024;
const FLUSH: &str = "/_millrace/delivery-streams/stuck/flush";
/// As many as a connection may have open.
const STREAMS: usize = 250;

/// A server with so much memory and a delivery stream that never delivers: its store says nothing.
async fn stuck(in_flight_bytes_max: usize) -> (Running, TcpListener) {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let server = protected(|config| {
        config.limits.request_bytes_max = MEBIBYTE;
        config.limits.in_flight_bytes_max = in_flight_bytes_max;
        config.s3 = Some(delivery::objects::S3Config {
            endpoint: Some(endpoint),
            region: "eu-central-1".to_owned(),
            access_key_id: "key".to_owned(),
            secret_access_key: "secret".to_owned(),
            path_style: true,
        });
    })
    .await;
    let create = json!({
        "DeliveryStreamName": "stuck",
        "ExtendedS3DestinationConfiguration": {
            "RoleARN": "arn:aws:iam::000000000042:role/any",
            "BucketARN": "arn:aws:s3:::bucket",
        },
    });
    firehose(&server, "CreateDeliveryStream", &create).await;
    let active = async {
        let name = json!({"DeliveryStreamName": "stuck"});
        loop {
            let answer = firehose(&server, "DescribeDeliveryStream", &name).await;
            if answer["DeliveryStreamDescription"]["DeliveryStreamStatus"] == "ACTIVE" {
                return;
            }
        }
    };
    timeout(PATIENCE, active).await.unwrap();
    let record = json!({"DeliveryStreamName": "stuck", "Record": {"Data": "QQ=="}});
    firehose(&server, "PutRecord", &record).await;
    (server, silent)
}

async fn firehose(server: &Running, operation: &str, input: &Value) -> Value {
    let answer = ask_firehose(server, &RIGHT, operation, input).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

async fn is_answered(server: &Running, signature: &Signature) {
    for _ in 0..10 {
        let answer = ask_signed(server, signature, "ListStreams", &json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}

/// They were kept until the flush was over, all memory of them.
#[tokio::test]
async fn a_page_has_no_use_for_a_large_body() {
    let (server, _silent) = stuck(8 * MEBIBYTE).await;
    let body = " ".repeat(MEBIBYTE - 1);
    let lines = head(&RIGHT.post(&server, FLUSH, body.as_bytes()));
    let mut sockets = Vec::new();
    for _ in 0..8 {
        let mut socket = Socket::connect(&server).await;
        let length = body.len();
        socket
            .send(format!("{lines}Content-Length: {length}\r\n\r\n"))
            .await;
        socket.offer(body.as_bytes()).await;
        sockets.push(socket);
    }
    is_answered(&server, &NEIGHBOUR).await;
    is_answered(&server, &RIGHT).await;
    for mut socket in sockets {
        assert_eq!(socket.answer().await.status, 413);
    }
}

#[tokio::test]
async fn requests_of_one_account_that_wait_leave_room_for_others() {
    let (server, _silent) = stuck(MEBIBYTE).await;
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut asked = JoinSet::new();
    for _ in 0..STREAMS {
        let parts = RIGHT.post(&server, FLUSH, b"");
        let request = Request::from_parts(parts, Full::<Bytes>::default());
        let mut client = client.clone();
        asked.spawn(async move { client.send_request(request).await });
    }
    // All others wait.
    let refused = timeout(PATIENCE, asked.join_next()).await.unwrap();
    let refused = refused.unwrap().unwrap().unwrap();
    assert_eq!(refused.status(), 503);
    is_answered(&server, &NEIGHBOUR).await;
}
