//! Versions that something is begun with, or finished with, whether or not they are in force.

use std::sync::Arc;

use super::Plugins;
use crate::hash::ContentHash;
use crate::name::PluginName;
use crate::version::Version;

impl Plugins {
    /// A version that is or was in force: to begin something with, since somebody goes by its
    /// number, its hash or an alias. Blocks when it has to be loaded, which is done once for all
    /// who ask meanwhile; it is held ready from then on.
    ///
    /// # Errors
    /// When a signature is required that it does not have, and those of
    /// [`Plugins::version_begun`].
    pub fn version(&self, name: &PluginName, hash: ContentHash) -> Result<Arc<Version>, String> {
        let permitted = self.control.loader.check_signature(name, hash);
        let permitted = permitted.map_err(|refusal| refusal.to_string());
        let found = permitted.and_then(|()| self.version_begun(name, hash));
        self.control.was_wanted((name, hash), &found);
        found
    }

    /// Whether nobody waits for a version any more that was a canary and could not be loaded.
    pub fn gave_up(&self, name: &PluginName, hash: ContentHash) -> bool {
        self.control.gave_up(name, hash)
    }

    /// The same to finish what was begun with it, signed or not.
    ///
    /// # Errors
    /// When it was not kept, or not as it was, or cannot be compiled before the plugins are closed.
    pub fn version_begun(
        &self,
        name: &PluginName,
        hash: ContentHash,
    ) -> Result<Arc<Version>, String> {
        let control = &self.control;
        if let Some(version) = control.registry.loaded(name, hash) {
            control.loaded.note(&version);
            return Ok(version);
        }
        control.loaded.find_or_load((name, hash), || {
            let now = control.clock.now();
            let version = control.loader.load_kept(name, hash, now)?;
            control.registry.attach(&version);
            control.stays_on_trial(&version);
            Ok(version)
        })
    }

    /// Whether something may be begun with a version that is loaded, as far as that is known
    /// without asking [`Plugins::version`].
    pub fn permits(&self, version: &Version) -> bool {
        let rules = &self.control.loader.signatures;
        rules.permits(&version.facts().signed)
    }
}
