//! One content of a plugin: its component, compiled and linked, and its manifest.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use types::Timestamp;

use crate::bindings::context;
use crate::call_counts::CallCountsShown;
use crate::counters::{Counters, Outcomes};
use crate::fault::Panic;
use crate::guest_log::GuestLog;
use crate::hash::ContentHash;
use crate::limits::{CallLimits, PARTIES_KEPT_MAX};
use crate::manifest::Manifest;
use crate::name::PluginName;
use crate::patience::Patience;
use crate::plugin_costs::PluginCosts;
use crate::role::Role;
use crate::runtime::Runtime;
use crate::shown::IsShown;
use crate::signature::Signed;
use crate::trial::Trial;
use crate::workplace::Workplace;
use crate::world::World;

/// What became known of a version while it was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Tells it apart.
    pub hash: ContentHash,
    /// Tells its component apart, whatever its manifest says.
    pub component_hash: ContentHash,
    /// Bytes of its component.
    pub component_bytes: usize,
    /// When it was loaded.
    pub loaded_at: Timestamp,
    /// How long it took to compile, or to load compiled code.
    pub compile_time: Duration,
    /// Whether the code had been compiled before.
    pub from_cache: bool,
    /// What the plugin says that it is called, and its version.
    pub described: Option<(String, String)>,
    /// Whose signature it has.
    pub signed: Signed,
}

/// A version that was loaded. It can be instantiated for as long as it is held.
pub struct Version {
    manifest: Arc<Manifest>,
    world: World,
    runtime: Arc<Runtime>,
    log: Arc<GuestLog>,
    counters: Counters,
    is_shown: IsShown,
    /// Those of its plugin, once that has it.
    costs: Mutex<Option<Arc<PluginCosts>>>,
    patience: Mutex<HashMap<u64, Arc<Patience>>>,
    /// There is one after it took the place of another.
    trial: Mutex<Option<Arc<Trial>>>,
    facts: Facts,
    /// Its work is seen by nobody: see [`Version::apart`].
    is_apart: bool,
}

impl Version {
    pub(crate) fn new(
        manifest: Manifest,
        world: World,
        runtime: Arc<Runtime>,
        facts: Facts,
    ) -> Self {
        Self {
            log: Arc::new(GuestLog::new(
                (manifest.name.clone(), facts.hash.short()),
                &manifest.limits,
                Arc::clone(&runtime.grants),
            )),
            manifest: Arc::new(manifest),
            world,
            runtime,
            counters: Counters::default(),
            is_shown: IsShown::default(),
            costs: Mutex::default(),
            patience: Mutex::default(),
            trial: Mutex::default(),
            facts,
            is_apart: false,
        }
    }

    /// The same for work that nobody shall see: it counts for itself, what it
    /// logs is left out, and its calls over HTTP are not made.
    pub(crate) fn apart(&self) -> Self {
        let mut manifest = Manifest::clone(&self.manifest);
        manifest.limits.log_bytes_per_second_max = 0;
        let (world, runtime) = (self.world.clone(), Arc::clone(&self.runtime));
        let apart = Self::new(manifest, world, runtime, self.facts.clone());
        Self {
            is_apart: true,
            ..apart
        }
    }

    pub(crate) fn is_apart(&self) -> bool {
        self.is_apart
    }

    pub(crate) fn with_description(mut self, described: Option<(String, String)>) -> Self {
        self.facts.described = described;
        self
    }

    /// The plugin that this is a version of.
    pub fn name(&self) -> &PluginName {
        &self.manifest.name
    }

    /// What tells it apart.
    pub fn hash(&self) -> ContentHash {
        self.facts.hash
    }

    /// What became known of it while it was loaded.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What its author says, and what it may use.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What a call into it may use, as it is configured now.
    pub fn call_limits(&self) -> CallLimits {
        self.manifest.limits.of_call()
    }

    /// What is known of the time that it takes with the records of one delivery stream.
    pub fn patience_with(&self, delivery_stream: u64) -> Arc<Patience> {
        // Nothing under the lock can leave the map half changed.
        let mut all = self.patience.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= PARTIES_KEPT_MAX {
            all.retain(|_, patience| Arc::strong_count(patience) > 1);
        }
        Arc::clone(all.entry(delivery_stream).or_default())
    }

    /// Writes what it panicked with at a workplace to its log. The calls that found that out do
    /// not.
    pub fn log_panic(&self, panic: &Panic, at: Option<&Arc<Workplace>>) {
        let text = format!("panicked {}", panic.text);
        self.log.line(context::Level::Error, &text, at);
    }

    /// Notes that a record alone missed its deadline for good.
    pub fn record_missed_its_deadline(&self, patience: &Patience) {
        if patience.record_missed() {
            tracing::warn!(
                plugin = %self.name(),
                version = ?self.hash(),
                batch_ms = self.manifest.limits.batch_time_max.as_millis(),
                "records keep missing their deadline; they get less time for now"
            );
        }
    }

    /// Notes what became of records that went through it. Those of a delivery that is done again
    /// count again.
    pub fn ended(&self, outcomes: Outcomes) {
        self.count(|counters| counters.ended(outcomes));
        let trial = self.lock_trial().clone();
        if let Some(trial) = trial {
            trial.note(outcomes.records(), outcomes.failed);
        }
    }

    /// Notes that it stands still before so many records, again: whatever becomes of them, for its
    /// trial they count as failed.
    pub fn stands_still(&self, records: u64) {
        let trial = self.lock_trial().clone();
        if let Some(trial) = trial {
            trial.note(records, records);
        }
    }

    /// From now on it is on trial.
    pub(crate) fn goes_on_trial(&self, trial: Trial) {
        *self.lock_trial() = Some(Arc::new(trial));
    }

    /// Whatever it fails on, it stays in force.
    pub(crate) fn is_trusted(&self) {
        *self.lock_trial() = None;
    }

    fn lock_trial(&self) -> MutexGuard<'_, Option<Arc<Trial>>> {
        self.trial.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of its world.
    pub fn world_name(&self) -> &'static str {
        self.world.name()
    }

    /// What it is for.
    pub fn role(&self) -> Role {
        self.world.role()
    }

    /// Whether its instances hand on what they know: only a consumer's are asked to.
    pub fn has_state(&self) -> bool {
        self.world.has_state()
    }

    /// What its instances have done so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Counts for the version, and for all that are not shown by themselves if it is none that is.
    pub(crate) fn count(&self, count: impl Fn(&Counters)) {
        count(&self.counters);
        if !self.is_shown.get()
            && let Some(costs) = self.costs()
        {
            count(&costs.other);
        }
    }

    /// What is counted of its plugin; `None` where no plugin of a server has it.
    pub(crate) fn costs(&self) -> Option<Arc<PluginCosts>> {
        self.lock_costs().clone()
    }

    /// From now on it is counted with its plugin.
    pub(crate) fn counts_for(&self, costs: &Arc<PluginCosts>) {
        *self.lock_costs() = Some(Arc::clone(costs));
    }

    pub(crate) fn is_shown(&self) -> &IsShown {
        &self.is_shown
    }

    fn lock_costs(&self) -> MutexGuard<'_, Option<Arc<PluginCosts>>> {
        self.costs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The author's version for people: the manifest's, or what the component says.
    pub fn label(&self) -> &str {
        let said = self
            .facts
            .described
            .as_ref()
            .map(|(_, version)| version.as_str());
        match self.manifest.version.as_str() {
            "" => said.unwrap_or_default(),
            version => version,
        }
    }

    /// The counters that the plugin itself keeps, by name.
    pub fn own_counters(&self) -> std::collections::BTreeMap<String, u64> {
        self.log.counters()
    }

    /// Lines of its log that were left out because it said too much.
    pub fn log_lines_left_out(&self) -> u64 {
        self.log.lines_left_out()
    }

    /// What its plugin had others do.
    pub fn calls(&self) -> CallCountsShown {
        self.runtime.grants.counts_of(self.name()).shown()
    }

    /// Which of what its manifest asks for is not granted, tables and streams aside: lines for the
    /// server's configuration.
    pub fn lacks(&self) -> Option<String> {
        self.runtime.grants.lacking(&self.manifest)
    }

    pub(crate) fn shared_manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(crate) fn log(&self) -> &Arc<GuestLog> {
        &self.log
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.name(), self.hash())
    }
}
