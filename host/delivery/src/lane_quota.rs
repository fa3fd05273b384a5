//! How many lanes an account may have over all its delivery streams: each takes memory and rows for
//! as long as its shard is there, also when nothing comes to it. One that is done with a closed
//! shard takes little more than its rows, and is none of them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use types::AccountId;

use crate::delivery_stream::{DeliveryStream, DeliveryStreamId};

type Held = HashMap<AccountId, HashMap<DeliveryStreamId, usize>>;

/// The lanes of all delivery streams.
pub struct LaneQuota {
    /// Lanes of one account. A CreateDeliveryStream that would go over it is refused; a delivery
    /// stream whose source is made anew with more shards than that leaves waits for room.
    max: usize,
    held: Mutex<Held>,
}

impl LaneQuota {
    pub fn new(max: usize) -> Self {
        let held = Mutex::default();
        Self { max, held }
    }

    /// Lanes of one account.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Why a delivery stream waits for lanes.
    pub fn no_room(&self) -> String {
        let max = self.max;
        format!("its stream has too many shards for the {max} lanes of its account")
    }

    /// A delivery stream has so many lanes, whatever it may have.
    pub fn note(&self, stream: &DeliveryStream, lanes: usize) {
        let mut held = self.lock();
        let account = held.entry(stream.arn.owner.account).or_default();
        account.insert(stream.id, lanes);
    }

    /// Lets a delivery stream have so many lanes. Whether its account may; if not, it has as many
    /// as before.
    pub fn take(&self, stream: &DeliveryStream, lanes: usize) -> bool {
        let mut held = self.lock();
        let account = held.entry(stream.arn.owner.account).or_default();
        let others = account.iter().filter(|(id, _)| **id != stream.id);
        let others: usize = others.map(|(_, lanes)| lanes).sum();
        let before = account.get(&stream.id).copied().unwrap_or(0);
        let is_room = lanes <= before || others.saturating_add(lanes) <= self.max;
        if is_room {
            account.insert(stream.id, lanes);
        }
        is_room
    }

    /// A delivery stream is gone.
    pub fn forget(&self, stream: &DeliveryStream) {
        let mut held = self.lock();
        let account = stream.arn.owner.account;
        if let Some(streams) = held.get_mut(&account) {
            streams.remove(&stream.id);
            if streams.is_empty() {
                held.remove(&account);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // Each statement under the lock leaves the maps whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use store::{LogId, Version};
    use streams::encryption::Encryption;
    use types::{Caller, Region, Timestamp};

    use super::*;
    use crate::arn::{DeliveryStreamArn, DeliveryStreamName};
    use crate::delivery_stream::{Destination, Origin, Status};

    fn stream(account: &str, id: u64) -> DeliveryStream {
        let destination = Destination {
            bucket_arn: "arn:aws:s3:::bucket".to_owned(),
            ..Destination::blank()
        };
        DeliveryStream {
            id: DeliveryStreamId(id),
            arn: DeliveryStreamArn {
                owner: Caller {
                    account: AccountId::parse(account).unwrap(),
                    region: Region::parse("eu-west-1").unwrap(),
                },
                name: DeliveryStreamName::parse("a").unwrap(),
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
        }
    }

    #[test]
    fn the_delivery_streams_of_an_account_share_its_lanes_and_no_others() {
        let quota = LaneQuota::new(10);
        let (first, second) = (stream("000000000001", 1), stream("000000000001", 2));
        assert!(quota.take(&first, 6));
        assert!(!quota.take(&second, 5));
        assert!(quota.take(&second, 4));
        assert!(quota.take(&stream("000000000002", 3), 10));
        assert!(!quota.take(&first, 7));
        // What is there already is not taken away, and may become less.
        quota.note(&first, 20);
        assert!(quota.take(&first, 19));
        assert!(!quota.take(&second, 5));
        quota.forget(&first);
        assert!(quota.take(&second, 10));
    }
}
