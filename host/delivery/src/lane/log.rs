//! The log that a lane reads, and how far.

use store::{LogId, Position};
use streams::Numbering;
use wasm::ContentHash;

use crate::tables::LaneKey;

/// The log that a lane reads.
#[derive(Clone, Copy, Debug)]
pub struct LaneLog {
    pub key: LaneKey,
    pub log: LogId,
    /// What the sequence numbers of its records are made of; `None` for what is put directly.
    pub numbering: Option<Numbering>,
    /// Where it ends though its log goes on, and how; `None`: it is as long as its log.
    pub ordered: Option<Ordered>,
}

/// What a lane delivers of its log because it was ordered.
#[derive(Clone, Copy, Debug)]
pub struct Ordered {
    /// Where that ends, between two frames.
    pub to: Position,
    /// The version that all of it goes through whatever is in force, if one was named.
    pub version: Option<ContentHash>,
}
