//! Which version a lane or an application goes by at the moment.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use types::Timestamp;

use crate::control::Control;
use crate::hash::ContentHash;
use crate::life::Life;
use crate::name::PluginName;
use crate::qualifier::Qualifier;
use crate::version::Version;

/// What stands in the place of a reason, for whom that is not.
pub const REASON_HIDDEN: &str =
    "the reason is for those who deploy plugins, and for accounts that it serves";

/// Why a plugin has no version to go by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absence {
    /// Nothing of its name lies in the plugins directory.
    NotThere,
    /// It was found and is being loaded.
    Loading,
    /// What lies there was refused, for this reason.
    Refused(String),
    /// An operator paused it, at this time.
    Paused(Timestamp),
    /// It has no version of that number, or no alias of that name.
    NoVersion(Qualifier),
}

impl Absence {
    /// The same for somebody whom the plugin does not serve: why it was refused is shown to those
    /// who deploy plugins; see [`crate::Plugins::tells_reasons_to`].
    pub fn told(&self, with_reason: bool) -> String {
        match self {
            Self::Refused(_) if !with_reason => format!("was refused; {REASON_HIDDEN}"),
            told => told.to_string(),
        }
    }
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThere => f.write_str("is not there"),
            Self::Loading => f.write_str("is being loaded"),
            Self::Refused(why) => write!(f, "was refused: {why}"),
            Self::Paused(_) => f.write_str("is paused"),
            Self::NoVersion(qualifier) => write!(f, "has no {qualifier}"),
        }
    }
}

/// A version to go by.
#[derive(Clone, Debug)]
pub enum Choice {
    /// It is loaded.
    Ready(Arc<Version>),
    /// It has to be loaded: see [`crate::Plugins::version`], which blocks.
    Cold(ContentHash),
}

impl Choice {
    /// The content of the version.
    pub fn hash(&self) -> ContentHash {
        match self {
            Self::Ready(version) => version.hash(),
            Self::Cold(hash) => *hash,
        }
    }
}

impl Control {
    /// The version that `lane` goes by: the one that a qualifier names, or else the canary for a
    /// share of all lanes, or else the one in force. What a lane is told does not change until an
    /// operator or a swap changes it.
    pub(crate) fn choose(
        &self,
        name: &PluginName,
        qualifier: Option<&Qualifier>,
        lane: &[u8],
    ) -> Result<Choice, Absence> {
        let life = self.loader.lives.of(name);
        let life = life.as_deref().filter(|life| life.in_force().is_some());
        if let Some(at) = life.and_then(Life::paused) {
            return Err(Absence::Paused(at));
        }
        let hash = match (qualifier, life) {
            (None, life) => life.and_then(|life| canary_of(life, name, lane)),
            (Some(qualifier), Some(life)) => {
                let named = life.named(qualifier).map(|version| version.hash);
                Some(named.ok_or_else(|| Absence::NoVersion(qualifier.clone()))?)
            }
            (Some(qualifier), None) => match self.absence(name) {
                None => return Err(Absence::NoVersion(qualifier.clone())),
                Some(absence) => return Err(absence),
            },
        };
        match hash {
            Some(hash) => {
                let rules = &self.loader.signatures;
                let loaded = self.registry.loaded(name, hash);
                // One that was loaded to finish something with may begin nothing.
                let permitted = loaded.filter(|version| rules.permits(&version.facts().signed));
                Ok(permitted.map_or(Choice::Cold(hash), Choice::Ready))
            }
            None => match self.registry.current(name) {
                Some(version) => Ok(Choice::Ready(version)),
                // One that came meanwhile wakes whoever asks.
                None => Err(self.absence(name).unwrap_or(Absence::Loading)),
            },
        }
    }

    /// Why a plugin has no version in force, if it has none to go by.
    pub(crate) fn absence(&self, name: &PluginName) -> Option<Absence> {
        let Some(plugin) = self.registry.find(name) else {
            return Some(Absence::NotThere);
        };
        let life = self.loader.lives.of(name);
        if let Some(at) = life.and_then(|life| life.paused()) {
            return Some(Absence::Paused(at));
        }
        match (plugin.version, plugin.refused) {
            (Some(_), _) => None,
            (None, Some(refused)) => Some(Absence::Refused(refused.why)),
            (None, None) => Some(Absence::Loading),
        }
    }
}

/// The canary, if the lane is among its share. A lane that is stays so when the share grows.
fn canary_of(life: &Life, name: &PluginName, lane: &[u8]) -> Option<ContentHash> {
    let canary = life.canary()?;
    let is_its = place(name, canary.number, lane) < u64::from(canary.percent);
    is_its.then(|| life.number(canary.number).map(|it| it.hash))?
}

/// A number from 0 to 99 that is as good as drawn, and always the same.
fn place(name: &PluginName, number: u64, lane: &[u8]) -> u64 {
    let mut hasher = Sha256::new();
    // A plugin's name has no zero in it.
    hasher.update(name.as_str());
    hasher.update([0]);
    hasher.update(number.to_be_bytes());
    hasher.update(lane);
    let hash: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = hash;
    u64::from_be_bytes([a, b, c, d, e, f, g, h]) % 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life::{Coming, How};

    fn life(percent: u8) -> Life {
        let coming = |byte| Coming {
            hash: ContentHash([byte; 32]),
            component: ContentHash([0; 32]),
            label: String::new(),
        };
        let mut life = Life::default();
        life.take(coming(1), How::File, Timestamp(0));
        life.begin_canary(coming(2), percent, Timestamp(0));
        life
    }

    #[test]
    fn a_canary_has_about_its_share_of_lanes_and_keeps_them_when_it_grows() {
        let name = PluginName::parse("a").unwrap();
        let lanes: Vec<[u8; 4]> = (0..10_000_u32).map(u32::to_be_bytes).collect();
        let mut before: Vec<bool> = vec![false; lanes.len()];
        for percent in [1, 10, 50, 99] {
            let life = life(percent);
            let is_canary = |lane: &[u8; 4]| canary_of(&life, &name, lane).is_some();
            let now: Vec<bool> = lanes.iter().map(is_canary).collect();
            let share = now.iter().filter(|is| **is).count() / 100;
            assert!(
                share.abs_diff(usize::from(percent)) <= 2,
                "{share} of {percent}"
            );
            assert!(before.iter().zip(&now).all(|(before, now)| *now || !before));
            before = now;
        }
    }
}
