//! An HTTP endpoint as a destination, as it is configured. It is kept as the client gave it.

use bincode::{Decode, Encode};

use crate::fallback::Fallback;
use crate::secret::Secret;

/// How long is tried again where nobody says (model, HttpEndpointRetryOptions).
pub const RETRY_SECONDS_DEFAULT: u32 = 300;

/// Where requests go, and what is done about those that are not taken.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HttpEndpoint {
    /// Where to, sent as it was given.
    pub url: String,
    /// What its owner calls it.
    pub name: Option<String>,
    /// What it knows us by. It is shown to nobody.
    pub access_key: Option<Secret>,
    /// Whether bodies are packed with gzip.
    pub packs: bool,
    /// Sent with each request.
    pub common_attributes: Vec<(String, String)>,
    /// What is done about what is not taken.
    pub fallback: Fallback,
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
            fallback: Fallback::after(RETRY_SECONDS_DEFAULT),
        }
    }
}
