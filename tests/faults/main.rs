//! What clients see when the disk fails under the server: an error that they can retry, and later
//! everything that was acknowledged. `host/cli/tests/kill9.rs` kills the real process.

mod damage;
mod disk;
