//! Which versions of a plugin are shown by themselves: the one in force, the canary, and the one
//! that was in force before. All others are counted together, since there is no end to them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use crate::control::{Control, canary_hash};
use crate::hash::ContentHash;
use crate::life::Life;
use crate::name::PluginName;
use crate::registry::Plugin;
use crate::version::Version;

/// Whether a version is shown by itself. One that is loaded for what was begun with it is not.
#[derive(Debug, Default)]
pub(crate) struct IsShown(AtomicBool);

impl IsShown {
    pub(crate) fn set(&self, is_shown: bool) {
        // Counts are all that depends on it.
        self.0.store(is_shown, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Life {
    /// The contents that are shown by themselves.
    fn shown(&self) -> Vec<ContentHash> {
        let now = self.in_force().map(|version| version.number);
        let mut events = self.events().iter().rev().map(|event| event.number);
        let before = events.find(|number| Some(*number) != now);
        let before = before.and_then(|number| self.number(number));
        let in_force = self.in_force().map(|version| version.hash);
        let canary = canary_hash(self);
        let before = before.map(|version| version.hash);
        in_force.into_iter().chain(canary).chain(before).collect()
    }
}

impl Control {
    /// From now on the versions that are shown by themselves are those that should be.
    pub(crate) fn note_shown(&self, name: &PluginName) {
        let shown = self.loader.lives.of(name);
        let shown = shown.map_or_else(Vec::new, |life| life.shown());
        for version in self.registry.all_of(name) {
            version.is_shown().set(shown.contains(&version.hash()));
        }
    }
}

impl Plugin {
    /// The versions that are shown by themselves, as far as they are held: the one in force first.
    pub fn shown(&self) -> impl Iterator<Item = &Arc<Version>> {
        let all = self.version.iter().chain(&self.others);
        all.filter(|version| version.is_shown().get())
    }
}
