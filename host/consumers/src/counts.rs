//! What became of an application's records. Kept with its position, so that at every moment what
//! was counted and what waits are all that the stream took.

use std::ops::AddAssign;

use bincode::{Decode, Encode};
use serde::Serialize;

/// In numbers. An aggregate of a producer counts as the records in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Records that the plugin has worked on.
    pub processed: u64,
    /// Records that always failed, and are kept apart.
    pub dead_letters: u64,
    /// User records whose hash key belongs to another shard, and which are left out as KCL leaves
    /// them out: a producer that did not know of a split yet had put them together.
    pub foreign: u64,
    /// Records of the log that retention took, or that were deleted with their stream, before they
    /// were worked on.
    pub lost: u64,
    /// Records of the log that could not be read and that an operator left out.
    pub left_out: u64,
    /// Records that were put to other streams.
    pub emitted: u64,
    /// Rows that were written to tables, or removed.
    pub rows: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.processed += other.processed;
        self.dead_letters += other.dead_letters;
        self.foreign += other.foreign;
        self.lost += other.lost;
        self.left_out += other.left_out;
        self.emitted += other.emitted;
        self.rows += other.rows;
    }
}
