//! How the S3 client reaches its endpoint: hyper, with TLS where the endpoint asks for it. The only
//! place that opens outbound connections.

use std::time::Duration;

use async_trait::async_trait;
use http_body_util::BodyExt;
use hyper::{Method, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as TcpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpResponseBody, HttpService,
};

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

type Inner = Client<HttpsConnector<TcpConnector>, HttpRequestBody>;

/// Makes clients that share one pool of connections.
#[derive(Debug)]
pub struct Connector {
    client: Inner,
}

impl Connector {
    /// A connector that trusts the certificates that the operating system trusts.
    pub fn new() -> std::io::Result<Self> {
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
            .build(connector);
        Ok(Self { client })
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Service(self.client.clone())))
    }
}

#[derive(Debug)]
struct Service(Inner);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let time_max = time_max(request.body().content_length())?;
        let is_put = request.method() == Method::PUT;
        let exchange = async {
            let response = self.0.request(request).await.map_err(sent)?;
            let (parts, body) = response.into_parts();
            // Answers to puts are small; one that breaks off is an error here and not later.
            let body = body.collect().await.map_err(received)?.to_bytes();
            // The client itself reads these two as "an object is there already".
            let is_about_what_is_there = matches!(
                parts.status,
                StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED
            );
            if is_put && !parts.status.is_success() && !is_about_what_is_there {
                let refusal = Refusal::read(parts.status, &body);
                return Err(HttpError::new(HttpErrorKind::Unknown, refusal));
            }
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
