//! How the shards of a stream change: which are split and merged, and in which rounds. Pure.
//!
//! A resharding is kept as its aim, and what is left to do follows from the shards that there are.
//! So it goes on after a crash without anything else being kept.

use types::limits::{SCALE_FACTOR_MAX, SHARDS_PER_STREAM_SCALED_MAX};
use types::{HashKey, HashKeyRange, ShardId};

use crate::shard::Shard;
use crate::stream::ShardMap;

/// Shards that are split or merged in one transaction. The next ones follow in another.
const STEPS_PER_ROUND: usize = 1_000;

/// What is to become of a stream's shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resharding {
    /// A shard becomes two.
    Split {
        /// Which shard.
        shard: ShardId,
        /// The first hash key of the second of the two.
        at: HashKey,
    },
    /// Two neighbours become one.
    Merge {
        /// The one with the lower hash keys.
        shard: ShardId,
        /// The other.
        adjacent: ShardId,
    },
    /// There shall be so many open shards, all of one size.
    Scale(u32),
}

/// One change of the shard map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A shard becomes two, the second of which begins at the hash key.
    Split(ShardId, HashKey),
    /// Two neighbours become one; the first has the lower hash keys.
    Merge(ShardId, ShardId),
}

/// How many steps there are from the shards of a stream to what they are to become. A split closes
/// one shard and opens two, a merge closes two and opens one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// How many are splits: so many more shards than before are open at most.
    pub splits: usize,
    /// How many are merges.
    pub merges: usize,
}

impl Steps {
    /// How many shards are closed by them.
    pub fn closed(self) -> usize {
        self.splits + 2 * self.merges
    }
}

/// Why a stream's shards are not changed in this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no such shard.
    NoShard(ShardId),
    /// The shard was split or merged before.
    IsClosed(ShardId),
    /// The hash key does not leave hash keys on both sides of it.
    HashKeyOutside {
        /// Of which shard.
        shard: ShardId,
        /// The hash keys that the shard takes.
        range: HashKeyRange,
        /// Where it was to be split.
        at: HashKey,
    },
    /// The second shard does not begin where the first ends.
    NotAdjacent(ShardId, ShardId),
    /// More than twice as many shards as there are.
    OverDouble {
        /// How many there are.
        current: usize,
        /// How many there were to be.
        target: u32,
    },
    /// Fewer than half of the shards that there are.
    UnderHalf {
        /// How many there are.
        current: usize,
        /// How many there were to be.
        target: u32,
    },
    /// More shards than a stream can be scaled to.
    OverStream {
        /// How many there are.
        current: usize,
        /// How many there were to be.
        target: u32,
    },
}

impl Resharding {
    /// How many splits and merges it is.
    pub fn steps(self, shards: &ShardMap) -> Steps {
        match self {
            Self::Split { .. } => Steps {
                splits: 1,
                merges: 0,
            },
            Self::Merge { .. } => Steps {
                splits: 0,
                merges: 1,
            },
            Self::Scale(target) => {
                let bounds = bounds(target);
                let open = shards.open();
                let starts: Vec<_> = open.map(|shard| shard.facts().range.first).collect();
                let missing_in = |these: &[HashKey], those: &[HashKey]| {
                    let is_missing = |key: &&HashKey| those.binary_search(key).is_err();
                    these.iter().filter(is_missing).count()
                };
                Steps {
                    splits: missing_in(&bounds, &starts),
                    merges: missing_in(&starts, &bounds),
                }
            }
        }
    }

    /// Whether the shards can be changed so. UpdateShardCount's factors (API reference: at most
    /// double, at least half) are checked by [`Resharding::check_factor`].
    pub fn check(self, shards: &ShardMap) -> Result<(), Refused> {
        match self {
            Self::Split { shard, at } => {
                let range = open_shard(shards, shard)?.facts().range;
                let is_within = range.first.0 < at.0.saturating_sub(1) && at < range.last;
                let outside = Refused::HashKeyOutside { shard, range, at };
                if is_within { Ok(()) } else { Err(outside) }
            }
            Self::Merge { shard, adjacent } => {
                let first = open_shard(shards, shard)?.facts().range;
                let second = open_shard(shards, adjacent)?.facts().range;
                if first.last.0.checked_add(1) == Some(second.first.0) {
                    Ok(())
                } else {
                    Err(Refused::NotAdjacent(shard, adjacent))
                }
            }
            Self::Scale(_) => Ok(()),
        }
    }

    /// Whether UpdateShardCount goes as far in one call.
    pub fn check_factor(self, shards: &ShardMap) -> Result<(), Refused> {
        let Self::Scale(target) = self else {
            return Ok(());
        };
        let current = shards.open_count();
        let wanted = target as usize;
        if wanted > SHARDS_PER_STREAM_SCALED_MAX {
            Err(Refused::OverStream { current, target })
        } else if wanted > current.saturating_mul(SCALE_FACTOR_MAX) {
            Err(Refused::OverDouble { current, target })
        } else if wanted.saturating_mul(SCALE_FACTOR_MAX) < current {
            Err(Refused::UnderHalf { current, target })
        } else {
            Ok(())
        }
    }

    /// What is to be done next, each shard in one step at most; nothing if all is done.
    pub fn next_round(self, shards: &ShardMap) -> Vec<Step> {
        let is_open = |id| open_shard(shards, id).is_ok();
        match self {
            Self::Split { shard, at } if is_open(shard) => vec![Step::Split(shard, at)],
            Self::Merge { shard, adjacent } if is_open(shard) && is_open(adjacent) => {
                vec![Step::Merge(shard, adjacent)]
            }
            Self::Split { .. } | Self::Merge { .. } => Vec::new(),
            Self::Scale(target) => scale_round(shards, target),
        }
    }
}

fn open_shard(shards: &ShardMap, id: ShardId) -> Result<&Shard, Refused> {
    let shard = shards.find(id).ok_or(Refused::NoShard(id))?;
    if shard.facts().closed_at.is_some() {
        return Err(Refused::IsClosed(id));
    }
    Ok(shard)
}

/// One round on the way to `target` shards of one size. A shard that holds bounds of the new ones
/// is split at the middle one; two neighbours that lie within one of the new ones are merged.
fn scale_round(shards: &ShardMap, target: u32) -> Vec<Step> {
    let bounds = bounds(target);
    let mut steps = Vec::new();
    let mut open = shards.open().map(|shard| shard.facts()).peekable();
    while let Some(shard) = open.next() {
        if steps.len() == STEPS_PER_ROUND {
            return steps;
        }
        let within = bounds_within(&bounds, shard.range);
        if let Some(middle) = within.get(within.len() / 2) {
            steps.push(Step::Split(shard.id, *middle));
            continue;
        }
        let neighbour = open.next_if(|next| {
            let is_bound = bounds.binary_search(&next.range.first).is_ok();
            !is_bound && bounds_within(&bounds, next.range).is_empty()
        });
        if let Some(neighbour) = neighbour {
            steps.push(Step::Merge(shard.id, neighbour.id));
        }
    }
    steps
}

/// Where shards of one size begin.
fn bounds(count: u32) -> Vec<HashKey> {
    let ranges = HashKeyRange::split_evenly(count);
    ranges.iter().map(|range| range.first).collect()
}

/// The bounds that lie in a range, not at its beginning.
fn bounds_within(bounds: &[HashKey], range: HashKeyRange) -> &[HashKey] {
    let from = bounds.partition_point(|bound| *bound <= range.first);
    let to = bounds.partition_point(|bound| *bound <= range.last);
    &bounds[from..to]
}

#[cfg(test)]
mod tests;
