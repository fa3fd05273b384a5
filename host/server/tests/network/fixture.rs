//! A server in the process, and a socket that says what it is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use millrace_server::{Config, Credential, Limits, Running, StartError};
use store::Engine;
use store::disk::simulated::SimulatedDisk;
use store::embedded::{Embedded, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use types::{AccountId, ManualClock, Timestamp};
use wire::sigv4::{SecretKey, Signer};

/// The server's time, always.
pub const NOW: Timestamp = Timestamp(1_700_000_000_000);
/// How long a test waits for what must come; only a failing one ever does.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Headers of a good request for an operation, without the line's end after the last.
pub const LIST_STREAMS: &str = "POST / HTTP/1.1\r\nHost: localhost\r\n\
    Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Kinesis_20131202.ListStreams\r\n";

/// Starts a server on a disk in memory, whose clock stands still.
pub async fn try_start(config: Config) -> Result<Running, StartError> {
    try_start_by(&Arc::new(ManualClock::new(NOW)), config).await
}

/// The same, by a clock that the test moves.
pub async fn try_start_by(clock: &Arc<ManualClock>, config: Config) -> Result<Running, StartError> {
    let open = || Embedded::open(Arc::new(SimulatedDisk::new(1)), Options::default());
    let engine: Arc<dyn Engine> = tokio::task::spawn_blocking(open).await.unwrap().unwrap();
    let clock = Arc::clone(clock);
    millrace_server::start(config, engine, clock).await
}

/// Starts a server with limits of its own on a free port.
pub async fn start(change: impl FnOnce(&mut Limits)) -> Running {
    let mut config = config();
    change(&mut config.limits);
    try_start(config).await.unwrap()
}

/// The same, by a clock that the test moves. The paces of answers go by it, and nothing else of the
/// network side does.
pub async fn start_by(clock: &Arc<ManualClock>, change: impl FnOnce(&mut Limits)) -> Running {
    let mut config = config();
    change(&mut config.limits);
    try_start_by(clock, config).await.unwrap()
}

/// Starts a server that takes requests signed with [`RIGHT`], of account 42, or [`NEIGHBOUR`].
pub async fn protected(change: impl FnOnce(&mut Config)) -> Running {
    let mut config = config();
    for (signature, account) in [(&RIGHT, "000000000042"), (&NEIGHBOUR, "000000000043")] {
        let secret = SecretKey::new(signature.secret);
        let account = AccountId::parse(account).unwrap();
        let credential = Credential::of_account(signature.key_id, secret, account);
        config.credentials.push(credential);
    }
    change(&mut config);
    try_start(config).await.unwrap()
}

/// What a request is signed with.
#[derive(Clone, Copy)]
pub struct Signature {
    pub key_id: &'static str,
    pub secret: &'static str,
    pub service: &'static str,
    pub session_token: Option<&'static str>,
    pub at: Timestamp,
}

/// A signature that a protected server takes.
pub const RIGHT: Signature = Signature {
    key_id: "AKIDEXAMPLE",
    secret: "secret",
    service: "kinesis",
    session_token: None,
    at: NOW,
};

/// Another one, of another account.
pub const NEIGHBOUR: Signature = Signature {
    key_id: "AKIDNEIGHBOUR",
    secret: "another secret",
    ..RIGHT
};

/// A public key id that is known, with a secret that is guessed.
pub const GUESSED: Signature = Signature {
    secret: "guess",
    ..RIGHT
};

impl Signature {
    /// The parts of a request for an operation, signed for `body`.
    pub fn operation(&self, server: &Running, operation: &str, body: &[u8]) -> Parts {
        self.target(server, &format!("Kinesis_20131202.{operation}"), body)
    }

    /// The parts of a request for an operation of Data Firehose, signed for that service and
    /// `body`.
    pub fn firehose(&self, server: &Running, operation: &str, body: &[u8]) -> Parts {
        let signature = Self {
            service: "firehose",
            ..*self
        };
        signature.target(server, &format!("Firehose_20150804.{operation}"), body)
    }

    fn target(&self, server: &Running, target: &str, body: &[u8]) -> Parts {
        let request = http::Request::post(format!("http://{}/", server.address()))
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", target);
        self.sign(request, server, body)
    }

    /// The parts of a request of the query protocol, signed for `body`.
    pub fn form(&self, server: &Running, body: &[u8]) -> Parts {
        let request = http::Request::post(format!("http://{}/", server.address())).header(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        );
        self.sign(request, server, body)
    }

    /// The parts of a request for a page.
    pub fn get(&self, server: &Running, path: &str) -> Parts {
        let request = http::Request::get(format!("http://{}{path}", server.address()));
        self.sign(request, server, b"")
    }

    /// The parts of a request that wants something done by a page.
    pub fn post(&self, server: &Running, path: &str, body: &[u8]) -> Parts {
        let request = http::Request::post(format!("http://{}{path}", server.address()));
        self.sign(request, server, body)
    }

    fn sign(&self, request: http::request::Builder, server: &Running, body: &[u8]) -> Parts {
        let request = request.header("host", server.address().to_string());
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let signer = Signer {
            key_id: self.key_id,
            secret: &SecretKey::new(self.secret),
            session_token: self.session_token,
            region: "eu-west-1",
            service: self.service,
        };
        signer.sign(&mut parts, body, self.at).unwrap();
        parts
    }
}

/// The line and the headers of a request as HTTP/1.1 has them, without the line's end after the
/// last.
pub fn head(parts: &Parts) -> String {
    let mut head = format!("{} {} HTTP/1.1\r\n", parts.method, parts.uri.path());
    for (name, value) in &parts.headers {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    head
}

/// Asks for an operation in the name of `signature`.
pub async fn ask_signed(
    server: &Running,
    signature: &Signature,
    operation: &str,
    input: &serde_json::Value,
) -> Answer {
    let body = input.to_string();
    let parts = signature.operation(server, operation, body.as_bytes());
    ask_with_body(server, &parts, &body).await
}

/// Asks for an operation of Data Firehose in the name of `signature`.
pub async fn ask_firehose(
    server: &Running,
    signature: &Signature,
    operation: &str,
    input: &serde_json::Value,
) -> Answer {
    let body = input.to_string();
    let parts = signature.firehose(server, operation, body.as_bytes());
    ask_with_body(server, &parts, &body).await
}

/// Asks over HTTP/1.1.
pub async fn ask_with_body(server: &Running, parts: &Parts, body: &str) -> Answer {
    let (head, length) = (head(parts), body.len());
    ask(
        server,
        &format!("{head}Content-Length: {length}\r\n\r\n{body}"),
    )
    .await
}

/// A metric of a server that tells it to anybody.
pub async fn metric(server: &Running, name: &str) -> u64 {
    let answer = ask(server, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let mut lines = answer.body.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap().parse().unwrap()
}

/// The default on a free port.
pub fn config() -> Config {
    Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        throttle: false,
        ..Config::default()
    }
}

/// An answer of HTTP/1.1.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The body; `null` for an operation that answers without one.
    pub fn json(&self) -> serde_json::Value {
        if self.body.is_empty() {
            return serde_json::Value::Null;
        }
        serde_json::from_str(&self.body).unwrap()
    }

    /// The code of an error.
    pub fn code(&self) -> String {
        self.json()["__type"].as_str().unwrap().to_owned()
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value)
    }
}

/// A client that writes bytes and reads answers.
pub struct Socket(TcpStream);

impl Socket {
    pub async fn connect(server: &Running) -> Self {
        Self(TcpStream::connect(server.address()).await.unwrap())
    }

    /// Connects with so small a buffer that a large answer does not fit in.
    pub async fn connect_with_little_room(server: &Running) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self(socket.connect(server.address()).await.unwrap())
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends as much as the server takes: it may have closed already.
    pub async fn offer(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
    }

    /// Reads one answer that has a Content-Length.
    pub async fn answer(&mut self) -> Answer {
        let head = self.head().await;
        self.answer_after(head).await
    }

    /// Reads the line and the headers of an answer.
    pub async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, self.0.read_u8()).await.unwrap().unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    /// Reads the rest of an answer that has a Content-Length.
    pub async fn answer_after(&mut self, head: String) -> Answer {
        let mut answer = Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            body: String::new(),
        };
        let length = answer.header("content-length").unwrap().parse().unwrap();
        answer.body = String::from_utf8(self.bytes(length).await).unwrap();
        answer
    }

    /// Reads so many bytes.
    pub async fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        timeout(PATIENCE, self.0.read_exact(&mut bytes))
            .await
            .unwrap()
            .unwrap();
        bytes
    }

    /// Reads that the server has taken the headers and wants the body.
    pub async fn continues(&mut self) {
        let expected = b"HTTP/1.1 100 Continue\r\n\r\n";
        let mut said = vec![0; expected.len()];
        timeout(PATIENCE, self.0.read_exact(&mut said))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(said, expected);
    }

    /// The type of the first frame of HTTP/2 that the server sends.
    pub async fn frame_kind(&mut self) -> u8 {
        let mut head = [0; 9];
        timeout(PATIENCE, self.0.read_exact(&mut head))
            .await
            .unwrap()
            .unwrap();
        head[3]
    }

    /// Waits until the server has ended an answer that comes in chunks, and closed. Returns what it
    /// said.
    pub async fn ends_well(&mut self) -> Vec<u8> {
        let said = self.closed().await;
        assert!(
            said.ends_with(b"\r\n0\r\n\r\n"),
            "the last chunk is missing"
        );
        said
    }

    /// Waits until the server has closed. Returns what it still said.
    pub async fn closed(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is as closed as an end.
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut rest))
            .await
            .unwrap();
        rest
    }
}

/// Calls an operation, which must go well.
pub async fn call(
    server: &Running,
    operation: &str,
    input: serde_json::Value,
) -> serde_json::Value {
    let head = LIST_STREAMS.replace("ListStreams", operation);
    let body = input.to_string();
    let length = body.len();
    let answer = ask(
        server,
        &format!("{head}Content-Length: {length}\r\n\r\n{body}"),
    )
    .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// Connects, sends, and reads one answer.
pub async fn ask(server: &Running, request: &str) -> Answer {
    let mut socket = Socket::connect(server).await;
    socket.send(request).await;
    socket.answer().await
}
