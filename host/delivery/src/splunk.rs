//! A Splunk HTTP event collector as a destination, as it is configured. It is kept as the client
//! gave it.

use bincode::{Decode, Encode};

use crate::fallback::Fallback;
use crate::secret::Secret;

/// How long is tried again where nobody says (developer guide, "Configure destination settings").
pub const RETRY_SECONDS_DEFAULT: u32 = 3_600;
/// How long records wait for others where nobody says (model, SplunkBufferingHints).
pub const INTERVAL_SECONDS_DEFAULT: u32 = 60;
/// How long an acknowledgement is waited for where nobody says (the same page).
pub const ACKNOWLEDGED_WITHIN_SECONDS_DEFAULT: u32 = 180;

/// Where events go, and what is done about those that are not taken.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Splunk {
    /// Where the collector is. The path of what is asked for is added to it.
    pub url: String,
    /// What records are.
    pub form: EventForm,
    /// What the collector knows us by. It is described, as AWS describes it.
    pub token: Secret,
    /// Seconds for which the acknowledgement of a request is waited for.
    pub acknowledged_within_seconds: u32,
    /// What is done about what is not taken.
    pub fallback: Fallback,
}

/// `HECEndpointType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum EventForm {
    /// Bytes, which Splunk divides into events.
    Raw,
    /// Events in JSON, each with what Splunk is told about it.
    Event,
}

impl EventForm {
    /// The model's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "Raw",
            Self::Event => "Event",
        }
    }
}

impl Splunk {
    /// A collector before anything is said of it. It has no URL and no token.
    pub fn blank() -> Self {
        Self {
            url: String::new(),
            form: EventForm::Raw,
            token: Secret(String::new()),
            acknowledged_within_seconds: ACKNOWLEDGED_WITHIN_SECONDS_DEFAULT,
            fallback: Fallback::after(RETRY_SECONDS_DEFAULT),
        }
    }
}
