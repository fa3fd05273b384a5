//! What is read of an endpoint that answers as no S3 does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Bytes that an answer without end is made of; far more than the sockets between may hold.
const ENDLESS_BYTES: u64 = 128 * 1024 * 1024;
/// What sockets may have taken of it when the reader has gone away.
const TAKEN_BYTES_MAX: u64 = 24 * 1024 * 1024;
const CONTENT: &str = "content";

/// What is answered to a method: a head, and what is repeated after it.
type Answers = fn(&str) -> (String, Option<&'static [u8]>);

/// An endpoint, and how many bytes without end were taken from it.
struct Endpoint {
    objects: S3Objects,
    taken: Arc<AtomicU64>,
}

impl Endpoint {
    async fn that(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&taken);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, answers, Arc::clone(&counted)));
            }
        });
        let objects = S3Objects::new(S3Config {
            endpoint: Some(format!("http://{address}")),
            region: "eu-west-1".to_owned(),
            access_key_id: "id".to_owned(),
            secret_access_key: "key".to_owned(),
            path_style: true,
        });
        Self {
            objects: objects.unwrap(),
            taken,
        }
    }

    async fn create(&self) -> Result<Created, ObjectError> {
        let bucket = BucketName::parse("bucket").unwrap();
        let content = PutPayload::from_static(CONTENT.as_bytes());
        self.objects
            .create(&bucket, "key", content, Compression::Uncompressed)
            .await
    }

    fn assert_little_was_taken(&self) {
        let taken = self.taken.load(Ordering::Relaxed);
        assert!(taken <= TAKEN_BYTES_MAX, "{taken} bytes were read");
    }
}

/// Answers one request, and closes the connection.
async fn serve(mut socket: TcpStream, answers: Answers, taken: Arc<AtomicU64>) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && socket.read(&mut byte).await.unwrap_or(0) > 0 {
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap();
    let method = request.split(' ').next().unwrap();
    if method == "PUT" {
        let mut content = [0; CONTENT.len()];
        if socket.read_exact(&mut content).await.is_err() {
            return;
        }
    }
    let (head, endless) = answers(method);
    if socket.write_all(head.as_bytes()).await.is_err() {
        return;
    }
    let Some(piece) = endless else {
        return;
    };
    let many = piece.repeat(64 * 1024 / piece.len());
    while taken.load(Ordering::Relaxed) < ENDLESS_BYTES {
        if socket.write_all(&many).await.is_err() {
            return;
        }
        taken.fetch_add(many.len() as u64, Ordering::Relaxed);
    }
}

fn head(status: &str, headers: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n")
}

#[tokio::test]
async fn of_an_error_only_the_first_words_are_read() {
    let without_length: Answers = |_| (head("503 Slow Down", ""), Some(b"<a> "));
    let with_length: Answers = |_| {
        let length = format!("Content-Length: {ENDLESS_BYTES}\r\n");
        (head("503 Slow Down", &length), Some(b"<a> "))
    };
    for answers in [without_length, with_length] {
        let endpoint = Endpoint::that(answers).await;
        let Err(ObjectError::Failed(why)) = endpoint.create().await else {
            panic!("it was put");
        };
        assert!(
            why.starts_with("the endpoint answered 503: <a> <a>"),
            "{why}"
        );
        endpoint.assert_little_was_taken();
    }
}

#[tokio::test]
async fn chunks_and_headers_without_end_are_not_read() {
    let chunks: Answers = |_| {
        let head = head("503 Slow Down", "Transfer-Encoding: chunked\r\n");
        (head, Some(b"4\r\n<a> \r\n"))
    };
    let headers: Answers = |_| ("HTTP/1.1 200 OK\r\n".to_owned(), Some(b"A: a\r\n"));
    let trailers: Answers = |_| {
        let head = head("200 OK", "ETag: \"a\"\r\nTransfer-Encoding: chunked\r\n");
        (format!("{head}0\r\n"), Some(b"A: a\r\n"))
    };
    for answers in [chunks, headers, trailers] {
        let endpoint = Endpoint::that(answers).await;
        let created = endpoint.create().await;
        assert!(
            matches!(created, Err(ObjectError::Failed(_))),
            "{created:?}"
        );
        endpoint.assert_little_was_taken();
    }
}

#[tokio::test]
async fn of_an_object_that_is_there_no_more_is_read_than_was_asked_for() {
    let endpoint = Endpoint::that(|method| match method {
        "PUT" => (
            head("412 Precondition Failed", "Content-Length: 0\r\n"),
            None,
        ),
        "HEAD" => (head("200 OK", "Content-Length: 7\r\n"), None),
        _ => {
            let headers = "Content-Range: bytes 0-6/7\r\n";
            (head("206 Partial Content", headers), Some(b"content"))
        }
    })
    .await;
    let Err(ObjectError::Failed(why)) = endpoint.create().await else {
        panic!("it was put");
    };
    assert!(
        why.contains("more of an object than was asked for"),
        "{why}"
    );
    endpoint.assert_little_was_taken();
}

#[tokio::test]
async fn a_put_that_is_answered_without_an_etag_is_looked_for() {
    let endpoint = Endpoint::that(|method| match method {
        "GET" => {
            let headers = "Content-Length: 7\r\nContent-Range: bytes 0-6/7\r\n\r\ncontent";
            (format!("HTTP/1.1 206 Partial Content\r\n{headers}"), None)
        }
        "HEAD" => (head("200 OK", "Content-Length: 7\r\n"), None),
        _ => (head("200 OK", "Content-Length: 0\r\n"), None),
    })
    .await;
    assert_eq!(endpoint.create().await, Ok(Created::New));
}

#[tokio::test]
async fn an_endpoint_that_answers_well_and_keeps_nothing_is_said_to_be_no_s3() {
    let endpoint = Endpoint::that(|method| match method {
        "PUT" => (head("200 OK", "Content-Length: 0\r\n"), None),
        _ => (head("404 Not Found", "Content-Length: 0\r\n"), None),
    })
    .await;
    let Err(ObjectError::Failed(why)) = endpoint.create().await else {
        panic!("it was put");
    };
    let told = "the endpoint answered 200 without an ETag, as no S3 does, and what was put is not";
    assert!(why.starts_with(told), "{why}");
}
