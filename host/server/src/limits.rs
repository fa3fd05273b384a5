//! What the server takes before it says no: sizes, counts and deadlines of its network side, and
//! what an account may have.

use std::time::Duration;

use types::limits::{
    LANES_PER_ACCOUNT_MAX, POLICY_BYTES_PER_ACCOUNT_MAX, SHARDS_PER_ACCOUNT_MAX,
    STREAMS_PER_ACCOUNT_MAX,
};

/// Headers of one request. One with more is refused with status 431.
pub(crate) const HEADERS_MAX: usize = 64;
/// Bytes of a request's line and headers together. A request with more is refused with status 431.
pub(crate) const HEAD_BYTES_MAX: u32 = 16 * 1024;
/// Requests that one HTTP/2 connection may have open; the client waits with the next.
pub(crate) const H2_STREAMS_MAX: u32 = 256;
/// Streams that an HTTP/2 client may reset before we looked at them; then it is told to calm
/// down and the connection ends.
pub(crate) const H2_PENDING_RESETS_MAX: usize = 20;
/// Bytes of a request that an HTTP/2 client may send ahead of us reading them.
pub(crate) const H2_STREAM_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// Bytes of all requests of an HTTP/2 connection that may be sent ahead of us reading them.
pub(crate) const H2_CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;

/// Bytes that a socket has taken and the client's side does not take yet. Beyond them it takes no
/// more, and it takes more again once half of them have gone: what it takes is what the client
/// takes, at its pace. Without a bound the kernel takes 4 MiB ahead, and says for a minute that a
/// client that reads slowly and steadily reads nothing. With twice as much the steps were longer
/// than the half a second in which somebody else's room is taken from who does not move.
pub(crate) const UNSENT_BYTES_MAX: u32 = 64 * 1024;
/// How long a client's side may acknowledge nothing of what was sent to it, or take nothing of what
/// waits for it. Then its connection is over: nobody is there.
pub(crate) const UNACKNOWLEDGED_TIME_MAX: Duration = Duration::from_secs(50);
/// What a client must take of each answer on average.
pub(crate) const ANSWER_BYTES_PER_SECOND_MIN: u64 = 16 * 1024;
/// Between two pings to an HTTP/2 client.
pub(crate) const H2_PING_INTERVAL: Duration = Duration::from_secs(30);
/// How long an HTTP/2 client may take to answer a ping, which waits behind what the client's side
/// has taken and the client has not: so long as one that keeps the pace of an answer takes to read
/// 6 MiB, the most that Linux takes for it. Whoever is gone is known by
/// [`UNACKNOWLEDGED_TIME_MAX`], since a ping that nobody receives is not acknowledged.
pub(crate) const H2_PING_TIMEOUT: Duration =
    Duration::from_secs(CLIENT_BUFFER_BYTES / ANSWER_BYTES_PER_SECOND_MIN);
const CLIENT_BUFFER_BYTES: u64 = 6 * 1024 * 1024;

/// What a connection reads at once, and so what one that sends slowly can make us hold. Four and
/// sixteen times as much made no difference to PutRecords of 700 KB.
///
/// It is what a connection holds beside its requests, in no budget, so that there are bounds of
/// their own: one over HTTP/1.1 that nothing comes or goes over gives it back, and beyond
/// [`ROOMY_CONNECTIONS_MAX`] a connection has [`CROWDED_READ_BYTES_MAX`]. With 10,000 connections
/// that is 213 MB in all, if all are busy. Over TLS one may have as much again that is encrypted
/// and not sent.
const READ_BYTES_MAX: usize = 64 * 1024;
/// Connections that are open at a time before those that come read less at once.
const ROOMY_CONNECTIONS_MAX: usize = 1_000;
/// What those read at once: as much as the headers of a request may have, and the least that a
/// client of HTTP/2 may be told.
const CROWDED_READ_BYTES_MAX: usize = 16 * 1024;

/// What a connection reads at once of which there are so many, itself among them.
pub(crate) fn read_bytes_max(connections: usize) -> usize {
    if connections <= ROOMY_CONNECTIONS_MAX {
        READ_BYTES_MAX
    } else {
        CROWDED_READ_BYTES_MAX
    }
}

const _: () = assert!(CROWDED_READ_BYTES_MAX >= HEAD_BYTES_MAX as usize);

/// Calls of GetRecords that are at work at once, for each processor, and at most and at least in
/// all; one account has three quarters of them. Others wait for their turn, which no client can
/// hold up. Each may read 10 MiB before its answer is charged for them.
pub(crate) const READS_PER_PROCESSOR: usize = 4;
pub(crate) const READS_AT_ONCE_MAX: usize = 16;
pub(crate) const READS_AT_ONCE_MIN: usize = 4;

/// Sizes, counts and deadlines that a test or an operator may want otherwise.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections in all. One more is closed at once.
    pub connections_max: usize,
    /// Connections of one address, or of one IPv6 network of 64 bits; loopback addresses are
    /// exempt, because there every client of the machine has the same one. One more is closed at
    /// once.
    pub connections_per_address_max: usize,
    /// Bytes of one request's body. A larger one is refused with status 413, by its
    /// `Content-Length` before a byte of it is read.
    pub request_bytes_max: usize,
    /// Bytes of all requests and answers together. A request counts 4 KiB and its headers, its
    /// body while that comes in and is worked on, with room for a short answer, and then its answer
    /// until the client has taken it.
    ///
    /// A sixteenth is for answers to clients that have proven nothing. Of the rest, bodies that are
    /// coming in may have a half, answers a half, and one account may have a half at work, which
    /// is two thirds of what is not kept free for bodies. Where there is no room, the client that
    /// holds most is cut off first; a request that finds no room even so is refused with status
    /// 503, and AWS's clients try again.
    pub in_flight_bytes_max: usize,
    /// Streams of one account in all regions. A CreateStream that would go over it is refused with
    /// LimitExceededException.
    pub streams_per_account_max: usize,
    /// Open shards of one account in all regions; the same.
    pub shards_per_account_max: usize,
    /// Shards that the delivery streams of one account read together, each counted once for each of
    /// them. A CreateDeliveryStream that would go over it is refused with LimitExceededException. A
    /// delivery stream whose source is made anew with more shards than that leaves delivers nothing
    /// of it until there is room, and says so.
    pub lanes_per_account_max: usize,
    /// Bytes of memory that the policies of one account's streams and consumers take together. A
    /// PutResourcePolicy that would go over it is refused with LimitExceededException.
    pub policy_bytes_per_account_max: usize,
    /// From the accepted connection to its first byte.
    pub first_byte: Duration,
    /// From a connection's first byte to the end of the handshake of TLS.
    pub handshake: Duration,
    /// Between two looks at the files of a certificate, and at those of plugins' secrets.
    pub certificate_period: Duration,
    /// From a request's first byte to the end of its headers (HTTP/1.1).
    pub head: Duration,
    /// How long a connection may have nothing to do.
    pub idle: Duration,
    /// From a request's headers to the last byte of its body.
    pub body: Duration,
    /// How far a body may be behind [`Limits::body_bytes_per_second_min`].
    pub body_grace: Duration,
    /// What a client must send of a body on average. Bytes that came fast are not saved up.
    pub body_bytes_per_second_min: u64,
    /// How far a client may be behind [`Limits::answer_bytes_per_second_min`].
    pub answer_grace: Duration,
    /// What a client must take of each answer on average, or of all that share a connection of
    /// HTTP/2 and are sent in turn. One that takes less is cut off.
    pub answer_bytes_per_second_min: u64,
    /// How long requests under way may go on after the server was told to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            connections_per_address_max: 256,
            // 10 MiB of data in base64, 500 partition keys of 256 characters that are all
            // escaped, and what JSON puts around them.
            request_bytes_max: 16 * 1024 * 1024,
            in_flight_bytes_max: 256 * 1024 * 1024,
            streams_per_account_max: STREAMS_PER_ACCOUNT_MAX,
            shards_per_account_max: SHARDS_PER_ACCOUNT_MAX,
            lanes_per_account_max: LANES_PER_ACCOUNT_MAX,
            policy_bytes_per_account_max: POLICY_BYTES_PER_ACCOUNT_MAX,
            first_byte: Duration::from_secs(5),
            handshake: Duration::from_secs(10),
            certificate_period: Duration::from_secs(60),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            body: Duration::from_secs(60),
            body_grace: Duration::from_secs(10),
            body_bytes_per_second_min: 1024,
            answer_grace: Duration::from_secs(20),
            answer_bytes_per_second_min: ANSWER_BYTES_PER_SECOND_MIN,
            drain: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_connections_may_have_read_is_less_than_what_their_requests_may_hold() {
        let limits = Limits::default();
        let all: usize = (1..=limits.connections_max).map(read_bytes_max).sum();
        assert_eq!(all, 212_992_000);
        assert!(all < limits.in_flight_bytes_max);
    }
}
