//! How often an operation may be called in a second, where AWS says so of an account or of a stream
//! and not of a shard.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use types::limits::{
    ACCOUNT_CALLS_PER_SECOND, CONSUMERS_CALLS_PER_SECOND, DESCRIBE_LIMITS_CALLS_PER_SECOND,
    DESCRIBE_STREAM_CALLS_PER_SECOND, DESCRIBE_STREAM_CONSUMER_CALLS_PER_SECOND,
    DESCRIBE_STREAM_SUMMARY_CALLS_PER_SECOND, LIST_SHARDS_CALLS_PER_SECOND,
};
use types::{Caller, StreamArn};

use crate::rate::Bucket;

/// Buckets that are kept of accounts, and as many of streams. Before there is one more, those that
/// are full are forgotten, which changes nothing, and all of them if none is full.
const BUCKETS_MAX: usize = 10_000;

/// An operation that an account may call so often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccountCalls {
    AddTagsToStream,
    CreateStream,
    DeleteStream,
    DescribeAccountSettings,
    DescribeLimits,
    DescribeStream,
    DescribeStreamSummary,
    ListStreams,
    ListTagsForStream,
    MergeShards,
    RegisterStreamConsumer,
    RemoveTagsFromStream,
    SplitShard,
    UpdateAccountSettings,
    UpdateStreamWarmThroughput,
}

impl AccountCalls {
    fn per_second(self) -> u32 {
        match self {
            Self::DescribeLimits => DESCRIBE_LIMITS_CALLS_PER_SECOND,
            Self::DescribeStream => DESCRIBE_STREAM_CALLS_PER_SECOND,
            Self::DescribeStreamSummary => DESCRIBE_STREAM_SUMMARY_CALLS_PER_SECOND,
            Self::AddTagsToStream
            | Self::CreateStream
            | Self::DeleteStream
            | Self::DescribeAccountSettings
            | Self::ListStreams
            | Self::ListTagsForStream
            | Self::MergeShards
            | Self::RegisterStreamConsumer
            | Self::RemoveTagsFromStream
            | Self::SplitShard
            | Self::UpdateAccountSettings
            | Self::UpdateStreamWarmThroughput => ACCOUNT_CALLS_PER_SECOND,
        }
    }
}

/// An operation that may be called so often about a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamCalls {
    DeregisterStreamConsumer,
    DescribeStreamConsumer,
    ListShards,
    ListStreamConsumers,
}

impl StreamCalls {
    fn per_second(self) -> u32 {
        match self {
            Self::DescribeStreamConsumer => DESCRIBE_STREAM_CONSUMER_CALLS_PER_SECOND,
            Self::ListShards => LIST_SHARDS_CALLS_PER_SECOND,
            Self::DeregisterStreamConsumer | Self::ListStreamConsumers => {
                CONSUMERS_CALLS_PER_SECOND
            }
        }
    }
}

/// The calls of all accounts, each in its regions, and those about all streams.
#[derive(Default)]
pub struct CallRates {
    accounts: Buckets<(Caller, AccountCalls)>,
    streams: Buckets<(StreamArn, StreamCalls)>,
}

impl CallRates {
    /// Lets a call of an account through, or refuses it.
    pub fn of_account(&self, operation: AccountCalls, by: &Caller, uptime: Duration) -> bool {
        let key = (by.clone(), operation);
        self.accounts.take(key, operation.per_second(), uptime)
    }

    /// Lets a call about a stream through, or refuses it.
    pub fn of_stream(&self, operation: StreamCalls, about: &StreamArn, uptime: Duration) -> bool {
        let key = (about.clone(), operation);
        self.streams.take(key, operation.per_second(), uptime)
    }
}

/// A bucket for each key.
struct Buckets<K>(Mutex<HashMap<K, Bucket>>);

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Eq + Hash> Buckets<K> {
    fn take(&self, key: K, per_second: u32, uptime: Duration) -> bool {
        // A bucket is valid between any two statements, so a panic elsewhere spoils nothing.
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| {
                bucket.fill(uptime);
                !bucket.is_full()
            });
            if buckets.len() >= BUCKETS_MAX {
                buckets.clear();
            }
        }
        let bucket = buckets
            .entry(key)
            .or_insert_with(|| Bucket::new(per_second));
        bucket.fill(uptime);
        let fits = bucket.has(1);
        if fits {
            bucket.take(1);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use types::{AccountId, Region, StreamName};

    use super::*;

    fn caller(region: &str) -> Caller {
        Caller {
            account: AccountId::DEFAULT,
            region: Region::parse(region).unwrap(),
        }
    }

    fn stream(name: &str) -> StreamArn {
        StreamArn {
            region: Region::parse("eu-west-1").unwrap(),
            account: AccountId::DEFAULT,
            name: StreamName::parse(name).unwrap(),
        }
    }

    #[test]
    fn an_account_calls_each_operation_as_often_as_it_may_in_each_region() {
        let rates = CallRates::default();
        let at = Duration::from_secs(7);
        for region in ["eu-west-1", "eu-west-2"] {
            let caller = caller(region);
            for (operation, count) in [
                (AccountCalls::DescribeLimits, 1),
                (AccountCalls::CreateStream, 5),
                (AccountCalls::DescribeStream, 10),
                (AccountCalls::DescribeStreamSummary, 20),
                (AccountCalls::UpdateStreamWarmThroughput, 5),
            ] {
                assert!((0..count).all(|_| rates.of_account(operation, &caller, at)));
                assert!(!rates.of_account(operation, &caller, at));
                let later = at + Duration::from_secs(1);
                assert!(rates.of_account(operation, &caller, later));
            }
        }
    }

    #[test]
    fn a_stream_is_asked_about_as_often_as_it_may_be_whatever_others_are_asked() {
        let rates = CallRates::default();
        let at = Duration::from_secs(7);
        for stream in [stream("a"), stream("b")] {
            for (operation, count) in [
                (StreamCalls::ListShards, 1_000),
                (StreamCalls::DescribeStreamConsumer, 20),
                (StreamCalls::ListStreamConsumers, 5),
                (StreamCalls::DeregisterStreamConsumer, 5),
            ] {
                assert!((0..count).all(|_| rates.of_stream(operation, &stream, at)));
                assert!(!rates.of_stream(operation, &stream, at));
            }
        }
    }

    #[test]
    fn the_calls_of_very_many_regions_take_no_more_memory_than_there_is_for_them() {
        let rates = CallRates::default();
        let at = Duration::from_secs(7);
        for number in 0..BUCKETS_MAX + 10 {
            let caller = caller(&format!("r-{number}"));
            assert!(rates.of_account(AccountCalls::DescribeLimits, &caller, at));
            assert!(rates.accounts.0.lock().unwrap().len() <= BUCKETS_MAX);
        }
        let later = at + Duration::from_secs(1);
        for number in 0..BUCKETS_MAX {
            let caller = caller(&format!("s-{number}"));
            assert!(rates.of_account(AccountCalls::DescribeLimits, &caller, later));
            assert!(!rates.of_account(AccountCalls::DescribeLimits, &caller, later));
        }
    }
}
