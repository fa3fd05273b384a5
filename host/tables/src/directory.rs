//! Which tables there are, as readers see them. All of it is durable.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use types::{AccountId, Caller};

use crate::schema::TableName;
use crate::table::{Table, TableAddress};

/// The tables of all accounts. Only the catalog's task changes it.
#[derive(Debug, Default)]
pub struct Directory(RwLock<BTreeMap<TableAddress, Arc<Table>>>);

impl Directory {
    /// The table at an address.
    pub fn find(&self, address: &TableAddress) -> Option<Arc<Table>> {
        let tables = self.0.read().unwrap_or_else(PoisonError::into_inner);
        tables.get(address).cloned()
    }

    /// The tables of a caller whose names come after `after`, in order, at most `limit`.
    pub fn list(&self, owner: &Caller, after: Option<&TableName>, limit: usize) -> Vec<Arc<Table>> {
        let tables = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let after = after.map(|name| TableAddress {
            owner: owner.clone(),
            name: name.clone(),
        });
        let range = match &after {
            Some(address) => (Bound::Excluded(address), Bound::Unbounded),
            None => (Bound::Unbounded, Bound::Unbounded),
        };
        let own = tables.range::<TableAddress, _>(range);
        own.skip_while(|(address, _)| address.owner < *owner)
            .take_while(|(address, _)| address.owner == *owner)
            .take(limit)
            .map(|(_, table)| Arc::clone(table))
            .collect()
    }

    /// How many tables an account has in all regions.
    pub fn count(&self, account: AccountId) -> usize {
        let tables = self.0.read().unwrap_or_else(PoisonError::into_inner);
        tables
            .keys()
            .filter(|address| address.owner.account == account)
            .count()
    }

    /// Tables with an index that is being filled.
    pub fn updating(&self) -> Vec<Arc<Table>> {
        let tables = self.0.read().unwrap_or_else(PoisonError::into_inner);
        tables
            .values()
            .filter(|table| table.is_updating())
            .cloned()
            .collect()
    }

    /// Shows a table.
    pub(crate) fn put(&self, table: Arc<Table>) {
        let mut tables = self.0.write().unwrap_or_else(PoisonError::into_inner);
        tables.insert(table.address.clone(), table);
    }

    /// Shows no table there any more.
    pub(crate) fn remove(&self, address: &TableAddress) {
        let mut tables = self.0.write().unwrap_or_else(PoisonError::into_inner);
        tables.remove(address);
    }
}
