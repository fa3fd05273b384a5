//! Each record has its effects once, whatever becomes of the process, the shards and the outputs:
//! applications on a disk in memory that crashes.
#![expect(clippy::unwrap_used, reason = "a ground that gives way fails the test")]

mod crashes;
mod orders;
mod outputs;
mod world;
