//! Which shards a tail reads, and when the turn of those comes that others became.

use std::collections::HashSet;

use super::since::Begin;
use crate::commands::stream::shapes::{ChildShard, Shard};

/// The shards of a stream by what became of them. Every shard is begun once, and after all shards
/// that it came from.
pub(super) struct Lineage {
    /// All that were there when the tail began. What these came from and is not among them is gone.
    listed: HashSet<String>,
    /// Those whose turn has come.
    begun: HashSet<String>,
    /// Those of which all is printed, or nothing is to be.
    done: HashSet<String>,
}

impl Lineage {
    /// The lineage, and the shards to begin with. From the newest record on those are left out that
    /// are closed, else those that came from others: what these hold comes first.
    pub(super) fn begin(begin: Begin, all: &[Shard]) -> (Self, Vec<String>) {
        let listed: HashSet<_> = all.iter().map(|shard| shard.shard_id.clone()).collect();
        let mut lineage = Self {
            listed,
            begun: HashSet::new(),
            done: HashSet::new(),
        };
        if begin == Begin::Latest {
            let closed = all.iter().filter(|shard| {
                let numbers = &shard.sequence_number_range;
                numbers.ending_sequence_number.is_some()
            });
            lineage.done = closed.map(|shard| shard.shard_id.clone()).collect();
        }
        let mut first = Vec::new();
        for shard in all {
            let parents = shard.parent_shard_id.iter();
            let parents = parents.chain(&shard.adjacent_parent_shard_id);
            let is_over = lineage.done.contains(&shard.shard_id);
            if !is_over && lineage.has_its_turn(&shard.shard_id, parents) {
                first.push(shard.shard_id.clone());
            }
        }
        lineage.begun.extend(first.iter().cloned());
        (lineage, first)
    }

    /// All of a shard is printed. Those of its children whose turn it is now.
    pub(super) fn done(&mut self, shard: &str, children: &[ChildShard]) -> Vec<String> {
        self.done.insert(shard.to_owned());
        let mut next = Vec::new();
        for child in children {
            if self.has_its_turn(&child.shard_id, &child.parent_shards)
                && self.begun.insert(child.shard_id.clone())
            {
                next.push(child.shard_id.clone());
            }
        }
        next
    }

    /// Whether nothing is still to come of what a shard came from. A parent that nobody has told
    /// of came after the tail began and its turn is still to come, unless its child was there by
    /// then: that one has outlived it.
    fn has_its_turn<'a>(&self, shard: &str, parents: impl IntoIterator<Item = &'a String>) -> bool {
        let was_there = self.listed.contains(shard);
        let mut parents = parents.into_iter();
        parents.all(|parent| {
            self.done.contains(parent) || (was_there && !self.listed.contains(parent))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shard(id: &str, parents: &[&str], is_closed: bool) -> Shard {
        serde_json::from_value(json!({
            "ShardId": id,
            "ParentShardId": parents.first(),
            "AdjacentParentShardId": parents.get(1),
            "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"},
            "SequenceNumberRange": {"EndingSequenceNumber": is_closed.then_some("1")},
        }))
        .unwrap()
    }

    fn child(id: &str, parents: &[&str]) -> ChildShard {
        serde_json::from_value(json!({"ShardId": id, "ParentShards": parents})).unwrap()
    }

    #[test]
    fn history_begins_with_the_oldest_and_the_newest_with_what_is_open() {
        let all = [
            shard("b", &["gone"], true),
            shard("c", &["b"], false),
            shard("d", &["b"], false),
        ];
        assert_eq!(Lineage::begin(Begin::TrimHorizon, &all).1, ["b"]);
        assert_eq!(Lineage::begin(Begin::Latest, &all).1, ["c", "d"]);
    }

    /// Of an empty shard the end comes at once. What it was merged into was begun then, though a
    /// part of the other shard that it came from was not even known yet.
    #[test]
    fn a_merged_shard_waits_for_a_parent_whose_own_turn_has_not_come() {
        for listed in [
            // Everything was there before the tail began.
            &[
                shard("r", &[], true),
                shard("empty", &[], true),
                shard("a", &["r"], false),
                shard("b", &["r"], true),
                shard("m", &["b", "empty"], false),
            ][..],
            // It was split and merged afterwards.
            &[shard("r", &[], false), shard("empty", &[], false)],
        ] {
            let (mut lineage, first) = Lineage::begin(Begin::TrimHorizon, listed);
            assert_eq!(first, ["r", "empty"]);
            let merged = child("m", &["b", "empty"]);
            assert!(lineage.done("empty", &[merged]).is_empty());
            let next = lineage.done("r", &[child("a", &["r"]), child("b", &["r"])]);
            assert_eq!(next, ["a", "b"]);
            let merged = child("m", &["b", "empty"]);
            assert_eq!(lineage.done("b", &[merged]), ["m"]);
        }
    }

    #[test]
    fn a_child_of_two_is_begun_once() {
        let all = [shard("a", &[], true), shard("b", &[], true)];
        let (mut lineage, _) = Lineage::begin(Begin::TrimHorizon, &all);
        assert!(lineage.done("a", &[child("m", &["a", "b"])]).is_empty());
        assert_eq!(lineage.done("b", &[child("m", &["a", "b"])]), ["m"]);
        assert!(lineage.done("b", &[child("m", &["a", "b"])]).is_empty());
    }

    #[test]
    fn from_the_newest_record_on_nobody_waits_for_a_shard_that_was_closed_before() {
        let all = [shard("old", &[], true), shard("new", &[], false)];
        let (mut lineage, first) = Lineage::begin(Begin::Latest, &all);
        assert_eq!(first, ["new"]);
        let merged = child("m", &["new", "old"]);
        assert_eq!(lineage.done("new", &[merged]), ["m"]);
    }
}
