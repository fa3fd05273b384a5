//! Putting versions in force: each step is kept durably before anybody is told of it. Who does it,
//! the watcher's thread, an operator or the guard, does it here.

use std::collections::BTreeMap;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

use types::{Clock, Timestamp};

use crate::deploying::Standing;
use crate::hash::ContentHash;
use crate::life::{Coming, How, Life, SetAside, Why};
use crate::limits::LABEL_BYTES_MAX;
use crate::lives::Change;
use crate::loaded::Loaded;
use crate::loader::Loader;
use crate::name::PluginName;
use crate::printable::printable;
use crate::records_of_others::RecordsOfOthers;
use crate::refusal::Refusal;
use crate::registry::Registry;
use crate::role::Role;
use crate::shadow::Run;
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
            Some(aside) if aside.hash == hash && !is_deployed => Ok(Seen::LeftAlone),
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

    /// Lets retained records through a version that would take the place of the one in force, where
    /// its manifest or the operator asks for that, and shows what came of it. Blocks.
    ///
    /// # Errors
    /// When too many of them failed in it, or none can be read for now.
    pub(crate) fn shadow(&self, version: &Version) -> Result<(), Refusal> {
        let (name, rollout) = (version.name(), version.manifest().rollout);
        let records_max = rollout.shadow_records(&self.loader.rollout);
        // A consumer's effects are for its application alone to try.
        if records_max == 0 || version.role() == Role::Consumer {
            return Ok(());
        }
        let Some(in_force) = self.in_force_but(version) else {
            return Ok(());
        };
        let retained = self
            .records
            .last(name, records_max)
            .map_err(|why| Refusal::ForNow(format!("read records for its shadow run: {why}")))?;
        let run = Run {
            old: &in_force,
            new: version,
            now: self.clock.now(),
            with_text: self.loader.rollout.shadow_samples,
        };
        let report = run.run_apart(&retained, || self.loader.compiler.is_closed())?;
        let percent_max = rollout.shadow_failed_percent_max;
        let too_many = percent_max.filter(|most| report.fails_more_than(*most));
        let told = too_many.map(|most| {
            format!(
                "shadow run: {} of {} records failed in it, and {} in the version in force; \
                 shadow_failed_percent_max is {most}",
                report.new.failed, report.records, report.old.failed
            )
        });
        self.registry.shadowed(name, report);
        told.map_or(Ok(()), |why| Err(Refusal::ForGood(why)))
    }

    /// The version in force that another would take the place of. After a start it comes into force
    /// for that; where it cannot, nothing can be compared.
    fn in_force_but(&self, version: &Version) -> Option<Arc<Version>> {
        let (name, is_other) = (version.name(), |hash| hash != version.hash());
        let noted = self.loader.lives.hash_in_force(name);
        if self.registry.hash(name).is_none() && noted.is_some_and(is_other) {
            match self.loader.load_last(name, self.clock.now())? {
                Ok(last) => self.bring_back(last),
                Err(refusal) => {
                    let why = refusal.to_string();
                    tracing::warn!(plugin = %name, why, "no shadow run beside what was in force");
                }
            }
        }
        let in_force = self.registry.current(name);
        in_force.filter(|it| is_other(it.hash()))
    }

    /// Puts a version in force, or lets a share go by it where its manifest says so and there is
    /// one in force. Nothing happens when it was set aside while it was loaded.
    pub(crate) fn put_in_force(&self, version: Version, how: How) -> Result<(), Refusal> {
        let (name, now) = (version.name().clone(), self.clock.now());
        let mut change = self.change(&name)?;
        if change.life.in_force().map(|it| it.hash) == Some(version.hash()) {
            // It was so when the server ended.
            self.bring_back(version);
            self.registry.forgive(&name);
            return Ok(());
        }
        let version = Arc::new(version);
        let is_aside = |aside: SetAside| aside.hash == version.hash();
        if change.life.set_aside.is_some_and(is_aside) {
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

    /// Puts the version in force again that was so last, after a start.
    pub(crate) fn bring_back(&self, version: Version) {
        let version = Arc::new(version);
        self.loaded.note(&version);
        self.stays_on_trial(&version);
        self.registry.take_back(version);
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
        self.registry.take(Arc::clone(version), how);
    }

    /// Tells everybody that a share goes by a version.
    pub(crate) fn announce_canary(&self, version: &Arc<Version>, now: Timestamp) {
        self.loaded.note(version);
        self.goes_on_trial(version, now);
        self.registry.take_canary(Arc::clone(version));
    }

    /// Begins a change of a plugin's life.
    pub(crate) fn change(&self, name: &PluginName) -> Result<Change<'_>, Refusal> {
        self.loader.lives.change(name).map_err(Refusal::ForNow)
    }

    /// Sets aside what lies in the plugins directory, unless it is what is in force.
    pub(crate) fn set_aside_what_lies(&self, change: &mut Change<'_>, name: &PluginName, why: Why) {
        let in_force = change.life.in_force().map(|version| version.hash);
        let lies = self.registry.what_lies(name).or(self.registry.hash(name));
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
