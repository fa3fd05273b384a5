//! Versions that somebody may still hold, whether or not they are in force, and those that are
//! being loaded for somebody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use crate::hash::ContentHash;
use crate::name::PluginName;
use crate::version::Version;

/// What came of loading a version, once it is known.
type Loading = OnceLock<Result<Arc<Version>, String>>;

/// The plugin and the content of a version: two plugins may be of the same content, and what each
/// may do goes by its name.
type Named = (PluginName, ContentHash);

/// At most one version of each plugin and content, however many ask for it at the same time.
#[derive(Default)]
pub(crate) struct Loaded {
    held: Mutex<HashMap<Named, Weak<Version>>>,
    /// As many as there are threads that load one, at most.
    loading: Mutex<HashMap<Named, Arc<Loading>>>,
}

impl Loaded {
    /// Remembers a version for as long as somebody holds it.
    pub(crate) fn note(&self, version: &Arc<Version>) {
        let mut held = self.lock_held();
        held.retain(|_, version| version.strong_count() > 0);
        let named = (version.name().clone(), version.hash());
        held.insert(named, Arc::downgrade(version));
    }

    /// A version that somebody holds, or else what `load` makes. Who asks while it is being loaded
    /// waits, and gets what came of it, also when that is an error.
    pub(crate) fn find_or_load(
        &self,
        (name, hash): (&PluginName, ContentHash),
        load: impl FnOnce() -> Result<Version, String>,
    ) -> Result<Arc<Version>, String> {
        let named = (name.clone(), hash);
        if let Some(version) = self.find(&named) {
            return Ok(version);
        }
        let loading = Arc::clone(self.loading().entry(named.clone()).or_default());
        let load = || match self.find(&named) {
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
        if all.get(&named).is_some_and(|it| Arc::ptr_eq(it, &loading)) {
            all.remove(&named);
        }
        loaded
    }

    /// The versions that somebody holds.
    pub(crate) fn held(&self) -> Vec<ContentHash> {
        let held = self.lock_held();
        let held = held
            .iter()
            .filter(|(_, version)| version.strong_count() > 0);
        held.map(|((_, hash), _)| *hash).collect()
    }

    fn find(&self, named: &Named) -> Option<Arc<Version>> {
        self.lock_held().get(named).and_then(Weak::upgrade)
    }

    fn lock_held(&self) -> MutexGuard<'_, HashMap<Named, Weak<Version>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn loading(&self) -> MutexGuard<'_, HashMap<Named, Arc<Loading>>> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
