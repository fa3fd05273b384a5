use crate::fixture::{LIST_STREAMS, Socket, ask, start};

#[tokio::test]
async fn a_body_that_announces_too_much_is_refused_unread() {
    let server = start(|limits| limits.request_bytes_max = 1000).await;
    for length in ["1001", "9223372036854775807"] {
        let request = format!("{LIST_STREAMS}Content-Length: {length}\r\n\r\n");
        let answer = ask(&server, &request).await;
        assert_eq!(answer.status, 413, "{length}");
        assert_eq!(answer.code(), "RequestEntityTooLargeException");
        assert_eq!(answer.header("connection"), Some("close"));
    }
}

#[tokio::test]
async fn a_client_that_sends_too_much_sees_the_answer_all_the_same() {
    let server = start(|limits| limits.request_bytes_max = 1000).await;
    let mut socket = Socket::connect(&server).await;
    socket
        .send(format!("{LIST_STREAMS}Content-Length: 20000000\r\n\r\n"))
        .await;
    socket.send(vec![b'x'; 20_000_000]).await;
    assert_eq!(socket.answer().await.status, 413);
}

#[tokio::test]
async fn a_chunked_body_is_cut_off_where_it_becomes_too_large() {
    let server = start(|limits| limits.request_bytes_max = 1000).await;
    let mut socket = Socket::connect(&server).await;
    let head = format!("{LIST_STREAMS}Transfer-Encoding: chunked\r\n\r\n");
    socket.send(head).await;
    for _ in 0..3 {
        socket
            .offer(format!("1f4\r\n{}\r\n", "x".repeat(500)).as_bytes())
            .await;
    }
    let answer = socket.answer().await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.code(), "RequestEntityTooLargeException");
}

#[tokio::test]
async fn a_chunked_body_of_allowed_size_is_read_to_its_end() {
    let server = start(|_| {}).await;
    let body = "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n";
    let request = format!("{LIST_STREAMS}Transfer-Encoding: chunked\r\n\r\n{body}");
    assert_eq!(ask(&server, &request).await.status, 200);
}

#[tokio::test]
async fn a_chunk_that_is_none_is_refused() {
    let server = start(|_| {}).await;
    let request = format!("{LIST_STREAMS}Transfer-Encoding: chunked\r\n\r\nzz\r\n");
    let answer = ask(&server, &request).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.code(), "MalformedHttpRequestException");
}

#[tokio::test]
async fn bytes_in_flight_are_bounded_over_all_requests() {
    let server = start(|limits| limits.in_flight_bytes_max = 1_000_000).await;
    let request = |bytes: usize| {
        let blanks = " ".repeat(bytes - 2);
        format!("{LIST_STREAMS}Content-Length: {bytes}\r\n\r\n{{}}{blanks}")
    };
    let answer = ask(&server, &request(600_000)).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.code(), "ServiceUnavailable");
    for _ in 0..20 {
        assert_eq!(ask(&server, &request(100_000)).await.status, 200);
    }
    assert_eq!(ask(&server, &request(2)).await.status, 200);
}

#[tokio::test]
async fn headers_are_limited_in_number_and_size() {
    let server = start(|_| {}).await;
    let many = "X-A: 1\r\n".repeat(64);
    let long = format!("X-A: {}\r\n", "x".repeat(20_000));
    for headers in [many, long] {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        let answer = ask(&server, &request).await;
        assert_eq!(answer.status, 431);
        assert_eq!(answer.code(), "MalformedHttpRequestException");
        assert!(
            answer.header("x-amzn-requestid").is_some(),
            "{}",
            answer.head
        );
    }
    let path = format!(
        "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "x".repeat(70_000)
    );
    let mut socket = Socket::connect(&server).await;
    socket.offer(path.as_bytes()).await;
    let answer = socket.answer().await;
    assert_eq!(
        (answer.status, &answer.code()[..]),
        (431, "MalformedHttpRequestException")
    );
}
