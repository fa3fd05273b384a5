//! Which version each plugin has in force, and why others were refused: what the watcher's thread
//! writes and everybody else reads.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::watch;
use types::{Clock, LogPart, Timestamp};

use crate::hash::ContentHash;
use crate::life::{How, Life};
use crate::name::PluginName;
use crate::plugin_costs::PluginCosts;
use crate::plugin_log::{LogAsked, LogLine, PluginLog};
use crate::printable::printable;
use crate::refusal::Refusal;
use crate::shadow::ShadowReport;
use crate::version::Version;
use crate::warm::Warm;

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
    /// How many of these were rollbacks that an operator ordered.
    pub rollbacks: u64,
    /// How many of them happened since a version failed on too many records.
    pub automatic_rollbacks: u64,
    /// What came of the last version that failed on too many records, until another comes into
    /// force.
    pub failing: Option<String>,
    /// What the last shadow run found.
    pub shadow: Option<Arc<ShadowReport>>,
    /// Versions that are held ready besides: canaries, those that aliases name, those of before.
    pub others: Vec<Arc<Version>>,
    /// What is kept of it over its versions; `None` before the first.
    pub life: Option<Arc<Life>>,
    /// What it costs beside its versions.
    pub costs: Arc<PluginCosts>,
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
    rollbacks: u64,
    automatic_rollbacks: u64,
    failing: Option<String>,
    shadow: Option<Arc<ShadowReport>>,
    warm: Warm,
    /// What was read of the plugins directory last.
    lies: Option<ContentHash>,
    /// The last lines of all its versions.
    log: Arc<PluginLog>,
    costs: Arc<PluginCosts>,
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

    /// Puts a version in force, in the place of the one before, which is held ready.
    pub(crate) fn take(&self, version: Arc<Version>, how: How) {
        let name = version.name().clone();
        tell(&version, how.as_str(), "a version of a plugin is in force");
        self.change(&name, |entry| {
            entry.refused = None;
            entry.warm.let_go(version.hash());
            if how != How::AutomaticRollback {
                entry.failing = None;
            }
            if let Some(before) = entry.begin(version) {
                entry.swaps += 1;
                entry.rollbacks += u64::from(how == How::Rollback);
                entry.automatic_rollbacks += u64::from(how == How::AutomaticRollback);
                entry.warm.hold(before);
            }
        });
    }

    /// Puts the version in force that was so last; the one in the directory stays refused.
    pub(crate) fn take_back(&self, version: Arc<Version>) {
        let name = version.name().clone();
        let what = "the version of a plugin that was in force last is again";
        tell(&version, "start", what);
        self.change(&name, |entry| {
            entry.begin(version);
        });
    }

    /// Lets a share go by a version, which is held ready.
    pub(crate) fn take_canary(&self, version: Arc<Version>) {
        let name = version.name().clone();
        tell(&version, "canary", "a version of a plugin is a canary");
        self.change(&name, |entry| {
            entry.refused = None;
            entry.attach(&version);
            entry.warm.hold(version);
        });
    }

    /// Holds a version ready.
    pub(crate) fn hold(&self, version: Arc<Version>) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(version.name())
            && entry.version.as_ref().map(|it| it.hash()) != Some(version.hash())
        {
            entry.attach(&version);
            entry.warm.hold(version);
        }
    }

    /// A version that is in force or held ready.
    pub(crate) fn loaded(&self, name: &PluginName, hash: ContentHash) -> Option<Arc<Version>> {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get_mut(name)?;
        let in_force = entry.version.clone().filter(|it| it.hash() == hash);
        in_force.or_else(|| entry.warm.find(hash))
    }

    /// All versions that are in force or held ready.
    pub(crate) fn all_of(&self, name: &PluginName) -> Vec<Arc<Version>> {
        let all = |entry: &Entry| {
            let held = entry.warm.all().iter();
            entry.version.iter().chain(held).cloned().collect()
        };
        self.read(name, all).unwrap_or_default()
    }

    /// Wakes everybody who works with the plugin: something else holds for it.
    pub(crate) fn changed(&self, name: &PluginName) {
        self.change(name, |_| {});
    }

    /// Notes what was read of the plugins directory.
    pub(crate) fn lies(&self, name: &PluginName, hash: ContentHash) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let new = || Entry::new(&self.clock);
        entries.entry(name.clone()).or_insert_with(new).lies = Some(hash);
    }

    /// What was read of the plugins directory last.
    pub(crate) fn what_lies(&self, name: &PluginName) -> Option<ContentHash> {
        self.read(name, |entry| entry.lies)?
    }

    /// Shows what a shadow run found. Wakes nobody.
    pub(crate) fn shadowed(&self, name: &PluginName, report: ShadowReport) {
        tracing::info!(
            plugin = %name,
            version = ?report.version,
            records = report.records,
            differing = report.differing,
            failed_before = report.old.failed,
            failed = report.new.failed,
            "a shadow run ended"
        );
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(name) {
            entry.shadow = Some(Arc::new(report));
        }
    }

    /// Shows no longer that a version failed on too many records. Whether that was shown.
    pub(crate) fn acknowledge(&self, name: &PluginName) -> bool {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get_mut(name);
        entry.is_some_and(|entry| entry.failing.take().is_some())
    }

    /// Shows that a version failed on too many records, and what came of it.
    pub(crate) fn fails(&self, name: &PluginName, what: String) {
        self.change(name, |entry| entry.failing = Some(what));
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

    /// Lines that a plugin logged; `None`: there is no such plugin.
    pub(crate) fn log(
        &self,
        name: &PluginName,
        asked: &LogAsked,
        lines_max: usize,
    ) -> Option<LogPart<LogLine>> {
        self.read(name, |entry| entry.log.read(asked, lines_max))
    }

    /// Keeps the lines and counts of a version that is not in force with those of its plugin.
    pub(crate) fn attach(&self, version: &Version) {
        let attach = |entry: &Entry| entry.attach(version);
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
            rollbacks: 0,
            automatic_rollbacks: 0,
            failing: None,
            shadow: None,
            warm: Warm::default(),
            lies: None,
            log: Arc::new(PluginLog::new(Arc::clone(clock))),
            costs: Arc::default(),
        }
    }

    /// Puts a version in force. Returns the one before.
    fn begin(&mut self, version: Arc<Version>) -> Option<Arc<Version>> {
        self.attach(&version);
        self.version.replace(version)
    }

    /// Keeps the lines and counts of a version with those of its plugin.
    fn attach(&self, version: &Version) {
        version.log().attach(&self.log);
        version.counts_for(&self.costs);
    }
}

impl Plugin {
    /// Whether an operator lets everybody wait.
    pub fn is_paused(&self) -> bool {
        let life = self.life.as_ref();
        life.is_some_and(|life| life.paused().is_some())
    }

    /// The number of a version of it.
    pub fn number(&self, hash: ContentHash) -> Option<u64> {
        Some(self.life.as_ref()?.of_hash(hash)?.number)
    }

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
            rollbacks: self.rollbacks,
            automatic_rollbacks: self.automatic_rollbacks,
            failing: self.failing.clone(),
            shadow: self.shadow.clone(),
            others: self.warm.all().to_vec(),
            life: None,
            costs: Arc::clone(&self.costs),
        }
    }
}

fn tell(version: &Version, how: &str, what: &str) {
    let facts = version.facts();
    tracing::info!(
        plugin = %version.name(),
        version = ?facts.hash,
        how,
        from_cache = facts.from_cache,
        compile_ms = facts.compile_time.as_millis(),
        "{what}"
    );
}
