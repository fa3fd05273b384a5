//! Each record has its effects once, in tables, streams and state, whatever becomes of processes
//! and workers: on a disk in memory that crashes, and with several workers over one store.
#![expect(clippy::unwrap_used, reason = "a ground that gives way fails the test")]

#[expect(dead_code, reason = "what other tests make of it")]
#[path = "../../../../tests/hostile/consumer_guest.rs"]
mod consumer_guest;
#[path = "../../../../tests/consumers/counter.rs"]
mod counter;
mod crashes;
#[expect(dead_code, reason = "what other tests make of it")]
#[path = "../../../../tests/hostile/guest.rs"]
mod guest;
mod losses;
mod swaps;
mod workers;
mod world;
