//! HTTP endpoints and databases of destinations: the boundary between delivery and whoever opens
//! connections. What a request holds and what an answer means is decided here; which addresses may
//! be called, and how bytes come there, is for whoever implements [`Endpoints`].

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use types::Invalid;

/// How long an endpoint has to answer (developer guide, "HTTP endpoint delivery request and
/// response specifications"). After that its answer is not waited for.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(3 * 60);
/// Bytes of an answer (the same page).
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// A request, whole.
#[derive(Clone, Debug)]
pub struct EndpointRequest {
    /// Where to; it was permitted when it was configured.
    pub url: String,
    /// Names in lower case, and values of one line.
    pub headers: Vec<(&'static str, String)>,
    /// What is posted, piece by piece.
    pub body: Vec<Bytes>,
    /// The address that it goes to, if the name still leads there and it may be called.
    pub address: Option<IpAddr>,
    /// Bytes of an answer. Of one with more nothing is read any further.
    pub answer_bytes_max: usize,
}

/// What an endpoint answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// 100 to 999.
    pub status: u16,
    /// `content-type`, if it is text.
    pub content_type: Option<String>,
    /// Whether it has a `content-encoding`.
    pub is_encoded: bool,
    /// Whether it says how long it is.
    pub has_length: bool,
    /// All of it.
    pub body: Vec<u8>,
    /// The address that it came from.
    pub address: Option<IpAddr>,
    /// What each `set-cookie` says, as far as it is text.
    pub cookies: Vec<String>,
}

/// Why there is no answer. The request may have been taken all the same, unless it was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoReply {
    /// It was not sent: no request may go there.
    Forbidden(String),
    /// There was no connection.
    NotConnected(String),
    /// The connection ended.
    Broken(String),
    /// It took longer than [`ANSWER_TIME_MAX`].
    Late,
    /// The answer has more bytes than it may.
    TooLarge,
}

/// A server of databases that speaks PostgreSQL's protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseServer {
    /// A name, or an address; one of IPv6 in brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What protects the way to it.
    pub security: Security,
}

/// What protects the way to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Nothing.
    Plain,
    /// TLS, with whoever answers.
    Encrypted,
    /// TLS with whom the system's certificates vouch for by that name.
    Verified,
}

/// A connection, over which something else speaks.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// Sends requests, and opens connections to databases.
#[async_trait]
pub trait Endpoints: Send + Sync {
    /// Whether requests may be sent to a URL, as far as that can be known before its name is
    /// looked up.
    ///
    /// # Errors
    /// A sentence that says why not, and what an operator would do about it.
    fn permits(&self, url: &str) -> Result<(), Invalid>;

    /// Posts a request over a connection of its own and reads the answer. A redirect is an answer
    /// like others. The name is looked up once, and the connection made to an address that came of
    /// that and that may be called.
    ///
    /// # Errors
    /// When there is no answer within [`ANSWER_TIME_MAX`], and its bytes.
    async fn post(&self, request: EndpointRequest) -> Result<Reply, NoReply>;

    /// Whether a server of databases may be connected to, as far as that can be known before its
    /// name is looked up. One that cannot be reached is none.
    ///
    /// # Errors
    /// A sentence that says why not, and what an operator would do about it.
    fn permits_database(&self, _: &DatabaseServer) -> Result<(), Invalid> {
        Err(Invalid(SENDS_NOTHING.to_owned()))
    }

    /// Opens a connection to a server of databases. The name is looked up once, and the connection
    /// made to an address that came of that and that may be called; TLS, where it is asked for, is
    /// agreed on before anything else is sent.
    ///
    /// # Errors
    /// When there is no such connection in a time that is bounded.
    async fn connect(&self, _: &DatabaseServer) -> Result<Box<dyn Socket>, NoReply> {
        Err(NoReply::Forbidden(SENDS_NOTHING.to_owned()))
    }
}

/// Sends nothing: delivery without HTTP endpoints.
#[derive(Clone, Copy, Debug)]
pub struct NoEndpoints;

const SENDS_NOTHING: &str = "no requests are sent here";

#[async_trait]
impl Endpoints for NoEndpoints {
    fn permits(&self, _: &str) -> Result<(), Invalid> {
        Err(Invalid(SENDS_NOTHING.to_owned()))
    }

    async fn post(&self, _: EndpointRequest) -> Result<Reply, NoReply> {
        Err(NoReply::Forbidden(SENDS_NOTHING.to_owned()))
    }
}
