//! How often an account may call an operation in a second, where AWS says so of the account and
//! not of a shard.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use types::Caller;
use types::limits::{ACCOUNT_CALLS_PER_SECOND, DESCRIBE_LIMITS_CALLS_PER_SECOND};

use crate::rate::Bucket;

/// Buckets that are kept. Before there is one more, those that are full are forgotten, which
/// changes nothing, and all of them if none is full.
const BUCKETS_MAX: usize = 10_000;

/// An operation that an account may call so often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limited {
    /// DescribeAccountSettings.
    DescribeAccountSettings,
    /// DescribeLimits.
    DescribeLimits,
    /// UpdateAccountSettings.
    UpdateAccountSettings,
    /// UpdateStreamWarmThroughput.
    UpdateStreamWarmThroughput,
}

impl Limited {
    fn calls_per_second(self) -> u32 {
        match self {
            Self::DescribeLimits => DESCRIBE_LIMITS_CALLS_PER_SECOND,
            Self::DescribeAccountSettings
            | Self::UpdateAccountSettings
            | Self::UpdateStreamWarmThroughput => ACCOUNT_CALLS_PER_SECOND,
        }
    }
}

/// The calls of all accounts, each in its regions.
#[derive(Default)]
pub struct CallRates(Mutex<HashMap<(Caller, Limited), Bucket>>);

impl CallRates {
    /// Lets a call through, or refuses it.
    pub fn begin(&self, operation: Limited, caller: &Caller, uptime: Duration) -> bool {
        // A bucket is valid between any two statements, so a panic elsewhere spoils nothing.
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (caller.clone(), operation);
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| {
                bucket.fill(uptime);
                !bucket.is_full()
            });
            if buckets.len() >= BUCKETS_MAX {
                buckets.clear();
            }
        }
        let full = || Bucket::new(operation.calls_per_second());
        let bucket = buckets.entry(key).or_insert_with(full);
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
    use types::{AccountId, Region};

    use super::*;

    fn caller(region: &str) -> Caller {
        Caller {
            account: AccountId::DEFAULT,
            region: Region::parse(region).unwrap(),
        }
    }

    #[test]
    fn an_account_calls_each_operation_as_often_as_it_may_in_each_region() {
        let rates = CallRates::default();
        let at = Duration::from_secs(7);
        for region in ["eu-west-1", "eu-west-2"] {
            let caller = caller(region);
            for (operation, count) in [
                (Limited::DescribeLimits, 1),
                (Limited::DescribeAccountSettings, 5),
                (Limited::UpdateAccountSettings, 5),
                (Limited::UpdateStreamWarmThroughput, 5),
            ] {
                assert!((0..count).all(|_| rates.begin(operation, &caller, at)));
                assert!(!rates.begin(operation, &caller, at));
                let later = at + Duration::from_secs(1);
                assert!(rates.begin(operation, &caller, later));
            }
        }
    }

    #[test]
    fn the_calls_of_very_many_regions_take_no_more_memory_than_there_is_for_them() {
        let rates = CallRates::default();
        let at = Duration::from_secs(7);
        for number in 0..BUCKETS_MAX + 10 {
            let caller = caller(&format!("r-{number}"));
            assert!(rates.begin(Limited::DescribeLimits, &caller, at));
            assert!(rates.0.lock().unwrap().len() <= BUCKETS_MAX);
        }
        let later = at + Duration::from_secs(1);
        for number in 0..BUCKETS_MAX {
            let caller = caller(&format!("s-{number}"));
            assert!(rates.begin(Limited::DescribeLimits, &caller, later));
            assert!(!rates.begin(Limited::DescribeLimits, &caller, later));
        }
    }
}
