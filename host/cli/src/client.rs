//! A client of the API: one connection, one request at a time.

mod query;
mod target;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
pub(crate) use hyper::Method;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::time::timeout;
use types::{Clock, SystemClock};
use wire::sigv4::Signer;

pub(crate) use query::encoded;
pub(crate) use target::{Target, TargetArgs};

/// How long a request may take unless more is known of it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of an answer; the API's largest, GetRecords, is 10 MiB of data in base64.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How often a request is sent anew because its connection had been closed in the meantime.
const ATTEMPTS: usize = 2;

/// The service that speaks an older JSON than the others.
const DYNAMODB: &str = "DynamoDB";
/// The code of a call for which AWS's limits leave no room at the moment.
const OVER_RATE: &str = "ProvisionedThroughputExceededException";

/// Speaks to one endpoint.
pub(crate) struct Client {
    target: Arc<Target>,
    connection: Option<SendRequest<Full<Bytes>>>,
    /// How long a request may take.
    time: Duration,
}

/// Why a call failed.
#[derive(Debug)]
pub(crate) enum CallError {
    /// The server said no.
    Refused {
        /// AWS's code.
        code: String,
        /// AWS's text.
        message: String,
        /// What the server's log calls the request.
        request_id: String,
    },
    /// There was no answer, or one that cannot be read.
    Broken(String),
}

impl CallError {
    /// Whether the same call may go through a moment later.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Refused { code, .. } => matches!(
                code.as_str(),
                OVER_RATE
                    | "LimitExceededException"
                    | "ServiceUnavailable"
                    | "ServiceUnavailableException"
            ),
            Self::Broken(_) => false,
        }
    }

    /// Whether more was asked for than a second allows.
    pub(crate) fn is_over_rate(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == OVER_RATE)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused {
                code,
                message,
                request_id,
            } if message.is_empty() => write!(f, "{code} (request {request_id})"),
            Self::Refused {
                code,
                message,
                request_id,
            } => write!(f, "{code}: {message} (request {request_id})"),
            Self::Broken(what) => f.write_str(what),
        }
    }
}

/// The body of an error.
#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "__type", default)]
    code: String,
    #[serde(default, alias = "Message")]
    message: String,
}

impl Client {
    pub(crate) fn new(target: &Arc<Target>) -> Self {
        Self {
            target: Arc::clone(target),
            connection: None,
            time: REQUEST_TIMEOUT,
        }
    }

    /// One that waits this long for an answer.
    pub(crate) fn that_waits(self, time: Duration) -> Self {
        Self { time, ..self }
    }

    /// Calls an operation of Data Streams.
    pub(crate) async fn call<O: DeserializeOwned>(
        &mut self,
        operation: &str,
        input: &impl Serialize,
    ) -> Result<O, CallError> {
        let target = format!("Kinesis_20131202.{operation}");
        self.operate(("kinesis", operation, &target), input).await
    }

    /// Calls an operation of Data Streams whose answer is large: it is given as it came.
    pub(crate) async fn call_whole(
        &mut self,
        operation: &str,
        input: &impl Serialize,
    ) -> Result<Bytes, CallError> {
        let target = format!("Kinesis_20131202.{operation}");
        let asked = Asked::operation("kinesis", &target);
        self.ask(operation, asked, body(input)?).await
    }

    /// What `answer`, which an operation gave, says.
    pub(crate) fn read<'a, O: Deserialize<'a>>(
        &self,
        operation: &str,
        answer: &'a [u8],
    ) -> Result<O, CallError> {
        // An operation without output answers with no body at all.
        let answer = if answer.is_empty() { b"null" } else { answer };
        serde_json::from_slice(answer).map_err(|error| self.broken(operation, &error.to_string()))
    }

    /// Calls an operation of Data Firehose.
    pub(crate) async fn call_firehose<O: DeserializeOwned>(
        &mut self,
        operation: &str,
        input: &impl Serialize,
    ) -> Result<O, CallError> {
        let target = format!("Firehose_20150804.{operation}");
        self.operate(("firehose", operation, &target), input).await
    }

    /// Calls an operation of Kinesis Data Analytics, version 2.
    pub(crate) async fn call_analytics<O: DeserializeOwned>(
        &mut self,
        operation: &str,
        input: &impl Serialize,
    ) -> Result<O, CallError> {
        let target = format!("KinesisAnalytics_20180523.{operation}");
        let service = "kinesisanalytics";
        self.operate((service, operation, &target), input).await
    }

    /// Calls an operation of DynamoDB.
    pub(crate) async fn call_dynamodb<O: DeserializeOwned>(
        &mut self,
        operation: &str,
        input: &impl Serialize,
    ) -> Result<O, CallError> {
        let target = format!("{DYNAMODB}_20120810.{operation}");
        self.operate(("dynamodb", operation, &target), input).await
    }

    /// Asks for a page of the server itself, below `/_millrace/`.
    pub(crate) async fn page<O: DeserializeOwned>(
        &mut self,
        method: Method,
        page: &str,
    ) -> Result<O, CallError> {
        self.page_with(method, page, Bytes::new()).await
    }

    /// The same with something to say.
    pub(crate) async fn page_of<O: DeserializeOwned>(
        &mut self,
        method: Method,
        page: &str,
        input: &impl Serialize,
    ) -> Result<O, CallError> {
        self.page_with(method, page, body(input)?).await
    }

    /// The same with a body.
    pub(crate) async fn page_with<O: DeserializeOwned>(
        &mut self,
        method: Method,
        page: &str,
        body: Bytes,
    ) -> Result<O, CallError> {
        let answer = self.page_whole(method, page, body).await?;
        self.read(page, &answer)
    }

    /// The same for an answer that is no JSON.
    pub(crate) async fn page_whole(
        &mut self,
        method: Method,
        page: &str,
        body: Bytes,
    ) -> Result<Bytes, CallError> {
        let path = format!("/_millrace/{page}");
        let asked = Asked {
            service: "kinesis",
            method,
            path: &path,
            target: None,
        };
        self.ask(page, asked, body).await
    }

    async fn operate<O: DeserializeOwned>(
        &mut self,
        (service, operation, target): (&str, &str, &str),
        input: &impl Serialize,
    ) -> Result<O, CallError> {
        let asked = Asked::operation(service, target);
        let answer = self.ask(operation, asked, body(input)?).await?;
        self.read(operation, &answer)
    }

    /// The body of the answer.
    async fn ask(
        &mut self,
        operation: &str,
        asked: Asked<'_>,
        input: Bytes,
    ) -> Result<Bytes, CallError> {
        let time = self.time;
        let exchange = self.exchange(asked, input);
        let (head, body) = timeout(time, exchange)
            .await
            .unwrap_or_else(|_| Err("it took too long".to_owned()))
            .map_err(|what| self.broken(operation, &what))?;
        if head.status.is_success() {
            Ok(body)
        } else {
            Err(refusal(&head, &body))
        }
    }

    fn broken(&self, operation: &str, what: &str) -> CallError {
        CallError::Broken(format!("{operation} at {}: {what}", self.target.endpoint()))
    }

    async fn exchange(
        &mut self,
        asked: Asked<'_>,
        body: Bytes,
    ) -> Result<(hyper::http::response::Parts, Bytes), String> {
        let mut request = self.request(asked, body)?;
        for attempt in 1.. {
            let mut connection = match self.connection.take() {
                Some(open) => open,
                None => self.connect().await?,
            };
            if connection.ready().await.is_err() && attempt < ATTEMPTS {
                continue;
            }
            match connection.try_send_request(request).await {
                Ok(response) => {
                    let received = receive(response).await?;
                    self.connection = Some(connection);
                    return Ok(received);
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) if attempt < ATTEMPTS => request = unsent,
                    _ => return Err(causes(&error.into_error())),
                },
            }
        }
        Err("it could not be sent".to_owned())
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let stream = TcpStream::connect(self.target.authority())
            .await
            .map_err(|error| format!("connect: {error}"))?;
        stream
            .set_nodelay(true)
            .map_err(|error| error.to_string())?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| causes(&error))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
        });
        Ok(sender)
    }

    fn request(&self, asked: Asked<'_>, body: Bytes) -> Result<Request<Full<Bytes>>, String> {
        let target = &self.target;
        let mut request = Request::builder().method(asked.method).uri(format!(
            "{}{}",
            target.endpoint(),
            asked.path
        ));
        if let Some(target) = asked.target {
            let json = if target.starts_with(DYNAMODB) {
                "application/x-amz-json-1.0"
            } else {
                "application/x-amz-json-1.1"
            };
            request = request
                .header(CONTENT_TYPE, json)
                .header("x-amz-target", target);
        }
        let request = request.body(()).map_err(|error| error.to_string())?;
        let (mut parts, ()) = request.into_parts();
        sign(&mut parts, target, asked.service, &body)?;
        // Over HTTP/1.1 a request names the path alone; the server's name is in the Host header.
        parts.uri = asked
            .path
            .parse()
            .map_err(|_| "the path is no path".to_owned())?;
        Ok(Request::from_parts(parts, Full::new(body)))
    }
}

/// What a request is for.
struct Asked<'a> {
    /// The service that it is signed for.
    service: &'a str,
    method: Method,
    path: &'a str,
    /// `X-Amz-Target`, for operations.
    target: Option<&'a str>,
}

impl<'a> Asked<'a> {
    /// What calls an operation, by its name in `X-Amz-Target`.
    fn operation(service: &'a str, target: &'a str) -> Self {
        Self {
            service,
            method: Method::POST,
            path: "/",
            target: Some(target),
        }
    }
}

/// The body of a request.
fn body(input: &impl Serialize) -> Result<Bytes, CallError> {
    let body = serde_json::to_vec(input);
    let body = body.map_err(|error| CallError::Broken(format!("write a request: {error}")))?;
    Ok(Bytes::from(body))
}

fn sign(parts: &mut Parts, target: &Target, service: &str, body: &[u8]) -> Result<(), String> {
    let credentials = target.credentials();
    let signer = Signer {
        key_id: &credentials.key_id,
        secret: &credentials.secret,
        session_token: credentials.session_token.as_deref(),
        region: target.region(),
        service,
    };
    signer
        .sign(parts, body, SystemClock.now())
        .map_err(|error| error.to_string())
}

async fn receive(
    response: Response<Incoming>,
) -> Result<(hyper::http::response::Parts, Bytes), String> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| error.to_string())?;
    Ok((head, body.to_bytes()))
}

fn refusal(head: &hyper::http::response::Parts, body: &[u8]) -> CallError {
    let request_id = head.headers.get("x-amzn-requestid");
    let request_id = request_id.and_then(|id| id.to_str().ok()).unwrap_or("none");
    let refusal: Refusal = serde_json::from_slice(body).unwrap_or_else(|_| Refusal {
        code: head.status.to_string(),
        message: "the answer is not one of this API".to_owned(),
    });
    // Some servers put a namespace before the code: `com.amazonaws.kinesis#Code`.
    let code = match refusal.code.rsplit_once('#') {
        Some((_, code)) => code,
        None => &refusal.code,
    };
    CallError::Refused {
        code: code.to_owned(),
        message: refusal.message,
        request_id: request_id.to_owned(),
    }
}

/// An error with what caused it; hyper's own text does not say.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
