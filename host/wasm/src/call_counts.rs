//! What a plugin had others do: calls over HTTP, and how long it waited for the host.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts of one plugin, over all its versions, since the start.
#[derive(Debug, Default)]
pub struct CallCounts {
    calls: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    bytes_out: AtomicU64,
    bytes_in: AtomicU64,
    waited_us: AtomicU64,
}

/// The same at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCountsShown {
    /// Calls over HTTP that it asked for.
    pub calls: u64,
    /// Those that were not made, as they may not be.
    pub refused: u64,
    /// Those that had no answer.
    pub failed: u64,
    /// Bytes of requests: heads and bodies.
    pub bytes_out: u64,
    /// Bytes of answers' bodies.
    pub bytes_in: u64,
    /// Microseconds that it waited for the host: for tables and for calls.
    pub waited_us: u64,
}

impl CallCounts {
    pub(crate) fn called(&self, bytes: u64) {
        add(&self.calls, 1);
        add(&self.bytes_out, bytes);
    }

    pub(crate) fn answered(&self, bytes: u64) {
        add(&self.bytes_in, bytes);
    }

    pub(crate) fn refused(&self) {
        add(&self.refused, 1);
    }

    pub(crate) fn failed(&self) {
        add(&self.failed, 1);
    }

    pub(crate) fn waited(&self, time: Duration) {
        add(
            &self.waited_us,
            u64::try_from(time.as_micros()).unwrap_or(u64::MAX),
        );
    }

    /// What they are now.
    pub fn shown(&self) -> CallCountsShown {
        let value = |count: &AtomicU64| count.load(Ordering::Relaxed);
        CallCountsShown {
            calls: value(&self.calls),
            refused: value(&self.refused),
            failed: value(&self.failed),
            bytes_out: value(&self.bytes_out),
            bytes_in: value(&self.bytes_in),
            waited_us: value(&self.waited_us),
        }
    }
}

fn add(count: &AtomicU64, by: u64) {
    // No other value is read because of a count, so nothing needs to be ordered by it.
    count.fetch_add(by, Ordering::Relaxed);
}
