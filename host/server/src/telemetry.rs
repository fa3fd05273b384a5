//! What is counted, for `/metrics`. Counting takes no lock and no memory; reading may.

mod render;

pub(crate) use render::{Surroundings, head, line, render_account};

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use wire::iam::Reason;

use crate::operations::OPERATIONS;

/// Upper ends of the latency histogram's buckets, in microseconds. One more bucket takes the rest.
const LATENCY_BUCKETS_US: [u64; 16] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 10_000_000,
];
/// The code of a good answer.
const OK: &str = "OK";
/// Codes that are counted by name, sorted. Others are counted together as the last one.
const CODES: [&str; 25] = [
    "AccessDeniedException",
    "ConditionalCheckFailedException",
    "ExpiredIteratorException",
    "ExpiredNextTokenException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InternalFailure",
    "InvalidArgumentException",
    "InvalidSignatureException",
    "LimitExceededException",
    "MalformedHttpRequestException",
    "MissingAuthenticationTokenException",
    OK,
    "ProvisionedThroughputExceededException",
    "RequestEntityTooLargeException",
    "RequestTimeoutException",
    "ResourceInUseException",
    "ResourceNotFoundException",
    "SerializationException",
    "ServiceUnavailable",
    "ThrottlingException",
    "UnknownOperationException",
    "UnrecognizedClientException",
    "ValidationException",
    "other",
];

/// Everything that the server counts.
pub(crate) struct Telemetry {
    /// In the order of [`OPERATIONS`]; the last is for requests that name none.
    operations: [OperationCounts; OPERATIONS.len() + 1],
    connections_open: AtomicUsize,
    connections_at_rest: AtomicUsize,
    connections_accepted: AtomicU64,
    connections_refused: AtomicU64,
    handshakes_failed: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    /// In the order of [`DENIALS`].
    denials: [AtomicU64; DENIALS.len()],
}

/// Why requests are denied, and how it is called.
const DENIALS: [(Reason, &str); 5] = [
    (Reason::IdentityDenies, "identity_deny"),
    (Reason::IdentityIsSilent, "identity_no_allow"),
    (Reason::ResourceDenies, "resource_deny"),
    (Reason::ResourceIsSilent, "resource_no_allow"),
    (Reason::NotOwner, "not_owner"),
];

/// A connection without a buffer, counted until this is dropped.
pub(crate) struct Rest<'a>(&'a Telemetry);

/// Requests of one operation.
struct OperationCounts {
    by_code: [AtomicU64; CODES.len()],
    by_latency: [AtomicU64; LATENCY_BUCKETS_US.len() + 1],
    latency_us: AtomicU64,
}

impl OperationCounts {
    fn new() -> Self {
        Self {
            by_code: [const { AtomicU64::new(0) }; CODES.len()],
            by_latency: [const { AtomicU64::new(0) }; LATENCY_BUCKETS_US.len() + 1],
            latency_us: AtomicU64::new(0),
        }
    }
}

impl Telemetry {
    pub(crate) fn new() -> Self {
        Self {
            operations: std::array::from_fn(|_| OperationCounts::new()),
            connections_open: AtomicUsize::new(0),
            connections_at_rest: AtomicUsize::new(0),
            connections_accepted: AtomicU64::new(0),
            connections_refused: AtomicU64::new(0),
            handshakes_failed: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            denials: [const { AtomicU64::new(0) }; DENIALS.len()],
        }
    }

    /// A request was answered: the place of its operation if it named one, the code of its error
    /// if it was one, and the time from its headers to its answer.
    pub(crate) fn answered(
        &self,
        operation: Option<usize>,
        error: Option<&'static str>,
        took: Duration,
    ) {
        let place = operation.unwrap_or(OPERATIONS.len());
        let Some(counts) = self.operations.get(place) else {
            return;
        };
        let code = CODES.binary_search(&error.unwrap_or(OK));
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX); // 584,000 years.
        let bucket = LATENCY_BUCKETS_US.partition_point(|end| *end < took_us);
        add(counts.by_code.get(code.unwrap_or(CODES.len() - 1)), 1);
        add(counts.by_latency.get(bucket), 1);
        add(Some(&counts.latency_us), took_us);
    }

    /// A policy denied a request, or none allowed it.
    pub(crate) fn denied(&self, reason: Reason) {
        for (count, (counted, _)) in self.denials.iter().zip(DENIALS) {
            add(Some(count), u64::from(counted == reason));
        }
    }

    pub(crate) fn bytes_in(&self, bytes: usize) {
        add(Some(&self.bytes_in), bytes as u64);
    }

    pub(crate) fn bytes_out(&self, bytes: usize) {
        add(Some(&self.bytes_out), bytes as u64);
    }

    /// A connection was taken. Returns how many are open, this one among them.
    pub(crate) fn connection_opened(&self) -> usize {
        add(Some(&self.connections_accepted), 1);
        self.connections_open.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Connections that are open now.
    pub(crate) fn connections(&self) -> usize {
        self.connections_open.load(Ordering::Relaxed)
    }

    pub(crate) fn connection_closed(&self) {
        self.connections_open.fetch_sub(1, Ordering::Relaxed);
    }

    /// A connection keeps no buffer for as long as what this gives lives.
    pub(crate) fn connection_rests(&self) -> Rest<'_> {
        self.connections_at_rest.fetch_add(1, Ordering::Relaxed);
        Rest(self)
    }

    pub(crate) fn connection_refused(&self) {
        add(Some(&self.connections_refused), 1);
    }

    /// A connection at the port for TLS did not come to its first request.
    pub(crate) fn handshake_failed(&self) {
        add(Some(&self.handshakes_failed), 1);
    }
}

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.0.connections_at_rest.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Nothing is read because of a count, so nothing needs to be ordered by it.
fn add(count: Option<&AtomicU64>, by: u64) {
    if let Some(count) = count {
        count.fetch_add(by, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_so_that_they_are_found() {
        let named = &CODES[..CODES.len() - 1];
        assert!(named.is_sorted());
        assert!(CODES.is_sorted(), "binary search covers the last one, too");
    }
}
