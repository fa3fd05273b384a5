//! Calls to servers over HTTP that the plugin's manifest asks for in `[grants]`, as `host:port`,
//! and that the operator granted it.
//!
//! A batch that is worked on again makes its calls again, so that a server hears of a record at
//! least once. What a transform makes of answers should be the same each time.

use crate::Error;
use crate::host::http as host;

/// What is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    method: String,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// What a server answered, whatever its status is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// As 200.
    pub status: u16,
    /// Names in lower case, with their values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// All of it, at most 10 MiB.
    pub body: Vec<u8>,
}

impl Request {
    /// A request of this method, for a URL that begins with `https://` or `http://`.
    pub fn new(method: &str, url: &str) -> Self {
        Self {
            method: method.to_owned(),
            url: url.to_owned(),
            ..Self::default()
        }
    }

    /// Asks for what is there.
    pub fn get(url: &str) -> Self {
        Self::new("GET", url)
    }

    /// Hands something over.
    pub fn post(url: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..Self::new("POST", url)
        }
    }

    /// The same with a header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The same with this body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Where it goes.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it hands over.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Makes the call and waits for the whole answer.
    ///
    /// In a native test the answer is what [`testing::with_http`](crate::testing::with_http) says.
    ///
    /// # Errors
    /// When the call may not be made: for good, with what to write where if it is not granted. When
    /// there is no answer, or not in time: an error after which the batch is tried again
    /// ([`Error::retryable`]).
    pub fn send(&self) -> Result<Response, Error> {
        let sent = host::Request {
            method: self.method.clone(),
            url: self.url.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
        };
        match host::fetch(&sent) {
            Ok(answer) => Ok(Response {
                status: answer.status,
                headers: answer.headers,
                body: answer.body,
            }),
            Err(host::Error::Refused(why)) => Err(Error::new(why)),
            Err(host::Error::Failed(why)) => Err(Error::retryable(why)),
        }
    }
}

impl Response {
    /// Whether its status says that all went well.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}
