//! Who is subscribed to which shard: one subscription for each consumer and shard, and a new one
//! takes the place of an old one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use types::limits::{PUSHED_BYTES_PER_SECOND, TAKE_OVER_AFTER};
use types::{ConsumerName, ShardId, Timestamp};

use crate::rate::{Bucket, cost};
use crate::stream::StreamId;

/// Leases that are kept before those that say nothing any more are looked for.
const LEASES_BEFORE_SWEEP: usize = 1_024;

/// What a lease is of: a shard and a consumer, which is another one when it was registered anew.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SubscriptionKey {
    /// The stream.
    pub stream: StreamId,
    /// Its shard.
    pub shard: ShardId,
    /// The consumer's name.
    pub consumer: ConsumerName,
    /// When it was registered.
    pub registered_at: Timestamp,
}

/// All subscriptions, and for a few seconds those that have ended.
#[derive(Default)]
pub struct Leases(Mutex<ByKey>);

#[derive(Default)]
struct ByKey {
    leases: HashMap<SubscriptionKey, Arc<Lease>>,
    /// How many there are when those that say nothing any more are looked for again.
    sweep_at: usize,
}

/// The right to be pushed the records of a shard, until another subscription takes it over.
pub struct Lease {
    begun_at: Duration,
    taken_over: watch::Sender<bool>,
    /// What may be pushed. A subscription that follows goes on with what is left of it.
    bytes: Mutex<Bucket>,
}

impl Leases {
    /// Begins a subscription at `uptime` and ends the one that there is. `None`: it has begun less
    /// than `take_over_after` ago.
    pub fn begin(
        &self,
        key: SubscriptionKey,
        uptime: Duration,
        take_over_after: Duration,
    ) -> Option<Arc<Lease>> {
        // Whole between any two statements, so a panic elsewhere spoils nothing.
        let mut by_key = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = by_key.leases.get(&key);
        let bytes = match before {
            Some(before) if uptime < before.begun_at + take_over_after => return None,
            Some(before) => {
                before.taken_over.send_replace(true);
                before.bytes().clone()
            }
            None => Bucket::new(PUSHED_BYTES_PER_SECOND),
        };
        let lease = Arc::new(Lease {
            begun_at: uptime,
            taken_over: watch::channel(false).0,
            bytes: Mutex::new(bytes),
        });
        by_key.sweep(uptime);
        by_key.leases.insert(key, Arc::clone(&lease));
        Some(lease)
    }
}

impl ByKey {
    /// Forgets what has ended and holds up nobody any more. Looking at all of them each time that
    /// their number has doubled costs each one a look or two.
    fn sweep(&mut self, uptime: Duration) {
        if self.leases.len() < self.sweep_at.max(LEASES_BEFORE_SWEEP) {
            return;
        }
        self.leases.retain(|_, lease| {
            let is_held = Arc::strong_count(lease) > 1;
            is_held || uptime < lease.begun_at + TAKE_OVER_AFTER || !lease.is_rested(uptime)
        });
        self.sweep_at = self.leases.len() * 2;
    }
}

impl Lease {
    /// Whether another subscription has taken its place.
    pub fn is_taken_over(&self) -> bool {
        *self.taken_over.borrow()
    }

    /// Tells when another subscription takes its place.
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.taken_over.subscribe()
    }

    /// Counts what was pushed.
    pub fn pushed(&self, bytes: usize) {
        self.bytes().take(cost(bytes));
    }

    /// For how long nothing may be pushed.
    pub fn pause(&self, uptime: Duration) -> Option<Duration> {
        let mut bytes = self.bytes();
        bytes.fill(uptime);
        let until = bytes.until_paid();
        (!until.is_zero()).then_some(until)
    }

    fn is_rested(&self, uptime: Duration) -> bool {
        let mut bytes = self.bytes();
        bytes.fill(uptime);
        bytes.is_full()
    }

    fn bytes(&self) -> MutexGuard<'_, Bucket> {
        // As above.
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn key(shard: u32) -> SubscriptionKey {
        SubscriptionKey {
            stream: StreamId(1),
            shard: ShardId(shard),
            consumer: ConsumerName::parse("c").unwrap(),
            registered_at: Timestamp(7),
        }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(1_000 + seconds)
    }

    #[test]
    fn a_subscription_is_taken_over_after_five_seconds_and_not_before() {
        let leases = Leases::default();
        let first = leases.begin(key(0), at(0), TAKE_OVER_AFTER).unwrap();
        assert!(leases.begin(key(0), at(4), TAKE_OVER_AFTER).is_none());
        assert!(!first.is_taken_over());
        assert!(leases.begin(key(1), at(4), TAKE_OVER_AFTER).is_some());
        let second = leases.begin(key(0), at(5), TAKE_OVER_AFTER).unwrap();
        assert!(first.is_taken_over() && !second.is_taken_over());
    }

    #[test]
    fn one_that_has_ended_holds_up_the_next_one_as_well() {
        let leases = Leases::default();
        drop(leases.begin(key(0), at(0), TAKE_OVER_AFTER));
        assert!(leases.begin(key(0), at(1), TAKE_OVER_AFTER).is_none());
    }

    #[test]
    fn what_was_pushed_counts_after_a_take_over() {
        let leases = Leases::default();
        let first = leases.begin(key(0), at(0), TAKE_OVER_AFTER).unwrap();
        assert_eq!(first.pause(at(0)), None);
        first.pushed(20 * MIB);
        let second = leases.begin(key(0), at(5), TAKE_OVER_AFTER).unwrap();
        assert_eq!(second.pause(at(5)), Some(Duration::from_secs(5)));
        assert_eq!(second.pause(at(10)), None);
    }

    #[test]
    fn those_that_say_nothing_any_more_are_forgotten() {
        let leases = Leases::default();
        let held = leases.begin(key(0), at(0), TAKE_OVER_AFTER);
        for round in 1..100 {
            for shard in 1..1_000 {
                leases.begin(
                    key(round * 1_000 + shard),
                    at(u64::from(round) * 10),
                    Duration::ZERO,
                );
            }
        }
        let by_key = leases.0.lock().unwrap();
        assert!(by_key.leases.len() <= 2 * LEASES_BEFORE_SWEEP);
        assert!(by_key.leases.contains_key(&key(0)));
        drop(held);
    }
}
