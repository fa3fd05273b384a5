//! What the end-to-end tests stand on: a whole server in the process, on a real engine in a
//! temporary directory, with a clock that is moved by hand, and a client that signs and speaks
//! HTTP. The tests mirror the operations: `tests/<service>/<operation>.rs`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test's ground that gives way fails the test"
)]

mod client;
mod credentials;
mod delivery_streams;
mod events;
pub mod keys;
pub mod postgres;
pub mod redshift;
mod service;

pub use client::{Client, Refusal};
pub use credentials::{statement, until, user};
pub use delivery_streams::{BUCKET, Object, ROLE, base64, destination, over, through};
pub use events::{Event, Events};
pub use service::{ACCOUNT, OTHER_ACCOUNT, REGION, Service, Setting, shard_id};
