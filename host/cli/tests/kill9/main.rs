//! The real server under load, killed with SIGKILL again and again: what it has acknowledged is
//! kept, and delivered once. And the real server beside the process that compiles for it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails where it stands, and says what it saw"
)]

mod compilers;
mod deliveries;
mod resharding;
mod server;
mod streams;
