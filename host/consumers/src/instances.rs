//! Instances that live on between the batches of their shards. There are fewer than shards may be:
//! the one that was used least lately is let go when another is needed, since what it keeps in its
//! memory is in its shard's row.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use wasm::{Consumer, PluginName};

use crate::limits::{INSTANCES_KEPT_MAX, INSTANCES_KEPT_PER_PLUGIN_MAX};
use crate::table_ids::ShardKey;

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
    /// Those that are called or being made, by plugin.
    at_work: HashMap<PluginName, usize>,
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
    plugin: PluginName,
    /// One holder at a time; the lock makes what holds it one that threads can share.
    consumer: Mutex<Option<Consumer>>,
    is_resting: bool,
}

impl Instances {
    /// Waits for the instance of a shard, or for room to make one.
    pub async fn slot(self: &Arc<Self>, key: ShardKey, plugin: &PluginName) -> Slot {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // Listen before looking, so that nothing between the two is missed.
            freed.as_mut().enable();
            if let Some((consumer, let_go)) = self.lock().take(key, plugin) {
                drop(let_go);
                return Slot {
                    instances: Arc::clone(self),
                    key,
                    plugin: plugin.clone(),
                    consumer: Mutex::new(consumer),
                    is_resting: false,
                };
            }
            freed.await;
        }
    }

    /// The instance of a shard if it has one at rest, with its right.
    pub fn at_rest(self: &Arc<Self>, key: ShardKey, plugin: &PluginName) -> Option<Slot> {
        let mut kept = self.lock();
        let found = kept.at_rest.remove(&key)?;
        *kept.at_work.entry(plugin.clone()).or_default() += 1;
        Some(Slot {
            instances: Arc::clone(self),
            key,
            plugin: plugin.clone(),
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
    /// room, and nothing at rest that could make some.
    fn take(
        &mut self,
        key: ShardKey,
        plugin: &PluginName,
    ) -> Option<(Option<Consumer>, Option<Consumer>)> {
        if let Some(found) = self.at_rest.remove(&key) {
            *self.at_work.entry(plugin.clone()).or_default() += 1;
            return Some((Some(found.consumer), None));
        }
        let is_of = |it: &AtRest| it.consumer.version().name() == plugin;
        let of_plugin = self.at_rest.values().filter(|it| is_of(it)).count();
        let of_plugin = of_plugin + self.at_work.get(plugin).copied().unwrap_or(0);
        let mut let_go = None;
        if of_plugin >= INSTANCES_KEPT_PER_PLUGIN_MAX {
            let_go = Some(self.least_used(is_of)?);
        } else if self.all() >= INSTANCES_KEPT_MAX {
            let_go = Some(self.least_used(|_| true)?);
        }
        *self.at_work.entry(plugin.clone()).or_default() += 1;
        Some((None, let_go))
    }

    fn least_used(&mut self, may_go: impl Fn(&AtRest) -> bool) -> Option<Consumer> {
        let resting = self.at_rest.iter().filter(|(_, it)| may_go(it));
        let key = *resting.min_by_key(|(_, it)| it.last_use)?.0;
        Some(self.at_rest.remove(&key)?.consumer)
    }

    fn all(&self) -> usize {
        self.at_rest.len() + self.at_work.values().sum::<usize>()
    }

    fn ends(&mut self, plugin: &PluginName) {
        if let Some(count) = self.at_work.get_mut(plugin) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.at_work.remove(plugin);
            }
        }
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
        kept.ends(&self.plugin);
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
        self.instances.lock().ends(&self.plugin);
        self.instances.freed.notify_waiters();
    }
}
