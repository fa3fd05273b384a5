//! How many instances each plugin, and each account, has, so that none keeps all of the pool from
//! the others.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use types::AccountId;

use crate::limits::{INSTANCES_PER_ACCOUNT_MAX, INSTANCES_PER_PLUGIN_MAX};
use crate::name::PluginName;

/// The instances of each plugin and each account that has some.
#[derive(Debug, Default)]
pub(crate) struct InstanceShares(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    plugins: HashMap<PluginName, u32>,
    accounts: HashMap<AccountId, u32>,
}

/// One instance of a plugin. It counts until this is dropped.
#[derive(Debug)]
pub(crate) struct InstanceShare {
    shares: Arc<InstanceShares>,
    plugin: PluginName,
    account: Option<AccountId>,
}

impl InstanceShares {
    /// Counts one more instance of a plugin, at work for an account if it is for one.
    ///
    /// # Errors
    /// Who has as many as it may have.
    pub(crate) fn take(
        self: &Arc<Self>,
        plugin: &PluginName,
        account: Option<AccountId>,
    ) -> Result<InstanceShare, String> {
        let mut counts = self.lock();
        if counts.plugins.get(plugin) >= Some(&INSTANCES_PER_PLUGIN_MAX) {
            return Err(format!(
                "{plugin} has {INSTANCES_PER_PLUGIN_MAX}, as many as a plugin may have"
            ));
        }
        if let Some(account) = account {
            let count = counts.accounts.entry(account).or_default();
            if *count >= INSTANCES_PER_ACCOUNT_MAX {
                return Err(format!(
                    "account {account} has {INSTANCES_PER_ACCOUNT_MAX}, as many as one may have"
                ));
            }
            *count += 1;
        }
        *counts.plugins.entry(plugin.clone()).or_default() += 1;
        Ok(InstanceShare {
            shares: Arc::clone(self),
            plugin: plugin.clone(),
            account,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Each statement under the lock leaves the counts whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InstanceShare {
    fn drop(&mut self) {
        let mut counts = self.shares.lock();
        one_less(&mut counts.plugins, &self.plugin);
        if let Some(account) = &self.account {
            one_less(&mut counts.accounts, account);
        }
    }
}

fn one_less<K: Eq + Hash>(counts: &mut HashMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(number: u32) -> PluginName {
        PluginName::parse(&format!("plugin-{number}")).unwrap()
    }

    #[test]
    fn neither_a_plugin_nor_an_account_has_all_instances() {
        let shares = Arc::new(InstanceShares::default());
        let one = Some(AccountId::DEFAULT);
        let mut held = Vec::new();
        for number in 0.. {
            match shares.take(&plugin(number % 3), one) {
                Ok(share) => held.push(share),
                Err(why) => {
                    assert!(why.contains("account 000000000000 has"), "{why}");
                    break;
                }
            }
        }
        assert_eq!(
            held.len(),
            usize::try_from(INSTANCES_PER_ACCOUNT_MAX).unwrap()
        );
        let another = Some(AccountId::parse("111111111111").unwrap());
        let of_another = shares.take(&plugin(9), another);
        assert!(of_another.is_ok() && shares.take(&plugin(9), None).is_ok());
        held.pop();
        assert!(shares.take(&plugin(9), one).is_ok());
        drop(held);
        let of_one: Vec<_> = (0..)
            .map_while(|_| shares.take(&plugin(1), None).ok())
            .collect();
        assert_eq!(
            of_one.len(),
            usize::try_from(INSTANCES_PER_PLUGIN_MAX).unwrap()
        );
    }
}
