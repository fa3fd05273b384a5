//! How the S3 client reaches its endpoint: hyper, with TLS where the endpoint asks for it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{ETAG, RANGE};
use hyper::{HeaderMap, Method, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as TcpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpResponseBody, HttpService,
};

use super::marked::{self, Signer};
use super::refusal::Refusal;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request may take, whatever its size, and how much longer for each mebibyte.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
const REQUEST_TIMEOUT_PER_MIB: Duration = Duration::from_secs(1);
/// Connections that are kept open though nothing goes over them, per endpoint.
const IDLE_CONNECTIONS_MAX: usize = 32;
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const BYTES_PER_MIB: usize = 1024 * 1024;
/// Bytes of an answer's status line and headers, of its trailers, and of a body that are read at
/// once. An answer with more of the first two is an error.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Headers of an answer; one with more is an error.
const HEADERS_MAX: usize = 100;
/// Bytes of an answer's body that are read where no object was asked for: an error's words stand
/// in its first. What follows is not read, and the connection ends.
const WORDS_BYTES_MAX: u64 = 16 * 1024;
/// The same of the names of objects: of a hundred, each a KiB of signs that XML writes longer.
const LISTING_BYTES_MAX: u64 = 2 * 1024 * 1024;

type Inner = Client<HttpsConnector<TcpConnector>, HttpRequestBody>;

/// Makes clients that share one pool of connections.
#[derive(Debug)]
pub struct Connector {
    client: Inner,
    signer: Arc<Signer>,
}

impl Connector {
    /// A connector that trusts the certificates that the operating system trusts.
    pub(super) fn new(signer: Signer) -> std::io::Result<Self> {
        let mut tcp = TcpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()?
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .http1_max_headers(HEADERS_MAX)
            .build(connector);
        Ok(Self {
            client,
            signer: Arc::new(signer),
        })
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let signer = Arc::clone(&self.signer);
        Ok(HttpClient::new(Service(self.client.clone(), signer)))
    }
}

#[derive(Debug)]
struct Service(Inner, Arc<Signer>);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let request = self.1.as_meant(request)?;
        let time_max = time_max(request.body().content_length())?;
        let is_put = request.method() == Method::PUT;
        let is_listing = *request.method() == Method::GET && is_listing(request.uri());
        let asked_for = match *request.method() {
            _ if is_listing => Some(LISTING_BYTES_MAX),
            Method::GET => bytes_asked_for(request.headers()),
            _ => None,
        };
        let exchange = async {
            let response = self.0.request(request).await.map_err(sent)?;
            let (parts, body) = response.into_parts();
            let asked_for = asked_for.filter(|_| parts.status.is_success());
            // Answers to puts are small; one that breaks off is an error here and not later.
            let (body, is_whole) = first_of(body, asked_for.unwrap_or(WORDS_BYTES_MAX)).await?;
            if !is_whole && asked_for.is_some() {
                return Err(HttpError::new(HttpErrorKind::Unknown, MoreThanAskedFor));
            }
            // The client itself reads these two as "an object is there already".
            let is_about_what_is_there = matches!(
                parts.status,
                StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED
            );
            if is_put && !parts.status.is_success() && !is_about_what_is_there {
                let refusal = Refusal::read(parts.status, &body);
                return Err(HttpError::new(HttpErrorKind::Unknown, refusal));
            }
            if is_put && parts.status.is_success() && !parts.headers.contains_key(ETAG) {
                return Err(HttpError::new(HttpErrorKind::Unknown, NoTag(parts.status)));
            }
            let body = if is_listing {
                marked::listing(body)
            } else {
                body
            };
            Ok(HttpResponse::from_parts(
                parts,
                HttpResponseBody::from(body),
            ))
        };
        match tokio::time::timeout(time_max, exchange).await {
            Ok(answer) => answer,
            Err(elapsed) => Err(HttpError::new(HttpErrorKind::Timeout, elapsed)),
        }
    }
}

/// A put was answered well, and without the ETag that S3 answers it with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoTag(StatusCode);

impl fmt::Display for NoTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.0.as_u16();
        write!(f, "the endpoint answered {status} without an ETag")
    }
}

impl std::error::Error for NoTag {}

/// An answer held more of an object than was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct MoreThanAskedFor;

impl fmt::Display for MoreThanAskedFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the endpoint answered with more of an object than was asked for")
    }
}

impl std::error::Error for MoreThanAskedFor {}

/// Whether a request asks for the names of objects.
fn is_listing(uri: &Uri) -> bool {
    let parameters = uri.query().unwrap_or_default().split('&');
    parameters.into_iter().any(|it| it == "list-type=2")
}

/// How many bytes of an object a request asks for, as the client writes it: `bytes=0-99`.
fn bytes_asked_for(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(RANGE)?.to_str().ok()?;
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to): (u64, u64) = (from.parse().ok()?, to.parse().ok()?);
    to.checked_sub(from)?.checked_add(1)
}

/// The first bytes of a body, at most so many, and whether they are all. Trailers are not kept.
async fn first_of(mut body: Incoming, bytes_max: u64) -> Result<(Bytes, bool), HttpError> {
    let bytes_max = usize::try_from(bytes_max);
    let bytes_max = bytes_max.map_err(|error| HttpError::new(HttpErrorKind::Request, error))?;
    let mut first = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(mut data) = frame.map_err(received)?.into_data() else {
            continue;
        };
        let is_too_much = first.len() + data.len() > bytes_max;
        data.truncate(bytes_max - first.len());
        first.extend_from_slice(&data);
        if is_too_much {
            return Ok((first.freeze(), false));
        }
    }
    Ok((first.freeze(), true))
}

/// How long a request with a body of so many bytes may take.
fn time_max(body_bytes: usize) -> Result<Duration, HttpError> {
    let mebibytes = u32::try_from(body_bytes.div_ceil(BYTES_PER_MIB));
    let mebibytes = mebibytes.map_err(|error| HttpError::new(HttpErrorKind::Request, error))?;
    Ok(REQUEST_TIMEOUT + REQUEST_TIMEOUT_PER_MIB * mebibytes)
}

fn sent(error: hyper_util::client::legacy::Error) -> HttpError {
    let kind = if error.is_connect() {
        HttpErrorKind::Connect
    } else {
        HttpErrorKind::Request
    };
    HttpError::new(kind, error)
}

fn received(error: hyper::Error) -> HttpError {
    HttpError::new(HttpErrorKind::Interrupted, error)
}
