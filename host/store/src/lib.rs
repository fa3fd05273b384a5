//! Durable, ordered logs and the tables made of them. The only crate that touches the disk for
//! data.
//!
//! [`Engine`] is the boundary: everything above sees logs, tables and transactions, whatever
//! keeps them. [`embedded`] keeps them on one machine's disk; `contract` is the suite that every
//! engine must pass. FORMAT.md describes every byte that is written.

pub mod codec;
#[cfg(test)]
mod contract;
pub mod disk;
pub mod embedded;
mod engine;
mod keys;
mod records;

pub use engine::{
    Append, Capabilities, Coming, CommitError, Committed, Durability, Engine, Expect, Frame, Key,
    LogChange, LogEnd, LogId, NewFrame, Position, Purpose, ReadBatch, RowCheck, StoreError,
    TableId, TableWrite, Transaction, Version, Versioned, key_after,
};
pub use keys::{DATA_KEY_BYTES, DataKey, KeyId, KeyRefusal, KeyRing};
pub use records::{BodyBuilder, Records, StoredRecord, exact};
