//! What destinations of requests have in common: how long a request is tried, and the bucket of
//! what is not taken. It is kept as the client gave it.

use std::time::Duration;

use bincode::{Decode, Encode};

/// What is done about requests that are not taken, and with all records besides sending them.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Fallback {
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

impl Fallback {
    /// Before anything is said of it but for how many seconds requests are tried again.
    pub fn after(retry_seconds: u32) -> Self {
        Self {
            retry_seconds,
            backs_up_all: false,
            bucket: Beside::default(),
        }
    }

    /// For how long a request is tried again.
    pub fn retry_time(&self) -> Duration {
        Duration::from_secs(u64::from(self.retry_seconds))
    }
}
