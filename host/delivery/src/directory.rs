//! The delivery streams in memory: what every operation looks its delivery stream up in.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use types::Caller;

use crate::arn::{DeliveryStreamArn, DeliveryStreamName};
use crate::running::Running;

type Names = BTreeMap<DeliveryStreamName, Arc<Running>>;

/// Delivery streams by account, region and name. Only the catalog's task writes here, after the
/// tables.
#[derive(Default)]
pub struct Directory(RwLock<HashMap<Caller, Names>>);

impl Directory {
    /// The delivery stream at an address.
    pub fn find(&self, arn: &DeliveryStreamArn) -> Option<Arc<Running>> {
        self.read().get(&arn.owner)?.get(&arn.name).cloned()
    }

    /// The delivery streams of a caller in order of their names, after `after`.
    pub fn of(&self, caller: &Caller, after: Option<&DeliveryStreamName>) -> Vec<Arc<Running>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let streams = self.read();
        let names = streams.get(caller);
        let range = names.map(|names| names.range((from, Bound::Unbounded)));
        let found = range.into_iter().flatten();
        found.map(|(_, running)| Arc::clone(running)).collect()
    }

    /// All delivery streams of all callers.
    pub fn all(&self) -> Vec<Arc<Running>> {
        let streams = self.read();
        streams
            .values()
            .flat_map(|names| names.values().cloned())
            .collect()
    }

    /// How many delivery streams a caller has.
    pub fn count(&self, caller: &Caller) -> usize {
        self.read().get(caller).map_or(0, BTreeMap::len)
    }

    /// Adds a delivery stream.
    pub fn put(&self, running: Arc<Running>) {
        let arn = running.stream().arn.clone();
        self.write()
            .entry(arn.owner)
            .or_default()
            .insert(arn.name, running);
    }

    /// Forgets the delivery stream at an address.
    pub fn remove(&self, arn: &DeliveryStreamArn) {
        let mut streams = self.write();
        if let Some(names) = streams.get_mut(&arn.owner) {
            names.remove(&arn.name);
            if names.is_empty() {
                streams.remove(&arn.owner);
            }
        }
    }

    // Each statement under the lock leaves the maps whole, so a panic elsewhere spoils nothing.
    fn read(&self) -> RwLockReadGuard<'_, HashMap<Caller, Names>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Caller, Names>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
