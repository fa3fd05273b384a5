//! What a plugin costs over all its versions: what older versions do, and for which accounts its
//! calls are made. Both are bounded, so that neither deployments nor accounts make metrics grow.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use types::AccountId;

use crate::counters::{Count, Counters};
use crate::profiling::Profiling;

/// Accounts that are counted by themselves, the first that had calls made; what is done for the
/// others is counted together.
const ACCOUNTS_MAX: usize = 50;

/// What is counted of a plugin beside its versions, since it is there.
#[derive(Debug, Default)]
pub struct PluginCosts {
    /// What versions do while they are not shown by themselves.
    pub(crate) other: Counters,
    accounts: Mutex<BTreeMap<AccountId, Arc<AccountCosts>>>,
    other_accounts: Arc<AccountCosts>,
    pub(crate) profiling: Profiling,
}

/// What is done for one account.
#[derive(Debug, Default)]
pub struct AccountCosts {
    /// Batches that were handed to the plugin.
    pub calls: Count,
    /// Records in them; those of a batch that is tried again count again.
    pub records: Count,
    /// Nanoseconds that threads had a processor within calls into it.
    pub processor_ns: Count,
}

impl PluginCosts {
    /// What versions did while they were not shown by themselves: older ones than the one before
    /// the one in force.
    pub fn other(&self) -> &Counters {
        &self.other
    }

    /// Where what is done for an account is counted.
    pub(crate) fn of_account(&self, account: AccountId) -> Arc<AccountCosts> {
        let mut accounts = self.lock();
        if accounts.len() >= ACCOUNTS_MAX && !accounts.contains_key(&account) {
            return Arc::clone(&self.other_accounts);
        }
        Arc::clone(accounts.entry(account).or_default())
    }

    /// What is done for each account that is counted by itself, and what for all others together,
    /// which are none.
    pub fn accounts(&self) -> Vec<(Option<AccountId>, Arc<AccountCosts>)> {
        let accounts = self.lock();
        let of_each = accounts.iter();
        let of_each = of_each.map(|(account, costs)| (Some(*account), Arc::clone(costs)));
        let others = (accounts.len() >= ACCOUNTS_MAX).then(|| Arc::clone(&self.other_accounts));
        of_each.chain(others.map(|costs| (None, costs))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AccountId, Arc<AccountCosts>>> {
        // Nothing under the lock can leave the map half changed.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AccountCosts {
    pub(crate) fn called(&self, records: u64) {
        self.calls.add(1);
        self.records.add(records);
    }

    pub(crate) fn spent(&self, processor: Duration) {
        let ns = processor.as_secs() * 1_000_000_000 + u64::from(processor.subsec_nanos());
        self.processor_ns.add(ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_beyond_the_bound_are_counted_together() {
        let costs = PluginCosts::default();
        let account = |number: usize| AccountId::parse(&format!("{number:012}")).unwrap();
        for number in 0..ACCOUNTS_MAX + 3 {
            costs.of_account(account(number)).called(2);
        }
        costs.of_account(account(0)).called(5);
        let all = costs.accounts();
        assert_eq!(all.len(), ACCOUNTS_MAX + 1);
        assert_eq!(all[0].0, Some(account(0)));
        assert_eq!(all[0].1.records.value(), 7);
        let (others, counted) = all.last().unwrap();
        assert_eq!(*others, None);
        assert_eq!((counted.calls.value(), counted.records.value()), (3, 6));
    }
}
