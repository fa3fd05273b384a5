//! What lies in the plugins directory, and what is in force: looked at once it has settled, and
//! taken or refused.
//!
//! A file has settled once nothing of its plugin changed for a moment. It is read whole and hashed;
//! what happens to it afterwards is a new version. That a plugin is gone has to settle, too. What
//! was refused for now is tried again after a pause.
//!
//! What lies there at the start is taken at once. Where it has to be refused, the version that was
//! in force last goes on.

mod deploy;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::control::{Control, Seen};
use crate::directory::{self, Found, Scan};
use crate::hash::ContentHash;
use crate::kept::Source;
use crate::life::Course;
use crate::name::PluginName;
use crate::placing;
use crate::refusal::{Again, Refusal};
use crate::registry::Ignored;

/// How long a plugin must be left alone once nothing is left of what it was.
const SETTLE: Duration = Duration::from_millis(250);
/// How long it must be left alone while a part is as it was or missing: the manifest and the
/// component of a version may be put there one after the other, and `rm` before `cp`.
const SETTLE_PART: Duration = Duration::from_secs(1);

/// The directory as it was seen last.
pub(crate) struct Watch {
    pub(crate) directory: PathBuf,
    control: Arc<Control>,
    /// What was read of each plugin last.
    handled: BTreeMap<PluginName, Handled>,
    /// What has changed since, and when that was seen first.
    settling: BTreeMap<PluginName, Settling>,
    /// Why the directory could not be looked at the last time.
    failing: Option<String>,
    /// How far each plugin had come before anybody could order anything.
    at_start: BTreeMap<PluginName, Course>,
}

struct Handled {
    found: Found,
    /// It was refused for now.
    again: Option<Again>,
}

#[derive(PartialEq, Eq)]
struct Settling {
    /// `None`: it is gone.
    found: Option<Found>,
    since: Instant,
}

/// What became of files that had settled.
enum Taken {
    /// They are in force, refused for good, or what was in force before.
    Done,
    /// They were refused for now.
    ForNow,
    /// They changed while they were read.
    Changed,
}

impl Watch {
    pub(crate) fn new(directory: PathBuf, control: Arc<Control>) -> Self {
        Self {
            directory,
            control,
            handled: BTreeMap::new(),
            settling: BTreeMap::new(),
            failing: None,
            at_start: BTreeMap::new(),
        }
    }

    /// What turns true when the server closes.
    pub(crate) fn closing(&self) -> tokio::sync::watch::Receiver<bool> {
        self.control.loader.compiler.closing()
    }

    /// Shows what is there, or was in force last, as being loaded. Called before anybody can order
    /// anything.
    pub(crate) fn expect(&mut self) -> Result<(), String> {
        placing::recover(&self.directory);
        let lives = self.control.loader.lives.all().into_iter();
        self.at_start = lives.map(|(name, life)| (name, life.course())).collect();
        let scan = directory::scan(&self.directory)?;
        scan.plugins
            .keys()
            .for_each(|name| self.control.registry.expect(name));
        let noted = self.control.loader.lives.in_force();
        let hidden = noted.iter().filter(|name| !scan.is_without(name));
        hidden.for_each(|name| self.control.registry.expect(name));
        Ok(())
    }

    /// Takes what is there without waiting until it has settled: if it was still being written, its
    /// next change is looked at like any other. What was compiled before comes first.
    pub(crate) fn begin(&mut self) {
        let Some(scan) = self.scan() else {
            return;
        };
        self.doubt(&scan);
        for name in self.control.registry.names() {
            if scan.doubt(&name).is_some() {
                self.fall_back(&name, None);
            }
        }
        let mut found: Vec<_> = scan.plugins.into_iter().collect();
        found.sort_by_key(|(name, found)| !self.was_in_force(name, found));
        for (name, found) in found {
            if self.control.loader.compiler.is_closing() {
                return;
            }
            let since = self.at_start.get(&name).copied().unwrap_or_default();
            self.handle(name, (found, since), Instant::now());
        }
    }

    /// Loads the versions that rollbacks would put in force, where their code is there.
    pub(crate) fn warm_up(&self) {
        for (name, life) in self.control.loader.lives.all() {
            if self.control.loader.compiler.is_closing() {
                return;
            }
            let before = life.in_force().and(life.before());
            let before = before.filter(|it| self.control.loader.code.has(it.component));
            if let Some(before) = before {
                self.control.warm_up(&name, before);
            }
        }
    }

    fn was_in_force(&self, name: &PluginName, found: &Found) -> bool {
        let source = found.read(name, self.control.loader.limits.component_bytes_max);
        let hash = source.ok().map(|source| source.hash());
        hash.is_some() && hash == self.control.loader.lives.hash_in_force(name)
    }

    /// Whether something has changed and is waited for.
    pub(crate) fn is_settling(&self) -> bool {
        !self.settling.is_empty()
    }

    /// Looks at the whole directory once.
    pub(crate) fn look(&mut self, now: Instant) {
        let Some(scan) = self.scan() else {
            return;
        };
        self.doubt(&scan);
        self.miss(&scan, now);
        for (name, found) in scan.plugins {
            if self.control.loader.compiler.is_closing() {
                return;
            }
            let is_due = match self.handled.get(&name) {
                Some(before) if before.found == found => {
                    self.settling.remove(&name);
                    before.again.is_some_and(|again| again.is_due(now))
                }
                _ => self.has_settled(&name, Some(&found), now),
            };
            if is_due {
                let since = self.control.loader.lives.course(&name);
                self.handle(name, (found, since), now);
            }
        }
    }

    /// What lies there; nothing when the directory cannot be read, which is told once.
    fn scan(&mut self) -> Option<Scan> {
        match directory::scan(&self.directory) {
            Ok(scan) => {
                self.failing = None;
                self.control.registry.ignore(self.ignored(&scan));
                Some(scan)
            }
            Err(why) => {
                if self.failing.as_ref() != Some(&why) {
                    tracing::warn!(why, "look at the plugins directory");
                }
                self.failing = Some(why);
                None
            }
        }
    }

    /// What is shown as ignored: also what cannot be read and was never known as a plugin.
    fn ignored(&self, scan: &Scan) -> Vec<Ignored> {
        let unreadable = scan.unreadable.iter();
        let unknown = unreadable.filter(|(name, _)| !self.control.registry.knows(name));
        let unknown = unknown.map(|(name, why)| Ignored {
            file: name.to_string(),
            why: why.clone(),
        });
        scan.ignored.iter().cloned().chain(unknown).collect()
    }

    /// Plugins that could not be looked at go on, and say so.
    fn doubt(&mut self, scan: &Scan) {
        for name in self.known() {
            if let Some(why) = scan.doubt(&name) {
                self.control
                    .registry
                    .refuse(&name, &Refusal::ForNow(why.to_owned()));
                // Once it can be read it is, though nothing of it may have changed.
                self.handled.remove(&name);
                self.settling.remove(&name);
            }
        }
    }

    /// Takes plugins out of force that have been gone for a while.
    fn miss(&mut self, scan: &Scan, now: Instant) {
        for name in self.known() {
            if scan.is_without(&name) && self.has_settled(&name, None, now) {
                self.settling.remove(&name);
                self.handled.remove(&name);
                self.remove(&name);
            }
        }
    }

    /// All plugins that are or were last in force, or that were found.
    fn known(&self) -> BTreeSet<PluginName> {
        let noted = self.control.loader.lives.in_force().into_iter();
        noted.chain(self.control.registry.names()).collect()
    }

    fn has_settled(&mut self, name: &PluginName, found: Option<&Found>, now: Instant) -> bool {
        let before = self.handled.get(name).map(|handled| &handled.found);
        let settle = match found {
            Some(found) if found.is_other_than(before) => SETTLE,
            _ => SETTLE_PART,
        };
        match self.settling.get(name) {
            Some(settling) if settling.found.as_ref() == found => {
                now.saturating_duration_since(settling.since) >= settle
            }
            _ => {
                let found = found.cloned();
                let since = now;
                self.settling
                    .insert(name.clone(), Settling { found, since });
                false
            }
        }
    }

    /// Takes what has settled, and notes what became of it.
    fn handle(&mut self, name: PluginName, (found, since): (Found, Course), now: Instant) {
        self.settling.remove(&name);
        let began = Instant::now();
        let before = self.handled.remove(&name).filter(|it| it.found == found);
        let before = before.and_then(|handled| handled.again);
        let again = match self.take(&name, &found, since) {
            Taken::Changed => return,
            Taken::Done => None,
            // A pause begins when the attempt is over, however long that took.
            Taken::ForNow => Some(Again::after(before, now + began.elapsed())),
        };
        self.handled.insert(name, Handled { found, again });
    }

    /// Puts in force what was found, or refuses it.
    fn take(&self, name: &PluginName, found: &Found, since: Course) -> Taken {
        let source = match self.source(name, found) {
            Ok(None) => return Taken::Changed,
            Ok(Some(source)) => Ok(source),
            Err(refusal) => Err(refusal),
        };
        let tried = source.as_ref().ok().map(Source::hash);
        let Err(refusal) = source.and_then(|source| self.load(name, &source, since)) else {
            return Taken::Done;
        };
        if self.control.loader.compiler.is_closing() {
            // It was cut off, which says nothing of the plugin.
            return Taken::Done;
        }
        self.control.registry.refuse(name, &refusal);
        let last_may_pass =
            self.control.registry.hash(name).is_none() && self.fall_back(name, tried);
        if refusal.is_for_now() || last_may_pass {
            Taken::ForNow
        } else {
            Taken::Done
        }
    }

    fn load(&self, name: &PluginName, source: &Source, since: Course) -> Result<(), Refusal> {
        let (control, hash) = (&self.control, source.hash());
        if control.loader.note_signature(name, source) {
            // Whoever waits for it asks again.
            control.registry.changed(name);
        }
        match control.sees(name, hash)? {
            Seen::LeftAlone => control.registry.forgive(name),
            Seen::Taken(_) if control.registry.hash(name) == Some(hash) => {
                control.registry.forgive(name);
            }
            Seen::Taken(how) => {
                let now = control.registry.now();
                let version = control.loader.load(name, source, now)?;
                control.shadow(&version)?;
                control.put_in_force(version, how, since)?;
            }
        }
        if control.registry.hash(name).is_some() {
            return Ok(());
        }
        // A share goes by what lies there, or nobody does.
        match control.loader.load_last(name, control.registry.now()) {
            Some(last) => {
                let last = last.map_err(|refusal| refusal.at("the version in force"))?;
                control.bring_back(last)
            }
            None => Err(
                "what lies there was set aside, and nothing else is in force"
                    .to_owned()
                    .into(),
            ),
        }
    }

    /// What was found, unless it changed meanwhile.
    fn source(&self, name: &PluginName, found: &Found) -> Result<Option<Source>, Refusal> {
        let source = found.read(name, self.control.loader.limits.component_bytes_max);
        let after = directory::look_at(&self.directory, name);
        if after.as_ref().map(Option::as_ref) != Ok(Some(found)) {
            return Ok(None);
        }
        source.map(Some)
    }

    /// Puts the version in force again that was so last, as what lies there cannot be. Whether that
    /// failed and may not at another time. `tried` is what was just refused.
    fn fall_back(&self, name: &PluginName, tried: Option<ContentHash>) -> bool {
        let last = self.control.loader.lives.hash_in_force(name);
        if last == tried {
            return false;
        }
        let loaded = self
            .control
            .loader
            .load_last(name, self.control.registry.now());
        let brought = loaded.map(|it| it.and_then(|version| self.control.bring_back(version)));
        match brought {
            None | Some(Ok(())) => false,
            Some(Err(refusal)) => {
                let why = refusal.to_string();
                tracing::warn!(plugin = %name, why, "the version in force last cannot be again");
                refusal.is_for_now()
            }
        }
    }

    fn remove(&self, name: &PluginName) {
        if let Err(refusal) = self.control.remove(name) {
            // It is tried again at the next look.
            let why = refusal.to_string();
            tracing::warn!(plugin = %name, why, "forget that a plugin was in force");
        }
    }
}

#[cfg(test)]
mod tests;
