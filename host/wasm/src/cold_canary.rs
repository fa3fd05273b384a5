//! A canary that is not loaded, after a restart, and cannot be: those who go by it wait for it for
//! a while, since that may pass. Then it is a canary no more, and they go by the version in force.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use types::Timestamp;

use crate::control::{Control, canary_hash};
use crate::hash::ContentHash;
use crate::life::Why;
use crate::name::PluginName;
use crate::orders::OrderError;

/// How often a canary must not have been loaded until it is given up, and for how long, from the
/// first time on. Those who go by it try it again after pauses of up to ten seconds each.
const LOADS_MIN: u32 = 3;
const TIME_MIN: Duration = Duration::from_secs(30);

/// The canaries that were not loaded when they were wanted: one of each plugin.
#[derive(Default)]
pub(crate) struct ColdCanaries(Mutex<BTreeMap<PluginName, Cold>>);

struct Cold {
    hash: ContentHash,
    since: Timestamp,
    loads: u32,
    is_given_up: bool,
}

impl ColdCanaries {
    /// A canary was not loaded. Whether it is to be given up.
    fn fails(&self, name: &PluginName, hash: ContentHash, now: Timestamp) -> bool {
        let mut all = self.lock();
        let cold = all.entry(name.clone()).or_insert(Cold {
            hash,
            since: now,
            loads: 0,
            is_given_up: false,
        });
        if cold.hash != hash {
            *cold = Cold {
                hash,
                since: now,
                loads: 0,
                is_given_up: false,
            };
        }
        cold.loads = cold.loads.saturating_add(1);
        let failed_for = now.0.saturating_sub(cold.since.0);
        cold.loads >= LOADS_MIN && u128::from(failed_for) >= TIME_MIN.as_millis()
    }

    fn is_given_up(&self, name: &PluginName, hash: ContentHash) -> bool {
        let all = self.lock();
        let cold = all.get(name);
        cold.is_some_and(|cold| cold.hash == hash && cold.is_given_up)
    }

    fn gives_up(&self, name: &PluginName, hash: ContentHash) {
        if let Some(cold) = self.lock().get_mut(name).filter(|cold| cold.hash == hash) {
            cold.is_given_up = true;
        }
    }

    /// It is there.
    fn comes(&self, name: &PluginName, hash: ContentHash) {
        let mut all = self.lock();
        if all.get(name).is_some_and(|cold| cold.hash == hash) {
            all.remove(name);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PluginName, Cold>> {
        // Each call under the lock leaves the map whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control {
    /// Notes whether a version could be had that somebody goes by. A canary that cannot be for too
    /// long is ended, durably, and what was in its way is shown with its plugin.
    pub(crate) fn was_wanted<T>(
        &self,
        (name, hash): (&PluginName, ContentHash),
        found: &Result<T, String>,
    ) {
        let Err(why) = found else {
            self.cold_canaries.comes(name, hash);
            return;
        };
        let is_canary = || {
            let life = self.loader.lives.of(name);
            life.is_some_and(|life| canary_hash(&life) == Some(hash))
        };
        // A server that closes loads nothing, which says nothing of a canary.
        if self.loader.compiler.is_closing() || !is_canary() {
            return;
        }
        if !self.cold_canaries.fails(name, hash, self.clock.now()) {
            return;
        }
        let short = hash.short();
        let what = format!("version {short} was a canary and could not be loaded: {why}");
        match self.end_cold_canary(name, hash) {
            Ok(false) => {}
            Ok(true) => {
                tracing::error!(plugin = %name, what, "a canary was ended");
                let came = "all go by the version in force";
                self.registry.fails(name, format!("{what}; {came}"));
            }
            Err(why) => {
                let why = why.to_string();
                tracing::error!(plugin = %name, what, why, "a canary cannot be ended");
                self.registry
                    .fails(name, format!("{what}; it cannot be ended: {why}"));
            }
        }
    }

    /// Whether a version was a canary that was given up since it could not be loaded: nobody waits
    /// for it any more.
    pub(crate) fn gave_up(&self, name: &PluginName, hash: ContentHash) -> bool {
        self.cold_canaries.is_given_up(name, hash)
    }

    /// Whether it was ended here.
    fn end_cold_canary(&self, name: &PluginName, hash: ContentHash) -> Result<bool, OrderError> {
        let mut change = self.begin(name)?;
        if canary_hash(&change.life) != Some(hash) {
            return Ok(false);
        }
        self.note_no_canary(&mut change, name, Why::CanaryEnded)?;
        // It is noted, and nobody has heard of it.
        self.cold_canaries.gives_up(name, hash);
        self.tell_no_canary(name);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use types::ManualClock;

    use super::*;
    use crate::guard;
    use crate::life::{Coming, How};
    use crate::limits::Limits;
    use crate::loader::Loader;
    use crate::options::Options;
    use crate::registry::Registry;
    use crate::rollout::RolloutRules;
    use crate::signature::SignatureRules;

    /// Its last words were passed over though it still was the canary.
    #[test]
    fn a_canary_is_given_up_once_its_end_is_noted_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            directory: None,
            keep: dir.path().join("keep"),
            limits: Limits::default(),
            rollout: RolloutRules::default(),
            signatures: SignatureRules::default(),
            grants: Arc::default(),
            cache_key: [7; 32],
            compiler: None,
        };
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        let registry = Arc::new(Registry::new(clock.clone()));
        let loader = Arc::new(Loader::open(&options).unwrap());
        let control = Control::new(registry, loader, clock.clone(), guard::bell().0);
        let name = PluginName::parse("counter").unwrap();
        let [first, second] = [1, 2].map(|byte| Coming {
            hash: ContentHash([byte; 32]),
            component: ContentHash([byte; 32]),
            label: String::new(),
        });
        let canary = second.hash;
        let mut change = control.loader.lives.change(&name).unwrap();
        change.life.take(first, How::File, Timestamp(0));
        change.life.begin_canary(second, 50, Timestamp(0));
        change.keep().unwrap();
        drop(change);
        let is_canary = || {
            let life = control.loader.lives.of(&name).unwrap();
            canary_hash(&life) == Some(canary)
        };
        let fails = || control.was_wanted((&name, canary), &Err::<(), _>("it is gone".to_owned()));
        // A folder that is not empty lies where the note should go.
        let note = options.keep.join("lives").join(name.as_str());
        fs::remove_file(&note).unwrap();
        fs::create_dir_all(note.join("in the way")).unwrap();
        fails();
        clock.advance(TIME_MIN);
        fails();
        fails();
        assert!(is_canary() && !control.gave_up(&name, canary));
        fs::remove_dir_all(&note).unwrap();
        fails();
        assert!(!is_canary() && control.gave_up(&name, canary));
    }

    #[test]
    fn a_canary_is_given_up_after_some_tries_and_some_time_and_another_one_begins_anew() {
        let cold = ColdCanaries::default();
        let name = PluginName::parse("a").unwrap();
        let (first, second) = (ContentHash([1; 32]), ContentHash([2; 32]));
        let at = |seconds: u64| Timestamp(1_000 * seconds);
        // However many ask at the same time.
        assert!((0..100).all(|_| !cold.fails(&name, first, at(5))));
        assert!(!cold.fails(&name, first, at(34)));
        assert!(cold.fails(&name, first, at(35)));
        assert!(!cold.fails(&name, second, at(100)));
        assert!(!cold.fails(&name, second, at(200)));
        assert!(cold.fails(&name, second, at(300)), "the third try");
        cold.comes(&name, second);
        assert!((0..3).all(|_| !cold.fails(&name, second, at(400))));
        assert!(!cold.is_given_up(&name, second));
        cold.gives_up(&name, second);
        assert!(cold.is_given_up(&name, second) && !cold.is_given_up(&name, first));
    }
}
