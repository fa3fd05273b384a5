//! Receiving a request's body: all of it in one piece, within size, pace and memory.

use std::fmt;
use std::future::ready;
use std::io::Read;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::header::EXPECT;
use http::request::Parts;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::{timeout, timeout_at};
use wire::ApiError;

use crate::budget::{Held, NoRoom};
use crate::limits::Limits;
use crate::pace::Pace;

/// Bytes that a client must have sent before room for all that it announced is made.
const EARNEST_BYTES: usize = 64 * 1024;
/// Bytes that may come of a body before it is counted, as long as it waits for none of them.
const UNCOUNTED_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a refused request's body that are still taken, and dropped, so that its connection can
/// go on. With more to come the connection ends.
const DRAIN_BYTES_MAX: u64 = 64 * 1024;
/// How long they are waited for. They mostly came with the headers.
const DRAIN_TIME: Duration = Duration::from_millis(250);

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

impl From<NoRoom> for BodyError {
    fn from(_: NoRoom) -> Self {
        Self::NoRoom
    }
}

/// What is known of a body before it comes.
pub(crate) struct Expected<'a> {
    /// When its headers were complete.
    pub(crate) started: Instant,
    /// Bytes that it may have.
    pub(crate) bytes_max: usize,
    /// The key that its headers name. Until the body is whole, whoever says to have it is charged.
    pub(crate) key_id: Option<&'a str>,
}

/// Receives a body.
pub(crate) async fn receive(
    body: &mut Incoming,
    expected: &Expected<'_>,
    limits: &Limits,
    held: &mut Held,
) -> Result<Bytes, BodyError> {
    let announced = announced(body, expected.bytes_max)?;
    let most = announced.unwrap_or(expected.bytes_max);
    let pace = Pace {
        grace: limits.body_grace,
        bytes_per_second_min: limits.body_bytes_per_second_min,
    };
    let mut due = pace.begin(expected.started);
    let (mut whole, mut received) = (Vec::new(), 0);
    while !body.is_end_stream() {
        let at_once = tokio::select! {
            biased;
            frame = body.frame() => Some(frame),
            () = ready(()) => None,
        };
        let frame = match at_once {
            Some(frame) => frame,
            None => {
                // Most bodies come with their headers and never wait.
                if !held.is_receiving() {
                    held.receives(expected.key_id, received, most)?;
                }
                let late = due.0.min(expected.started + limits.body);
                tokio::select! {
                    biased;
                    () = held.ended() => return Err(BodyError::NoRoom),
                    frame = timeout_at(late.into(), body.frame()) => {
                        frame.map_err(|_| BodyError::TooSlow)?
                    }
                }
            }
        };
        let Some(frame) = frame else { break };
        let Ok(bytes) = frame.map_err(|_| BodyError::Broken)?.into_data() else {
            continue; // Trailers mean nothing to us.
        };
        received += bytes.len();
        if received > expected.bytes_max {
            return Err(BodyError::TooLarge);
        }
        if held.is_receiving() {
            held.came(bytes.len())?;
        } else if received > UNCOUNTED_BYTES_MAX {
            held.receives(expected.key_id, received, most)?;
        }
        if received == bytes.len() && announced == Some(received) {
            return Ok(bytes); // It came in one piece: no copy.
        }
        due = pace.earn(due, bytes.len(), Instant::now());
        make_room(&mut whole, bytes.len(), announced);
        whole.extend_from_slice(&bytes);
    }
    Ok(Bytes::from(whole))
}

/// Takes and drops the body of a request that was refused by its headers, if it is small and comes
/// soon. Returns whether its connection can go on.
pub(crate) async fn drain(parts: &Parts, body: &mut Incoming) -> bool {
    let is_small = body
        .size_hint()
        .upper()
        .is_some_and(|most| most <= DRAIN_BYTES_MAX);
    // Whoever asks before sending is told by the answer that nothing is wanted.
    if !is_small || parts.headers.contains_key(EXPECT) {
        return false;
    }
    let to_its_end = async {
        while let Some(frame) = body.frame().await {
            if frame.is_err() {
                return false;
            }
        }
        true
    };
    timeout(DRAIN_TIME, to_its_end).await == Ok(true)
}

fn announced(body: &Incoming, bytes_max: usize) -> Result<Option<usize>, BodyError> {
    let Some(length) = body.size_hint().exact() else {
        return Ok(None);
    };
    match usize::try_from(length) {
        Ok(length) if length <= bytes_max => Ok(Some(length)),
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

/// Bytes of a body once it is decompressed, at most: what PutMetricData takes
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html>).
const DECOMPRESSED_BYTES_MAX: usize = 1024 * 1024;

/// A body that came compressed by gzip.
///
/// # Errors
/// It is not, or has more bytes than it may have.
pub(crate) fn decompressed(body: &[u8]) -> Result<Bytes, ApiError> {
    let mut out = Vec::new();
    let most = DECOMPRESSED_BYTES_MAX as u64 + 1;
    let read = GzDecoder::new(body).take(most).read_to_end(&mut out);
    if read.is_err() {
        return Err(ApiError::serialization(
            "The body is not compressed by gzip.",
        ));
    }
    if out.len() > DECOMPRESSED_BYTES_MAX {
        let text = BodyError::TooLarge.to_string();
        return Err(ApiError::new("RequestEntityTooLargeException", text).with_status(413));
    }
    Ok(Bytes::from(out))
}

#[cfg(test)]
mod tests {
    use super::*;

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
