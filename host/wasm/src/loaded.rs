//! Versions that somebody may still hold, whether or not they are in force, and those that are
//! being loaded for somebody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use crate::hash::ContentHash;
use crate::version::Version;

/// What came of loading a version, once it is known.
type Loading = OnceLock<Result<Arc<Version>, String>>;

/// At most one version of each content, however many ask for it at the same time.
#[derive(Default)]
pub(crate) struct Loaded {
    held: Mutex<HashMap<ContentHash, Weak<Version>>>,
    /// As many as there are threads that load one, at most.
    loading: Mutex<HashMap<ContentHash, Arc<Loading>>>,
}

impl Loaded {
    /// Remembers a version for as long as somebody holds it.
    pub(crate) fn note(&self, version: &Arc<Version>) {
        let mut held = self.lock_held();
        held.retain(|_, version| version.strong_count() > 0);
        held.insert(version.hash(), Arc::downgrade(version));
    }

    /// A version that somebody holds, or else what `load` makes. Who asks while it is being loaded
    /// waits, and gets what came of it, also when that is an error.
    pub(crate) fn find_or_load(
        &self,
        hash: ContentHash,
        load: impl FnOnce() -> Result<Version, String>,
    ) -> Result<Arc<Version>, String> {
        if let Some(version) = self.find(hash) {
            return Ok(version);
        }
        let loading = Arc::clone(self.loading().entry(hash).or_default());
        let load = || match self.find(hash) {
            // Another load of it ended after the look above.
            Some(version) => Ok(version),
            None => load().map(Arc::new),
        };
        let loaded = loading.get_or_init(load).clone();
        if let Ok(version) = &loaded {
            self.note(version);
        }
        // Who asks from now on finds it, or tries again.
        let mut all = self.loading();
        if all.get(&hash).is_some_and(|it| Arc::ptr_eq(it, &loading)) {
            all.remove(&hash);
        }
        loaded
    }

    /// The versions that somebody holds.
    pub(crate) fn held(&self) -> Vec<ContentHash> {
        let held = self.lock_held();
        let held = held
            .iter()
            .filter(|(_, version)| version.strong_count() > 0);
        held.map(|(hash, _)| *hash).collect()
    }

    fn find(&self, hash: ContentHash) -> Option<Arc<Version>> {
        self.lock_held().get(&hash).and_then(Weak::upgrade)
    }

    fn lock_held(&self) -> MutexGuard<'_, HashMap<ContentHash, Weak<Version>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn loading(&self) -> MutexGuard<'_, HashMap<ContentHash, Arc<Loading>>> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
