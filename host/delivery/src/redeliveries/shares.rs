//! How many orders accounts have at work.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use types::AccountId;

use super::limits::PER_ACCOUNT_MAX;

/// Orders at work, by account. Clones count together.
#[derive(Clone, Default)]
pub struct Shares(Arc<Mutex<HashMap<AccountId, usize>>>);

/// A place for one order, which others may have once it is dropped.
pub struct Share {
    account: AccountId,
    shares: Shares,
}

impl Shares {
    /// A place for one order more of an account; `None`: it has as many as it may.
    pub fn take(&self, account: AccountId) -> Option<Share> {
        let mut all = self.lock();
        let held = all.entry(account).or_default();
        if *held >= PER_ACCOUNT_MAX {
            return None;
        }
        *held += 1;
        Some(Share {
            account,
            shares: self.clone(),
        })
    }

    /// The same for one that was at work before: it is not refused.
    pub fn keep(&self, account: AccountId) -> Share {
        *self.lock().entry(account).or_default() += 1;
        Share {
            account,
            shares: self.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, usize>> {
        // Each statement under the lock leaves the counts whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut all = self.shares.lock();
        if let Some(held) = all.get_mut(&self.account) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                all.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_so_many_places_and_takes_none_of_another() {
        let shares = Shares::default();
        let accounts = ["000000000001", "000000000002"].map(|it| AccountId::parse(it).unwrap());
        let held: Vec<_> = (0..PER_ACCOUNT_MAX)
            .map(|_| shares.take(accounts[0]).unwrap())
            .collect();
        assert!(shares.take(accounts[0]).is_none());
        let theirs = shares.take(accounts[1]);
        assert!(theirs.is_some());
        drop(held);
        assert!(shares.take(accounts[0]).is_some());
    }
}
