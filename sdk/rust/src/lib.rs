//! Plugins for millrace in Rust: one function for a transform, one type for a consumer, and one
//! line that makes a component of it.
//!
//! ```
//! use millrace_sdk::{Error, Output, Record};
//!
//! /// Drops empty records and keeps all others.
//! fn transform(record: Record<'_>) -> Result<Output, Error> {
//!     match record.data() {
//!         [] => Ok(Output::Drop),
//!         _ => Ok(Output::Keep),
//!     }
//! }
//!
//! millrace_sdk::transform!(transform);
//! ```
//!
//! - A record is [kept, replaced, dropped or split](Output), or it fails with an [`Error`], whose
//!   reason is kept beside it. The other records of its batch go on.
//! - A panic ends the instance. The record that was worked on fails with the panic's message and
//!   its place; the host works on the others on a new instance.
//! - The host offers [`config`], [`secret`], [`counter`], [`log`] and [`now_ms`]; there are no
//!   files, no sockets and no environment.
//! - A record also says its [partition key](Record::partition_key), when it arrived, its sequence
//!   number and where it comes from. Who does not ask pays nothing.
//! - A [`Consumer`] works on the shards of a stream, with [`table`]s to keep what it finds and
//!   other streams to [`emit`] to: see [`consumer!`].
//! - [`http`] calls servers, where the operator lets it.
//! - The feature `json` reads records and table values as JSON, and writes them.
//! - `cargo test` runs the function natively; [`testing`] shows what becomes of a whole batch.
//! - `cargo build --release --target wasm32-wasip2` builds the component of a crate whose
//!   `crate-type` is `["cdylib"]`.

mod batch;
#[doc(hidden)]
pub mod bindings;
mod columns;
mod consumer;
mod context;
pub mod emit;
mod error;
#[doc(hidden)]
pub mod export;
mod host;
pub mod http;
mod macros;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod output;
mod panic;
mod record;
mod slab;
mod spare;
pub mod table;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use columns::{SequenceNumber, Source};
pub use consumer::{Assignment, Batch, Consumer, done};
pub use context::{Counter, config, counter, log, now_ms, secret};
pub use error::Error;
pub use output::{Output, Parts, Routed};
pub use record::Record;
pub use spare::buffer;
