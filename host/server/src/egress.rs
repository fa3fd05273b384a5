//! The calls that plugins make over HTTP, and the requests (`endpoints`) and the connections to
//! databases (`databases`) of deliveries. What plugins may call, and how their requests must look,
//! is decided in `wasm`; here a name becomes an address, once, a connection is made to that very
//! address, and no more of the answer is taken than may be.
//!
//! Each call has a connection of its own, which ends with it: none is shared between plugins, and
//! none outlives what its name led to.

mod databases;
mod endpoints;
mod heard;
mod places;
mod resolve;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_rustls::ConfigBuilderExt;
use hyper_util::rt::TokioIo;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ConfigBuilder, WantsVerifier};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wasm::{Answer, AnswerRoom, Call, CallError, HttpUrl, Outbound};

pub(crate) use endpoints::EndpointCalls;
use heard::Heard;
use places::{Held, Place, Places};
pub(crate) use resolve::Resolve;
use resolve::SystemResolver;

/// How long a connection to one address may take to be made, TLS not counted.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(3);
/// Addresses of a name that are tried, one after the other.
const ADDRESSES_TRIED_MAX: usize = 2;
/// Addresses of a name that are looked at; further ones are left aside.
const ADDRESSES_MAX: usize = 32;
/// Bytes of an answer's status line and headers, and how many headers. One with more is none.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 100;
/// Bytes for which an answer that does not say how long it is takes room with its first piece, if
/// it may have as many. It takes twice as much whenever that is not enough.
const ROOM_BYTES_FIRST: usize = 64 * 1024;
/// How often is looked whether somebody still waits for an answer.
const STOP_LOOK: Duration = Duration::from_millis(20);
/// Who calls, where the plugin does not say.
const AGENT: HeaderValue = HeaderValue::from_static("millrace");
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Makes the calls of all plugins.
pub(crate) struct Egress {
    runtime: Handle,
    resolver: Arc<dyn Resolve>,
    tls: TlsConnector,
    places: Places,
}

impl Egress {
    /// With the names of the operating system, and the certificates that it trusts. Blocks.
    ///
    /// # Errors
    /// When there are none of these.
    pub(crate) fn open(runtime: Handle) -> io::Result<Self> {
        let tls = connector()?;
        Ok(Self::with(runtime, Arc::new(SystemResolver), tls))
    }

    /// With these names and these certificates.
    fn with(runtime: Handle, resolver: Arc<dyn Resolve>, tls: TlsConnector) -> Self {
        Self {
            runtime,
            resolver,
            tls,
            places: Places::default(),
        }
    }

    async fn exchange(&self, call: &Call<'_>) -> Result<Answer, CallError> {
        let place = self.places.take(call.plugin, call.account).await?;
        let forbids = |address| call.forbids(address);
        let addresses = addresses(&*self.resolver, call.url.host(), forbids).await?;
        let stream = connect(&addresses, call.url.port()).await?;
        if !call.url.is_https() {
            return ask(stream, call, &place).await;
        }
        let secured = secure(&self.tls, call.url, stream).await?;
        ask(secured, call, &place).await
    }
}

/// TLS with the certificates that the system trusts. Blocks.
fn connector() -> io::Result<TlsConnector> {
    let config = client_config()?.with_native_roots()?;
    Ok(TlsConnector::from(Arc::new(config.with_no_client_auth())))
}

/// What all TLS here has in common.
fn client_config() -> io::Result<ConfigBuilder<ClientConfig, WantsVerifier>> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions();
    config.map_err(io::Error::other)
}

/// The addresses that may be called, of those that a host leads to at this moment.
async fn addresses(
    resolver: &dyn Resolve,
    host: &str,
    forbids: impl Fn(IpAddr) -> Option<String>,
) -> Result<Vec<IpAddr>, CallError> {
    let found = match host.trim_matches(['[', ']']).parse() {
        Ok(address) => vec![address],
        Err(_) => {
            let found = resolver.resolve(host).await;
            found.map_err(|error| CallError::Failed(format!("find {host}: {error}")))?
        }
    };
    let mut forbidden = None;
    let mut allowed = Vec::new();
    for address in found.into_iter().take(ADDRESSES_MAX) {
        match forbids(address) {
            None => allowed.push(address),
            Some(why) => forbidden = forbidden.or(Some(why)),
        }
    }
    match (allowed.is_empty(), forbidden) {
        (false, _) => Ok(allowed),
        (true, Some(why)) => Err(CallError::Refused(why)),
        (true, None) => Err(CallError::Failed(format!("{host} has no address"))),
    }
}

/// TLS over a connection to the host of a URL.
async fn secure(
    tls: &TlsConnector,
    url: &HttpUrl,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, CallError> {
    let host = url.host().trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(host);
    let name = name.map_err(|error| CallError::Refused(error.to_string()))?;
    let secured = tls.connect(name, stream).await;
    secured.map_err(|error| CallError::Failed(format!("TLS: {error}")))
}

impl Outbound for Egress {
    fn fetch(&self, call: &Call<'_>) -> Result<Answer, CallError> {
        self.runtime.block_on(async {
            tokio::select! {
                exchanged = timeout(call.time_max, self.exchange(call)) => {
                    exchanged.unwrap_or_else(|_| {
                        let ms = call.time_max.as_millis();
                        Err(CallError::Failed(format!("no whole answer within {ms} ms")))
                    })
                }
                () = nobody_waits(call) => Err(CallError::Stopped),
            }
        })
    }
}

/// Ends once nobody waits for the answer.
async fn nobody_waits(call: &Call<'_>) {
    while !call.is_stopped() {
        sleep(STOP_LOOK).await;
    }
}

async fn connect(addresses: &[IpAddr], port: u16) -> Result<TcpStream, CallError> {
    let mut last = "it has no address".to_owned();
    for address in addresses.iter().take(ADDRESSES_TRIED_MAX) {
        let connecting = TcpStream::connect(SocketAddr::new(*address, port));
        match timeout(CONNECT_TIME_MAX, connecting).await {
            Ok(Ok(stream)) => {
                // Refused, a request is sent a little later.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => last = error.to_string(),
            Err(_) => {
                let seconds = CONNECT_TIME_MAX.as_secs();
                last = format!("it takes no connection within {seconds} s");
            }
        }
    }
    Err(CallError::Failed(format!("connect: {last}")))
}

/// Sends a request over a connection of its own, to which the answer has a body of up to so many
/// bytes. That ends when what is given back beside the answer is dropped.
async fn send<B>(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<B>,
    body_bytes_max: usize,
) -> hyper::Result<(Response<Incoming>, JoinSet<hyper::Result<()>>)>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut builder = http1::Builder::new();
    builder
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let stream = Heard::new(stream, body_bytes_max);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let answered = sender.send_request(request).await?;
    Ok((answered, tasks))
}

/// Sends the request and takes its answer.
async fn ask(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    call: &Call<'_>,
    place: &Place,
) -> Result<Answer, CallError> {
    let sent = send(stream, request(call)?, call.answer_bytes_max).await;
    let (answered, _connection) = sent.map_err(|error| CallError::Failed(error.to_string()))?;
    let (head, body) = answered.into_parts();
    let head_bytes = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    // What is read at once may be more.
    if head.headers.iter().map(head_bytes).sum::<usize>() > HEAD_BYTES_MAX {
        let why = format!("an answer whose headers have more than {HEAD_BYTES_MAX} bytes");
        return Err(CallError::Failed(why));
    }
    let (body, held) = all_of(body, call.answer_bytes_max, place).await?;
    Ok(Answer {
        status: head.status.as_u16(),
        headers: told(&head.headers),
        body,
        room: AnswerRoom::of(held),
    })
}

fn request(call: &Call<'_>) -> Result<Request<Full<Bytes>>, CallError> {
    let refused = |what: &dyn std::fmt::Display| CallError::Refused(what.to_string());
    let body = Full::new(call.body.clone());
    let mut request = Request::builder()
        .method(call.method)
        .uri(call.url.path_and_query())
        .body(body)
        .map_err(|error| refused(&error))?;
    let headers = request.headers_mut();
    for (name, value) in call.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| refused(&error))?;
        let value = HeaderValue::from_bytes(value).map_err(|error| refused(&error))?;
        headers.append(name, value);
    }
    let host = HeaderValue::from_str(&call.url.authority()).map_err(|error| refused(&error))?;
    headers.insert(HOST, host);
    headers.insert(CONNECTION, CLOSE);
    headers.entry(USER_AGENT).or_insert(AGENT);
    Ok(request)
}

/// A whole body, of so many bytes at most, and the room that it takes.
///
/// One that says how long it is waits for all its room before it is read. Another one waits with
/// its first piece, and fails where there is not more at once: who waited with some in hand would
/// wait for another that waits for that.
async fn all_of(
    mut body: Incoming,
    bytes_max: usize,
    place: &Place,
) -> Result<(Vec<u8>, Held), CallError> {
    let length = body.size_hint().exact().unwrap_or_default();
    let length = usize::try_from(length).map_err(|_| CallError::TooLarge)?;
    if length > bytes_max {
        return Err(CallError::TooLarge);
    }
    let mut held = place.hold(length).await?;
    let mut all = Vec::with_capacity(length);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| CallError::Failed(error.to_string()))?;
        // Trailers are nobody's.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let needed = all.len() + data.len();
        if needed > bytes_max {
            return Err(CallError::TooLarge);
        }
        if needed > held.bytes() {
            let more = ROOM_BYTES_FIRST.max(2 * held.bytes());
            let wanted = bytes_max.min(needed.max(more));
            if held.bytes() == 0 {
                held = place.hold(wanted).await?;
            } else if !place.grow(&mut held, wanted) && !place.grow(&mut held, needed) {
                return Err(no_room(needed));
            }
            all.reserve_exact(held.bytes() - all.len());
        }
        all.extend_from_slice(&data);
    }
    Ok((all, held))
}

fn no_room(bytes: usize) -> CallError {
    CallError::Failed(format!(
        "there is no room for {bytes} bytes of an answer that does not say how long it is: other \
         answers take all that its plugin, its account or the server has"
    ))
}

fn told(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let own = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), value.as_bytes().to_vec())
    };
    headers.iter().map(own).collect()
}

#[cfg(test)]
mod tests;
