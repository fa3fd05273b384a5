//! The requests of deliveries to HTTP endpoints, and who may be connected to. They go to the
//! internet at large over TLS, and elsewhere only where the operator names host and port; each over
//! a connection of its own, to an address that its name led to at that moment.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use delivery::endpoints::{
    ANSWER_TIME_MAX, DatabaseServer, EndpointRequest, Endpoints, NoReply, Reply, Socket,
};
use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, SET_COOKIE, USER_AGENT,
};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use types::Invalid;
use wasm::{CallError, HostPattern, HttpUrl, address_kind};

use super::resolve::{Resolve, SystemResolver};
use super::{AGENT, CLOSE, addresses, connect, connector, secure, send};

/// Sends the requests of all delivery streams. How many there are at once the memory for cuts at
/// work bounds, of which each holds its request and room for an answer.
pub(crate) struct EndpointCalls {
    resolver: Arc<dyn Resolve>,
    /// Made with the first request that needs it.
    tls: OnceCell<TlsConnector>,
    /// What may be called besides the internet at large over TLS.
    allowed: Vec<HostPattern>,
}

impl EndpointCalls {
    /// With the names of the operating system, and the certificates that it trusts.
    pub(crate) fn new(allowed: Vec<HostPattern>) -> Self {
        Self {
            resolver: Arc::new(SystemResolver),
            tls: OnceCell::new(),
            allowed,
        }
    }

    fn is_named(&self, url: &HttpUrl) -> bool {
        let (host, port) = (url.host(), url.port());
        self.allowed
            .iter()
            .any(|allowed| allowed.matches(host, port))
    }

    /// Why no request may go to an address that a URL leads to; `None`: one may.
    fn forbids(&self, url: &HttpUrl, address: IpAddr) -> Option<String> {
        let kind = address_kind(address)?;
        if self.is_named(url) {
            return None;
        }
        let address = address.to_canonical();
        Some(format!("it leads to {address}, {kind}; {}", way_out(url)))
    }

    pub(super) fn permits_url(&self, url: &HttpUrl) -> Result<(), String> {
        if !url.is_https() && !self.is_named(url) {
            let way_out = way_out(url);
            return Err(format!(
                "what is sent there can be read on its way; {way_out}"
            ));
        }
        let address = url.host().trim_matches(['[', ']']).parse();
        match address.ok().and_then(|address| self.forbids(url, address)) {
            Some(why) => Err(why),
            None => Ok(()),
        }
    }

    /// A connection to the place of a URL: to this address, if the name still leads there.
    pub(super) async fn connect_to(
        &self,
        url: &HttpUrl,
        address: Option<IpAddr>,
    ) -> Result<TcpStream, NoReply> {
        // It was permitted when it was configured, and may not be since the last start.
        self.permits_url(url).map_err(NoReply::Forbidden)?;
        let forbids = |address| self.forbids(url, address);
        let found = addresses(&*self.resolver, url.host(), forbids).await;
        let mut found = found.map_err(not_sent)?;
        // The order of the others stays.
        found.sort_by_key(|found| Some(*found) != address);
        connect(&found, url.port()).await.map_err(not_sent)
    }

    /// TLS with whom the system's certificates vouch for.
    pub(super) async fn secured(
        &self,
        url: &HttpUrl,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, NoReply> {
        let tls = self.tls.get_or_try_init(native_tls).await?;
        secure(tls, url, stream).await.map_err(not_sent)
    }

    async fn exchange(&self, request: EndpointRequest) -> Result<Reply, NoReply> {
        let url = HttpUrl::parse(&request.url).map_err(NoReply::Forbidden)?;
        let stream = self.connect_to(&url, request.address).await?;
        let address = stream.peer_addr().ok().map(|peer| peer.ip());
        let bytes_max = request.answer_bytes_max;
        let request = post(&url, request)?;
        let reply = if url.is_https() {
            let secured = self.secured(&url, stream).await?;
            ask(secured, request, bytes_max).await?
        } else {
            ask(stream, request, bytes_max).await?
        };
        Ok(Reply { address, ..reply })
    }
}

/// What an operator would do so that a URL may be called.
fn way_out(url: &HttpUrl) -> String {
    let (host, port) = (url.host(), url.port());
    format!("the operator would write [egress] allow = [\"{host}:{port}\"]")
}

async fn native_tls() -> Result<TlsConnector, NoReply> {
    let opened = spawn_blocking(connector).await;
    let opened = opened.map_err(|error| NoReply::NotConnected(error.to_string()))?;
    opened.map_err(|error| {
        NoReply::Forbidden(format!("the certificates that the system trusts: {error}"))
    })
}

pub(super) fn not_sent(error: CallError) -> NoReply {
    match error {
        CallError::Refused(why) => NoReply::Forbidden(why),
        CallError::Failed(why) => NoReply::NotConnected(why),
        CallError::TooLarge => NoReply::TooLarge,
        CallError::Stopped => NoReply::Broken("it was given up".to_owned()),
    }
}

#[async_trait]
impl Endpoints for EndpointCalls {
    fn permits(&self, url: &str) -> Result<(), Invalid> {
        let url = HttpUrl::parse(url).map_err(Invalid)?;
        self.permits_url(&url).map_err(Invalid)
    }

    async fn post(&self, request: EndpointRequest) -> Result<Reply, NoReply> {
        let exchanged = timeout(ANSWER_TIME_MAX, self.exchange(request)).await;
        exchanged.unwrap_or(Err(NoReply::Late))
    }

    fn permits_database(&self, server: &DatabaseServer) -> Result<(), Invalid> {
        self.permits_server(server).map_err(Invalid)
    }

    async fn connect(&self, server: &DatabaseServer) -> Result<Box<dyn Socket>, NoReply> {
        self.open_database(server).await
    }
}

fn post(url: &HttpUrl, request: EndpointRequest) -> Result<Request<Pieces>, NoReply> {
    let wrong = |what: &dyn std::fmt::Display| NoReply::Forbidden(what.to_string());
    let bytes = request.body.iter().map(|piece| piece.len() as u64).sum();
    let body = Pieces {
        pieces: request.body.into(),
        bytes,
    };
    let mut post = Request::new(body);
    *post.method_mut() = Method::POST;
    let path = url.path_and_query().parse();
    *post.uri_mut() = path.map_err(|error: http::uri::InvalidUri| wrong(&error))?;
    let headers = post.headers_mut();
    for (name, value) in request.headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|error| wrong(&error))?;
        headers.insert(name, value);
    }
    let host = HeaderValue::from_str(&url.authority()).map_err(|error| wrong(&error))?;
    headers.insert(HOST, host);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes));
    headers.insert(CONNECTION, CLOSE);
    headers.insert(USER_AGENT, AGENT);
    Ok(post)
}

/// Sends the request and takes its answer of up to so many bytes.
async fn ask(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Pieces>,
    bytes_max: usize,
) -> Result<Reply, NoReply> {
    let sent = send(stream, request, bytes_max).await;
    let (answered, _connection) = sent.map_err(|error| NoReply::Broken(error.to_string()))?;
    read(answered, bytes_max).await
}

async fn read(answered: Response<Incoming>, bytes_max: usize) -> Result<Reply, NoReply> {
    let (head, mut body) = answered.into_parts();
    let kind = head.headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok());
    let cookies = head.headers.get_all(SET_COOKIE).iter();
    let mut reply = Reply {
        status: head.status.as_u16(),
        content_type: kind.map(str::to_owned),
        is_encoded: head.headers.contains_key(CONTENT_ENCODING),
        has_length: head.headers.contains_key(CONTENT_LENGTH),
        body: Vec::new(),
        address: None,
        cookies: cookies
            .filter_map(|cookie| cookie.to_str().ok().map(str::to_owned))
            .collect(),
    };
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| NoReply::Broken(error.to_string()))?;
        // Trailers are nobody's.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if reply.body.len() + data.len() > bytes_max {
            return Err(NoReply::TooLarge);
        }
        reply.body.extend_from_slice(&data);
    }
    Ok(reply)
}

/// The body of a request, of which nothing is copied.
struct Pieces {
    pieces: VecDeque<Bytes>,
    /// Bytes that are left.
    bytes: u64,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let next = self.pieces.pop_front();
        if let Some(piece) = &next {
            self.bytes -= piece.len() as u64;
        }
        Poll::Ready(next.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::resolve::Found;
    use super::*;

    /// Leads every name to these addresses, and remembers who was asked for.
    struct Leads {
        to: Vec<IpAddr>,
        asked: Mutex<Vec<String>>,
    }

    impl Resolve for Leads {
        fn resolve<'a>(&'a self, host: &'a str) -> Found<'a> {
            self.asked.lock().unwrap().push(host.to_owned());
            let addresses = self.to.clone();
            Box::pin(async move { Ok(addresses) })
        }
    }

    fn calls(to: &[&str], allowed: &[&str]) -> (EndpointCalls, Arc<Leads>) {
        let leads = Arc::new(Leads {
            to: to.iter().map(|it| it.parse().unwrap()).collect(),
            asked: Mutex::default(),
        });
        let allowed = allowed.iter().map(|it| HostPattern::parse(it).unwrap());
        let calls = EndpointCalls {
            resolver: Arc::clone(&leads) as _,
            tls: OnceCell::new(),
            allowed: allowed.collect(),
        };
        (calls, leads)
    }

    fn request(url: &str) -> EndpointRequest {
        EndpointRequest {
            url: url.to_owned(),
            headers: Vec::new(),
            body: vec![Bytes::from_static(b"one"), Bytes::from_static(b"two")],
            address: None,
            answer_bytes_max: 1024,
        }
    }

    /// Addresses that only whoever asks a name finds.
    #[tokio::test]
    async fn a_name_that_leads_to_a_place_that_is_not_named_is_not_called() {
        for address in [
            "127.0.0.1",
            "10.0.0.1",
            "169.254.169.254",
            "::1",
            "::ffff:127.0.0.1",
        ] {
            let (calls, leads) = calls(&[address], &["other.example:443"]);
            assert_eq!(calls.permits("https://a.example/"), Ok(()));
            let refused = calls.post(request("https://a.example/")).await.unwrap_err();
            let NoReply::Forbidden(why) = refused else {
                panic!("{refused:?}");
            };
            assert!(
                why.contains("[egress] allow = [\"a.example:443\"]"),
                "{why}"
            );
            assert_eq!(*leads.asked.lock().unwrap(), ["a.example"]);
        }
    }

    #[test]
    fn what_is_permitted_follows_from_the_scheme_the_address_and_what_is_named() {
        let named = ["127.0.0.1:80", "*.internal.example:8080", "[::1]:8443"];
        let (calls, _) = calls(&[], &named);
        for url in [
            "https://a.example/",
            "https://a.example:8443/b?c",
            "https://1.1.1.1/",
            "http://127.0.0.1/",
            "http://a.internal.example:8080/",
            "https://[::1]:8443/",
        ] {
            assert_eq!(calls.permits(url), Ok(()), "{url}");
        }
        for url in [
            "http://a.example/",
            "http://127.0.0.1:81/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "http://internal.example:8080/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://a.example@127.0.0.1/",
        ] {
            assert!(calls.permits(url).is_err(), "{url}");
        }
    }
}
