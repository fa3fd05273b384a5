//! The real server under load, killed with SIGKILL again and again: what it has acknowledged is
//! kept, and delivered once. And the real server beside the process that compiles for it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails where it stands, and says what it saw"
)]

mod applications;
mod compilers;
#[expect(dead_code, reason = "what other tests make of it")]
#[path = "../../../../tests/hostile/consumer_guest.rs"]
mod consumer_guest;
#[expect(dead_code, reason = "what other tests make of it")]
#[path = "../../../../tests/consumers/counter.rs"]
mod counter;
mod deliveries;
#[expect(dead_code, reason = "what other tests make of it")]
#[path = "../../../../tests/hostile/guest.rs"]
mod guest;
mod http_endpoint;
mod resharding;
mod server;
mod sql;
mod streams;
