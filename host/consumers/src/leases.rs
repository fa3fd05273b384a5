//! Who works on which shard. Pure rules: told the time, the workers and the leases, they say what
//! one worker does next.
//!
//! A worker lives until the deadline that it wrote last. A lease is a row with its owner's number
//! and has no deadline of its own, so that staying alive costs one row a worker. Whoever changes a
//! lease expects it as it was read: of two that want the same one gets it. Two workers that both
//! believe to have a lease, since their clocks differ, do no harm: the row of the shard's pump says
//! whose commits count.

use std::collections::BTreeMap;

use types::{ShardId, Timestamp};

/// How long a worker counts as alive after it said so. One that stops without a word holds its
/// shards up for so long.
pub const WORKER_LIVES_MS: u64 = 10_000;

/// A worker as its row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Its number.
    pub id: u64,
    /// It lives until then.
    pub deadline: Timestamp,
    /// It is known to be gone whatever its deadline says: it worked with another opening of a store
    /// that one process has at a time.
    pub is_gone: bool,
}

impl Worker {
    /// Whether it may still be at work.
    pub fn lives(&self, now: Timestamp) -> bool {
        !self.is_gone && self.deadline > now
    }
}

/// A shard that somebody is to work on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease<K> {
    /// Which.
    pub key: K,
    /// The worker that has it, if one has.
    pub owner: Option<u64>,
    /// All that comes before it is done: see [`parents_are_done`].
    pub is_due: bool,
}

/// What a worker does about a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim<K> {
    /// Nobody has it, or one who is gone.
    Take(K),
    /// One who has more than this worker gives one up.
    Steal(K),
}

impl<K: Copy> Claim<K> {
    /// The lease.
    pub fn key(&self) -> K {
        match self {
            Self::Take(key) | Self::Steal(key) => *key,
        }
    }
}

/// What `me` claims. It takes what nobody has up to its part of all, and if nothing is left to take
/// steals one, from the one that has most: one at a time, so that two do not throw leases at each
/// other. `me` counts as alive.
pub fn claims<K: Copy + Ord>(
    me: u64,
    (workers, leases): (&[Worker], &[Lease<K>]),
    now: Timestamp,
) -> Vec<Claim<K>> {
    let mut held: BTreeMap<u64, Vec<K>> = BTreeMap::from([(me, Vec::new())]);
    for worker in workers.iter().filter(|worker| worker.lives(now)) {
        held.entry(worker.id).or_default();
    }
    let mut free = Vec::new();
    let due = leases.iter().filter(|lease| lease.is_due);
    for lease in due.clone() {
        match lease.owner.and_then(|owner| held.get_mut(&owner)) {
            Some(of_owner) => of_owner.push(lease.key),
            None => free.push(lease.key),
        }
    }
    let part = due.count().div_ceil(held.len());
    let mine = held.get(&me).map_or(0, Vec::len);
    if !free.is_empty() {
        // Each begins at another place of the list, so that they do not all want the first.
        let others_before = held.keys().filter(|worker| **worker < me).count();
        let begin = others_before * free.len() / held.len();
        free.rotate_left(begin);
        let room = part.saturating_sub(mine);
        return free.into_iter().take(room).map(Claim::Take).collect();
    }
    let others = held.iter().filter(|(worker, _)| **worker != me);
    let most = others.max_by_key(|(worker, keys)| (keys.len(), **worker));
    let stolen = most.filter(|(_, keys)| keys.len() > mine + 1);
    let stolen = stolen.and_then(|(_, keys)| keys.iter().max().copied());
    stolen.map(Claim::Steal).into_iter().collect()
}

/// Whether a shard may be worked on: all shards that it came from are, or are not listed any more,
/// in which case nothing of them is left.
pub fn parents_are_done(
    parents: &[ShardId],
    is_listed: impl Fn(ShardId) -> bool,
    is_ended: impl Fn(ShardId) -> bool,
) -> bool {
    let is_done = |parent: &ShardId| !is_listed(*parent) || is_ended(*parent);
    parents.iter().all(is_done)
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn worker(id: u64, deadline: u64) -> Worker {
        Worker {
            id,
            deadline: Timestamp(deadline),
            is_gone: false,
        }
    }

    fn lease(key: u32, owner: Option<u64>) -> Lease<u32> {
        Lease {
            key,
            owner,
            is_due: true,
        }
    }

    const NOW: Timestamp = Timestamp(1_000);

    #[test]
    fn one_worker_takes_all_that_nobody_has_and_is_due() {
        let mut leases = [lease(1, None), lease(2, Some(9)), lease(3, Some(1))];
        leases[0].is_due = false;
        let dead = [worker(9, 1_000)];
        assert_eq!(claims(1, (&dead, &leases), NOW), [Claim::Take(2)]);
    }

    #[test]
    fn the_shards_of_one_who_lives_are_left_to_it() {
        let leases = [lease(1, Some(9)), lease(2, None)];
        let alive = [worker(9, 1_001)];
        assert_eq!(claims(1, (&alive, &leases), NOW), [Claim::Take(2)]);
        let mut gone = alive;
        gone[0].is_gone = true;
        assert_eq!(claims(1, (&gone, &leases), NOW).len(), 2);
    }

    #[test]
    fn one_is_stolen_at_a_time_and_only_from_one_who_has_two_more() {
        let owned = |mine: u32, theirs: u32| -> Vec<_> {
            let mine = (0..mine).map(|key| lease(key, Some(1)));
            mine.chain((100..100 + theirs).map(|key| lease(key, Some(2))))
                .collect()
        };
        let workers = [worker(1, 2_000), worker(2, 2_000)];
        for (mine, theirs, steals) in [(0, 1, 0), (0, 2, 1), (1, 2, 0), (2, 5, 1), (3, 3, 0)] {
            let leases = owned(mine, theirs);
            let claims = claims(1, (&workers, &leases), NOW);
            assert_eq!(claims.len(), steals, "{mine} and {theirs}: {claims:?}");
            assert!(claims.iter().all(|claim| matches!(claim, Claim::Steal(_))));
        }
    }

    #[test]
    fn a_child_waits_for_each_parent_that_is_listed() {
        let parents = [ShardId(1), ShardId(2)];
        let listed = |id: ShardId| id == ShardId(1);
        assert!(!parents_are_done(&parents, listed, |_| false));
        assert!(parents_are_done(&parents, listed, |id| id == ShardId(1)));
        assert!(parents_are_done(&[], |_| true, |_| false));
    }

    /// Shards of which each but the first comes from one before it or from none, and workers that
    /// come, die and look at leases.
    struct Game {
        random: StdRng,
        parents: Vec<Option<usize>>,
        ended: Vec<bool>,
        owners: Vec<Option<u64>>,
        workers: Vec<Worker>,
        now: u64,
    }

    impl Game {
        fn new(seed: u64) -> Self {
            let mut random = StdRng::seed_from_u64(seed);
            let shards = random.random_range(1..40);
            let parents = (0..shards).map(|shard| {
                let has_one = shard > 0 && random.random_bool(0.4);
                has_one.then(|| random.random_range(0..shard))
            });
            Self {
                parents: parents.collect(),
                ended: vec![false; shards],
                owners: vec![None; shards],
                workers: Vec::new(),
                now: 0,
                random,
            }
        }

        fn is_due(&self, shard: usize) -> bool {
            self.parents[shard].is_none_or(|parent| self.ended[parent])
        }

        fn lives(&self, worker: u64) -> bool {
            let mut all = self.workers.iter();
            all.any(|it| it.id == worker && it.lives(Timestamp(self.now)))
        }

        /// What a worker claims is due, and taken from nobody who lives.
        fn look(&mut self, me: u64) {
            let leases: Vec<_> = (0..self.parents.len())
                .filter(|shard| !self.ended[*shard])
                .map(|shard| Lease {
                    key: shard,
                    owner: self.owners[shard],
                    is_due: self.is_due(shard),
                })
                .collect();
            for claim in claims(me, (&self.workers, &leases), Timestamp(self.now)) {
                let shard = claim.key();
                assert!(self.is_due(shard), "a child before its parent");
                if let (Claim::Take(_), Some(owner)) = (claim, self.owners[shard]) {
                    assert!(!self.lives(owner), "taken from one who lives");
                }
                self.owners[shard] = Some(me);
            }
        }

        fn step(&mut self, number: u64) {
            self.now += self.random.random_range(0..2_000);
            let now = self.now;
            let alive: Vec<_> = self
                .workers
                .iter()
                .filter(|it| it.lives(Timestamp(now)))
                .collect();
            let alive: Vec<u64> = alive.into_iter().map(|it| it.id).collect();
            match self.random.random_range(0..10) {
                0 if alive.len() < 5 => self.workers.push(worker(number, now + WORKER_LIVES_MS)),
                1 => {
                    // A shard is done by whoever has it.
                    let shard = self.random.random_range(0..self.parents.len());
                    self.ended[shard] |=
                        self.owners[shard].is_some() && self.random.random_bool(0.3);
                }
                2 => {} // Time passes, and whoever is not looked at dies.
                _ if !alive.is_empty() => {
                    let me = alive[self.random.random_range(0..alive.len())];
                    let mut all = self.workers.iter_mut();
                    all.find(|it| it.id == me).unwrap().deadline = Timestamp(now + WORKER_LIVES_MS);
                    self.look(me);
                }
                _ => {}
            }
        }

        /// Those who live now stay, and look in turn. How many shards each has then.
        fn settle(&mut self) -> Vec<usize> {
            self.now += 1;
            let now = self.now;
            self.workers.retain(|it| it.lives(Timestamp(now)));
            if self.workers.is_empty() {
                self.workers.push(worker(9_999, now + WORKER_LIVES_MS));
            }
            for it in &mut self.workers {
                it.deadline = Timestamp(now + WORKER_LIVES_MS);
            }
            let ids: Vec<u64> = self.workers.iter().map(|it| it.id).collect();
            for _ in 0..self.parents.len() + 5 {
                for id in &ids {
                    self.look(*id);
                }
            }
            let open = (0..self.parents.len()).filter(|it| !self.ended[*it] && self.is_due(*it));
            let owners: Vec<u64> = open.map(|it| self.owners[it].unwrap()).collect();
            assert!(
                owners.iter().all(|owner| ids.contains(owner)),
                "one who is gone has it"
            );
            let has = |id: &u64| owners.iter().filter(|owner| *owner == id).count();
            ids.iter().map(has).collect()
        }
    }

    /// None ever has a lease that is not due; all that are due are had in the end, each by one who
    /// lives; and the numbers differ by one at most.
    #[test]
    fn whoever_lives_shares_all_shards_and_children_wait_for_their_parents() {
        for seed in 0..300 {
            let mut game = Game::new(seed);
            for number in 1..200 {
                game.step(number);
            }
            let had = game.settle();
            let (least, most) = (had.iter().min().unwrap(), had.iter().max().unwrap());
            assert!(most - least <= 1, "seed {seed}: {had:?}");
        }
    }
}
