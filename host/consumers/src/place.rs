//! Where a shard's next record lies: in its log, and within a record that is an aggregate.

use store::Position;

/// A place in a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The position of the record in the log.
    pub position: Position,
    /// How many user records of it come before, if it is an aggregate.
    pub within: u64,
}

impl Place {
    /// A record's first.
    pub fn at(position: Position) -> Self {
        Self {
            position,
            within: 0,
        }
    }
}
