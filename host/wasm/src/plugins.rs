//! All plugins of a server: what the rest of the program asks of this crate.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use tokio::sync::watch;
use types::Clock;

use crate::deploying::{Deployed, Deployment, NotDeployed, Places};
use crate::hash::ContentHash;
use crate::limits::Limits;
use crate::loaded::Loaded;
use crate::loader::Loader;
use crate::log_ring::LogLine;
use crate::name::PluginName;
use crate::offline::Files;
use crate::options::{OpenError, Options};
use crate::registry::{Ignored, Plugin, Registry};
use crate::version::Version;
use crate::watcher::Watcher;

/// All plugins of a server. Dropping it ends the watching.
pub struct Plugins {
    registry: Arc<Registry>,
    loader: Arc<Loader>,
    loaded: Loaded,
    directory: Option<PathBuf>,
    watcher: Mutex<Option<Watcher>>,
    /// Those that were handed in and are on their way.
    deployments: Places,
    /// Whether all that lay in the directory at the start was tried.
    started: Arc<watch::Sender<bool>>,
}

/// Why a plugin has no version in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absence {
    /// Nothing of its name lies in the plugins directory.
    NotThere,
    /// It was found and is being loaded.
    Loading,
    /// What lies there was refused, for this reason.
    Refused(String),
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThere => f.write_str("is not there"),
            Self::Loading => f.write_str("is being loaded"),
            Self::Refused(why) => write!(f, "was refused: {why}"),
        }
    }
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
        Ok(Self {
            registry: Arc::new(Registry::new(clock)),
            loader: Arc::new(Loader::open(&options)?),
            loaded: Loaded::default(),
            directory: options.directory,
            watcher: Mutex::default(),
            deployments: Places::default(),
            started: Arc::new(watch::channel(false).0),
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
        let (registry, loader) = (Arc::clone(&self.registry), Arc::clone(&self.loader));
        let watcher = Watcher::start(directory, registry, loader, tried)
            .map_err(|why| OpenError(format!("watch the plugins directory: {why}")))?;
        *self.watcher() = Some(watcher);
        Ok(())
    }

    fn watcher(&self) -> MutexGuard<'_, Option<Watcher>> {
        // Each change under the lock is one assignment.
        self.watcher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Turns true once all that lay in the directory at the start is in force or refused. Until
    /// then, what is not is being loaded.
    pub fn started(&self) -> watch::Receiver<bool> {
        self.started.subscribe()
    }

    /// The version of a plugin that is in force.
    pub fn current(&self, name: &PluginName) -> Option<Arc<Version>> {
        let version = self.registry.current(name)?;
        self.loaded.note(&version);
        Some(version)
    }

    /// Why a plugin has no version in force, if it has none.
    pub fn absence(&self, name: &PluginName) -> Option<Absence> {
        let Some(plugin) = self.registry.find(name) else {
            return Some(Absence::NotThere);
        };
        match (plugin.version, plugin.refused) {
            (Some(_), _) => None,
            (None, Some(refused)) => Some(Absence::Refused(refused.why)),
            (None, None) => Some(Absence::Loading),
        }
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
            let version = self.loader.load_kept(name, hash, self.registry.now())?;
            self.registry.attach_log(&version);
            Ok(version)
        })
    }

    /// The files of a version that is or was in force. Blocks.
    ///
    /// # Errors
    /// When they were not kept, or not as they were.
    pub fn files(&self, hash: ContentHash) -> Result<Files, String> {
        self.loader.kept.load(hash).map(Files::of)
    }

    /// What every plugin may use.
    pub fn limits(&self) -> Limits {
        self.loader.limits
    }

    /// Lines that a plugin logged after the one of this number, the oldest first, at most so many;
    /// `None`: there is no such plugin. The last thousand are there, or 256 KiB of them.
    pub fn log_after(
        &self,
        name: &PluginName,
        after: u64,
        lines_max: usize,
    ) -> Option<Vec<LogLine>> {
        self.registry.log_after(name, after, lines_max)
    }

    /// Puts a version in force and into the plugins directory: admitted, compiled and tried first,
    /// so that the one before goes on if it cannot be. Blocks for as long as all of that takes, and
    /// while others are at it.
    ///
    /// # Errors
    /// Why it is not in force.
    pub fn deploy(&self, name: &PluginName, files: Files) -> Result<Deployed, NotDeployed> {
        let source = files.into_source();
        let bytes = source.component.len() as u64;
        let limit = self.loader.limits.component_bytes_max;
        if bytes > limit {
            return Err(NotDeployed::Refused(format!(
                "{name}.wasm: has {bytes} bytes, more than {limit} (component_mib = {})",
                limit / (1024 * 1024)
            )));
        }
        let hatch = self.watcher().as_ref().map(Watcher::hatch);
        let Some(hatch) = hatch else {
            return Err(NotDeployed::NoDirectory);
        };
        let closing = || NotDeployed::ForNow("the server closes".to_owned());
        let hatch = hatch.ok_or_else(closing)?;
        let Some(place) = self.deployments.take() else {
            let why = "others are being deployed; try again in a moment";
            return Err(NotDeployed::ForNow(why.to_owned()));
        };
        let (answer, answered) = mpsc::sync_channel(1);
        hatch.hand_over(Deployment {
            name: name.clone(),
            source,
            answer,
            _place: place,
        })?;
        Ok(answered.recv().map_err(|_| closing())??)
    }

    /// A number that changes whenever a version comes into force, is refused or goes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.registry.changes()
    }

    /// All plugins, in order of their names.
    pub fn list(&self) -> Vec<Plugin> {
        self.registry.list()
    }

    /// One plugin.
    pub fn find(&self, name: &PluginName) -> Option<Plugin> {
        self.registry.find(name)
    }

    /// What lies in the plugins directory, looks like a plugin and cannot be one.
    pub fn ignored(&self) -> Vec<Ignored> {
        self.registry.ignored()
    }

    /// The plugins that nothing can go through because what lies there was refused and no version
    /// was in force before: the server works in a poorer way than its operator wants.
    pub fn without_version(&self) -> Vec<PluginName> {
        let all = self.registry.list().into_iter();
        let refused = all.filter(|plugin| plugin.version.is_none() && plugin.refused.is_some());
        refused.map(|plugin| plugin.name).collect()
    }

    /// Whether [`Plugins::prune`] may have something to do. Blocks.
    pub fn has_surplus(&self) -> bool {
        let surplus = || Ok(self.loader.kept.has_surplus()? || self.loader.code.has_surplus()?);
        surplus().unwrap_or_else(|error: std::io::Error| {
            tracing::warn!(%error, "look for old versions of plugins");
            false
        })
    }

    /// Deletes versions and code that were not used for long, but nothing that is or was last in
    /// force, is held by somebody, or is among `pinned`: what deliveries were begun with. Blocks.
    pub fn prune(&self, pinned: &[ContentHash]) {
        let mut versions: HashSet<ContentHash> = pinned.iter().copied().collect();
        let mut components = HashSet::new();
        // Before those in force: one that comes into force meanwhile was noted before.
        versions.extend(self.loaded.held());
        for version in self.registry.list().into_iter().filter_map(|it| it.version) {
            versions.insert(version.hash());
            components.insert(version.facts().component_hash);
        }
        for noted in self.loader.in_force.all().into_values() {
            versions.insert(noted.version);
            components.insert(noted.component);
        }
        if let Err(error) = self.loader.kept.prune(&versions) {
            tracing::warn!(%error, "delete old versions of plugins");
        }
        if let Err(error) = self.loader.code.prune(&components) {
            tracing::warn!(%error, "delete old compiled code");
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
        let watcher = self.watcher().take();
        drop(watcher);
    }
}

impl Drop for Plugins {
    fn drop(&mut self) {
        self.close();
    }
}
