//! The delivery streams in memory: what every operation looks its delivery stream up in.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use types::{AccountId, Caller};

use crate::arn::{DeliveryStreamArn, DeliveryStreamName};
use crate::rows::UnreadableStream;
use crate::running::Running;

type Names = BTreeMap<DeliveryStreamName, Arc<Running>>;

/// Delivery streams by account, region and name. Only the catalog's task writes here, after the
/// tables.
#[derive(Default)]
pub struct Directory {
    readable: RwLock<HashMap<Caller, Names>>,
    /// Those whose rows cannot be read, by address: their names are taken, and nothing can be done
    /// with them but to delete them.
    unreadable: RwLock<BTreeMap<String, UnreadableStream>>,
}

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

    /// How many delivery streams an account has in all regions. Any name is a region, so that a
    /// count of one region would bound nothing.
    pub fn count(&self, account: AccountId) -> usize {
        let streams = self.read();
        let of_account = streams.iter().filter(|(of, _)| of.account == account);
        of_account.map(|(_, names)| names.len()).sum()
    }

    /// Adds a delivery stream.
    pub fn put(&self, running: Arc<Running>) {
        let arn = running.stream().arn.clone();
        self.write()
            .entry(arn.owner)
            .or_default()
            .insert(arn.name, running);
    }

    /// Adds a delivery stream whose row cannot be read.
    pub fn put_unreadable(&self, stream: UnreadableStream) {
        let mut all = self.write_unreadable();
        all.insert(stream.arn.to_string(), stream);
    }

    /// The delivery stream at an address whose row cannot be read.
    pub fn unreadable(&self, arn: &DeliveryStreamArn) -> Option<UnreadableStream> {
        self.read_unreadable().get(&arn.to_string()).cloned()
    }

    /// All delivery streams whose rows cannot be read.
    pub fn all_unreadable(&self) -> Vec<UnreadableStream> {
        self.read_unreadable().values().cloned().collect()
    }

    /// Forgets the delivery stream at an address whose row cannot be read.
    pub fn remove_unreadable(&self, arn: &DeliveryStreamArn) {
        self.write_unreadable().remove(&arn.to_string());
    }

    fn read_unreadable(&self) -> RwLockReadGuard<'_, BTreeMap<String, UnreadableStream>> {
        self.unreadable
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn write_unreadable(&self) -> RwLockWriteGuard<'_, BTreeMap<String, UnreadableStream>> {
        self.unreadable
            .write()
            .unwrap_or_else(PoisonError::into_inner)
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
        self.readable.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Caller, Names>> {
        self.readable
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use store::{LogId, Version};
    use streams::encryption::Encryption;
    use types::{Clock, ManualClock, Region, Timestamp};

    use super::*;
    use crate::delivery_stream::{DeliveryStream, DeliveryStreamId, Destination, Origin, Status};

    fn delivery_stream(account: &str, region: &str, name: &str) -> Arc<Running> {
        let destination = Destination {
            bucket_arn: "arn:aws:s3:::bucket".to_owned(),
            ..Destination::blank()
        };
        let stream = DeliveryStream {
            id: DeliveryStreamId(1),
            arn: DeliveryStreamArn {
                owner: Caller {
                    account: AccountId::parse(account).unwrap(),
                    region: Region::parse(region).unwrap(),
                },
                name: DeliveryStreamName::parse(name).unwrap(),
            },
            status: Status::Active,
            created_at: Timestamp(0),
            updated_at: None,
            version_id: 1,
            origin: Origin::DirectPut { log: LogId(1) },
            plan: destination.plan().unwrap(),
            destination,
            tags: BTreeMap::new(),
            encryption: Encryption::default(),
            row_version: Version(0),
        };
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp(0)));
        Running::new(stream, &clock)
    }

    /// Any name is a region, so an account had its limit as often as it had ideas for names.
    #[test]
    fn an_account_s_delivery_streams_are_counted_over_all_regions() {
        let directory = Directory::default();
        for (account, region, name) in [
            ("000000000001", "eu-west-1", "a"),
            ("000000000001", "eu-west-1", "b"),
            ("000000000001", "made-up-1", "a"),
            ("000000000002", "made-up-1", "a"),
        ] {
            directory.put(delivery_stream(account, region, name));
        }
        let count = |account| directory.count(AccountId::parse(account).unwrap());
        assert_eq!(count("000000000001"), 3);
        assert_eq!(count("000000000002"), 1);
        assert_eq!(count("000000000003"), 0);
    }
}
