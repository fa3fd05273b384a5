//! Receiving a request's body: all of it in one piece, within size, pace and memory.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::timeout_at;

use crate::limits::Limits;

/// Bytes that a client must have sent before room for all that it announced is made.
const EARNEST_BYTES: usize = 64 * 1024;

/// Bytes that a request counts for besides its body, so that many small ones are bounded, too.
pub(crate) const REQUEST_BYTES: usize = 4 * 1024;

/// Bytes of requests that are being received or handled, and how many there may be.
pub(crate) struct InFlight {
    bytes: AtomicUsize,
    bytes_max: usize,
}

/// A body, counted as in flight as long as this lives.
pub(crate) struct Received<'a> {
    pub(crate) bytes: Bytes,
    _held: Held<'a>,
}

/// Why a body was not received.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// It has, or says it has, more bytes than a request may have.
    TooLarge,
    /// Its client is slower than one may be.
    TooSlow,
    /// There are too many bytes of other requests in flight.
    NoRoom,
    /// The connection or the body's coding broke.
    Broken,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "The request body is larger than this server accepts.",
            Self::TooSlow => "The request body was not received in time.",
            Self::NoRoom => "Too many requests are in flight. Try again in a moment.",
            Self::Broken => "The request body could not be read to its end.",
        })
    }
}

impl InFlight {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            bytes_max,
        }
    }

    /// Bytes in flight now.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

struct Held<'a> {
    in_flight: &'a InFlight,
    bytes: usize,
}

impl Held<'_> {
    fn more(&mut self, bytes: usize) -> Result<(), BodyError> {
        self.bytes += bytes;
        let before = self.in_flight.bytes.fetch_add(bytes, Ordering::Relaxed);
        match before.saturating_add(bytes) <= self.in_flight.bytes_max {
            true => Ok(()),
            false => Err(BodyError::NoRoom),
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.in_flight
            .bytes
            .fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Receives a body whose headers were complete at `started`.
pub(crate) async fn receive<'a>(
    mut body: Incoming,
    started: Instant,
    limits: &Limits,
    in_flight: &'a InFlight,
) -> Result<Received<'a>, BodyError> {
    let announced = announced(&body, limits)?;
    let mut held = Held {
        in_flight,
        bytes: 0,
    };
    held.more(REQUEST_BYTES)?;
    let (mut whole, mut received) = (Vec::new(), 0);
    while !body.is_end_stream() {
        let due = started + time_for(received, limits);
        let frame = match timeout_at(due.into(), body.frame()).await {
            Err(_) => return Err(BodyError::TooSlow),
            Ok(None) => break,
            Ok(Some(frame)) => frame.map_err(|_| BodyError::Broken)?,
        };
        let Ok(bytes) = frame.into_data() else {
            continue; // Trailers mean nothing to us.
        };
        held.more(bytes.len())?;
        received += bytes.len();
        if received > limits.request_bytes_max {
            return Err(BodyError::TooLarge);
        }
        if received == bytes.len() && announced == Some(received) {
            return Ok(Received { bytes, _held: held }); // It came in one piece: no copy.
        }
        make_room(&mut whole, bytes.len(), announced);
        whole.extend_from_slice(&bytes);
    }
    let bytes = Bytes::from(whole);
    Ok(Received { bytes, _held: held })
}

fn announced(body: &Incoming, limits: &Limits) -> Result<Option<usize>, BodyError> {
    let Some(length) = body.size_hint().exact() else {
        return Ok(None);
    };
    match usize::try_from(length) {
        Ok(length) if length <= limits.request_bytes_max => Ok(Some(length)),
        _ => Err(BodyError::TooLarge),
    }
}

fn make_room(whole: &mut Vec<u8>, more: usize, announced: Option<usize>) {
    match announced {
        Some(announced) if whole.len() + more < EARNEST_BYTES => {
            whole.reserve(announced.min(EARNEST_BYTES).saturating_sub(whole.len()));
        }
        Some(announced) => whole.reserve_exact(announced.saturating_sub(whole.len())),
        None => whole.reserve(more),
    }
}

/// How long after its headers a body may still wait for the next of its bytes.
fn time_for(bytes: usize, limits: &Limits) -> Duration {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    let earned_ms = bytes.saturating_mul(1000) / limits.body_bytes_per_second_min.max(1);
    let paced = limits
        .body_grace
        .saturating_add(Duration::from_millis(earned_ms));
    paced.min(limits.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_earn_time_up_to_the_deadline_of_the_whole() {
        let limits = Limits::default();
        assert_eq!(time_for(0, &limits), Duration::from_secs(10));
        assert_eq!(time_for(5 * 1024, &limits), Duration::from_secs(15));
        assert_eq!(time_for(usize::MAX, &limits), Duration::from_secs(60));
    }

    #[test]
    fn bytes_in_flight_are_given_back() {
        let in_flight = InFlight::new(10);
        let mut held = Held {
            in_flight: &in_flight,
            bytes: 0,
        };
        assert_eq!(held.more(10), Ok(()));
        assert_eq!(held.more(1), Err(BodyError::NoRoom));
        assert_eq!(in_flight.bytes(), 11);
        drop(held);
        assert_eq!(in_flight.bytes(), 0);
    }

    #[test]
    fn room_for_an_announced_body_is_made_once_some_of_it_has_come() {
        let mut whole = Vec::new();
        make_room(&mut whole, 1, Some(1_000_000));
        assert!(whole.capacity() < 2 * EARNEST_BYTES);
        whole.extend_from_slice(&[0; EARNEST_BYTES]);
        make_room(&mut whole, 1, Some(1_000_000));
        assert!(whole.capacity() >= 1_000_000);
    }
}
