//! One shard: a range of hash keys, the log that keeps its records, and its limits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use store::{LogId, Position};
use types::{GivenNumber, HashKeyRange, InShard, Second, SequenceNumber, ShardId, Timestamp};

use crate::counts::ShardCounts;
use crate::rate::ShardRates;

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
    /// The second that its sequence numbers begin with: later than those of its parents.
    pub created: Second,
    /// When it began to take records.
    pub opened_at: Timestamp,
    /// When it was closed; it takes no more since.
    pub closed_at: Option<Timestamp>,
}

/// What the numbers of a shard's records are made of, beside their place in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbering {
    shard: ShardId,
    created: Second,
}

impl Numbering {
    /// Of a shard that was made in that second.
    pub fn new(shard: ShardId, created: Second) -> Self {
        Self { shard, created }
    }

    /// The second that the numbers of its records begin with.
    pub fn created(self) -> Second {
        self.created
    }

    /// The shard.
    pub fn shard(self) -> ShardId {
        self.shard
    }

    /// The number of the record at a place of the shard's log.
    pub fn record(self, position: Position, arrival: Timestamp) -> SequenceNumber {
        SequenceNumber::of_record(self.shard, self.created, position.0, arrival)
    }

    /// Where a number points to; `None` if it is none of this shard's.
    pub fn find(self, number: &GivenNumber) -> Option<InShard> {
        number.within(self.shard, self.created)
    }
}

/// A shard of the running server.
#[derive(Debug)]
pub struct Shard {
    facts: ShardFacts,
    id_text: String,
    rates: Mutex<ShardRates>,
    counts: Arc<ShardCounts>,
}

impl Shard {
    /// A shard that was idle so far.
    pub fn new(facts: ShardFacts) -> Self {
        Self {
            id_text: facts.id.to_string(),
            rates: Mutex::new(ShardRates::new()),
            counts: Arc::default(),
            facts,
        }
    }

    /// The same shard when it takes no more. Its limits and its counts go on as they are.
    pub fn closed(&self, at: Timestamp) -> Self {
        Self {
            facts: ShardFacts {
                closed_at: Some(at),
                ..self.facts.clone()
            },
            id_text: self.id_text.clone(),
            rates: Mutex::new(self.rates().clone()),
            counts: Arc::clone(&self.counts),
        }
    }

    /// What the catalog knows of it.
    pub fn facts(&self) -> &ShardFacts {
        &self.facts
    }

    /// What is counted of it.
    pub fn counts(&self) -> &ShardCounts {
        &self.counts
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

    /// How its records are numbered.
    pub fn numbering(&self) -> Numbering {
        Numbering {
            shard: self.facts.id,
            created: self.facts.created,
        }
    }

    /// The number that comes before all of its records.
    pub fn starting_number(&self) -> SequenceNumber {
        SequenceNumber::starting(self.facts.id, self.facts.created)
    }

    /// The number that comes after all of its records, once it is closed.
    pub fn ending_number(&self) -> Option<SequenceNumber> {
        let closed_at = self.facts.closed_at?;
        let Numbering { shard, created } = self.numbering();
        Some(SequenceNumber::ending(shard, created, closed_at))
    }

    /// Whether it came from `other` by a split or a merge.
    pub fn is_child_of(&self, other: ShardId) -> bool {
        self.facts.parent == Some(other) || self.facts.adjacent_parent == Some(other)
    }
}
