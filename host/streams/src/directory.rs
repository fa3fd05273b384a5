//! The streams in memory: what every operation looks its stream up in.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::watch;
use types::{AccountId, Caller, StreamArn, StreamName};

use crate::stream::{Status, Stream};

type Names = BTreeMap<StreamName, Arc<Stream>>;

/// Streams by account, region and name. Only the catalog's task writes here, after the tables; a
/// reader holds the lock for one lookup.
#[derive(Default)]
pub struct Directory {
    streams: RwLock<BTreeMap<Caller, Names>>,
    /// Who is told of changes at an address. Of an address that nobody listens to any more it is
    /// forgotten when another one is added.
    listeners: Mutex<HashMap<StreamArn, watch::Sender<u64>>>,
}

/// What an account has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Streams in all regions, whatever their status.
    pub streams: usize,
    /// Open shards in all regions.
    pub shards: usize,
    /// Shards in all regions that were split or merged and still have records, or had them lately.
    pub closed_shards: usize,
    /// Open shards in the region that was asked about.
    pub shards_in_region: usize,
    /// Streams that are being created there.
    pub creating_in_region: usize,
    /// Streams there whose shards the service decides about.
    pub on_demand_in_region: usize,
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

    /// Changes after whatever is at an address has changed, and its number then counts the changes.
    pub fn changes(&self, arn: &StreamArn) -> watch::Receiver<u64> {
        let mut listeners = self.listeners();
        if let Some(sender) = listeners.get(arn) {
            return sender.subscribe();
        }
        listeners.retain(|_, sender| sender.receiver_count() > 0);
        listeners.entry(arn.clone()).or_default().subscribe()
    }

    fn tell(&self, arn: &StreamArn) {
        if let Some(sender) = self.listeners().get(arn) {
            sender.send_modify(|changes| *changes += 1);
        }
    }

    /// What an account has, in the caller's region and elsewhere.
    pub fn usage(&self, of: &Caller) -> Usage {
        let mut usage = Usage::default();
        for (caller, names) in &*self.read() {
            if caller.account != of.account {
                continue;
            }
            let shards: usize = names.values().map(|s| s.shards.open_count()).sum();
            usage.streams += names.len();
            usage.shards += shards;
            let listed: usize = names.values().map(|s| s.shards.all().len()).sum();
            usage.closed_shards += listed - shards;
            if caller.region == of.region {
                let creating = names.values().filter(|s| s.status == Status::Creating);
                let on_demand = names.values().filter(|s| s.mode.on_demand().is_some());
                usage.shards_in_region = shards;
                usage.creating_in_region = creating.count();
                usage.on_demand_in_region = on_demand.count();
            }
        }
        usage
    }

    /// Bytes of memory that the policies of an account's streams and consumers take.
    pub fn policy_bytes(&self, account: AccountId) -> usize {
        let streams = self.read();
        let own = streams.iter().filter(|(of, _)| of.account == account);
        own.flat_map(|(_, names)| names.values())
            .map(|stream| stream.policy_bytes())
            .sum()
    }

    /// Puts a stream in the place of what had its address.
    pub fn put(&self, stream: Stream) -> Arc<Stream> {
        let stream = Arc::new(stream);
        self.write()
            .entry(owner(&stream.arn))
            .or_default()
            .insert(stream.arn.name.clone(), stream.clone());
        self.tell(&stream.arn);
        stream
    }

    /// Forgets the stream at an address.
    pub fn remove(&self, arn: &StreamArn) {
        {
            let mut streams = self.write();
            let owner = owner(arn);
            if let Some(names) = streams.get_mut(&owner) {
                names.remove(arn.name.as_str());
                if names.is_empty() {
                    streams.remove(&owner);
                }
            }
        }
        self.tell(arn);
    }

    // Each statement under the lock leaves the maps whole, so a panic elsewhere spoils nothing.
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Caller, Names>> {
        self.streams.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Caller, Names>> {
        self.streams.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn listeners(&self) -> MutexGuard<'_, HashMap<StreamArn, watch::Sender<u64>>> {
        let listeners = self.listeners.lock();
        listeners.unwrap_or_else(PoisonError::into_inner)
    }
}

/// In whose name a stream is.
pub fn owner(arn: &StreamArn) -> Caller {
    Caller {
        account: arn.account,
        region: arn.region.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_to_an_address_hears_of_changes_there_and_nowhere_else() {
        let arn = |name: &str| {
            let arn = format!("arn:aws:kinesis:eu-west-1:000000000042:stream/{name}");
            StreamArn::parse(&arn).unwrap()
        };
        let directory = Directory::default();
        let first = directory.changes(&arn("first"));
        let second = directory.changes(&arn("second"));
        directory.remove(&arn("first"));
        assert!(first.has_changed().unwrap());
        assert!(!second.has_changed().unwrap());
        drop((first, second));
        let _third = directory.changes(&arn("third"));
        assert_eq!(directory.listeners().len(), 1);
    }
}
