//! The life of a plugin over its versions: which numbers they have, which one came into force when
//! and how, and what operators said of it. Plain rules; `lives` keeps the outcome, and `life/text`
//! says how it is written.
//!
//! A version is a content. It gets a number when it is put into use first and keeps it: one that
//! comes into force again has the number of before. No number is given twice.

mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use types::Timestamp;

use crate::hash::ContentHash;
use crate::qualifier::{AliasName, Qualifier};

/// Versions of a plugin whose number, component and manifest are kept at least. Older ones are
/// forgotten, but for those that an alias names or that are in use.
pub const VERSIONS_KEPT: usize = 100;
/// Lines of a plugin's history that are kept; older ones are forgotten.
pub const EVENTS_KEPT: usize = 300;
/// Aliases of a plugin. One more is refused.
pub const ALIASES_MAX: usize = 100;

/// A version with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// 1, 2, 3, … for each plugin, never used again.
    pub number: u64,
    /// Its content.
    pub hash: ContentHash,
    /// Its component alone, which its compiled code is kept by.
    pub component: ContentHash,
    /// When it got its number.
    pub at: Timestamp,
    /// The author's version, as one line.
    pub label: String,
}

/// How a version came into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Its files lay in the plugins directory.
    File,
    /// It was deployed through the API.
    Deploy,
    /// An operator put it in the place of another.
    Rollback,
    /// The one that it took the place of failed on too many records.
    AutomaticRollback,
    /// It had been a canary.
    CanaryPromoted,
    /// What lay in the plugins directory was set aside, and an operator let it go on.
    Resume,
}

impl How {
    const ALL: [Self; 6] = [
        Self::File,
        Self::Deploy,
        Self::Rollback,
        Self::AutomaticRollback,
        Self::CanaryPromoted,
        Self::Resume,
    ];

    /// The word for it on pages and in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Deploy => "deploy",
            Self::Rollback => "rollback",
            Self::AutomaticRollback => "automatic-rollback",
            Self::CanaryPromoted => "canary-promoted",
            Self::Resume => "resume",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|how| how.as_str() == word)
    }

    /// Whether a version that was there before was put back.
    pub fn is_back(self) -> bool {
        matches!(self, Self::Rollback | Self::AutomaticRollback)
    }
}

/// A line of the history: a version came into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// Which.
    pub number: u64,
    /// How.
    pub how: How,
}

/// A version that a share of those who work with the plugin go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canary {
    /// Which.
    pub number: u64,
    /// The share, in percent: 1 to 99.
    pub percent: u8,
    /// Since when.
    pub since: Timestamp,
}

/// Why what lies in the plugins directory is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// An operator put another version in its place.
    RolledBack,
    /// It failed on too many records.
    RolledBackByItself,
    /// It was a canary, and an operator ended that.
    CanaryEnded,
}

impl Why {
    const ALL: [Self; 3] = [
        Self::RolledBack,
        Self::RolledBackByItself,
        Self::CanaryEnded,
    ];

    /// The word for it on pages and in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RolledBack => "rolled-back",
            Self::RolledBackByItself => "rolled-back-automatically",
            Self::CanaryEnded => "canary-ended",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.as_str() == word)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RolledBack => "it was rolled back",
            Self::RolledBackByItself => "it was rolled back for the records that it failed on",
            Self::CanaryEnded => "it was a canary, which was ended",
        })
    }
}

/// Files in the plugins directory that are not taken by themselves: until they change, or an
/// operator says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Their content.
    pub hash: ContentHash,
    /// Why.
    pub why: Why,
}

/// What is kept of one plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// The number that was given last; 0 before the first.
    pub(crate) last_number: u64,
    /// In order of their numbers.
    pub(crate) versions: Vec<Numbered>,
    /// The latest last.
    pub(crate) events: Vec<Event>,
    /// The number of the version in force; `None` while the plugin is taken away.
    pub(crate) in_force: Option<u64>,
    pub(crate) set_aside: Option<SetAside>,
    /// Since when the plugin is paused.
    pub(crate) paused: Option<Timestamp>,
    pub(crate) canary: Option<Canary>,
    pub(crate) aliases: BTreeMap<AliasName, u64>,
}

/// How far orders and swaps have come: it changes with each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Course {
    in_force: Option<u64>,
    latest: Option<Event>,
    canary: Option<Canary>,
}

/// A version on its way into force.
#[derive(Clone, Debug)]
pub(crate) struct Coming {
    pub(crate) hash: ContentHash,
    pub(crate) component: ContentHash,
    pub(crate) label: String,
}

impl Life {
    /// All versions that are kept, in order of their numbers.
    pub fn versions(&self) -> &[Numbered] {
        &self.versions
    }

    /// What came into force, the latest last.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The version in force; `None` while the plugin is taken away.
    pub fn in_force(&self) -> Option<&Numbered> {
        self.number(self.in_force?)
    }

    /// What lies in the plugins directory and is not taken by itself.
    pub fn set_aside(&self) -> Option<SetAside> {
        self.set_aside
    }

    /// Since when the plugin is paused.
    pub fn paused(&self) -> Option<Timestamp> {
        self.paused
    }

    /// The version that a share goes by.
    pub fn canary(&self) -> Option<Canary> {
        self.canary
    }

    /// The number behind each alias.
    pub fn aliases(&self) -> &BTreeMap<AliasName, u64> {
        &self.aliases
    }

    /// A version by its number.
    pub fn number(&self, number: u64) -> Option<&Numbered> {
        let place = self.versions.binary_search_by_key(&number, |it| it.number);
        self.versions.get(place.ok()?)
    }

    /// A version by its content.
    pub fn of_hash(&self, hash: ContentHash) -> Option<&Numbered> {
        // The newest first: those are asked for most.
        self.versions.iter().rev().find(|it| it.hash == hash)
    }

    /// The version that a qualifier names.
    pub fn named(&self, qualifier: &Qualifier) -> Option<&Numbered> {
        match qualifier {
            Qualifier::Number(number) => self.number(*number),
            Qualifier::Alias(alias) => self.number(*self.aliases.get(alias)?),
        }
    }

    /// The version that was in force before the one that is: before that one came first, and not
    /// before a rollback to it, so that a second rollback goes back further.
    pub fn before(&self) -> Option<&Numbered> {
        let now = self.in_force?;
        let is_coming = |event: &Event| event.number == now && !event.how.is_back();
        let came = self.events.iter().rposition(is_coming)?;
        let earlier = self.events.get(..came)?.iter().rev();
        let before = earlier.map(|event| event.number).find(|it| *it != now)?;
        self.number(before)
    }

    /// Where it stands. Whoever loads a version for long compares this before and after: what was
    /// ordered meanwhile goes before what was to come by itself.
    pub(crate) fn course(&self) -> Course {
        Course {
            in_force: self.in_force,
            latest: self.events.last().copied(),
            canary: self.canary,
        }
    }

    /// The contents that must not be deleted: all versions of a plugin that is there.
    pub(crate) fn needed(&self) -> impl Iterator<Item = ContentHash> {
        let is_there = self.in_force.is_some();
        let versions = self.versions.iter().filter(move |_| is_there);
        versions.map(|version| version.hash)
    }

    /// The components whose compiled code must not be deleted: of what is in use, and of the
    /// version that a rollback would put in force.
    pub(crate) fn components_in_use(&self) -> Vec<ContentHash> {
        if self.in_force.is_none() {
            return Vec::new();
        }
        let in_use = self.numbers_in_use();
        let versions = self.versions.iter();
        let in_use = versions.filter(|version| in_use.contains(&version.number));
        let mut all: Vec<_> = in_use.map(|version| version.component).collect();
        all.extend(self.before().map(|version| version.component));
        all
    }

    /// Puts a version in force. What a canary or a file set aside was about is over.
    pub(crate) fn take(&mut self, coming: Coming, how: How, now: Timestamp) -> u64 {
        let number = self.give_number(coming, now);
        self.put_in_force(number, how, now);
        number
    }

    /// The same with one that has a number.
    pub(crate) fn put_in_force(&mut self, number: u64, how: How, now: Timestamp) {
        self.events.push(Event {
            at: now,
            number,
            how,
        });
        self.in_force = Some(number);
        self.canary = None;
        self.set_aside = None;
        self.forget_old();
    }

    /// Lets a share go by a version.
    pub(crate) fn begin_canary(&mut self, coming: Coming, percent: u8, now: Timestamp) -> u64 {
        let number = self.give_number(coming, now);
        self.canary = Some(Canary {
            number,
            percent,
            since: now,
        });
        self.set_aside = None;
        self.forget_old();
        number
    }

    /// The number of a content, a new one if it has none.
    fn give_number(&mut self, coming: Coming, now: Timestamp) -> u64 {
        if let Some(known) = self.of_hash(coming.hash) {
            return known.number;
        }
        // A plugin does not live long enough for the numbers to end.
        self.last_number = self.last_number.saturating_add(1);
        self.versions.push(Numbered {
            number: self.last_number,
            hash: coming.hash,
            component: coming.component,
            at: now,
            label: coming.label,
        });
        self.last_number
    }

    fn numbers_in_use(&self) -> BTreeSet<u64> {
        let aliases = self.aliases.values().copied();
        let canary = self.canary.map(|canary| canary.number);
        aliases.chain(canary).chain(self.in_force).collect()
    }

    fn forget_old(&mut self) {
        let surplus = self.versions.len().saturating_sub(VERSIONS_KEPT);
        if surplus > 0 {
            let in_use = self.numbers_in_use();
            let oldest = self.versions.iter().map(|version| version.number);
            let oldest = oldest.filter(|number| !in_use.contains(number));
            let forgotten: BTreeSet<u64> = oldest.take(surplus).collect();
            self.versions
                .retain(|version| !forgotten.contains(&version.number));
        }
        let surplus = self.events.len().saturating_sub(EVENTS_KEPT);
        self.events.drain(..surplus);
    }
}

#[cfg(test)]
mod tests;
