//! The applications in memory: what every operation looks its application up in.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use types::{AccountId, Caller};

use crate::application::Application;
use crate::arn::{ApplicationArn, ApplicationName};
use crate::rows::UnreadableApplication;

/// What lies under a name.
#[derive(Clone, Debug)]
pub enum Listed {
    /// An application.
    Application(Arc<Application>),
    /// One whose row another build wrote: its name is taken, and nothing can be done with it but to
    /// delete it.
    Unreadable(Arc<UnreadableApplication>),
}

type Names = BTreeMap<ApplicationName, Listed>;

/// Applications by account, region and name. Only the catalog's task writes here, after the tables.
#[derive(Default)]
pub struct Directory(RwLock<HashMap<Caller, Names>>);

impl Directory {
    /// What lies at an address.
    pub fn find(&self, arn: &ApplicationArn) -> Option<Listed> {
        self.read().get(&arn.owner)?.get(&arn.name).cloned()
    }

    /// The application at an address, if it can be read.
    pub fn application(&self, arn: &ApplicationArn) -> Option<Arc<Application>> {
        match self.find(arn)? {
            Listed::Application(application) => Some(application),
            Listed::Unreadable(_) => None,
        }
    }

    /// The applications of a caller in order of their names, from a bound on.
    pub fn of(&self, caller: &Caller, from: Bound<&ApplicationName>) -> Vec<Arc<Application>> {
        let all = self.read();
        let names = all.get(caller);
        let range = names.map(|names| names.range((from, Bound::Unbounded)));
        let listed = range.into_iter().flatten();
        let found = listed.filter_map(|(_, listed)| match listed {
            Listed::Application(application) => Some(Arc::clone(application)),
            Listed::Unreadable(_) => None,
        });
        found.collect()
    }

    /// How many applications an account has in all regions. Any name is a region, so that a count
    /// of one region would bound nothing.
    pub fn count(&self, account: AccountId) -> usize {
        let all = self.read();
        let of_account = all.iter().filter(|(of, _)| of.account == account);
        of_account.map(|(_, names)| names.len()).sum()
    }

    /// Shows what lies at an address from now on.
    pub fn put(&self, arn: &ApplicationArn, listed: Listed) {
        self.write()
            .entry(arn.owner.clone())
            .or_default()
            .insert(arn.name.clone(), listed);
    }

    /// Forgets what lies at an address.
    pub fn remove(&self, arn: &ApplicationArn) {
        let mut all = self.write();
        if let Some(names) = all.get_mut(&arn.owner) {
            names.remove(&arn.name);
            if names.is_empty() {
                all.remove(&arn.owner);
            }
        }
    }

    // Each statement under the lock leaves the map whole, so a panic elsewhere spoils nothing.
    fn read(&self) -> RwLockReadGuard<'_, HashMap<Caller, Names>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Caller, Names>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
