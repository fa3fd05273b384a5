use millrace_server::{Running, WebOrigin};

use crate::fixture::{Answer, RIGHT, ask, config, head, protected, start, try_start};

const APP: &str = "https://app.example";

async fn open_to_the_app() -> Running {
    let mut config = config();
    config.cors_origins = vec![WebOrigin::parse(APP).unwrap()];
    try_start(config).await.unwrap()
}

/// Asks as a browser does for a page of `origin`.
async fn from_a_page(server: &Running, line: &str, origin: &str, headers: &str) -> Answer {
    let host = server.address();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n{headers}\
         Content-Length: 2\r\n\r\n{{}}"
    );
    ask(server, &request).await
}

const LIST_STREAMS: &str = "Content-Type: application/x-amz-json-1.1\r\n\
                            X-Amz-Target: Kinesis_20131202.ListStreams\r\n";

#[tokio::test]
async fn a_request_of_a_foreign_page_is_refused_whatever_it_is_for() {
    let server = start(|_| {}).await;
    for line in [
        "POST /",
        "GET /healthz",
        "GET /metrics",
        "GET /_millrace/plugins",
        "POST /_millrace/delivery-streams/any/flush",
        "OPTIONS /",
        "GET /nothing",
    ] {
        for origin in [
            "https://evil.example",
            "http://localhost:3000",
            "http://localhost",
            "null",
            "",
            "https://app.example",
        ] {
            let answer = from_a_page(&server, line, origin, LIST_STREAMS).await;
            assert_eq!(answer.status, 403, "{line} {origin}: {}", answer.body);
            assert_eq!(answer.code(), "AccessDeniedException");
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
    }
}

#[tokio::test]
async fn a_signature_does_not_let_a_foreign_page_in() {
    let server = protected(|_| {}).await;
    let head = head(&RIGHT.operation(&server, "ListStreams", b"{}"));
    let ask_from = async |origin: &str| {
        let request = format!("{head}{origin}Content-Length: 2\r\n\r\n{{}}");
        ask(&server, &request).await.status
    };
    assert_eq!(ask_from("").await, 200);
    assert_eq!(ask_from("Origin: https://evil.example\r\n").await, 403);
    let two = "Origin: http://a.example\r\nOrigin: http://b.example\r\n";
    assert_eq!(ask_from(two).await, 403);
}

#[tokio::test]
async fn a_page_of_the_server_itself_may_call() {
    let server = start(|_| {}).await;
    let own = format!("http://{}", server.address());
    let answer = from_a_page(&server, "POST /", &own, LIST_STREAMS).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test]
async fn a_page_that_the_configuration_names_is_told_what_it_may_send() {
    let server = open_to_the_app().await;
    let asked = "Access-Control-Request-Method: POST\r\n\
                 Access-Control-Request-Headers: amz-sdk-invocation-id,amz-sdk-request,\
                 authorization,content-type,x-amz-content-sha256,x-amz-date,\
                 x-amz-security-token,x-amz-target,x-amz-user-agent\r\n";
    for path in ["/", "/_millrace/plugins", "/any/other"] {
        let answer = from_a_page(&server, &format!("OPTIONS {path}"), APP, asked).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
        assert!(answer.header("vary").unwrap().contains("Origin"));
        assert!(answer.header("access-control-max-age").is_some());
        let methods = answer.header("access-control-allow-methods").unwrap();
        assert!(
            methods.contains("POST") && methods.contains("GET"),
            "{methods}"
        );
        let allowed: Vec<&str> = answer
            .header("access-control-allow-headers")
            .unwrap()
            .split(", ")
            .collect();
        let (_, wanted) = asked.split_once("Headers: ").unwrap();
        for header in wanted.trim().split(',') {
            assert!(allowed.contains(&header), "{header} is not in {allowed:?}");
        }
    }
    let other = from_a_page(&server, "OPTIONS /", "https://evil.example", asked).await;
    assert_eq!(other.status, 403);
    assert_eq!(other.header("access-control-allow-origin"), None);
    assert_eq!(other.header("vary"), Some("Origin"));
}

#[tokio::test]
async fn a_page_that_the_configuration_names_may_read_answers_and_errors() {
    let server = open_to_the_app().await;
    for (line, headers, status) in [
        ("POST /", LIST_STREAMS, 200),
        (
            "POST /",
            "Content-Type: application/x-amz-json-1.1\r\n",
            400,
        ),
        ("GET /healthz", "", 200),
        ("GET /_millrace/plugins/none", "", 404),
    ] {
        let answer = from_a_page(&server, line, APP, headers).await;
        assert_eq!(answer.status, status, "{line}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
        let exposed = answer.header("access-control-expose-headers").unwrap();
        assert!(exposed.contains("x-amzn-RequestId"), "{exposed}");
        assert_eq!(answer.header("vary"), Some("Origin"));
    }
}

#[tokio::test]
async fn without_cors_origins_nothing_is_said_about_them() {
    let server = start(|_| {}).await;
    let answer = ask(&server, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(answer.header("vary"), None);
    assert_eq!(answer.header("access-control-allow-origin"), None);
}
