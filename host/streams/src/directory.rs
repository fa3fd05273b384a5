//! The streams in memory: what every operation looks its stream up in.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use types::{Caller, StreamArn, StreamName};

use crate::stream::{Status, Stream};

type Names = BTreeMap<StreamName, Arc<Stream>>;

/// Streams by account, region and name. Only the catalog's task writes here, after the tables; a
/// reader holds the lock for one lookup.
#[derive(Default)]
pub struct Directory(RwLock<BTreeMap<Caller, Names>>);

/// What an account has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Streams in all regions, whatever their status.
    pub streams: usize,
    /// Open shards in all regions.
    pub shards: usize,
    /// Open shards in the region that was asked about.
    pub shards_in_region: usize,
    /// Streams that are being created there.
    pub creating_in_region: usize,
}

impl Directory {
    /// The stream of that name of this caller.
    pub fn find(&self, caller: &Caller, name: &str) -> Option<Arc<Stream>> {
        self.read().get(caller)?.get(name).cloned()
    }

    /// The stream at an address.
    pub fn at(&self, arn: &StreamArn) -> Option<Arc<Stream>> {
        self.find(&owner(arn), arn.name.as_str())
    }

    /// At most `limit` streams of a caller in order of their names, after `after`.
    pub fn page(&self, caller: &Caller, after: Option<&str>, limit: usize) -> Vec<Arc<Stream>> {
        let streams = self.read();
        let Some(names) = streams.get(caller) else {
            return Vec::new();
        };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        names
            .range::<str, _>((from, Bound::Unbounded))
            .take(limit)
            .map(|(_, stream)| stream.clone())
            .collect()
    }

    /// All streams of all callers.
    pub fn all(&self) -> Vec<Arc<Stream>> {
        let streams = self.read();
        streams
            .values()
            .flat_map(|names| names.values().cloned())
            .collect()
    }

    /// What the account of an address has, in its region and elsewhere.
    pub fn usage(&self, arn: &StreamArn) -> Usage {
        let mut usage = Usage::default();
        for (caller, names) in &*self.read() {
            if caller.account != arn.account {
                continue;
            }
            let shards: usize = names.values().map(|s| s.shards.open_count()).sum();
            usage.streams += names.len();
            usage.shards += shards;
            if caller.region == arn.region {
                let creating = names.values().filter(|s| s.status == Status::Creating);
                usage.shards_in_region = shards;
                usage.creating_in_region = creating.count();
            }
        }
        usage
    }

    /// Puts a stream in the place of what had its address.
    pub fn put(&self, stream: Stream) -> Arc<Stream> {
        let stream = Arc::new(stream);
        self.write()
            .entry(owner(&stream.arn))
            .or_default()
            .insert(stream.arn.name.clone(), stream.clone());
        stream
    }

    /// Forgets the stream at an address.
    pub fn remove(&self, arn: &StreamArn) {
        let mut streams = self.write();
        let owner = owner(arn);
        if let Some(names) = streams.get_mut(&owner) {
            names.remove(arn.name.as_str());
            if names.is_empty() {
                streams.remove(&owner);
            }
        }
    }

    // Each statement under the lock leaves the maps whole, so a panic elsewhere spoils nothing.
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Caller, Names>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Caller, Names>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn owner(arn: &StreamArn) -> Caller {
    Caller {
        account: arn.account,
        region: arn.region.clone(),
    }
}
