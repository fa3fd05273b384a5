//! Plugins as their authors see them: one file for each interface of `wit/`, one for what the SDK
//! tells of a panic, those for the life of a version (how it comes, what `[rollout]` of its
//! manifest does, what is ordered of it, whose signature it has, and how long it is kept), and
//! those for what plugins cost, log, and where they spend their time.
#![expect(clippy::unwrap_used, reason = "a ground that gives way fails the test")]

mod checkpoint;
#[path = "../hostile/consumer_guest.rs"]
mod consumer_guest;
#[path = "../hostile/consumer_simple.rs"]
mod consumer_simple;
mod context;
mod costs;
mod deploying;
mod emit;
mod examples;
#[path = "../hostile/ground.rs"]
mod ground;
#[path = "../hostile/guest.rs"]
mod guest;
mod http;
mod lifecycle;
mod logs;
mod orders;
mod panic;
mod profile;
mod pruning;
mod record_processor;
mod record_processor_simple;
mod records;
mod released;
mod rollout;
mod secrets;
mod shadow;
#[path = "../hostile/shard.rs"]
mod shard;
mod signatures;
#[path = "../hostile/simple.rs"]
mod simple;
mod state;
mod table;
mod transform;
mod transform_simple;
