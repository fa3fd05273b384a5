use std::collections::HashSet;

use crate::fixture::{LIST_STREAMS, Socket, ask, start};

/// A request with these headers and the body `{}`.
fn post(headers: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n{headers}\r\n{{}}")
}

/// What AWS says to a request from which no operation can be told.
const NOTHING_NAMED: &str = "<AccessDeniedException><Message>Unable to determine \
    service/operation name to be authorized</Message></AccessDeniedException>";

const JSON: &str = "Content-Type: application/x-amz-json-1.1\r\n";

#[tokio::test]
async fn an_operation_is_answered_with_a_request_id_and_a_date() {
    let server = start(|_| {}).await;
    let mut ids = HashSet::new();
    for kind in [
        "application/x-amz-json-1.1",
        "application/json",
        "Application/JSON; charset=UTF-8",
    ] {
        let request = post(&format!(
            "Content-Type: {kind}\r\nX-Amz-Target: Kinesis_20131202.ListStreams\r\n"
        ));
        let answer = ask(&server, &request).await;
        assert_eq!(answer.status, 200, "{kind}: {}", answer.body);
        assert_eq!(
            answer.header("content-type"),
            Some("application/x-amz-json-1.1")
        );
        assert!(answer.header("date").is_some() && answer.header("x-amz-id-2").is_some());
        let id = answer.header("x-amzn-requestid").unwrap();
        assert_eq!(id.len(), 36);
        assert!(ids.insert(id.to_owned()), "an id is used once");
    }
}

#[tokio::test]
async fn a_target_that_is_no_operation_is_refused_as_unknown() {
    let server = start(|_| {}).await;
    for target in [
        "",
        "X-Amz-Target: Kinesis_20131202.Fly\r\n",
        "X-Amz-Target: \u{e9}\r\n",
    ] {
        let answer = ask(&server, &post(&format!("{JSON}{target}"))).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "UnknownOperationException")
        );
        assert!(answer.header("x-amzn-requestid").is_some());
        assert_eq!(answer.body, "{\"__type\":\"UnknownOperationException\"}");
    }
}

#[tokio::test]
async fn a_content_type_that_is_not_known_is_refused() {
    let server = start(|_| {}).await;
    let target = "X-Amz-Target: Kinesis_20131202.ListStreams\r\n";
    for kind in ["", "Content-Type: text/xml\r\n"] {
        let answer = ask(&server, &post(&format!("{kind}{target}"))).await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.body, "<UnknownOperationException/>");
        let answer = ask(&server, &post(kind)).await;
        assert_eq!((answer.status, answer.body.as_str()), (403, NOTHING_NAMED));
    }
}

#[tokio::test]
async fn a_compressed_body_is_refused() {
    let server = start(|_| {}).await;
    let headers = "X-Amz-Target: Kinesis_20131202.ListStreams\r\nContent-Encoding: gzip\r\n";
    let answer = ask(&server, &post(&format!("{JSON}{headers}"))).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (400, "MalformedHttpRequestException")
    );
}

#[tokio::test]
async fn a_request_says_once_for_which_host_it_is() {
    let server = start(|_| {}).await;
    for hosts in ["", "Host: a\r\nHost: b\r\n"] {
        let answer = ask(&server, &format!("GET /healthz HTTP/1.1\r\n{hosts}\r\n")).await;
        let code = answer.code();
        assert_eq!(
            (answer.status, code.as_str()),
            (400, "MalformedHttpRequestException")
        );
    }
}

/// A web page whose name was pointed at this machine could otherwise read and write every stream.
#[tokio::test]
async fn a_server_that_takes_anybody_is_called_by_no_name_but_localhost() {
    let server = start(|_| {}).await;
    let port = server.address().port();
    for (host, status) in [
        ("localhost", 200),
        ("LOCALHOST.", 200),
        ("kinesis.localhost:4567", 200),
        (&format!("127.0.0.1:{port}"), 200),
        ("[::1]:4567", 200),
        ("evil.example", 400),
        ("evil.example:4567", 400),
        ("localhost.evil.example", 400),
        ("notlocalhost", 400),
        ("127.0.0.1.evil.example", 400),
        ("[evil.example]", 400),
        ("", 400),
    ] {
        let request = LIST_STREAMS.replace("Host: localhost", &format!("Host: {host}"));
        let request = format!("{request}Content-Length: 2\r\n\r\n{{}}");
        let answer = ask(&server, &request).await;
        assert_eq!(answer.status, status, "{host}: {}", answer.body);
        if status == 400 {
            assert_eq!(answer.code(), "AccessDeniedException", "{host}");
        }
    }
}

#[tokio::test]
async fn a_request_hidden_behind_two_lengths_is_not_run() {
    let server = start(|_| {}).await;
    let mut socket = Socket::connect(&server).await;
    let hidden = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let lengths = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
    socket
        .send(format!("{LIST_STREAMS}{lengths}\r\n0\r\n\r\n{hidden}"))
        .await;
    socket.answer().await;
    assert_eq!(socket.closed().await, b"");
}

#[tokio::test]
async fn a_request_that_is_no_post_names_no_operation() {
    let server = start(|_| {}).await;
    for line in ["GET /", "GET /nothing", "PUT /", "DELETE /stream"] {
        for target in ["", "X-Amz-Target: Kinesis_20131202.ListStreams\r\n"] {
            let request = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{target}\r\n");
            let answer = ask(&server, &request).await;
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (403, NOTHING_NAMED),
                "{line}"
            );
            assert!(answer.header("x-amzn-requestid").is_some());
        }
    }
}

#[tokio::test]
async fn an_operation_is_reached_by_any_path() {
    let server = start(|_| {}).await;
    for path in ["/", "/stream", "/a/b/?c=d", "/healthz/"] {
        let head = LIST_STREAMS.replacen("POST /", &format!("POST {path}"), 1);
        let answer = ask(&server, &format!("{head}Content-Length: 2\r\n\r\n{{}}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_page_of_the_server_is_only_read() {
    let server = start(|_| {}).await;
    for line in ["POST /healthz", "DELETE /metrics"] {
        let request = format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = ask(&server, &request).await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some("GET, HEAD")),
            "{line}"
        );
        assert!(!answer.body.is_empty());
    }
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let server = start(|_| {}).await;
    for request in [
        "\u{16}\u{3}\u{1}\u{2}\r\n\r\n",
        "POST / HTTP/9.9\r\n\r\n",
        "PUT\r\n\r\n",
    ] {
        let mut socket = Socket::connect(&server).await;
        socket.send(request).await;
        let said = socket.closed().await;
        assert!(said.starts_with(b"HTTP/1.1 400 "), "{request:?}");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let server = start(|_| {}).await;
    let mut socket = Socket::connect(&server).await;
    let get = |path| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let pair = get("/healthz") + &get("/nothing");
    socket.send(pair.repeat(50)).await;
    for _ in 0..50 {
        assert_eq!(socket.answer().await.status, 200);
        assert_eq!(socket.answer().await.status, 403);
    }
}

#[tokio::test]
async fn health_and_metrics_are_told() {
    let server = start(|_| {}).await;
    let health = ask(&server, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!((health.status, health.body.as_str()), (200, "ok\n"));
    ask(
        &server,
        &format!("{LIST_STREAMS}Content-Length: 2\r\n\r\n{{}}"),
    )
    .await;
    let metrics = ask(&server, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    for expected in [
        "millrace_requests_total{service=\"kinesis\",operation=\"ListStreams\",code=\"OK\"} 1",
        "millrace_incoming_records_total 0",
        "millrace_store_healthy 1",
    ] {
        assert!(
            metrics.body.lines().any(|line| line == expected),
            "{}",
            metrics.body
        );
    }
}
