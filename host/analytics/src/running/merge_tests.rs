//! Records of several shards in the order of their arrival, and times that nothing goes before.

use std::collections::VecDeque;

use store::BodyBuilder;
use streams::Numbering;
use types::{HashKey, HashKeyRange, Second};

use super::*;

fn shard(id: u32) -> SourceShard {
    SourceShard {
        id: ShardId(id),
        log: LogId(u64::from(id)),
        numbering: Numbering::new(ShardId(id), Second::of(Timestamp(0))),
        is_closed: false,
        opened_at: Timestamp(0),
        range: HashKeyRange {
            first: HashKey(0),
            last: HashKey::MAX,
        },
        parents: Vec::new(),
    }
}

fn child(id: u32, parents: &[u32], opened_at: u64) -> SourceShard {
    SourceShard {
        opened_at: Timestamp(opened_at),
        parents: parents.iter().map(|parent| ShardId(*parent)).collect(),
        ..shard(id)
    }
}

fn frame(position: u64, arrival: u64) -> Frame {
    let mut body = BodyBuilder::default();
    body.push("key", b"data").unwrap();
    let (body, count) = body.finish();
    Frame {
        position: Position(position),
        arrival: Timestamp(arrival),
        count,
        body,
        key: None,
    }
}

fn frames(from: u64, arrivals: &[u64]) -> Vec<Frame> {
    (from..)
        .zip(arrivals)
        .map(|(position, arrival)| frame(position, *arrival))
        .collect()
}

fn begun(listed: &[SourceShard]) -> Merge {
    let mut merge = Merge::new(&Places::default(), listed);
    merge.meet(listed);
    merge
}

fn fill(merge: &mut Merge, shard: u32, from: u64, arrivals: &[u64]) {
    let next = Position(from + arrivals.len() as u64);
    merge.fill(ShardId(shard), frames(from, arrivals), next);
}

fn promise(merge: &mut Merge, shard: u32, (from, at): (u64, u64), sealed: bool) {
    let coming = Coming {
        from: Position(from),
        at: Timestamp(at),
        sealed,
    };
    merge.promise(ShardId(shard), coming);
}

/// All that can be taken now: shards and times.
fn all(merge: &mut Merge) -> Vec<(u32, u64)> {
    std::iter::from_fn(|| merge.take())
        .map(|taken| (taken.shard.0, taken.rowtime.0))
        .collect()
}

#[test]
fn records_of_several_shards_come_in_the_order_of_their_arrivals() {
    let mut merge = begun(&[shard(0), shard(1)]);
    fill(&mut merge, 0, 0, &[12, 17]);
    assert_eq!(all(&mut merge), [], "shard 1 was not read yet");
    fill(&mut merge, 1, 0, &[14]);
    assert_eq!(all(&mut merge), [(0, 12), (1, 14)]);
    promise(&mut merge, 1, (1, 16), false);
    assert_eq!(all(&mut merge), []);
    assert_eq!(merge.pass_time(), Some(Timestamp(16)));
    assert_eq!(merge.pass_time(), None);
    promise(&mut merge, 1, (1, 18), false);
    assert_eq!(all(&mut merge), [(0, 17)]);
    promise(&mut merge, 0, (2, 20), false);
    assert_eq!(merge.pass_time(), Some(Timestamp(18)));
}

#[test]
fn of_records_that_arrived_together_that_of_the_lower_shard_comes_first() {
    let mut merge = begun(&[shard(0), shard(1)]);
    fill(&mut merge, 1, 0, &[5]);
    promise(&mut merge, 0, (0, 5), false);
    assert_eq!(all(&mut merge), [], "shard 0 may give another one of 5");
    fill(&mut merge, 0, 0, &[5]);
    assert_eq!(all(&mut merge), [(0, 5)]);
    promise(&mut merge, 0, (1, 6), false);
    assert_eq!(all(&mut merge), [(1, 5)]);
    // The other way round there is nothing to wait for.
    fill(&mut merge, 0, 1, &[6]);
    promise(&mut merge, 1, (1, 6), false);
    assert_eq!(all(&mut merge), [(0, 6)]);
}

#[test]
fn a_promise_counts_only_for_who_has_read_all_before_it() {
    let mut merge = begun(&[shard(0), shard(1)]);
    fill(&mut merge, 0, 0, &[50]);
    promise(&mut merge, 1, (1, 60), false);
    assert_eq!(all(&mut merge), [], "a record of shard 1 is on its way");
    fill(&mut merge, 1, 0, &[40]);
    promise(&mut merge, 1, (1, 60), false);
    assert_eq!(all(&mut merge), [(1, 40)]);
    promise(&mut merge, 1, (1, 60), false);
    assert_eq!(all(&mut merge), [(0, 50)]);
}

#[test]
fn the_children_of_a_shard_begin_after_its_end_and_time_does_not_go_back() {
    let mut merge = begun(&[shard(0), shard(1)]);
    fill(&mut merge, 0, 0, &[10]);
    fill(&mut merge, 1, 0, &[11, 30]);
    promise(&mut merge, 0, (1, 10), true);
    assert_eq!(all(&mut merge), [(0, 10)]);
    // Its log is at its end, and the list of shards is an old one: nothing is taken meanwhile.
    promise(&mut merge, 0, (1, 20), true);
    assert!(!merge.meet(&[shard(0), shard(1)]));
    assert_eq!(all(&mut merge), []);
    let closed = SourceShard {
        is_closed: true,
        ..shard(0)
    };
    let listed = [closed, shard(1), child(2, &[0], 21), child(3, &[0], 21)];
    assert!(merge.meet(&listed));
    assert_eq!(merge.places().done, BTreeSet::from([ShardId(0)]));
    assert_eq!(all(&mut merge), [(1, 11)]);
    // Stamped by a clock that was set back: it counts from the change on.
    fill(&mut merge, 2, 0, &[3, 25]);
    promise(&mut merge, 3, (0, 40), false);
    assert_eq!(all(&mut merge), [(2, 21), (2, 25)]);
    promise(&mut merge, 2, (2, 40), false);
    assert_eq!(all(&mut merge), [(1, 30)]);
}

#[test]
fn a_merged_shard_waits_for_both_of_its_parents() {
    let closed = |id| SourceShard {
        is_closed: true,
        ..shard(id)
    };
    let listed = [closed(0), closed(1), child(2, &[0, 1], 50)];
    let mut merge = begun(&listed);
    fill(&mut merge, 0, 0, &[10]);
    promise(&mut merge, 0, (1, 10), true);
    fill(&mut merge, 1, 0, &[20, 30]);
    promise(&mut merge, 1, (2, 30), true);
    assert_eq!(all(&mut merge), [(0, 10)]);
    assert!(merge.meet(&listed));
    assert_eq!(all(&mut merge), [(1, 20), (1, 30)]);
    assert!(merge.meet(&listed));
    let wanted = merge.wanted();
    let of_child = Wanted {
        shard: ShardId(2),
        log: LogId(2),
        from: Position::FIRST,
    };
    assert_eq!(wanted, [of_child]);
}

#[test]
fn what_retention_took_is_counted_and_passed_over() {
    let mut merge = begun(&[shard(0)]);
    fill(&mut merge, 0, 7, &[10]);
    assert_eq!(merge.lost(), 7);
    assert_eq!(all(&mut merge), [(0, 10)]);
    assert_eq!(merge.places().shards[&ShardId(0)], Position(8));
}

/// Reads logs in pieces and promises of any size, as they come to be, and goes on from its places
/// now and then: the order is that of sorting all there is.
#[test]
fn the_order_does_not_depend_on_how_the_logs_were_read() {
    let arrivals: [&[u64]; 3] = [
        &[3, 3, 9, 14, 14, 30],
        &[1, 9, 9, 10, 22],
        &[2, 14, 21, 22, 23],
    ];
    let mut expected: Vec<(u64, u32)> = Vec::new();
    for (id, arrivals) in (0..).zip(arrivals) {
        expected.extend(arrivals.iter().map(|arrival| (*arrival, id)));
    }
    expected.sort_by_key(|(arrival, shard)| (*arrival, *shard));
    let expected: Vec<(u32, u64)> = expected.iter().map(|(at, id)| (*id, *at)).collect();
    let listed = [shard(0), shard(1), shard(2)];
    for seed in 0..500_u64 {
        let mut state = seed * 2 + 1;
        let mut next = move |most: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % most
        };
        let mut merge = begun(&listed);
        let mut found = Vec::new();
        let mut now = 0;
        while found.len() < expected.len() {
            now += next(4);
            for wanted in merge.wanted() {
                let all = arrivals[wanted.shard.0 as usize].iter().copied();
                let there: VecDeque<u64> = all.take_while(|arrival| *arrival < now).collect();
                let from = usize::try_from(wanted.from.0).unwrap();
                let count = usize::try_from(1 + next(3)).unwrap();
                let read: Vec<u64> = there.iter().skip(from).take(count).copied().collect();
                if read.is_empty() {
                    promise(&mut merge, wanted.shard.0, (there.len() as u64, now), false);
                } else {
                    fill(&mut merge, wanted.shard.0, wanted.from.0, &read);
                }
            }
            found.extend(all(&mut merge));
            if next(3) == 0 {
                let earlier = merge.time();
                assert!(
                    merge
                        .pass_time()
                        .is_none_or(|at| at > earlier && at.0 <= now)
                );
            }
            if next(5) == 0 {
                merge = Merge::new(&merge.places(), &listed);
            }
        }
        assert_eq!(found, expected, "seed {seed}");
    }
}
