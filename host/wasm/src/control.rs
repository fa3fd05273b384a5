//! Putting versions in force: each step is kept durably before anybody is told of it. Who does it,
//! the watcher's thread, an operator or the guard, does it here.

use std::collections::BTreeMap;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

use types::{Clock, Timestamp};

use crate::cold_canary::ColdCanaries;
use crate::deploying::Standing;
use crate::hash::ContentHash;
use crate::life::{Coming, Course, How, Life, SetAside, Why};
use crate::limits::LABEL_BYTES_MAX;
use crate::lives::Change;
use crate::loaded::Loaded;
use crate::loader::Loader;
use crate::name::PluginName;
use crate::printable::printable;
use crate::records_of_others::RecordsOfOthers;
use crate::refusal::Refusal;
use crate::registry::Registry;
use crate::trial::{Ring, TRIAL_TIME, Trial};
use crate::version::Version;

/// Deployments that were announced and not seen yet. One more is taken for a file.
const DEPLOYS_MAX: usize = 1_000;

/// What it takes to put versions in force.
pub(crate) struct Control {
    pub(crate) registry: Arc<Registry>,
    pub(crate) loader: Arc<Loader>,
    pub(crate) loaded: Loaded,
    pub(crate) clock: Arc<dyn Clock>,
    /// What versions on trial ring.
    pub(crate) bell: SyncSender<Ring>,
    /// Where the records of shadow runs come from.
    pub(crate) records: RecordsOfOthers,
    /// Held by a shadow run: its records are in memory, of one at a time.
    pub(crate) shadowing: Mutex<()>,
    /// Canaries that cannot be loaded.
    pub(crate) cold_canaries: ColdCanaries,
    /// What is being deployed through the API, by its content.
    deploys: Mutex<BTreeMap<PluginName, ContentHash>>,
}

/// What to do about files that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// They are left alone; the version in force is another.
    LeftAlone,
    /// They are taken, in this way.
    Taken(How),
}

impl Control {
    pub(crate) fn new(
        registry: Arc<Registry>,
        loader: Arc<Loader>,
        clock: Arc<dyn Clock>,
        bell: SyncSender<Ring>,
    ) -> Self {
        Self {
            registry,
            loader,
            loaded: Loaded::default(),
            clock,
            bell,
            records: RecordsOfOthers::default(),
            shadowing: Mutex::default(),
            cold_canaries: ColdCanaries::default(),
            deploys: Mutex::default(),
        }
    }

    /// What lies in the plugins directory of this content is there because somebody deploys it.
    pub(crate) fn deploys(&self, name: &PluginName, hash: ContentHash) {
        let mut deploys = self.deploys.lock().unwrap_or_else(PoisonError::into_inner);
        if deploys.len() < DEPLOYS_MAX {
            deploys.insert(name.clone(), hash);
        }
    }

    /// Forgets that something is being deployed.
    pub(crate) fn deploys_no_more(&self, name: &PluginName) {
        let mut deploys = self.deploys.lock().unwrap_or_else(PoisonError::into_inner);
        deploys.remove(name);
    }

    /// Notes what lies in the plugins directory. Other files than those that were set aside make an
    /// end of that, durably: these are taken when they lie there again.
    pub(crate) fn sees(&self, name: &PluginName, hash: ContentHash) -> Result<Seen, Refusal> {
        self.registry.lies(name, hash);
        let mut deploys = self.deploys.lock().unwrap_or_else(PoisonError::into_inner);
        let is_deployed = deploys.get(name) == Some(&hash);
        if is_deployed {
            deploys.remove(name);
        }
        drop(deploys);
        let how = if is_deployed { How::Deploy } else { How::File };
        let Some(life) = self.loader.lives.of(name) else {
            return Ok(Seen::Taken(how));
        };
        if canary_hash(&life) == Some(hash) {
            return Ok(Seen::LeftAlone);
        }
        match life.set_aside {
            // It makes an end of that when it comes into force.
            _ if is_deployed => Ok(Seen::Taken(how)),
            Some(aside) if aside.hash == hash => Ok(Seen::LeftAlone),
            Some(_) => {
                let mut change = self.change(name)?;
                change.life.set_aside = None;
                keep(&mut change)?;
                self.registry.changed(name);
                Ok(Seen::Taken(how))
            }
            None => Ok(Seen::Taken(how)),
        }
    }

    /// Puts a version in force, or lets a share go by it where its manifest says so and there is
    /// one in force. `since` is how far the plugin had come when the version was found: what was
    /// ordered meanwhile stays, and the version is set aside.
    pub(crate) fn put_in_force(
        &self,
        version: Version,
        how: How,
        since: Course,
    ) -> Result<(), Refusal> {
        let (name, now) = (version.name().clone(), self.clock.now());
        let mut change = self.change(&name)?;
        if change.life.in_force().map(|it| it.hash) == Some(version.hash()) {
            // It was so when the server ended.
            self.is_back(version);
            self.registry.forgive(&name);
            return Ok(());
        }
        let version = Arc::new(version);
        let is_aside = |aside: SetAside| aside.hash == version.hash();
        if how != How::Deploy && change.life.set_aside.is_some_and(is_aside) {
            return Ok(());
        }
        if change.life.course() != since {
            tracing::info!(plugin = %name, version = ?version.hash(), "an order came before it");
            change.life.set_aside = Some(SetAside {
                hash: version.hash(),
                why: Why::RolledBack,
            });
            keep(&mut change)?;
            self.registry.changed(&name);
            return Ok(());
        }
        let in_force = change.life.in_force().map(|version| version.hash);
        let is_other = in_force.is_some_and(|hash| hash != version.hash());
        match version.manifest().rollout.canary_percent {
            Some(percent) if is_other => {
                change.life.begin_canary(coming(&version), percent, now);
                keep(&mut change)?;
                self.announce_canary(&version, now);
            }
            _ => {
                if let Some(before) = in_force {
                    self.loader.kept.used(before);
                }
                change.life.take(coming(&version), how, now);
                keep(&mut change)?;
                self.announce(&version, how, now);
            }
        }
        Ok(())
    }

    /// Puts the version in force again that was so last, after a start. It stays out where an order
    /// has put another in its place while it was loaded.
    ///
    /// # Errors
    /// When nothing of the plugin may change.
    pub(crate) fn bring_back(&self, version: Version) -> Result<(), Refusal> {
        // Held until it is announced: orders wait for that.
        let change = self.change(version.name())?;
        if change.life.in_force().map(|it| it.hash) == Some(version.hash()) {
            self.is_back(version);
        }
        Ok(())
    }

    /// The same in the middle of a change.
    fn is_back(&self, version: Version) {
        let version = Arc::new(version);
        self.loaded.note(&version);
        self.stays_on_trial(&version);
        let name = version.name().clone();
        self.registry.take_back(version);
        self.note_shown(&name);
    }

    /// Takes a plugin away: nothing of it is in force. Its numbers and aliases stay.
    ///
    /// # Errors
    /// When that cannot be kept. It is out of force all the same, until the next start.
    pub(crate) fn remove(&self, name: &PluginName) -> Result<(), Refusal> {
        if let Some(before) = self.registry.hash(name) {
            self.loader.kept.used(before);
        }
        let forgotten = self.forget(name);
        // Whoever is woken by this finds that its versions are needed by nobody.
        self.registry.remove(name);
        forgotten
    }

    fn forget(&self, name: &PluginName) -> Result<(), Refusal> {
        if self.loader.lives.hash_in_force(name).is_none() {
            return Ok(());
        }
        let mut change = self.change(name)?;
        change.life.in_force = None;
        change.life.canary = None;
        change.life.set_aside = None;
        keep(&mut change)
    }

    /// Tells everybody that a version is in force.
    pub(crate) fn announce(&self, version: &Arc<Version>, how: How, now: Timestamp) {
        self.loaded.note(version);
        if how.is_back() {
            version.is_trusted();
        } else {
            self.goes_on_trial(version, now);
        }
        // Before lanes hear of it, so that all that they do with it is counted as its own.
        version.is_shown().set(true);
        self.registry.take(Arc::clone(version), how);
        self.note_shown(version.name());
    }

    /// Tells everybody that a share goes by a version.
    pub(crate) fn announce_canary(&self, version: &Arc<Version>, now: Timestamp) {
        self.loaded.note(version);
        self.goes_on_trial(version, now);
        version.is_shown().set(true);
        self.registry.take_canary(Arc::clone(version));
        self.note_shown(version.name());
    }

    /// Begins a change of a plugin's life.
    pub(crate) fn change(&self, name: &PluginName) -> Result<Change<'_>, Refusal> {
        self.loader.lives.change(name).map_err(Refusal::ForNow)
    }

    /// Sets aside what lies in the plugins directory, unless it is what is in force.
    pub(crate) fn set_aside_what_lies(&self, change: &mut Change<'_>, name: &PluginName, why: Why) {
        let in_force = change.life.in_force().map(|version| version.hash);
        let lies = self.registry.what_lies(name).or(self.registry.hash(name));
        // Before the first look of a start: what was in force before this change.
        let lies = lies.or_else(|| self.loader.lives.hash_in_force(name));
        if let Some(hash) = lies.filter(|hash| Some(*hash) != in_force) {
            change.life.set_aside = Some(SetAside { hash, why });
        }
    }

    fn goes_on_trial(&self, version: &Version, since: Timestamp) {
        if let Some(terms) = version.manifest().rollout.trial(&self.loader.rollout) {
            let (name, clock) = (version.name().clone(), Arc::clone(&self.clock));
            let of = (name, version.hash());
            version.goes_on_trial(Trial::new(terms, of, (since, clock), self.bell.clone()));
        }
    }

    /// Who goes by a version.
    pub(crate) fn standing(&self, name: &PluginName, hash: ContentHash) -> Standing {
        if self.registry.hash(name) == Some(hash) {
            return Standing::InForce;
        }
        let life = self.loader.lives.of(name);
        if life.is_some_and(|life| canary_hash(&life) == Some(hash)) {
            Standing::Canary
        } else {
            Standing::SetAside
        }
    }

    /// A restart is no way out of a trial that is not over by the clock.
    pub(crate) fn stays_on_trial(&self, version: &Version) {
        let Some(life) = self.loader.lives.of(version.name()) else {
            return;
        };
        if let Some(canary) = life.canary
            && canary_hash(&life) == Some(version.hash())
        {
            self.goes_on_trial(version, canary.since);
            return;
        }
        let last = life.events().last().filter(|event| !event.how.is_back());
        let number = life.of_hash(version.hash()).map(|it| it.number);
        if let Some(event) = last.filter(|event| Some(event.number) == number)
            && u128::from(self.clock.now().0.saturating_sub(event.at.0)) < TRIAL_TIME.as_millis()
        {
            self.goes_on_trial(version, event.at);
        }
    }
}

/// Keeps a change durably.
pub(crate) fn keep(change: &mut Change<'_>) -> Result<(), Refusal> {
    let kept = change.keep();
    kept.map_err(|error| Refusal::ForNow(format!("keep what is in force: {error}")))
}

/// The content of the version that a share goes by.
pub(crate) fn canary_hash(life: &Life) -> Option<ContentHash> {
    Some(life.number(life.canary?.number)?.hash)
}

/// What the history says of a version.
pub(crate) fn coming(version: &Version) -> Coming {
    let facts = version.facts();
    Coming {
        hash: facts.hash,
        component: facts.component_hash,
        label: printable(version.label(), LABEL_BYTES_MAX),
    }
}
