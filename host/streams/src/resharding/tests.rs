use std::collections::BTreeMap;

use store::LogId;
use types::{Second, Timestamp};

use super::*;
use crate::shard::ShardFacts;

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

fn even(count: u32) -> Vec<HashKeyRange> {
    HashKeyRange::split_evenly(count)
}

fn range(first: u128, last: u128) -> HashKeyRange {
    HashKeyRange {
        first: HashKey(first),
        last: HashKey(last),
    }
}

fn map(ranges: &[HashKeyRange]) -> ShardMap {
    ShardMap::of_facts((0..).zip(ranges).map(|(id, range)| facts(id, *range)))
}

/// Does what a round says on plain ranges, knowing nothing of shard maps.
fn carry_out(shards: &mut BTreeMap<u32, HashKeyRange>, next_id: &mut u32, steps: &[Step]) {
    let mut new = Vec::new();
    for step in steps {
        match *step {
            Step::Split(id, at) => {
                let old = shards.remove(&id.0).expect("it is open and in one step");
                assert!(old.first < at && at <= old.last);
                new.extend([range(old.first.0, at.0 - 1), range(at.0, old.last.0)]);
            }
            Step::Merge(id, other) => {
                let low = shards.remove(&id.0).expect("it is open and in one step");
                let high = shards.remove(&other.0).expect("it is open and in one step");
                assert_eq!(low.last.0 + 1, high.first.0);
                new.push(range(low.first.0, high.last.0));
            }
        }
    }
    for range in new {
        shards.insert(*next_id, range);
        *next_id += 1;
    }
}

/// The ranges after a scaling, in order; how many rounds it took and how many shards it made.
fn scaled(from: &[HashKeyRange], target: u32) -> (Vec<HashKeyRange>, usize, u32) {
    let mut shards: BTreeMap<u32, HashKeyRange> = (0..).zip(from.iter().copied()).collect();
    let first_id = u32::try_from(shards.len()).unwrap();
    let (mut next_id, mut rounds) = (first_id, 0);
    loop {
        let open = shards.iter().map(|(id, range)| facts(*id, *range));
        let steps = Resharding::Scale(target).next_round(&ShardMap::of_facts(open));
        if steps.is_empty() {
            let mut ranges: Vec<_> = shards.into_values().collect();
            ranges.sort_by_key(|range| range.first);
            return (ranges, rounds, next_id - first_id);
        }
        carry_out(&mut shards, &mut next_id, &steps);
        rounds += 1;
        assert!(rounds < 100, "no end");
    }
}

#[test]
fn scaling_ends_with_shards_of_one_size_whatever_there_was() {
    let lopsided = [
        range(0, 0),
        range(1, 5),
        range(6, u128::MAX / 3),
        range(u128::MAX / 3 + 1, u128::MAX - 2),
        range(u128::MAX - 1, u128::MAX),
    ];
    let froms = [1, 2, 3, 5, 8, 13, 100].map(even);
    for from in froms.iter().map(Vec::as_slice).chain([&lopsided[..]]) {
        for target in [1, 2, 3, 4, 7, 8, 16, 99, 100, 1_000, 3_001] {
            let (ranges, ..) = scaled(from, target);
            assert_eq!(ranges, even(target), "from {} to {target}", from.len());
        }
    }
}

#[test]
fn doubling_and_halving_make_no_shard_but_those_of_the_end() {
    for count in [1, 2, 7, 500] {
        let (_, rounds, made) = scaled(&even(count), 2 * count);
        assert_eq!((rounds, made), (1, 2 * count));
        let (_, rounds, made) = scaled(&even(2 * count), count);
        assert_eq!((rounds, made), (1, count));
    }
    assert_eq!(scaled(&even(5), 5).1, 0);
}

/// Four shards are cut in two each, and three of the cuts between them go.
#[test]
fn a_count_that_is_no_multiple_is_come_to_by_splits_and_then_merges() {
    let (_, rounds, made) = scaled(&even(4), 5);
    assert_eq!((rounds, made), (2, 8 + 3));
}

/// As many as it really takes, whatever the way.
#[test]
fn the_steps_of_a_scaling_are_known_before() {
    for (from, target) in [(1, 8), (8, 3), (4, 5), (10, 13), (100, 99), (7, 7), (6, 12)] {
        let steps = Resharding::Scale(target).steps(&map(&even(from)));
        let (_, _, made) = scaled(&even(from), target);
        assert_eq!(
            2 * steps.splits + steps.merges,
            made as usize,
            "{from} {target}"
        );
        assert_eq!(from as usize + steps.splits - steps.merges, target as usize);
    }
}

#[test]
fn a_round_is_bounded() {
    let shards = map(&even(3_000));
    let steps = Resharding::Scale(6_000).next_round(&shards);
    assert_eq!(steps.len(), STEPS_PER_ROUND);
}

#[test]
fn a_split_leaves_hash_keys_on_both_sides() {
    let shards = map(&[range(0, 9), range(10, u128::MAX)]);
    let split = |shard, at| Resharding::Split {
        shard: ShardId(shard),
        at: HashKey(at),
    };
    for (shard, at, is_taken) in [
        (0, 0, false),
        (0, 1, false),
        (0, 2, true),
        (0, 8, true),
        (0, 9, false),
        (0, 10, false),
        (1, 5, false),
        (1, 11, false),
        (1, 12, true),
        (1, u128::MAX - 1, true),
        (1, u128::MAX, false),
    ] {
        let checked = split(shard, at).check(&shards);
        assert_eq!(checked.is_ok(), is_taken, "{shard} {at}: {checked:?}");
    }
    let none = split(2, 5).check(&shards);
    assert_eq!(none, Err(Refused::NoShard(ShardId(2))));
}

#[test]
fn only_neighbours_are_merged_and_the_lower_one_is_named_first() {
    let shards = map(&even(3));
    let merge = |shard, adjacent| {
        let (shard, adjacent) = (ShardId(shard), ShardId(adjacent));
        Resharding::Merge { shard, adjacent }.check(&shards)
    };
    assert_eq!(merge(0, 1), Ok(()));
    assert_eq!(merge(1, 2), Ok(()));
    for (shard, adjacent) in [(1, 0), (0, 2), (2, 0), (0, 0)] {
        let not_adjacent = Refused::NotAdjacent(ShardId(shard), ShardId(adjacent));
        assert_eq!(merge(shard, adjacent), Err(not_adjacent));
    }
    assert_eq!(merge(0, 3), Err(Refused::NoShard(ShardId(3))));
}

#[test]
fn one_call_scales_to_double_and_to_half_and_no_further() {
    for (current, target, is_taken) in [
        (1, 1, true),
        (1, 2, true),
        (1, 3, false),
        (5, 10, true),
        (5, 11, false),
        (5, 3, true),
        (5, 2, false),
        (4, 2, true),
        (4, 1, false),
        (9_000, 10_000, true),
        (9_000, 10_001, false),
    ] {
        let checked = Resharding::Scale(target).check_factor(&map(&even(current)));
        assert_eq!(checked.is_ok(), is_taken, "{current} {target}: {checked:?}");
    }
}
