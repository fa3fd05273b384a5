//! The network side of the server, door by door, over real sockets.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod answers;
mod connections;
mod deadlines;
mod fixture;
mod forged;
mod http2;
mod metrics;
mod origins;
mod pushed;
mod requests;
mod shut_down;
mod signatures;
mod sizes;
mod slow;
mod sts;
mod tls;
mod untaken;
mod unverified;
mod waiting;
