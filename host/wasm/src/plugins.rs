//! The plugins in force: which version each plugin has, and why a version was refused.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::watch;
use types::{Clock, Timestamp};

use crate::limits::Limits;
use crate::loaded::Loaded;
use crate::loader::Loader;
use crate::name::PluginName;
use crate::refusal::Refusal;
use crate::version::{ContentHash, Version};
use crate::watcher::Watcher;

/// What follows the reason of a refusal that may pass.
const TRIED_AGAIN: &str = "; it will be tried again";

/// Where plugins come from, and what they may use.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory that operators put plugins into; `None`: there are none.
    pub directory: Option<PathBuf>,
    /// A directory of the host's own: versions that were in force, and compiled code.
    pub keep: PathBuf,
    /// What every plugin may use.
    pub limits: Limits,
    /// What compiled code on disk is signed with.
    pub cache_key: [u8; 32],
    /// The program that compiles, started as `millrace compile-worker` is: it calls
    /// [`crate::compile_worker`], and must be of the same build as this process. `None`: components
    /// are compiled in this process, whatever time and memory that takes.
    pub compiler: Option<PathBuf>,
}

/// Why plugins cannot be had at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenError(pub(crate) String);

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OpenError {}

/// A version that is not in force, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What was wrong with it, and whether it will be tried again as it is.
    pub why: String,
    /// When it was refused for this first.
    pub at: Timestamp,
}

/// One plugin as it is at the moment.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// What it is called.
    pub name: PluginName,
    /// The version in force.
    pub version: Option<Arc<Version>>,
    /// The version that was put there last, if it could not be taken.
    pub refused: Option<Refused>,
    /// How often a version took the place of another since the start.
    pub swaps: u64,
}

#[derive(Default)]
struct Entry {
    version: Option<Arc<Version>>,
    refused: Option<Refused>,
    swaps: u64,
}

/// What the watcher's thread and everybody else share.
pub(crate) struct Registry {
    entries: RwLock<BTreeMap<PluginName, Entry>>,
    /// How often anything changed.
    changes: watch::Sender<u64>,
    clock: Arc<dyn Clock>,
}

/// All plugins of a server. Dropping it ends the watching.
pub struct Plugins {
    registry: Arc<Registry>,
    loader: Arc<Loader>,
    loaded: Loaded,
    directory: Option<PathBuf>,
    watcher: Mutex<Option<Watcher>>,
}

impl Plugins {
    /// [`Plugins::prepare`] and [`Plugins::watch`], for who has no reason to stop between them.
    ///
    /// # Errors
    /// Those of either.
    pub fn open(options: Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let plugins = Self::prepare(options, clock)?;
        plugins.watch()?;
        Ok(plugins)
    }

    /// Opens the host's own directory; no plugin is in force yet. Blocks, but not for long.
    ///
    /// # Errors
    /// When the host's own directory cannot be written.
    pub fn prepare(options: Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Ok(Self {
            registry: Arc::new(Registry::new(clock)),
            loader: Arc::new(Loader::open(&options)?),
            loaded: Loaded::default(),
            directory: options.directory,
            watcher: Mutex::default(),
        })
    }

    /// Takes every plugin that lies complete in the directory, and watches it from then on. Blocks
    /// for as long as compiling takes, or until [`Plugins::stop_compiling`] is called meanwhile.
    /// Called once.
    ///
    /// # Errors
    /// When the directory cannot be read. A plugin that is refused is no error: see
    /// [`Plugins::list`].
    pub fn watch(&self) -> Result<(), OpenError> {
        let Some(directory) = self.directory.clone() else {
            return Ok(());
        };
        let (registry, loader) = (Arc::clone(&self.registry), Arc::clone(&self.loader));
        let watcher = Watcher::start(directory, registry, loader)
            .map_err(|why| OpenError(format!("watch the plugins directory: {why}")))?;
        *self.watcher.lock().unwrap_or_else(PoisonError::into_inner) = Some(watcher);
        Ok(())
    }

    /// The version of a plugin that is in force.
    pub fn current(&self, name: &PluginName) -> Option<Arc<Version>> {
        let version = self.registry.read(name, |entry| entry.version.clone())??;
        self.loaded.note(&version);
        Some(version)
    }

    /// A version that is or was in force, to finish what was begun with it. Blocks when it has to
    /// be loaded, which is done once for all who ask meanwhile.
    ///
    /// # Errors
    /// When it was not kept, or not as it was, or cannot be compiled before the plugins are closed.
    pub fn version(&self, name: &PluginName, hash: ContentHash) -> Result<Arc<Version>, String> {
        if let Some(version) = self.current(name).filter(|version| version.hash() == hash) {
            return Ok(version);
        }
        self.loaded.find_or_load(hash, || {
            self.loader.load_kept(name, hash, self.registry.now())
        })
    }

    /// A number that changes whenever a version comes into force, is refused or goes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.registry.changes()
    }

    /// All plugins, in order of their names.
    pub fn list(&self) -> Vec<Plugin> {
        let entries = self.registry.lock_read();
        entries
            .iter()
            .map(|(name, entry)| entry.plugin(name))
            .collect()
    }

    /// One plugin.
    pub fn find(&self, name: &PluginName) -> Option<Plugin> {
        self.registry.read(name, |entry| entry.plugin(name))
    }

    /// Forgets old versions, but none of `needed`. Blocks.
    pub fn prune(&self, needed: &[ContentHash]) {
        if let Err(error) = self.loader.kept.prune(needed) {
            tracing::warn!(%error, "forget old versions of plugins");
        }
    }

    /// Ends a process that compiles and lets go of those who wait for one; a version whose code is
    /// not kept cannot be loaded any more. Does not block, and so needs no thread that may: those
    /// who wait may have all of these.
    pub fn stop_compiling(&self) {
        self.loader.compiler.close();
    }

    /// Ends the watching, after [`Plugins::stop_compiling`]. Blocks until the version that is being
    /// loaded is or cannot be.
    pub fn close(&self) {
        self.stop_compiling();
        let watcher = self
            .watcher
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(watcher);
    }
}

impl Drop for Plugins {
    fn drop(&mut self) {
        self.close();
    }
}

impl Entry {
    fn plugin(&self, name: &PluginName) -> Plugin {
        Plugin {
            name: name.clone(),
            version: self.version.clone(),
            refused: self.refused.clone(),
            swaps: self.swaps,
        }
    }
}

impl Registry {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            entries: RwLock::default(),
            changes: watch::channel(0).0,
            clock,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A number that changes whenever anything does.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The version of a plugin that is in force.
    pub(crate) fn hash(&self, name: &PluginName) -> Option<ContentHash> {
        self.read(name, |entry| {
            entry.version.as_ref().map(|version| version.hash())
        })?
    }

    /// Puts a version in force, in the place of the one before.
    pub(crate) fn take(&self, version: Version) {
        let facts = version.facts().clone();
        let name = version.name().clone();
        self.change(&name, |entry| {
            entry.refused = None;
            entry.swaps += u64::from(entry.version.is_some());
            entry.version = Some(Arc::new(version));
        });
        tracing::info!(
            plugin = %name,
            version = ?facts.hash,
            from_cache = facts.from_cache,
            compile_ms = facts.compile_time.as_millis(),
            "a version of a plugin is in force"
        );
    }

    /// Notes why a version was not taken. The one before goes on.
    pub(crate) fn refuse(&self, name: &PluginName, refusal: &Refusal) {
        let mut why = refusal.to_string();
        if refusal.is_for_now() {
            why.push_str(TRIED_AGAIN);
            if self.refused(name).is_some_and(|refused| refused.why == why) {
                // It was tried again, to no avail. That was told.
                return;
            }
        }
        tracing::warn!(plugin = %name, why, "a version of a plugin was refused");
        let at = self.now();
        self.change(name, |entry| entry.refused = Some(Refused { why, at }));
    }

    /// Why the version of a plugin that was put there last is not in force.
    pub(crate) fn refused(&self, name: &PluginName) -> Option<Refused> {
        self.read(name, |entry| entry.refused.clone())?
    }

    /// Forgets that a version was refused: the one in force lies there again.
    pub(crate) fn forgive(&self, name: &PluginName) {
        if self.read(name, |entry| entry.refused.is_some()) == Some(true) {
            self.change(name, |entry| entry.refused = None);
        }
    }

    /// Takes a plugin out of force. What is under way with it is finished.
    pub(crate) fn remove(&self, name: &PluginName) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.remove(name).is_some() {
            drop(entries);
            tracing::info!(plugin = %name, "a plugin was taken away");
            self.changes.send_modify(|changes| *changes += 1);
        }
    }

    /// The names of all plugins.
    pub(crate) fn names(&self) -> Vec<PluginName> {
        self.lock_read().keys().cloned().collect()
    }

    fn read<T>(&self, name: &PluginName, look: impl FnOnce(&Entry) -> T) -> Option<T> {
        self.lock_read().get(name).map(look)
    }

    fn change(&self, name: &PluginName, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        change(entries.entry(name.clone()).or_default());
        drop(entries);
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn lock_read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<PluginName, Entry>> {
        // Each change under the lock leaves the map whole.
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }
}
