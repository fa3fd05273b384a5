//! What clients see when the disk fails under the server: an error that they can retry, and later
//! everything that was acknowledged. `host/cli/tests/kill9.rs` kills the real process.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where it stands, and says what it saw"
)]

mod damage;
mod disk;
