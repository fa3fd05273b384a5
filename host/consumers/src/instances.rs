//! Instances that live on between the batches of their shards. There are fewer than shards may be:
//! the one that was used least lately is let go when another is needed, since what it keeps in its
//! memory is in its shard's row. Of those that are called at the same time an account has a part,
//! and where all wait for some the account comes next that has fewest.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use types::AccountId;
use wasm::{Consumer, PluginName};

use crate::limits::{
    INSTANCES_AT_WORK_LEFT_TO_OTHERS_PART, INSTANCES_KEPT_MAX, INSTANCES_KEPT_PER_PLUGIN_MAX,
};
use crate::table_ids::ShardKey;

/// Whose instances: of an account's applications with one plugin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Whose {
    /// The applications' account.
    pub account: AccountId,
    /// Their plugin.
    pub plugin: PluginName,
}

/// All instances of applications.
#[derive(Default)]
pub struct Instances {
    kept: Mutex<Kept>,
    /// An instance is at rest or gone.
    freed: Notify,
}

#[derive(Default)]
struct Kept {
    at_rest: HashMap<ShardKey, AtRest>,
    /// Those that are called or being made.
    at_work: BTreeMap<Whose, usize>,
    /// How many are waited for.
    waiting: BTreeMap<Whose, usize>,
    next_use: u64,
}

struct AtRest {
    consumer: Consumer,
    last_use: u64,
}

/// The right to have one instance at work. Dropped with it, both are gone.
pub struct Slot {
    instances: Arc<Instances>,
    key: ShardKey,
    whose: Whose,
    /// One holder at a time; the lock makes what holds it one that threads can share.
    consumer: Mutex<Option<Consumer>>,
    is_resting: bool,
}

/// A place among those who wait, left when this is dropped.
struct Place<'a> {
    instances: &'a Arc<Instances>,
    whose: &'a Whose,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut kept = self.instances.lock();
        one_less(&mut kept.waiting, self.whose);
        let has_room_for_others = kept.has_room_for_any();
        drop(kept);
        // They may have waited for this one alone: what they looked at was its account's turn.
        if has_room_for_others {
            self.instances.freed.notify_waiters();
        }
    }
}

impl Instances {
    /// Waits for the instance of a shard, or for room to make one.
    pub async fn slot(self: &Arc<Self>, key: ShardKey, whose: Whose) -> Slot {
        *self.lock().waiting.entry(whose.clone()).or_default() += 1;
        let place = Place {
            instances: self,
            whose: &whose,
        };
        let consumer = loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // Listen before looking, so that nothing between the two is missed.
            freed.as_mut().enable();
            let taken = self.lock().take(key, &whose);
            if let Some((consumer, let_go)) = taken {
                drop(let_go);
                break consumer;
            }
            freed.await;
        };
        drop(place);
        Slot {
            instances: Arc::clone(self),
            key,
            whose,
            consumer: Mutex::new(consumer),
            is_resting: false,
        }
    }

    /// The instance of a shard if it has one at rest, with its right.
    pub fn at_rest(self: &Arc<Self>, key: ShardKey, whose: Whose) -> Option<Slot> {
        let mut kept = self.lock();
        let found = kept.at_rest.remove(&key)?;
        *kept.at_work.entry(whose.clone()).or_default() += 1;
        drop(kept);
        Some(Slot {
            instances: Arc::clone(self),
            key,
            whose,
            consumer: Mutex::new(Some(found.consumer)),
            is_resting: false,
        })
    }

    /// Whether the instance of a shard is at rest.
    pub fn has_at_rest(&self, key: ShardKey) -> bool {
        self.lock().at_rest.contains_key(&key)
    }

    /// Lets the instance of a shard go.
    pub fn forget(&self, key: ShardKey) {
        let gone = self.lock().at_rest.remove(&key);
        drop(gone);
        self.freed.notify_waiters();
    }

    /// How many there are, at rest and at work.
    pub fn count(&self) -> usize {
        let kept = self.lock();
        kept.all()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Each call under the lock leaves the maps whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// The instance of a shard, if it has one, and one that is let go for it; `None`: there is no
    /// room, nothing at rest that could make some, or it is another account's turn.
    fn take(
        &mut self,
        key: ShardKey,
        whose: &Whose,
    ) -> Option<(Option<Consumer>, Option<Consumer>)> {
        if !self.has_room(whose) || self.is_turn_of_another(whose) {
            return None;
        }
        let found = self.at_rest.remove(&key).map(|it| it.consumer);
        let mut let_go = None;
        if found.is_none() {
            if self.of_plugin(&whose.plugin) >= INSTANCES_KEPT_PER_PLUGIN_MAX {
                let_go = Some(self.least_used(|it| is_of(it, &whose.plugin))?);
            } else if self.all() >= INSTANCES_KEPT_MAX {
                let_go = Some(self.least_used(|_| true)?);
            }
        }
        *self.at_work.entry(whose.clone()).or_default() += 1;
        Some((found, let_go))
    }

    /// Whether one more may be at work: of these, of their plugin and of all.
    fn has_room(&self, whose: &Whose) -> bool {
        let part = |all: usize| all - all / INSTANCES_AT_WORK_LEFT_TO_OTHERS_PART;
        let (mine, of_account) = (
            self.at_work(|of| of == whose),
            self.of_account(whose.account),
        );
        mine < part(INSTANCES_KEPT_PER_PLUGIN_MAX)
            && of_account < part(INSTANCES_KEPT_MAX)
            && self.at_work(|of| of.plugin == whose.plugin) < INSTANCES_KEPT_PER_PLUGIN_MAX
            && self.at_work(|_| true) < INSTANCES_KEPT_MAX
    }

    /// Whether anybody who waits could have one more. Of all those it is the turn of somebody.
    fn has_room_for_any(&self) -> bool {
        let has_room = self.at_work(|_| true) < INSTANCES_KEPT_MAX;
        has_room && self.waiting.keys().any(|whose| self.has_room(whose))
    }

    /// Whether an account waits that has fewer at work, and could have one more.
    fn is_turn_of_another(&self, whose: &Whose) -> bool {
        let mine = self.of_account(whose.account);
        let mut waiting = self.waiting.keys();
        waiting.any(|other| self.of_account(other.account) < mine && self.has_room(other))
    }

    fn of_account(&self, account: AccountId) -> usize {
        self.at_work(|of| of.account == account)
    }

    fn at_work(&self, counts: impl Fn(&Whose) -> bool) -> usize {
        let counted = self.at_work.iter().filter(|(of, _)| counts(of));
        counted.map(|(_, count)| count).sum()
    }

    /// At rest and at work.
    fn of_plugin(&self, plugin: &PluginName) -> usize {
        let at_rest = self.at_rest.values().filter(|it| is_of(it, plugin)).count();
        at_rest + self.at_work(|of| of.plugin == *plugin)
    }

    fn least_used(&mut self, may_go: impl Fn(&AtRest) -> bool) -> Option<Consumer> {
        let resting = self.at_rest.iter().filter(|(_, it)| may_go(it));
        let key = *resting.min_by_key(|(_, it)| it.last_use)?.0;
        Some(self.at_rest.remove(&key)?.consumer)
    }

    fn all(&self) -> usize {
        self.at_rest.len() + self.at_work(|_| true)
    }
}

fn is_of(at_rest: &AtRest, plugin: &PluginName) -> bool {
    at_rest.consumer.version().name() == plugin
}

/// Counts one less.
fn one_less(counts: &mut BTreeMap<Whose, usize>, whose: &Whose) {
    let Some(count) = counts.get_mut(whose) else {
        return;
    };
    *count = count.saturating_sub(1);
    if *count == 0 {
        counts.remove(whose);
    }
}

impl Slot {
    /// Takes the instance out, to be called elsewhere.
    pub fn take(&mut self) -> Option<Consumer> {
        self.held().take()
    }

    /// Puts an instance in.
    pub fn put(&mut self, consumer: Option<Consumer>) {
        *self.held() = consumer;
    }

    fn held(&mut self) -> &mut Option<Consumer> {
        let held = self.consumer.get_mut();
        held.unwrap_or_else(PoisonError::into_inner)
    }

    /// What the instance keeps in its memory is durable: it rests until its shard's next batch.
    pub fn rest(mut self) {
        let Some(consumer) = self.held().take() else {
            return;
        };
        let mut kept = self.instances.lock();
        one_less(&mut kept.at_work, &self.whose);
        kept.next_use += 1;
        let last_use = kept.next_use;
        let at_rest = AtRest { consumer, last_use };
        let before = kept.at_rest.insert(self.key, at_rest);
        drop(kept);
        drop(before);
        self.is_resting = true;
        self.instances.freed.notify_waiters();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.is_resting {
            return;
        }
        // The instance goes first: its place in the pool is free then.
        *self.held() = None;
        one_less(&mut self.instances.lock().at_work, &self.whose);
        self.instances.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Wake, Waker};

    use super::*;
    use crate::application::ApplicationId;

    fn look<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(slot) => Some(slot),
            Poll::Pending => None,
        }
    }

    /// Applications of an account with a plugin, by their numbers.
    fn whose(account: u64, plugin: u64) -> Whose {
        Whose {
            account: AccountId::parse(&format!("{account:012}")).unwrap(),
            plugin: PluginName::parse(&format!("plugin-{plugin}")).unwrap(),
        }
    }

    fn key() -> ShardKey {
        ShardKey::gone(ApplicationId(1))
    }

    /// As many at work as an account may have, with so many plugins from this one on.
    fn taken(instances: &Arc<Instances>, account: u64, plugins: std::ops::Range<u64>) -> Vec<Slot> {
        let mut held = Vec::new();
        for plugin in plugins {
            while let Some(slot) = look(pin!(instances.slot(key(), whose(account, plugin)))) {
                held.push(slot);
            }
        }
        held
    }

    /// One account had all that there are with two plugins, for as long as they were called.
    #[test]
    fn an_account_leaves_a_quarter_to_others_with_however_many_plugins() {
        let instances = Arc::new(Instances::default());
        let first = taken(&instances, 1, 0..9);
        assert_eq!(first.len(), INSTANCES_KEPT_MAX * 3 / 4);
        assert!(look(pin!(instances.slot(key(), whose(2, 50)))).is_some());
        let second = taken(&instances, 2, 50..59);
        assert_eq!(second.len(), INSTANCES_KEPT_MAX / 4);
        assert_eq!(instances.count(), INSTANCES_KEPT_MAX);
        drop((first, second));
        assert_eq!(instances.count(), 0);
    }

    #[test]
    fn an_account_leaves_a_quarter_of_a_plugin_to_others_that_go_through_it() {
        let instances = Arc::new(Instances::default());
        let first = taken(&instances, 1, 0..1);
        assert_eq!(first.len(), INSTANCES_KEPT_PER_PLUGIN_MAX * 3 / 4);
        let second = taken(&instances, 2, 0..1);
        assert_eq!(second.len(), INSTANCES_KEPT_PER_PLUGIN_MAX / 4);
    }

    #[test]
    fn what_becomes_free_goes_to_the_account_that_has_fewest_and_can_use_it() {
        let instances = Arc::new(Instances::default());
        let mut first = taken(&instances, 1, 0..9);
        let second = taken(&instances, 2, 50..59);
        // The one with most was first, and waits for what it may have.
        let mut of_first = pin!(instances.slot(key(), whose(1, 8)));
        let mut of_third = pin!(instances.slot(key(), whose(3, 60)));
        assert!(look(of_first.as_mut()).is_none() && look(of_third.as_mut()).is_none());
        first.pop();
        assert!(look(of_first.as_mut()).is_none(), "it has most");
        let third = look(of_third.as_mut());
        assert!(third.is_some(), "it has none");
        first.pop();
        assert!(look(of_first.as_mut()).is_some(), "nobody else waits");
        drop((second, third));
    }

    /// How often somebody was woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Two places were free. One went to the account with fewest, whose other shard may not have
    /// the second one. Nobody told that to the account that could have had it.
    #[test]
    fn who_yields_to_an_account_that_can_take_but_one_of_two_gets_the_other() {
        let instances = Arc::new(Instances::default());
        let mut second = Vec::new();
        while second.len() < INSTANCES_KEPT_PER_PLUGIN_MAX * 3 / 4 - 1 {
            second.extend(look(pin!(instances.slot(key(), whose(2, 50)))));
        }
        let mut first = taken(&instances, 1, 0..9);
        first.truncate(second.len() + 9);
        let mut third = taken(&instances, 3, 60..69);
        third.extend(taken(&instances, 4, 70..79));
        assert_eq!(instances.count(), INSTANCES_KEPT_MAX);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut of_first = pin!(instances.slot(key(), whose(1, 8)));
        let mut ask_first = || of_first.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(ask_first().is_pending());
        let mut one = pin!(instances.slot(key(), whose(2, 50)));
        let mut other = pin!(instances.slot(key(), whose(2, 50)));
        assert!(look(one.as_mut()).is_none() && look(other.as_mut()).is_none());
        third.truncate(third.len() - 2);
        assert!(ask_first().is_pending(), "it has more");
        woken.0.store(0, Ordering::Relaxed);
        let one = look(one.as_mut());
        assert!(one.is_some() && look(other.as_mut()).is_none());
        assert!(woken.0.load(Ordering::Relaxed) > 0);
        assert!(ask_first().is_ready());
    }

    #[test]
    fn one_that_does_not_wait_any_more_is_in_nobodys_way() {
        let instances = Arc::new(Instances::default());
        let mut first = taken(&instances, 1, 0..9);
        let second = taken(&instances, 2, 50..59);
        let mut of_first = pin!(instances.slot(key(), whose(1, 8)));
        {
            let mut given_up = pin!(instances.slot(key(), whose(3, 60)));
            assert!(look(given_up.as_mut()).is_none());
            assert!(look(of_first.as_mut()).is_none());
        }
        first.pop();
        assert!(look(of_first.as_mut()).is_some());
        assert!(instances.lock().waiting.is_empty());
        drop(second);
    }
}
