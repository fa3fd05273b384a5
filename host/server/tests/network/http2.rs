use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use millrace_server::Running;
use tokio::net::TcpStream;

use crate::fixture::{Socket, start};

async fn connect(server: &Running) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

fn list_streams(body: Bytes) -> Request<Full<Bytes>> {
    Request::post("http://localhost/")
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", "Kinesis_20131202.ListStreams")
        .body(Full::new(body))
        .unwrap()
}

async fn body(response: Response<hyper::body::Incoming>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn http_2_is_spoken_from_the_first_byte() {
    let server = start(|_| {}).await;
    let mut client = connect(&server).await;
    let response = client
        .send_request(list_streams("{}".into()))
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers().contains_key("x-amzn-requestid"));
    assert!(body(response).await.starts_with(b"{"));
}

#[tokio::test]
async fn a_server_that_takes_anybody_refuses_the_authority_of_a_web_page() {
    let server = start(|_| {}).await;
    let mut client = connect(&server).await;
    let mut request = list_streams("{}".into());
    *request.uri_mut() = "http://evil.example:4567/".parse().unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.status(), 400);
    let body = body(response).await;
    assert!(body.starts_with(b"{\"__type\":\"AccessDeniedException\""));
}

/// How long they are together was limited, and 440 of a few bytes took 70 KB.
#[tokio::test]
async fn headers_are_limited_in_number_as_over_http_1() {
    let server = start(|_| {}).await;
    let mut client = connect(&server).await;
    for (more, status) in [(50, 200), (64, 431)] {
        let mut request = list_streams("{}".into());
        for number in 0..more {
            let name = format!("x-{number}").parse::<http::HeaderName>().unwrap();
            request.headers_mut().insert(name, "1".parse().unwrap());
        }
        let response = client.send_request(request).await.unwrap();
        assert_eq!(response.status(), status, "{more} more headers");
    }
}

#[tokio::test]
async fn requests_share_a_connection() {
    let server = start(|_| {}).await;
    let client = connect(&server).await;
    let mut calls = Vec::new();
    for _ in 0..300 {
        let mut client = client.clone();
        calls.push(tokio::spawn(async move {
            client.ready().await.unwrap();
            let response = client
                .send_request(list_streams("{}".into()))
                .await
                .unwrap();
            response.status()
        }));
    }
    for call in calls {
        assert_eq!(call.await.unwrap(), 200);
    }
}

#[tokio::test]
async fn a_large_body_fits_through_the_windows_and_one_too_large_is_refused() {
    let server = start(|limits| limits.request_bytes_max = 12 * 1024 * 1024).await;
    let mut client = connect(&server).await;
    let mut large = vec![b' '; 12 * 1024 * 1024];
    large[..2].copy_from_slice(b"{}");
    let response = client
        .send_request(list_streams(large.clone().into()))
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    large.push(b' ');
    let response = client
        .send_request(list_streams(large.into()))
        .await
        .unwrap();
    assert_eq!(response.status(), 413);
}

#[tokio::test]
async fn a_preface_may_come_in_pieces() {
    let server = start(|_| {}).await;
    let mut socket = Socket::connect(&server).await;
    for piece in ["P", "RI * HTTP/2.0\r\n\r\n", "SM\r\n\r\n"] {
        socket.send(piece).await;
    }
    socket.send([0, 0, 0, 4, 0, 0, 0, 0, 0]).await; // Settings, without any.
    let kind = socket.frame_kind().await;
    assert_eq!(kind, 4, "the server answers with settings of its own");
}

#[tokio::test]
async fn a_connection_is_told_to_go_away_when_the_server_stops() {
    let server = start(|_| {}).await;
    let mut client = connect(&server).await;
    let response = client
        .send_request(list_streams("{}".into()))
        .await
        .unwrap();
    body(response).await;
    server.shut_down().await.unwrap();
    assert!(client.ready().await.is_err() || client.is_closed());
}
