//! Which version of its plugin a lane works with, and how another one takes its place: it must
//! begin with what the one before keeps, or the one before goes on and the reason is shown.

use std::sync::Arc;

use store::{Position, Transaction};
use streams::pump::{Retry, StepError};
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use wasm::{Absence, Consumer, ContentHash, Fault, Role, Version};

use super::{Lane, Pending};
use crate::application::Versions;
use crate::ground::Ground;
use crate::limits::{PAUSE_MAX, REASON_CHARS_MAX};
use crate::rows::KeptState;
use crate::work::Making;

/// A swap that was worked on.
struct Swapped {
    /// What the version before asked for when it ended.
    effects: Transaction,
    wishes: crate::effects::Wishes,
    /// What the next one goes on with.
    state: Option<KeptState>,
    /// An instance of it.
    instance: Consumer,
}

impl Lane {
    /// The version that worked on the shard last, if it can be had.
    pub(super) async fn version_before(&self) -> Option<Arc<Version>> {
        self.load(self.progress.version?).await.ok()
    }

    /// Takes the version that is wanted. Where that is another than the one at work, hands over
    /// what the one before wants done at its end and answers where the shard stands; `None`: a
    /// batch may be worked on.
    pub(super) async fn choose_version(
        &mut self,
        effects: &mut Transaction,
    ) -> Result<Option<Position>, StepError> {
        let wanted = match self.wanted().await {
            Ok(wanted) => wanted,
            // After a start that is so for a moment, and nothing to be told.
            Err(why) if self.is_loading() => {
                self.retry = Retry::After(PAUSE_MAX);
                return Err(StepError::Failed(why));
            }
            // An operator who takes a plugin away does not want it to go on.
            Err(why) => return Err(self.waits(why)),
        };
        let is_refused = self.refused == Some(wanted.hash());
        let Some(before) = self.version.clone() else {
            return match unfit(&self.ground, &wanted) {
                Some(why) => Err(self.waits(why)),
                None => {
                    self.works_with(wanted);
                    Ok(None)
                }
            };
        };
        if before.hash() == wanted.hash() || is_refused {
            if !is_refused {
                self.shard.show(|shown| shown.swap_refused = None);
            }
            return Ok(None);
        }
        if let Some(why) = unfit(&self.ground, &wanted) {
            self.refuse(&wanted, &why);
            return Ok(None);
        }
        self.swap(before, wanted, effects).await
    }

    /// The version that the application is to work with.
    async fn wanted(&self) -> Result<Arc<Version>, String> {
        let application = self.of.running.application();
        let plugin = &application.plugin;
        match application.versions {
            Versions::Pinned(hash) => {
                let at_work = self
                    .version
                    .clone()
                    .filter(|version| version.hash() == hash);
                match at_work {
                    Some(version) => Ok(version),
                    None => self.load(hash).await.map_err(|why| {
                        format!(
                            "the version {} of {plugin} is not there: {why}",
                            hash.short()
                        )
                    }),
                }
            }
            Versions::Latest => match self.ground.plugins.current(plugin) {
                Some(version) => Ok(version),
                None => {
                    let absence = self.ground.plugins.absence(plugin);
                    let absence = absence.unwrap_or(Absence::Loading);
                    Err(format!("its plugin {plugin} {absence}"))
                }
            },
        }
    }

    /// Whether it is not known yet which version of the plugin is in force. Whoever waits hears of
    /// it.
    fn is_loading(&self) -> bool {
        let plugin = &self.of.running.application().plugin;
        self.ground.plugins.absence(plugin) == Some(Absence::Loading)
    }

    async fn load(&self, hash: ContentHash) -> Result<Arc<Version>, String> {
        let plugins = Arc::clone(&self.ground.plugins);
        let plugin = self.of.running.application().plugin.clone();
        let loaded = spawn_blocking(move || plugins.version(&plugin, hash)).await;
        loaded.map_err(|error| error.to_string())?
    }

    fn works_with(&mut self, version: Arc<Version>) {
        self.shard.show(|shown| {
            shown.version = Some(version.hash().to_string());
            shown.swap_refused = None;
        });
        self.version = Some(version);
        self.refused = None;
    }

    /// The version is not taken, and the one at work goes on.
    fn refuse(&mut self, wanted: &Version, why: &str) {
        let why: String = why.chars().take(REASON_CHARS_MAX).collect();
        let name = self.of.running.application().name.clone();
        let (shard, version) = (&self.of.origin.shard, wanted.hash());
        tracing::warn!(application = %name, shard, ?version, why, "a version was not swapped in");
        self.refused = Some(wanted.hash());
        let why = format!("version {}: {why}", wanted.hash().short());
        self.shard.show(|shown| shown.swap_refused = Some(why));
    }

    /// Puts another version in the place of the one at work.
    async fn swap(
        &mut self,
        before: Arc<Version>,
        wanted: Arc<Version>,
        effects: &mut Transaction,
    ) -> Result<Option<Position>, StepError> {
        let turn = self.of.running.turn(false).await;
        let name = before.name().clone();
        let slot = self.ground.instances.at_rest(self.of.key, &name);
        let mut slot = match slot {
            Some(slot) => slot,
            None => self.ground.instances.slot(self.of.key, &name).await,
        };
        let old = slot.take();
        let making = self.making(&wanted);
        let tables = Arc::clone(&self.ground.tables);
        let swapped = self
            .on_thread(&wanted, move |_| swap_on_thread(old, &making, &tables))
            .await;
        let swapped = match swapped {
            Ok(swapped) => swapped,
            Err(lost) => return Err(self.waits(lost.to_string())),
        };
        let swapped = match swapped {
            Ok(swapped) => swapped,
            Err(unswapped) => match *unswapped {
                (old, Trouble::OfNew(fault)) if is_for_good(&fault) => {
                    slot.put(old);
                    slot.rest();
                    self.refuse(&wanted, &fault.to_string());
                    return Ok(None);
                }
                (_, Trouble::OfNew(fault) | Trouble::OfOld(fault)) => {
                    return Err(self.waits(format!("swap in another version: {fault}")));
                }
                (_, Trouble::Broken(why)) => return Err(self.waits(why)),
            },
        };
        slot.put(Some(swapped.instance));
        let share = swapped.wishes.share;
        let emitted = swapped.wishes.emitted.iter();
        let emitted: u64 = emitted.map(|(_, _, data)| data.len() as u64).sum();
        let emissions = self.ready(swapped.wishes.emitted).await?;
        *effects = swapped.effects;
        let mut progress = self.progress;
        progress.version = Some(wanted.hash());
        progress.counts.emitted += emitted;
        progress.counts.rows += swapped.wishes.rows;
        self.works_with(wanted);
        let pending = Pending {
            to: self.stands_at,
            progress,
            state: Some(swapped.state),
            emissions,
            slot: Some(slot),
            planned: 0,
            first: None,
            last_arrival: None,
            begun: Instant::now(),
            _held: (Some(turn), share),
        };
        self.hand_over(pending, effects).map(Some)
    }
}

/// Whose fault a swap met.
enum Trouble {
    OfNew(Fault),
    OfOld(Fault),
    Broken(String),
}

/// The instance at work, if it can go on, and what stood in the way.
type Unswapped = (Option<Consumer>, Trouble);

/// Lets the next version begin before the one at work hears of it, so that it goes on undisturbed
/// if that does not. Then ends the one at work, and lets the next one begin with what it leaves.
fn swap_on_thread(
    mut old: Option<Consumer>,
    making: &Making,
    tables: &tables::Tables,
) -> Result<Swapped, Box<Unswapped>> {
    making.desk.begin(None);
    let trial = match making.begin() {
        Ok(trial) => trial,
        Err(fault) => return Err(Box::new((old, Trouble::OfNew(fault)))),
    };
    drop(making.desk.leave());
    making.desk.begin(None);
    let mut making = making.clone();
    let mut instance = Some(trial);
    if let Some(mut ending) = old.take() {
        ending.begin(making.moment);
        let ended = ending.shutdown_requested().and_then(|()| ending.snapshot());
        let state = match ended {
            Ok(state) => state,
            Err(fault) => return Err(Box::new((None, Trouble::OfOld(fault)))),
        };
        let state = state.map(|(state_version, bytes)| KeptState {
            state_version,
            bytes,
        });
        if state != making.kept {
            making.kept = state;
            instance = None;
        }
    }
    let instance = match instance {
        Some(instance) => instance,
        None => match making.begin() {
            Ok(instance) => instance,
            Err(fault) => return Err(Box::new((None, Trouble::OfNew(fault)))),
        },
    };
    let mut effects = Transaction::default();
    let wishes = making.desk.take(tables, &mut effects);
    let wishes = wishes.map_err(|error| Box::new((None, Trouble::Broken(error.to_string()))))?;
    Ok(Swapped {
        effects,
        wishes,
        state: making.kept,
        instance,
    })
}

/// Why no instance of a version may work, if none may.
fn unfit(ground: &Ground, version: &Version) -> Option<String> {
    if version.role() != Role::Consumer {
        let (name, world) = (version.name(), version.world_name());
        return Some(format!("the plugin {name} is a {world}, and no consumer"));
    }
    ground.lacking(version.name(), version.manifest())
}

/// Whether a version will not begin the next time either.
fn is_for_good(fault: &Fault) -> bool {
    !matches!(
        fault,
        Fault::NoInstance(_) | Fault::Unavailable(_) | Fault::Stopped | Fault::Retryable(_)
    )
}
