//! The whole server delivers to a real S3 server on loopback: s3s with the buckets of s3s-fs in a
//! directory, which verifies every signature. `endpoint` is that server, with a gate before it
//! that answers badly when it is told to.
//!
//! s3s-fs honours `If-None-Match: *` of PutObject by itself: it answers 412. It makes a bucket
//! that is not there, which S3 does not; the endpoint answers 404 instead. The version is the last
//! one that the toolchain of this repository builds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails where it stands, and says what it saw"
)]

mod answers;
mod deliver;
mod endpoint;
mod trouble;
