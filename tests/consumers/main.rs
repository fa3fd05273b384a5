//! Applications over HTTP: what they write, put and keep is there once for each record, whatever
//! becomes of shards, plugins and the server.
#![expect(
    clippy::unwrap_used,
    reason = "an answer without its members fails the test"
)]

mod canary;
#[path = "../hostile/consumer_guest.rs"]
mod consumer_guest;
mod costs;
mod counter;
mod counts;
mod ending;
mod gone;
mod ground;
#[expect(dead_code, reason = "what other tests make of it")]
#[path = "../hostile/guest.rs"]
mod guest;
mod over_rate;
mod pages;
mod poison;
mod swap;
