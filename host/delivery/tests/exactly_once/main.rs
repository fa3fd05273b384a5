//! Every record that was acknowledged is delivered, dropped or failed, and that once, in the order
//! of its shard: whatever becomes of the process, of its disk and of the store that objects go to.
//!
//! `world` is the process and what outlives it, `buckets` the store, `ledger` what producers were
//! told, `check` the promise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails where it stands, and says what it saw"
)]

mod aggregates;
mod anew;
mod backlog;
mod buckets;
mod check;
mod closed_shards;
mod cluster;
mod collector;
mod crashes;
mod damaged;
mod deleted;
mod endings;
mod endpoint;
mod flushed;
#[path = "../../../../tests/hostile/guest.rs"]
#[expect(dead_code, reason = "the attacks need more of it")]
mod guest;
mod http_endpoint;
mod layouts;
mod ledger;
mod left_out;
mod limits;
mod lives;
mod moved;
mod names;
mod outcomes;
mod patience;
mod redelivered;
mod replayed;
mod resharded;
mod rows;
#[path = "../../../../tests/hostile/simple.rs"]
mod simple;
mod skipped;
mod slow_puts;
mod stores;
mod told;
mod waiting;
mod world;
