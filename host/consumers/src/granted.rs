//! What an operator lets each plugin do with tables and streams. Asked at each call, so that a
//! change holds from the next one on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use wasm::PluginName;

use crate::effects::Grants;

/// What is granted to all plugins. The default is nothing.
#[derive(Default)]
pub struct Granted {
    by_plugin: RwLock<BTreeMap<PluginName, Arc<Grants>>>,
    changes: AtomicU64,
}

impl Granted {
    /// This is granted, until that is changed.
    pub fn new(grants: BTreeMap<PluginName, Grants>) -> Self {
        let granted = Self::default();
        granted.change(grants);
        granted
    }

    /// What a plugin may do.
    pub fn of(&self, plugin: &PluginName) -> Arc<Grants> {
        // It is replaced in one statement, and so always whole.
        let all = self
            .by_plugin
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        all.get(plugin).cloned().unwrap_or_default()
    }

    /// From now on this is granted and nothing else.
    pub fn change(&self, grants: BTreeMap<PluginName, Grants>) {
        let grants = grants.into_iter();
        let new = grants.map(|(plugin, grants)| (plugin, Arc::new(grants)));
        let new = new.collect();
        *self
            .by_plugin
            .write()
            .unwrap_or_else(PoisonError::into_inner) = new;
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// A number that is another one after each change: what was refused before may be fit now.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }
}
