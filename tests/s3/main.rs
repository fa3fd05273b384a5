//! The whole server delivers to a real S3 server on loopback. `buckets` is that server, `endpoint`
//! a gate before it that answers badly when it is told to, and `serve.rs` makes it a program of its
//! own, from which the conformance tests read with boto3.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails where it stands, and says what it saw"
)]

mod answers;
mod buckets;
mod dead_letters;
mod deliver;
mod endpoint;
mod hanging;
mod stuck;
mod trouble;
mod warehouse;
