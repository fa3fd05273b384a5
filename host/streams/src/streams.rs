//! The service: what all operations work on.

use std::fmt;
use std::sync::Arc;

use store::Engine;
use types::Clock;

use crate::Metrics;

/// How the service behaves where that is the host's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether a shard's limits are enforced as AWS enforces them.
    pub throttle: bool,
}

/// Why the service did not start.
#[derive(Clone, Debug)]
pub enum OpenError {
    /// The catalog could not be read or rolled forward.
    Store(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(why) => write!(f, "open the catalog of streams: {why}"),
        }
    }
}

impl std::error::Error for OpenError {}

/// All streams of one server.
pub struct Streams {
    metrics: Metrics,
}

impl Streams {
    /// Loads the catalog, brings streams that were being created or deleted to their end, and
    /// starts the task that forgets what retention no longer keeps.
    pub async fn open(
        _engine: Arc<dyn Engine>,
        _clock: Arc<dyn Clock>,
        _options: Options,
    ) -> Result<Arc<Self>, OpenError> {
        Ok(Arc::new(Self {
            metrics: Metrics::default(),
        }))
    }

    /// What was counted since the start.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Ends the background tasks. Operations that come later are refused where they change
    /// something.
    pub async fn close(&self) {}
}
