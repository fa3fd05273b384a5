//! One stream: what it is called, what it promises, and which shard takes which key.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use store::Version;
use types::{GivenNumber, HashKey, ShardId, StreamArn, Timestamp};
use wire::iam::ResourcePolicy;

use crate::consumer::Consumers;
use crate::counts::StreamCounts;
use crate::encryption::Encryption;
use crate::mode::{Distribution, Mode, ModeSwitches};
use crate::monitoring::ShardLevelMetrics;
use crate::resharding::Resharding;
use crate::retention_clock::RetentionTime;
use crate::shard::{Shard, ShardFacts};

/// A stream's number, never used again: a stream that is deleted and made anew under its old name
/// is another stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub u64);

/// Where a stream is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Its logs are being made.
    Creating,
    /// It takes and gives records.
    Active,
    /// Its logs are being deleted.
    Deleting,
    /// It takes and gives records, and its shards are being split or merged.
    Updating,
}

impl Status {
    /// The model's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Active => "ACTIVE",
            Self::Deleting => "DELETING",
            Self::Updating => "UPDATING",
        }
    }

    /// Whether it takes and gives records.
    pub fn is_in_service(self) -> bool {
        match self {
            Self::Active | Self::Updating => true,
            Self::Creating | Self::Deleting => false,
        }
    }
}

/// A stream as the catalog knew it at one moment. A change makes a new one, which shares the
/// shards that did not change.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Its number.
    pub id: StreamId,
    /// Account, region and name.
    pub arn: StreamArn,
    /// Where it is in its life.
    pub status: Status,
    /// Who decides how many shards there are.
    pub mode: Mode,
    /// When that changed lately.
    pub mode_switches: ModeSwitches,
    /// When it was made.
    pub created_at: Timestamp,
    /// How long records are kept.
    pub retention_hours: u32,
    /// Records that arrived before this had expired when the retention was last changed. They stay
    /// expired, however long it is now.
    pub expired_before: Timestamp,
    /// Bytes that a record's data and partition key may have together.
    pub record_bytes_max: usize,
    /// What it publishes of each shard.
    pub monitored: ShardLevelMetrics,
    /// The owner's labels.
    pub tags: BTreeMap<String, String>,
    /// Who may use it, beside what the policies of callers say.
    pub policy: Option<Arc<ResourcePolicy>>,
    /// Its shards.
    pub shards: Arc<ShardMap>,
    /// What was done with it since the server started.
    pub counts: Arc<StreamCounts>,
    /// Who is registered to have its records pushed.
    pub consumers: Arc<Consumers>,
    /// What becomes of them, while it is UPDATING.
    pub resharding: Option<Resharding>,
    /// What its records are sealed with.
    pub encryption: Encryption,
    /// When its shards were scaled by UpdateShardCount within a day, the oldest first.
    pub scaled_at: Vec<Timestamp>,
    /// The version of its row.
    pub version: Version,
}

impl Stream {
    /// Whether one of the shards may have given this number to a record.
    pub fn has_numbered(&self, number: &GivenNumber) -> bool {
        let mut shards = self.shards.all().iter();
        shards.any(|shard| shard.numbering().find(number).is_some())
    }

    /// Bytes of memory that its policy and those of its consumers take.
    pub fn policy_bytes(&self) -> usize {
        let consumers = self.consumers.values();
        let policies = consumers.map(|consumer| consumer.policy.as_deref());
        let policies = policies.chain([self.policy.as_deref()]).flatten();
        policies.map(ResourcePolicy::held_bytes).sum()
    }

    /// How records find their shards.
    pub fn distribution(&self) -> Distribution {
        let on_demand = self.mode.on_demand();
        on_demand.map_or(Distribution::UserPartitionKey, |set| set.distribution)
    }

    /// How many shards take what the stream shall be able to take, if those that are open do not:
    /// each takes a MiB in a second.
    pub fn warm_shards(&self) -> Option<u32> {
        let warm = self.mode.on_demand()?.warm_mibps?;
        let is_more = usize::try_from(warm).is_ok_and(|warm| warm > self.shards.open_count());
        is_more.then_some(warm)
    }

    /// How long records are kept.
    pub fn retention(&self) -> Duration {
        const SECONDS_PER_HOUR: u64 = 3_600;
        Duration::from_secs(u64::from(self.retention_hours) * SECONDS_PER_HOUR)
    }

    /// Records that arrived before this are no longer kept, at `now` as retention sees it.
    pub fn cutoff(&self, now: RetentionTime) -> Timestamp {
        now.now.before(self.retention()).max(self.expired_before)
    }
}

/// All shards of a stream that are still listed, and which of the open ones takes a hash key.
#[derive(Debug)]
pub struct ShardMap {
    /// In order of their names.
    all: Vec<Arc<Shard>>,
    /// Places in `all` of the open shards, in order of their first hash keys.
    open: Vec<usize>,
    /// Turns that were given to records which go to the open shards in turn.
    turns: AtomicUsize,
}

impl ShardMap {
    /// A map of `all`; two open shards must not share a hash key.
    pub fn new(mut all: Vec<Arc<Shard>>) -> Self {
        all.sort_by_key(|shard| shard.facts().id);
        let mut open: Vec<_> = all
            .iter()
            .enumerate()
            .filter(|(_, shard)| shard.facts().closed_at.is_none())
            .map(|(place, shard)| (shard.facts().range.first, place))
            .collect();
        open.sort_unstable();
        Self {
            all,
            open: open.into_iter().map(|(_, place)| place).collect(),
            turns: AtomicUsize::new(0),
        }
    }

    /// A map of shards that were idle so far.
    pub fn of_facts(facts: impl IntoIterator<Item = ShardFacts>) -> Self {
        Self::new(
            facts
                .into_iter()
                .map(|facts| Arc::new(Shard::new(facts)))
                .collect(),
        )
    }

    /// All shards in order of their names.
    pub fn all(&self) -> &[Arc<Shard>] {
        &self.all
    }

    /// The shards that take records, in order of their first hash keys.
    pub fn open(&self) -> impl Iterator<Item = &Arc<Shard>> {
        self.open.iter().filter_map(|&place| self.all.get(place))
    }

    /// How many shards take records.
    pub fn open_count(&self) -> usize {
        self.open.len()
    }

    /// The shard of that name.
    pub fn find(&self, id: ShardId) -> Option<&Arc<Shard>> {
        let place = self
            .all
            .binary_search_by_key(&id, |shard| shard.facts().id)
            .ok()?;
        self.all.get(place)
    }

    /// The next turn, for a record that goes to whichever open shard it is the turn of.
    pub fn next_turn(&self) -> usize {
        // Each turn is given once, and nothing is read because of it.
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    /// The place in [`ShardMap::all`] of the open shard whose turn it is.
    pub fn in_turn(&self, turn: usize) -> Option<usize> {
        let place = turn.checked_rem(self.open.len())?;
        self.open.get(place).copied()
    }

    /// The place in [`ShardMap::all`] of the open shard that takes `key`.
    pub fn place(&self, key: HashKey) -> Option<usize> {
        let after = self.open.partition_point(|&place| {
            self.all
                .get(place)
                .is_some_and(|shard| shard.facts().range.first <= key)
        });
        let place = *self.open.get(after.checked_sub(1)?)?;
        let shard = self.all.get(place)?;
        shard.facts().range.contains(key).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use store::LogId;
    use types::{HashKeyRange, Second};

    use super::*;

    fn facts(id: u32, range: HashKeyRange) -> ShardFacts {
        ShardFacts {
            id: ShardId(id),
            range,
            log: LogId(u64::from(id)),
            parent: None,
            adjacent_parent: None,
            created: Second::of(Timestamp(0)),
            opened_at: Timestamp(0),
            closed_at: None,
        }
    }

    #[test]
    fn every_hash_key_lies_in_exactly_the_shard_whose_range_holds_it() {
        let ranges = HashKeyRange::split_evenly(7);
        let map = ShardMap::of_facts((0..).zip(&ranges).map(|(id, range)| facts(id, *range)));
        for (place, range) in ranges.iter().enumerate() {
            assert_eq!(map.place(range.first), Some(place));
            assert_eq!(map.place(range.last), Some(place));
        }
        assert_eq!(map.open_count(), 7);
    }

    #[test]
    fn turns_go_through_the_open_shards_and_pass_over_closed_ones() {
        let [low, high] = HashKeyRange::split_evenly(2)[..] else {
            panic!("two ranges");
        };
        let mut closed = facts(0, low);
        closed.closed_at = Some(Timestamp(5));
        let map = ShardMap::of_facts([closed, facts(1, low), facts(2, high)]);
        let places: Vec<_> = (0..4).map(|_| map.in_turn(map.next_turn())).collect();
        assert_eq!(places, [Some(1), Some(2), Some(1), Some(2)]);
    }

    #[test]
    fn a_closed_shard_is_listed_and_takes_nothing() {
        let [low, high] = HashKeyRange::split_evenly(2)[..] else {
            panic!("two ranges");
        };
        let whole = HashKeyRange {
            first: low.first,
            last: high.last,
        };
        let mut parent = facts(0, whole);
        parent.closed_at = Some(Timestamp(5));
        let map = ShardMap::of_facts([facts(2, low), facts(1, high), parent]);
        assert_eq!(map.place(HashKey(0)), Some(2));
        assert_eq!(map.place(HashKey::MAX), Some(1));
        assert_eq!(map.all().len(), 3);
        assert_eq!(map.open_count(), 2);
        assert_eq!(map.find(ShardId(1)).map(|s| s.facts().range), Some(high));
        assert!(map.find(ShardId(3)).is_none());
    }

    #[test]
    fn a_stream_without_shards_takes_nothing() {
        assert_eq!(ShardMap::of_facts([]).place(HashKey(0)), None);
        assert_eq!(ShardMap::of_facts([]).in_turn(0), None);
    }
}
