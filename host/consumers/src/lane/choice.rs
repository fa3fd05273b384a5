//! Which version of its plugin a shard is to work with: the one that the application is pinned to,
//! or the canary for a share of all shards, or the one in force. The rule is pure and goes by what
//! is kept durably (the canary, its share, the shard's numbers), so that it is the same after a
//! restart and for every worker.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use wasm::{Absence, Choice, ContentHash, PluginName, Plugins, Version};

use super::Lane;
use crate::application::Versions;

impl Lane {
    /// The version that worked on the shard last, if it can be had before the lane is told to stop.
    pub(super) async fn version_before(&self) -> Option<Arc<Version>> {
        let hash = self.progress.version?;
        let loading = self.load(hash, Plugins::version_begun);
        // What stands in the way is told when another version is to take its place.
        self.unless_stopped(loading).await?.ok()
    }

    /// Loads the version that worked on the shard last, where another one is to take its place and
    /// it is not there: it has not been told yet that it ends. `false` if the stop comes before.
    ///
    /// # Errors
    /// A sentence that says why it cannot be had.
    pub(super) async fn loads_before(&mut self, wanted: ContentHash) -> Result<bool, String> {
        let hash = match (&self.version, self.progress.version) {
            (None, Some(hash)) if hash != wanted => hash,
            _ => return Ok(true),
        };
        let loading = self.load(hash, Plugins::version_begun);
        let Some(loaded) = self.unless_stopped(loading).await else {
            return Ok(false);
        };
        let short = hash.short();
        match loaded {
            Ok(version) => self.version = Some(version),
            Err(why) if self.is_given_up_canary(hash) => {
                let name = self.of.running.application().name.clone();
                let shard = &self.of.origin.shard;
                tracing::error!(application = %name, shard, short, why, "a canary is not heard");
                self.shard.show(|shown| shown.unheard += 1);
                self.endings.give_up();
            }
            Err(why) => {
                return Err(format!(
                    "the version before, {short}, cannot be had: {why}; it can be skipped"
                ));
            }
        }
        Ok(true)
    }

    /// Whether a version was a canary, and was ended since it could not be had: nobody waits for
    /// what it would say at its end.
    fn is_given_up_canary(&self, hash: ContentHash) -> bool {
        let plugin = &self.of.running.application().plugin;
        self.ground.plugins.gave_up(plugin, hash)
    }

    /// The version that the shard is to work with. Does not block.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn wants(&self) -> Result<Choice, Absence> {
        let application = self.of.running.application();
        let (plugins, plugin) = (&self.ground.plugins, &application.plugin);
        match application.versions {
            Versions::Latest => plugins.choose(plugin, None, &self.of.key.row()),
            // One that is pinned does not go by what is in force, but an operator who lets a
            // plugin wait means it as well.
            Versions::Pinned(hash) => match plugins.absence(plugin) {
                Some(paused @ Absence::Paused(_)) => Err(paused),
                _ => Ok(Choice::Cold(hash)),
            },
        }
    }

    /// The same, loaded. `None` if the lane is told to stop before it is.
    ///
    /// # Errors
    /// A sentence that says why there is none.
    pub(super) async fn wanted(&self) -> Result<Option<Arc<Version>>, String> {
        let plugin = self.of.running.application().plugin.clone();
        let choice = self
            .wants()
            .map_err(|absence| format!("its plugin {plugin} {absence}"))?;
        let hash = match choice {
            Choice::Ready(version) => return Ok(Some(version)),
            Choice::Cold(hash) => hash,
        };
        // What was loaded to be finished may begin nothing.
        let plugins = &self.ground.plugins;
        let is_it = |it: &&Arc<Version>| it.hash() == hash && plugins.permits(it);
        if let Some(version) = self.version.as_ref().filter(is_it) {
            return Ok(Some(Arc::clone(version)));
        }
        let loading = self.load(hash, Plugins::version);
        let Some(loaded) = self.unless_stopped(loading).await else {
            return Ok(None);
        };
        let short = hash.short();
        let loaded =
            loaded.map_err(|why| format!("the version {short} of {plugin} cannot be had: {why}"));
        loaded.map(Some)
    }

    /// Whether it is not known yet which version of the plugin is in force. Whoever waits hears of
    /// it.
    pub(super) fn is_loading(&self) -> bool {
        let plugin = &self.of.running.application().plugin;
        self.ground.plugins.absence(plugin) == Some(Absence::Loading)
    }

    /// Returns when another version is to take the place of the one at work.
    pub(super) async fn until_another_version(&mut self) {
        let running = Arc::clone(&self.of.running);
        loop {
            let changed = running.changed.notified();
            tokio::pin!(changed);
            // Listen before looking, so that nothing between the two is missed.
            changed.as_mut().enable();
            self.plugins.mark_unchanged();
            if self.wants_another() {
                return;
            }
            // A swap that did not go well is not wanted any more, and no record waits.
            self.is_at_rest();
            let plugins = &mut self.plugins;
            tokio::select! {
                () = changed => {}
                told = plugins.changed() => if told.is_err() {
                    // The plugins are gone: nothing changes any more.
                    std::future::pending::<()>().await;
                },
            }
        }
    }

    /// Whether another version than the one at work is to take its place, as far as is known. A
    /// shard that has worked with none begins with its next record.
    pub(super) fn wants_another(&self) -> bool {
        let loaded = self.version.as_ref().map(|version| version.hash());
        let Some(at_work) = loaded.or(self.progress.version) else {
            return false;
        };
        let wanted = self.wants().map(|choice| choice.hash());
        wanted.is_ok_and(|hash| hash != at_work && !self.refuses(hash))
    }

    /// Whether a record is on its way to the dead letters and no other version is to try it before.
    pub(super) fn is_given_up(&self) -> bool {
        let Some(condemned) = &self.condemned else {
            return false;
        };
        match self.wants().map(|choice| choice.hash()) {
            Ok(hash) => hash == condemned.version.hash() || self.refuses(hash),
            // To keep it apart takes no plugin.
            Err(_) => true,
        }
    }

    async fn load(
        &self,
        hash: ContentHash,
        find: impl FnOnce(&Plugins, &PluginName, ContentHash) -> Result<Arc<Version>, String>
        + Send
        + 'static,
    ) -> Result<Arc<Version>, String> {
        let plugins = Arc::clone(&self.ground.plugins);
        let plugin = self.of.running.application().plugin.clone();
        let loaded = spawn_blocking(move || find(&plugins, &plugin, hash)).await;
        loaded.map_err(|error| error.to_string())?
    }
}
