//! Which version each plugin has in force, and why others were refused: what the watcher's thread
//! writes and everybody else reads.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::watch;
use types::{Clock, Timestamp};

use crate::hash::ContentHash;
use crate::log_ring::{LogLine, LogRing};
use crate::name::PluginName;
use crate::printable::printable;
use crate::refusal::Refusal;
use crate::version::Version;

/// Bytes of a refusal's reason that are shown, in one line; the rest is cut off.
const WHY_BYTES_MAX: usize = 4 * 1024;
/// What follows the reason of a refusal that may pass.
const TRIED_AGAIN: &str = "; it will be tried again";

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
    /// Why what lies in the plugins directory is not in force, if it was refused.
    pub refused: Option<Refused>,
    /// How often a version took the place of another since the start.
    pub swaps: u64,
}

/// Something in the plugins directory that looks like a plugin and cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ignored {
    /// Its name in the directory, as text without control characters.
    pub file: String,
    /// Why it is ignored.
    pub why: String,
}

struct Entry {
    version: Option<Arc<Version>>,
    refused: Option<Refused>,
    swaps: u64,
    /// The last lines of all its versions.
    log: Arc<LogRing>,
}

/// All plugins. One that has neither a version nor a refusal is being loaded.
pub(crate) struct Registry {
    entries: RwLock<BTreeMap<PluginName, Entry>>,
    ignored: RwLock<Vec<Ignored>>,
    /// How often anything changed.
    changes: watch::Sender<u64>,
    clock: Arc<dyn Clock>,
}

impl Registry {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            entries: RwLock::default(),
            ignored: RwLock::default(),
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
    pub(crate) fn current(&self, name: &PluginName) -> Option<Arc<Version>> {
        self.read(name, |entry| entry.version.clone())?
    }

    /// Its hash.
    pub(crate) fn hash(&self, name: &PluginName) -> Option<ContentHash> {
        self.current(name).map(|version| version.hash())
    }

    /// All plugins, in order of their names.
    pub(crate) fn list(&self) -> Vec<Plugin> {
        let entries = self.lock_read();
        let all = entries.iter().map(|(name, entry)| entry.plugin(name));
        all.collect()
    }

    /// One plugin.
    pub(crate) fn find(&self, name: &PluginName) -> Option<Plugin> {
        self.read(name, |entry| entry.plugin(name))
    }

    /// What the directory holds besides.
    pub(crate) fn ignored(&self) -> Vec<Ignored> {
        let ignored = self.ignored.read().unwrap_or_else(PoisonError::into_inner);
        ignored.clone()
    }

    /// Whether a plugin is there, whatever became of it.
    pub(crate) fn knows(&self, name: &PluginName) -> bool {
        self.lock_read().contains_key(name)
    }

    /// The names of all plugins.
    pub(crate) fn names(&self) -> Vec<PluginName> {
        self.lock_read().keys().cloned().collect()
    }

    /// Shows a plugin that was found as being loaded.
    pub(crate) fn expect(&self, name: &PluginName) {
        if !self.knows(name) {
            self.change(name, |_| {});
        }
    }

    /// Puts the version in force that lies in the directory, in the place of the one before.
    pub(crate) fn take(&self, version: Version) {
        let name = version.name().clone();
        tell(&version, "a version of a plugin is in force");
        self.change(&name, |entry| {
            entry.refused = None;
            entry.swaps += u64::from(entry.version.is_some());
            entry.begin(version);
        });
    }

    /// Puts the version in force that was so last; the one in the directory stays refused.
    pub(crate) fn take_back(&self, version: Version) {
        let name = version.name().clone();
        tell(
            &version,
            "the version of a plugin that was in force last is again",
        );
        self.change(&name, |entry| entry.begin(version));
    }

    /// Notes why a version was not taken. The one before goes on.
    pub(crate) fn refuse(&self, name: &PluginName, refusal: &Refusal) {
        let mut why = printable(&refusal.to_string(), WHY_BYTES_MAX);
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
        if self.refused(name).is_some() {
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

    /// Notes what the directory holds besides, and tells what was not there before.
    pub(crate) fn ignore(&self, now: Vec<Ignored>) {
        let mut ignored = self.ignored.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *ignored, now.clone());
        drop(ignored);
        for Ignored { file, why } in now.iter().filter(|it| !before.contains(it)) {
            tracing::warn!(file, why, "the plugins directory holds what is ignored");
        }
    }

    /// Lines that a plugin logged after the one of this number; `None`: there is no such plugin.
    pub(crate) fn log_after(
        &self,
        name: &PluginName,
        after: u64,
        lines_max: usize,
    ) -> Option<Vec<LogLine>> {
        self.read(name, |entry| entry.log.after(after, lines_max))
    }

    /// Keeps the lines of a version that is not in force with those of its plugin.
    pub(crate) fn attach_log(&self, version: &Version) {
        let attach = |entry: &Entry| version.log().attach(&entry.log, &version.hash().short());
        // Those of a plugin that is gone are in the server's log alone.
        let _ = self.read(version.name(), attach);
    }

    fn read<T>(&self, name: &PluginName, look: impl FnOnce(&Entry) -> T) -> Option<T> {
        self.lock_read().get(name).map(look)
    }

    fn change(&self, name: &PluginName, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let new = || Entry::new(&self.clock);
        change(entries.entry(name.clone()).or_insert_with(new));
        drop(entries);
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn lock_read(&self) -> RwLockReadGuard<'_, BTreeMap<PluginName, Entry>> {
        // Each change under the lock leaves the map whole.
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn new(clock: &Arc<dyn Clock>) -> Self {
        Self {
            version: None,
            refused: None,
            swaps: 0,
            log: Arc::new(LogRing::new(Arc::clone(clock))),
        }
    }

    fn begin(&mut self, version: Version) {
        version.log().attach(&self.log, &version.hash().short());
        self.version = Some(Arc::new(version));
    }
}

impl Plugin {
    /// Whether it is not known yet what becomes of it.
    pub fn is_loading(&self) -> bool {
        self.version.is_none() && self.refused.is_none()
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

fn tell(version: &Version, what: &str) {
    let facts = version.facts();
    tracing::info!(
        plugin = %version.name(),
        version = ?facts.hash,
        from_cache = facts.from_cache,
        compile_ms = facts.compile_time.as_millis(),
        "{what}"
    );
}
