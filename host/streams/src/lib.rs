//! Data Streams: streams of shards on the logs of `store`, behind AWS's operations.
//!
//! An operation is one file of [`ops`]. What they share: the catalog of streams, a stream's map
//! of shards, the limits of a shard, sealed tokens, and the [`pump`] that everything which moves
//! records is made of. Nothing here knows HTTP; nothing here keeps records anywhere but in logs.

mod accounts;
mod calls;
mod catalog;
mod commitment;
mod consumer;
pub mod consumer_counts;
pub mod counts;
mod creation_seconds;
mod directory;
mod edit;
pub mod emit;
pub mod encryption;
pub mod ends;
mod fanout;
pub mod iterator;
pub mod kms;
mod metrics;
mod mode;
mod monitoring;
mod new_record;
mod noted_time;
pub mod ops;
mod page;
pub mod pump;
mod put;
pub mod rate;
mod reader;
#[cfg(test)]
mod resharded_tests;
mod resharding;
mod retention;
mod retention_clock;
mod rows;
pub mod scaling;
mod seal;
mod shard;
mod source;
mod stream;
mod streams;
mod tables;
pub mod turns;

// Rows of all services are laid out by the one codec of the store.
pub use store::codec;

pub use metrics::{Counter, Metrics};
pub use retention_clock::RetentionTime;
pub use seal::SealingKey;
pub use shard::Numbering;
pub use source::{Source, SourceMark, SourceShard};
pub use stream::StreamId;
pub use streams::{AccountLimits, OpenError, Options, Streams};
