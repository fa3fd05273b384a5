//! A client that checks nothing: it signs what it is given and reads what it gets.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use types::{Clock, ManualClock};
use wire::sigv4::{SecretKey, Signer};

/// What the operator presents to see all metrics.
pub(crate) const METRICS_TOKEN: &str = "token-for-the-metrics-of-a-test";

/// An error as the client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// `__type`.
    pub code: String,
    /// `message`, or `Message` of a SerializationException; empty if there is none.
    pub message: String,
}

/// Calls operations in one account and region.
#[derive(Clone)]
pub struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) key_id: String,
    pub(crate) secret: SecretKey,
    pub(crate) session_token: Option<String>,
    pub(crate) region: &'static str,
}

impl Client {
    /// The same caller, elsewhere.
    pub fn in_region(&self, region: &'static str) -> Self {
        Self {
            region,
            ..self.clone()
        }
    }

    /// The same caller with a session token.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            session_token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// The same caller with a secret that is not its own.
    pub fn forging(&self) -> Self {
        Self {
            secret: SecretKey::new("not its secret"),
            ..self.clone()
        }
    }

    /// The answer of an operation that must succeed; `Null` when it has no body.
    pub async fn call(&self, operation: &str, input: Value) -> Value {
        let response = self.send(operation, input.to_string().into()).await;
        let (status, body) = (response.status(), response.into_body());
        assert_eq!(
            status,
            200,
            "{operation}: {}",
            String::from_utf8_lossy(&body)
        );
        if body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&body).expect("the answer is JSON")
    }

    /// The error of an operation that must be refused.
    pub async fn refusal(&self, operation: &str, input: Value) -> Refusal {
        refusal_of(self.send(operation, input.to_string().into()).await)
    }

    /// The code of the error of an operation that must be refused with status 400.
    pub async fn code(&self, operation: &str, input: Value) -> String {
        let refusal = self.refusal(operation, input).await;
        assert_eq!(refusal.status, 400, "{refusal:?}");
        refusal.code
    }

    /// Sends any bytes as the signed body of an operation. A name that begins with `Firehose.`,
    /// `DynamoDb.` or `CloudWatch.` is one of that service, with `Analytics.` or `Analytics2.` one
    /// of that version of Kinesis Data Analytics, any other of Data Streams.
    pub async fn send(&self, operation: &str, body: Bytes) -> Response<Bytes> {
        let kind = if operation.starts_with("DynamoDb.") {
            "application/x-amz-json-1.0"
        } else {
            "application/x-amz-json-1.1"
        };
        self.send_as(kind, operation, body).await
    }

    /// The same under another content type.
    pub async fn send_as(&self, kind: &str, operation: &str, body: Bytes) -> Response<Bytes> {
        self.carry(self.signed(kind, operation, body)).await
    }

    /// The same with a body that is compressed by gzip.
    pub async fn send_compressed(
        &self,
        kind: &str,
        operation: &str,
        body: Bytes,
    ) -> Response<Bytes> {
        let mut request = self.signed(kind, operation, body);
        let gzip = http::HeaderValue::from_static("gzip");
        request.headers_mut().insert("content-encoding", gzip);
        self.carry(request).await
    }

    /// A signed request.
    pub(crate) fn signed(&self, kind: &str, operation: &str, body: Bytes) -> Request<Full<Bytes>> {
        let (service, prefix, name) = match operation.split_once('.') {
            Some(("Firehose", name)) => ("firehose", "Firehose_20150804", name),
            Some(("DynamoDb", name)) => ("dynamodb", "DynamoDB_20120810", name),
            Some(("Analytics", name)) => ("kinesisanalytics", "KinesisAnalytics_20150814", name),
            Some(("Analytics2", name)) => ("kinesisanalytics", "KinesisAnalytics_20180523", name),
            Some(("CloudWatch", name)) => ("monitoring", "GraniteServiceVersion20100801", name),
            _ => ("kinesis", "Kinesis_20131202", operation),
        };
        let target = format!("{prefix}.{name}");
        let request = Request::post(format!("http://{}/", self.address))
            .header("content-type", kind)
            .header("x-amz-target", target)
            .body(())
            .unwrap();
        self.sign(request, service, "/", body)
    }

    /// Asks for a page of the server itself, below `/_millrace/`.
    pub async fn page(&self, method: Method, page: &str) -> Response<Bytes> {
        let path = format!("/_millrace/{page}");
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .body(())
            .unwrap();
        self.exchange(request, "kinesis", &path, Bytes::new()).await
    }

    /// Sends any bytes to a page of the server itself; the status and what it says.
    pub async fn send_page(&self, method: Method, page: &str, body: Vec<u8>) -> (u16, Value) {
        let path = format!("/_millrace/{page}");
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .body(())
            .unwrap();
        let sent = self.exchange(request, "kinesis", &path, Bytes::from(body));
        let response = sent.await;
        let status = response.status().as_u16();
        (status, serde_json::from_slice(response.body()).unwrap())
    }

    /// Posts to a page of the server itself, and returns the status and what it says.
    pub async fn post_page(&self, page: &str, body: &Value) -> (u16, Value) {
        let path = format!("/_millrace/{page}");
        let request = Request::post(format!("http://{}{path}", self.address))
            .body(())
            .unwrap();
        let body = Bytes::from(body.to_string());
        let response = self.exchange(request, "kinesis", &path, body).await;
        let status = response.status().as_u16();
        (status, serde_json::from_slice(response.body()).unwrap())
    }

    /// The status and the text of `/healthz`.
    pub async fn health(&self) -> (u16, String) {
        let request = Request::get("/healthz")
            .header("host", self.address.to_string())
            .body(Full::default())
            .unwrap();
        let answer = self.carry(request).await;
        let text = String::from_utf8(answer.body().to_vec()).unwrap();
        (answer.status().as_u16(), text)
    }

    /// What the server measures over all accounts, as its operator sees it.
    pub async fn metrics_of_all(&self) -> String {
        let request = Request::get("/metrics")
            .header("host", self.address.to_string())
            .header("authorization", format!("Bearer {METRICS_TOKEN}"))
            .body(Full::default())
            .unwrap();
        let answer = self.carry(request).await;
        assert_eq!(answer.status(), 200);
        String::from_utf8(answer.body().to_vec()).unwrap()
    }

    /// What the server measures, as text.
    pub async fn metrics(&self) -> String {
        let request = Request::get(format!("http://{}/metrics", self.address));
        let request = request.body(()).unwrap();
        let answer = self.exchange(request, "kinesis", "/metrics", Bytes::new());
        String::from_utf8(answer.await.body().to_vec()).unwrap()
    }

    /// Asks for a page of the server itself without a signature.
    pub async fn unsigned_page(&self, method: Method, page: &str) -> Response<Bytes> {
        let request = Request::builder()
            .method(method)
            .uri(format!("/_millrace/{page}"))
            .header("host", self.address.to_string())
            .body(Full::default())
            .unwrap();
        self.carry(request).await
    }

    async fn exchange(
        &self,
        request: Request<()>,
        service: &str,
        path: &str,
        body: Bytes,
    ) -> Response<Bytes> {
        self.carry(self.sign(request, service, path, body)).await
    }

    fn sign(
        &self,
        request: Request<()>,
        service: &str,
        path: &str,
        body: Bytes,
    ) -> Request<Full<Bytes>> {
        let (mut parts, ()) = request.into_parts();
        let signer = Signer {
            key_id: &self.key_id,
            secret: &self.secret,
            session_token: self.session_token.as_deref(),
            region: self.region,
            service,
        };
        signer.sign(&mut parts, &body, self.clock.now()).unwrap();
        parts.uri = path.parse().unwrap();
        Request::from_parts(parts, Full::new(body))
    }

    async fn carry(&self, request: Request<Full<Bytes>>) -> Response<Bytes> {
        let socket = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket))
            .await
            .unwrap();
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        drop(sender);
        connection.await.unwrap().unwrap();
        Response::from_parts(parts, body)
    }
}

/// Reads an answer that must be an error.
pub(crate) fn refusal_of(response: Response<Bytes>) -> Refusal {
    let text = String::from_utf8_lossy(response.body());
    assert!(400 <= response.status().as_u16(), "not refused: {text}");
    let body: Value = serde_json::from_slice(response.body()).expect("an error is JSON");
    let code = body["__type"].as_str().expect("an error has a code");
    // DynamoDB says where a code comes from.
    let code = code.rsplit_once('#').map_or(code, |(_, code)| code);
    let member = if code == "SerializationException" {
        "Message"
    } else {
        "message"
    };
    Refusal {
        status: response.status().as_u16(),
        code: code.to_owned(),
        message: body[member].as_str().unwrap_or_default().to_owned(),
    }
}
