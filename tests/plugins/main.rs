//! Plugins as their authors see them: one file for each interface of `wit/`, and one for what the
//! SDK tells of a panic.
#![expect(clippy::unwrap_used, reason = "a ground that gives way fails the test")]

#[path = "../hostile/consumer_guest.rs"]
mod consumer_guest;
mod context;
#[path = "../hostile/ground.rs"]
mod ground;
#[path = "../hostile/guest.rs"]
mod guest;
mod lifecycle;
mod panic;
mod record_processor;
#[path = "../hostile/shard.rs"]
mod shard;
#[path = "../hostile/simple.rs"]
mod simple;
mod transform;
mod transform_simple;
