//! The network side of the server, door by door, over real sockets.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod connections;
mod deadlines;
mod fixture;
mod http2;
mod requests;
mod shut_down;
mod signatures;
mod sizes;
