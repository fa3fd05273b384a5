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

mod backlog;
mod buckets;
mod check;
mod crashes;
mod endings;
mod ledger;
mod lives;
mod moved;
mod names;
mod outcomes;
mod stores;
mod world;
