//! Components that mean harm, each with a victim beside it.
#![expect(clippy::unwrap_used, reason = "a ground that gives way fails the test")]

mod answers;
mod arena;
mod bombs;
mod broken;
mod compilers;
mod consumer_guest;
mod consumers;
mod determinism;
mod files;
#[expect(dead_code, reason = "the tests of `records` need more of it")]
mod ground;
mod guest;
mod host_calls;
mod malformed;
mod memory;
mod open_cut;
mod pool;
#[expect(dead_code, reason = "the tests of the interfaces need more of it")]
mod shard;
mod shares;
mod simple;
mod time;
mod traps;
