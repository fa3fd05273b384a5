//! An HTTP endpoint as a destination, as it is configured. It is kept as the client gave it.

use std::fmt;
use std::time::Duration;

use bincode::{Decode, Encode};

/// How long is tried again where nobody says (model, HttpEndpointRetryOptions).
pub const RETRY_SECONDS_DEFAULT: u32 = 300;

/// Where requests go, and what is done about those that are not taken.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HttpEndpoint {
    /// Where to, sent as it was given.
    pub url: String,
    /// What its owner calls it.
    pub name: Option<String>,
    /// What it knows us by.
    pub access_key: Option<AccessKey>,
    /// Whether bodies are packed with gzip.
    pub packs: bool,
    /// Sent with each request.
    pub common_attributes: Vec<(String, String)>,
    /// Seconds for which a request is tried again once it was not taken.
    pub retry_seconds: u32,
    /// Whether all records as they came in go to the bucket, too.
    pub backs_up_all: bool,
    /// What was said of the bucket and is only given back.
    pub bucket: Beside,
}

/// What is kept of `S3Configuration` besides where objects go and how they are packed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Beside {
    /// Roles mean nothing here.
    pub role_arn: String,
    /// `BufferingHints`: records go to the bucket with their cut.
    pub hints: Option<(u32, u32)>,
    /// `CloudWatchLoggingOptions`: enabled, group, stream.
    pub logging: Option<(bool, Option<String>, Option<String>)>,
}

/// A secret: it is sent, and never shown.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct AccessKey(pub String);

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessKey")
    }
}

impl HttpEndpoint {
    /// An endpoint before anything is said of it. It has no URL.
    pub fn blank() -> Self {
        Self {
            url: String::new(),
            name: None,
            access_key: None,
            packs: false,
            common_attributes: Vec::new(),
            retry_seconds: RETRY_SECONDS_DEFAULT,
            backs_up_all: false,
            bucket: Beside::default(),
        }
    }

    /// For how long a request is tried again.
    pub fn retry_time(&self) -> Duration {
        Duration::from_secs(u64::from(self.retry_seconds))
    }
}
