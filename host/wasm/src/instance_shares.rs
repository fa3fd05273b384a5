//! How many instances each plugin has, so that none keeps all of the pool from the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::limits::INSTANCES_PER_PLUGIN_MAX;
use crate::name::PluginName;

/// The instances of each plugin that has some.
#[derive(Debug, Default)]
pub(crate) struct InstanceShares(Mutex<HashMap<PluginName, u32>>);

/// One instance of a plugin. It counts until this is dropped.
#[derive(Debug)]
pub(crate) struct InstanceShare {
    shares: Arc<InstanceShares>,
    plugin: PluginName,
}

impl InstanceShares {
    /// Counts one more instance of a plugin; `None` if it has as many as it may have.
    pub(crate) fn take(self: &Arc<Self>, plugin: &PluginName) -> Option<InstanceShare> {
        let mut counts = self.lock();
        let count = counts.entry(plugin.clone()).or_default();
        if *count >= INSTANCES_PER_PLUGIN_MAX {
            return None;
        }
        *count += 1;
        Some(InstanceShare {
            shares: Arc::clone(self),
            plugin: plugin.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PluginName, u32>> {
        // Each statement under the lock leaves the counts whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InstanceShare {
    fn drop(&mut self) {
        let mut counts = self.shares.lock();
        if let Some(count) = counts.get_mut(&self.plugin) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.plugin);
            }
        }
    }
}
