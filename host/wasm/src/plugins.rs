//! All plugins of a server: what the rest of the program asks of this crate.

mod handed_in;
mod versions;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};

use tokio::sync::watch;
use types::{AccountId, Clock, LogPart};

use crate::choice::{Absence, Choice};
use crate::control::Control;
use crate::deploying::Deployments;
use crate::guard::{self, Guard};
use crate::hash::ContentHash;
use crate::life::{Life, Numbered, Why};
use crate::limits::Limits;
use crate::loader::Loader;
use crate::manifest::Manifest;
use crate::name::PluginName;
use crate::offline::Files;
use crate::options::{OpenError, Options};
use crate::orders::OrderError;
use crate::plugin_log::{LogAsked, LogLine};
use crate::profiling::{NotProfiled, ProfileUnderWay};
use crate::qualifier::{AliasName, Qualifier};
use crate::registry::{Ignored, Plugin, Registry};
use crate::shadow::RetainedRecords;
use crate::trial::Ring;
use crate::version::Version;
use crate::watcher::Watcher;

/// All plugins of a server. Dropping it ends the watching.
pub struct Plugins {
    control: Arc<Control>,
    directory: Option<PathBuf>,
    /// Versions that applications have begun with.
    pinned: Mutex<Vec<ContentHash>>,
    watcher: Mutex<Option<Watcher>>,
    /// What versions on trial ring, until somebody listens.
    rings: Mutex<Option<Receiver<Ring>>>,
    guard: Mutex<Option<Guard>>,
    /// Those that were handed in: on their way, or over and not heard of.
    deployments: Arc<Deployments>,
    /// Whether all that lay in the directory at the start was tried.
    started: Arc<watch::Sender<bool>>,
    /// Who deploys plugins, once that is known; until then, and where it is nobody's account in
    /// particular, anybody.
    deployers: OnceLock<Vec<AccountId>>,
}

impl Plugins {
    /// [`Plugins::prepare`] and [`Plugins::watch`]; blocks until all that lies in the directory was
    /// tried.
    ///
    /// # Errors
    /// Those of either.
    pub fn open(options: Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let plugins = Self::prepare(options, clock)?;
        let (tried, all_tried) = mpsc::sync_channel(1);
        plugins.watch_and(move || {
            // The one who asks waits below.
            let _ = tried.send(());
        })?;
        let ended = |_| OpenError("the thread that watches plugins ended".to_owned());
        all_tried.recv().map_err(ended)?;
        Ok(plugins)
    }

    /// Opens the host's own directory; no plugin is in force yet. Blocks, but not for long.
    ///
    /// # Errors
    /// When the host's own directory cannot be written.
    pub fn prepare(options: Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let registry = Arc::new(Registry::new(Arc::clone(&clock)));
        let loader = Arc::new(Loader::open(&options)?);
        let (bell, rings) = guard::bell();
        Ok(Self {
            control: Arc::new(Control::new(registry, loader, clock, bell)),
            directory: options.directory,
            pinned: Mutex::default(),
            watcher: Mutex::default(),
            rings: Mutex::new(Some(rings)),
            guard: Mutex::default(),
            deployments: Arc::default(),
            started: Arc::new(watch::channel(false).0),
            deployers: OnceLock::new(),
        })
    }

    /// Looks at what lies in the directory, begins to load it, and watches the directory from then
    /// on. Blocks for that one look and not for compiling: see [`Plugins::started`]. Called once.
    ///
    /// # Errors
    /// When the directory cannot be read. A plugin that is refused is no error: see
    /// [`Plugins::list`].
    pub fn watch(&self) -> Result<(), OpenError> {
        self.watch_and(|| {})
    }

    fn watch_and(&self, then: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let started = Arc::clone(&self.started);
        let tried = move || {
            started.send_replace(true);
            then();
        };
        let Some(directory) = self.directory.clone() else {
            tried();
            return Ok(());
        };
        if let Some(rings) = lock(&self.rings).take() {
            let guard = Guard::start(Arc::clone(&self.control), rings);
            let guard = guard.map_err(|why| OpenError(format!("guard plugins: {why}")))?;
            *lock(&self.guard) = Some(guard);
        }
        let works_on = (Arc::clone(&self.control), Arc::clone(&self.deployments));
        let watcher = Watcher::start(directory, works_on, tried)
            .map_err(|why| OpenError(format!("watch the plugins directory: {why}")))?;
        *lock(&self.watcher) = Some(watcher);
        Ok(())
    }

    /// Turns true once all that lay in the directory at the start is in force or refused. Until
    /// then, what is not is being loaded.
    pub fn started(&self) -> watch::Receiver<bool> {
        self.started.subscribe()
    }

    /// The version of a plugin that is in force; `None` also while the plugin is paused.
    pub fn current(&self, name: &PluginName) -> Option<Arc<Version>> {
        let life = self.life(name);
        if life.is_some_and(|life| life.paused().is_some()) {
            return None;
        }
        let version = self.control.registry.current(name)?;
        self.control.loaded.note(&version);
        Some(version)
    }

    /// The version that a lane goes by: the one that a qualifier names, or the canary for a share
    /// of all lanes, or the one in force. A lane keeps its version until something changes; see
    /// [`Plugins::changes`]. Does not block.
    ///
    /// # Errors
    /// Why there is none.
    pub fn choose(
        &self,
        name: &PluginName,
        qualifier: Option<&Qualifier>,
        lane: &[u8],
    ) -> Result<Choice, Absence> {
        let choice = self.control.choose(name, qualifier, lane)?;
        if let Choice::Ready(version) = &choice {
            self.control.loaded.note(version);
        }
        Ok(choice)
    }

    /// Why a plugin has no version in force, if it has none to go by.
    pub fn absence(&self, name: &PluginName) -> Option<Absence> {
        self.control.absence(name)
    }

    /// Holds a version ready, since somebody goes by its number. What was used longest ago is let
    /// go for it.
    pub fn hold(&self, version: &Arc<Version>) {
        self.control.registry.hold(Arc::clone(version));
        self.control.note_shown(version.name());
    }

    /// The files of a version that is or was in force. Blocks.
    ///
    /// # Errors
    /// When they were not kept, or not as they were.
    pub fn files(&self, name: &PluginName, hash: ContentHash) -> Result<Files, String> {
        self.control.loader.kept.load(name, hash).map(Files::of)
    }

    /// Which of what a manifest asks for is not granted, tables and streams aside: lines for the
    /// server's configuration.
    pub fn lacking(&self, manifest: &Manifest) -> Option<String> {
        self.control.loader.runtime.grants.lacking(manifest)
    }

    /// What every plugin may use.
    pub fn limits(&self) -> Limits {
        self.control.loader.limits
    }

    /// Lines that a plugin logged, the oldest first, at most so many; `None`: there is no such
    /// plugin. The last thousand are there, or 256 KiB of them.
    pub fn log(
        &self,
        name: &PluginName,
        asked: &LogAsked,
        lines_max: usize,
    ) -> Option<LogPart<LogLine>> {
        self.control.registry.log(name, asked, lines_max)
    }

    /// Begins a profile of a plugin: of all that its versions do from now on, for whomever.
    ///
    /// # Errors
    /// When there is no such plugin, one of it is under way, or too many are.
    pub fn profile(&self, name: &PluginName) -> Result<ProfileUnderWay, NotProfiled> {
        self.control.profile(name)
    }

    /// A number that changes whenever a version comes into force, is refused or goes, and whenever
    /// an operator orders something.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.control.registry.changes()
    }

    /// All plugins, in order of their names.
    pub fn list(&self) -> Vec<Plugin> {
        let all = self.control.registry.list().into_iter();
        all.map(|plugin| self.with_life(plugin)).collect()
    }

    /// One plugin.
    pub fn find(&self, name: &PluginName) -> Option<Plugin> {
        let plugin = self.control.registry.find(name)?;
        Some(self.with_life(plugin))
    }

    fn with_life(&self, plugin: Plugin) -> Plugin {
        Plugin {
            life: self.life(&plugin.name),
            ..plugin
        }
    }

    /// What is kept of a plugin over its versions.
    pub fn life(&self, name: &PluginName) -> Option<Arc<Life>> {
        self.control.loader.lives.of(name)
    }

    /// Says which accounts deploy plugins. Said twice, the first time counts.
    pub fn are_deployed_by(&self, accounts: Vec<AccountId>) {
        self.deployers.get_or_init(|| accounts);
    }

    /// Whether an account is told why something of a plugin that does not serve it was refused.
    pub fn tells_reasons_to(&self, account: AccountId) -> bool {
        let deployers = self.deployers.get();
        deployers.is_none_or(|accounts| accounts.contains(&account))
    }

    /// Says where the records of shadow runs come from. Until then a version that asks for one
    /// waits.
    pub fn records_come_from(&self, source: Arc<dyn RetainedRecords>) {
        self.control.records.come_from(source);
    }

    /// What lies in the plugins directory with this content is there because somebody deploys it:
    /// the history says so, and it is taken though it was set aside. Called before the files are
    /// put there.
    pub fn deploys(&self, name: &PluginName, hash: ContentHash) {
        self.control.deploys(name, hash);
    }

    /// Puts the version before in force, or the one that is named by its number or by at least 12
    /// digits of its hash. What lies in the plugins directory is set aside until it changes. This
    /// and the other orders block for the disk, and until the version is loaded where it is not
    /// held ready.
    ///
    /// # Errors
    /// When there is no such version, or it cannot be in force.
    pub fn rollback(&self, name: &PluginName, to: Option<&str>) -> Result<Numbered, OrderError> {
        self.control.rollback(name, to)
    }

    /// Lets whoever works with a plugin wait, durably. What was begun is finished.
    ///
    /// # Errors
    /// When there is none, or that cannot be kept.
    pub fn pause(&self, name: &PluginName) -> Result<(), OrderError> {
        self.control.pause(name)
    }

    /// Lets a paused plugin go on. One that is not paused takes what was set aside in the plugins
    /// directory; the version that came into force by that.
    ///
    /// # Errors
    /// When there is nothing to resume.
    pub fn resume(&self, name: &PluginName) -> Result<Option<Numbered>, OrderError> {
        self.control.resume(name)
    }

    /// Lets an alias stand for a version, durably.
    ///
    /// # Errors
    /// When there is no such version, or there are too many aliases.
    pub fn set_alias(
        &self,
        name: &PluginName,
        alias: &AliasName,
        version: &str,
    ) -> Result<Numbered, OrderError> {
        self.control.set_alias(name, alias, version)
    }

    /// Forgets an alias. Whoever goes by it waits.
    ///
    /// # Errors
    /// When there is none.
    pub fn delete_alias(&self, name: &PluginName, alias: &AliasName) -> Result<(), OrderError> {
        self.control.delete_alias(name, alias)
    }

    /// Lets a share of all lanes go by a version, 1 to 99 percent.
    ///
    /// # Errors
    /// When there is no such version, it cannot be in force, or it is.
    pub fn begin_canary(
        &self,
        name: &PluginName,
        version: &str,
        percent: u8,
    ) -> Result<Numbered, OrderError> {
        self.control.begin_canary(name, version, percent)
    }

    /// Puts the canary in force for all.
    ///
    /// # Errors
    /// When there is none.
    pub fn promote_canary(&self, name: &PluginName) -> Result<Numbered, OrderError> {
        self.control.promote_canary(name)
    }

    /// Lets all go by the version in force again.
    ///
    /// # Errors
    /// When there is no canary.
    pub fn end_canary(&self, name: &PluginName) -> Result<(), OrderError> {
        self.control.end_canary(name)
    }

    /// What lies in the plugins directory, looks like a plugin and cannot be one.
    pub fn ignored(&self) -> Vec<Ignored> {
        self.control.registry.ignored()
    }

    /// The plugins that nothing can go through because what lies there was refused and no version
    /// was in force before: the server works in a poorer way than its operator wants.
    pub fn without_version(&self) -> Vec<PluginName> {
        let all = self.control.registry.list().into_iter();
        let refused = all.filter(|plugin| plugin.version.is_none() && plugin.refused.is_some());
        refused.map(|plugin| plugin.name).collect()
    }

    /// How many plugins failed on so many records that the version before came into force again,
    /// or would have; until an operator or other files make an end of it.
    pub fn rolled_back_by_itself(&self) -> usize {
        let is_failing = |plugin: &Plugin| {
            let life = self.life(&plugin.name);
            let aside = life.and_then(|life| life.set_aside());
            plugin.failing.is_some()
                || aside.is_some_and(|aside| aside.why == Why::RolledBackByItself)
        };
        self.control
            .registry
            .list()
            .iter()
            .filter(|it| is_failing(it))
            .count()
    }

    /// Whether [`Plugins::prune`] may have something to do. Blocks.
    pub fn has_surplus(&self) -> bool {
        let (versions, components) = self.needed();
        let loader = &self.control.loader;
        let surplus =
            || Ok(loader.kept.has_surplus(&versions)? || loader.code.has_surplus(&components)?);
        surplus().unwrap_or_else(|error: std::io::Error| {
            tracing::warn!(%error, "look for old versions of plugins");
            false
        })
    }

    /// From now on these versions are not deleted, in the place of those that were pinned so
    /// before.
    pub fn pin(&self, versions: Vec<ContentHash>) {
        *self.pinned.lock().unwrap_or_else(PoisonError::into_inner) = versions;
    }

    /// Deletes versions and code that were not used for long, but none that has a number, is held
    /// by somebody, is among `pinned`, what deliveries were begun with, or was pinned by
    /// [`Plugins::pin`]. Blocks.
    pub fn prune(&self, pinned: &[ContentHash]) {
        let (mut versions, components) = self.needed();
        versions.extend(pinned);
        versions.extend(&*self.pinned.lock().unwrap_or_else(PoisonError::into_inner));
        if let Err(error) = self.control.loader.kept.prune(&versions) {
            tracing::warn!(%error, "delete old versions of plugins");
        }
        if let Err(error) = self.control.loader.code.prune(&components) {
            tracing::warn!(%error, "delete old compiled code");
        }
    }

    /// The versions, and the components of compiled code, that this crate needs.
    fn needed(&self) -> (HashSet<ContentHash>, HashSet<ContentHash>) {
        let (mut versions, mut components) = (HashSet::new(), HashSet::new());
        // Before those in force: one that comes into force meanwhile was noted before.
        versions.extend(self.control.loaded.held());
        for plugin in self.control.registry.list() {
            for version in plugin.others.iter().chain(&plugin.version) {
                versions.insert(version.hash());
                components.insert(version.facts().component_hash);
            }
        }
        for life in self.control.loader.lives.all().into_values() {
            versions.extend(life.needed());
            components.extend(life.components_in_use());
        }
        (versions, components)
    }

    /// Ends shadow runs, and takes no version that is not loaded yet: nobody shall wait for them
    /// while the server stops. Does not block.
    pub fn stop_trying(&self) {
        self.control.loader.compiler.will_close();
        self.control.records.close();
    }

    /// Ends a process that compiles and lets go of those who wait for one; a version whose code is
    /// not kept cannot be loaded any more. Does not block, and so needs no thread that may: those
    /// who wait may have all of these.
    pub fn stop_compiling(&self) {
        self.control.loader.compiler.close();
        self.control.records.close();
    }

    /// Ends the watching, after [`Plugins::stop_compiling`]. Blocks until the version that is being
    /// loaded is or cannot be.
    pub fn close(&self) {
        self.stop_compiling();
        let (watcher, guard) = (lock(&self.watcher).take(), lock(&self.guard).take());
        drop(watcher);
        drop(guard);
    }
}

fn lock<T>(value: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Each statement under these locks is one assignment.
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Plugins {
    fn drop(&mut self) {
        self.close();
    }
}
