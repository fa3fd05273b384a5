//! One shard: a range of hash keys, the log that keeps its records, and its limits.

use std::sync::{Mutex, MutexGuard, PoisonError};

use store::{LogId, Position};
use types::{Generation, HashKeyRange, SequenceNumber, ShardId, Timestamp};

use crate::rate::ShardRates;

/// Where a shard's records end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// When the shard was closed.
    pub at: Timestamp,
    /// The number of its last record, or one before all records if it never had any.
    pub ending: SequenceNumber,
}

/// What the catalog knows of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardFacts {
    /// Its name within the stream.
    pub id: ShardId,
    /// The hash keys that it takes.
    pub range: HashKeyRange,
    /// The log that keeps its records.
    pub log: LogId,
    /// The shard that was split, or one of the two that were merged.
    pub parent: Option<ShardId>,
    /// The other of the two that were merged.
    pub adjacent_parent: Option<ShardId>,
    /// How many reshardings lie between the shard and the stream's creation.
    pub generation: Generation,
    /// When it began to take records.
    pub opened_at: Timestamp,
    /// Set once it takes no more.
    pub closed: Option<Closed>,
}

/// A shard of the running server.
#[derive(Debug)]
pub struct Shard {
    facts: ShardFacts,
    id_text: String,
    rates: Mutex<ShardRates>,
}

impl Shard {
    /// A shard that was idle so far.
    pub fn new(facts: ShardFacts) -> Self {
        Self {
            id_text: facts.id.to_string(),
            rates: Mutex::new(ShardRates::new()),
            facts,
        }
    }

    /// What the catalog knows of it.
    pub fn facts(&self) -> &ShardFacts {
        &self.facts
    }

    /// Its name as text, made once: every answer to a put repeats it.
    pub fn id_text(&self) -> &str {
        &self.id_text
    }

    /// Its limits, for as long as one decision takes.
    pub fn rates(&self) -> MutexGuard<'_, ShardRates> {
        // Rates are valid between any two of their statements, so a panic elsewhere while the
        // lock was held does not spoil them.
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the record at `index` of the frame at `position`.
    pub fn number(&self, position: Position, index: u16) -> SequenceNumber {
        SequenceNumber::new(self.facts.generation, position.0, index)
    }

    /// The number that none of its records comes before.
    pub fn starting_number(&self) -> SequenceNumber {
        self.number(Position::FIRST, 0)
    }

    /// Whether it came from `other` by a split or a merge.
    pub fn is_child_of(&self, other: ShardId) -> bool {
        self.facts.parent == Some(other) || self.facts.adjacent_parent == Some(other)
    }
}
