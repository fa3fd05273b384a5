//! How another version of its plugin takes the place of the one at work: it must begin with what
//! the one before keeps, or the one before goes on and the reason is shown. What the one before
//! wants done at its end is in the commit of the swap: neither happens without the other.

use std::sync::Arc;

use store::{Position, Transaction};
use streams::pump::{Here, Pump, PumpError, Retry, Step, StepError};
use tokio::sync::watch;
use tokio::time::Instant;
use wasm::{Consumer, ContentHash, Fault, Role, Version};

use super::Lane;
use super::attempt::Unready;
use super::commits::Pending;
use crate::desk::Wishes;
use crate::ground::Ground;
use crate::limits::{
    LAST_WORDS_PUT_OFF_MAX, LAST_WORDS_TRIES_MAX, PAUSE_MAX, REASON_CHARS_MAX, STATE_MEMORY_BYTES,
};
use crate::memory::Memory;
use crate::rows::KeptState;
use crate::work::Making;

/// What became of the question which version a shard works with.
pub(super) enum Chosen {
    /// The one at work is the one that is wanted, or goes on since that one does not begin.
    Works,
    /// Another one takes its place with the commit of what was handed over; the shard stands there.
    Swapped(Position),
    /// The lane is told to stop.
    Stopped,
}

/// How the version at work took it that another is to take its place.
#[derive(Debug, Default)]
pub(super) struct Endings {
    /// How often it did not end well, by its own fault or since its end could not be committed.
    pub(super) failed: u32,
    /// How often it said that it may end well later.
    put_off: u32,
}

impl Endings {
    /// Whether it is still told that it ends, and what it wants done is done.
    fn are_heard(&self) -> bool {
        self.failed < LAST_WORDS_TRIES_MAX && self.put_off < LAST_WORDS_PUT_OFF_MAX
    }

    /// An operator does not wait for it any more.
    pub(super) fn give_up(&mut self) {
        self.failed = LAST_WORDS_TRIES_MAX;
    }

    fn note(&mut self, fault: &Fault) {
        match fault {
            Fault::Retryable(_) => self.put_off += 1,
            fault => self.failed += u32::from(is_its_own(fault)),
        }
    }
}

/// A swap that was worked on.
struct Swapped {
    /// What the version before asked for when it ended, and the next one when it began.
    effects: Transaction,
    wishes: Wishes,
    /// What the next one goes on with.
    state: Option<KeptState>,
    /// An instance of it.
    instance: Consumer,
}

/// A version that was not swapped in.
#[derive(Clone, Copy)]
pub(super) struct Unfit {
    version: ContentHash,
    /// What was granted then: with more it may be fit.
    grants: u64,
}

impl Lane {
    /// Whether a version was not swapped in, and would not be now.
    pub(super) fn refuses(&self, version: ContentHash) -> bool {
        let grants = self.ground.grants.changes();
        let unfit = self.refused.as_ref();
        unfit.is_some_and(|unfit| unfit.version == version && unfit.grants == grants)
    }

    /// Takes the version that is wanted. Where that is another than the one at work, hands over
    /// what the one before wants done at its end.
    pub(super) async fn choose_version(
        &mut self,
        effects: &mut Transaction,
    ) -> Result<Chosen, StepError> {
        let wanted = match self.wanted().await {
            Ok(Some(wanted)) => wanted,
            Ok(None) => return Ok(Chosen::Stopped),
            // After a start that is so for a moment, and nothing to be told.
            Err(why) if self.is_loading() => {
                self.retry = Retry::After(PAUSE_MAX);
                return Err(StepError::Failed(why));
            }
            // An operator who takes a plugin away does not want it to go on.
            Err(why) => return Err(self.waits(why)),
        };
        let is_refused = self.refuses(wanted.hash());
        if self.endings.are_heard() {
            match self.loads_before(wanted.hash()).await {
                Ok(true) => {}
                Ok(false) => return Ok(Chosen::Stopped),
                Err(why) => return Err(self.waits(why)),
            }
        }
        let Some(before) = self.version.clone() else {
            return match unfit(&self.ground, &wanted) {
                Some(why) => Err(self.waits(why)),
                None => {
                    self.works_with(wanted);
                    Ok(Chosen::Works)
                }
            };
        };
        if before.hash() == wanted.hash() {
            // What was granted to it when it began may not be any more.
            if let Some(why) = unfit(&self.ground, &wanted) {
                return Err(self.waits(why));
            }
            self.shard.show(|shown| shown.swap_refused = None);
            // It may have been loaded again meanwhile: what it does counts for the one that is
            // shown, and on trial.
            self.version = Some(wanted);
            self.endings = Endings::default();
            return Ok(Chosen::Works);
        }
        if is_refused {
            return self.goes_on(&before);
        }
        if let Some(why) = unfit(&self.ground, &wanted) {
            self.refuse(&wanted, &why);
            return self.goes_on(&before);
        }
        self.swap((before, wanted), effects).await
    }

    pub(super) fn works_with(&mut self, version: Arc<Version>) {
        self.shard.show(|shown| {
            shown.version = Some(version.hash().to_string());
            shown.swap_refused = None;
        });
        self.version = Some(version);
        (self.refused, self.endings) = (None, Endings::default());
    }

    /// The version is not taken, and the one at work goes on.
    fn refuse(&mut self, wanted: &Version, why: &str) {
        let why: String = why.chars().take(REASON_CHARS_MAX).collect();
        let name = self.of.running.application().name.clone();
        let (shard, version) = (&self.of.origin.shard, wanted.hash());
        tracing::warn!(application = %name, shard, ?version, why, "a version was not swapped in");
        self.refused = Some(Unfit {
            version: wanted.hash(),
            grants: self.ground.grants.changes(),
        });
        self.endings = Endings::default();
        let why = format!("version {}: {why}", wanted.hash().short());
        self.shard.show(|shown| shown.swap_refused = Some(why));
    }

    /// The version at work goes on, unless it was loaded only to be finished.
    fn goes_on(&mut self, before: &Version) -> Result<Chosen, StepError> {
        if self.ground.plugins.permits(before) {
            return Ok(Chosen::Works);
        }
        let short = before.hash().short();
        Err(self.waits(format!(
            "another version does not take the place of {short}, which has no signature that is \
             trusted and begins nothing"
        )))
    }

    /// Swaps in the version that is wanted while no record is there to be worked on.
    ///
    /// # Errors
    /// As a pump's.
    pub async fn swap_at_rest(
        &mut self,
        pump: &mut Pump,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), PumpError> {
        let mut effects = Transaction::default();
        let error = match self.swap_if_wanted(&mut effects).await {
            Ok(Chosen::Works | Chosen::Stopped) => return Ok(()),
            Ok(Chosen::Swapped(_)) => match pump.commit_here(effects, stop).await? {
                Here::Done => {
                    self.committed(pump.version());
                    return Ok(());
                }
                Here::NotDone => StepError::Failed("it was kept otherwise".to_owned()),
                Here::Refused(error) => StepError::Refused(error),
            },
            Err(error) => error,
        };
        self.rests_after(&error, stop).await;
        Ok(())
    }

    async fn swap_if_wanted(&mut self, effects: &mut Transaction) -> Result<Chosen, StepError> {
        self.settle_pending().await?;
        if self.shard.takes_skip() {
            self.skips_next();
        }
        self.choose_version(effects).await
    }

    /// Puts another version in the place of the one at work.
    async fn swap(
        &mut self,
        (before, wanted): (Arc<Version>, Arc<Version>),
        effects: &mut Transaction,
    ) -> Result<Chosen, StepError> {
        let Some(turn) = self.turn().await else {
            return Ok(Chosen::Stopped);
        };
        let Some(memory) = self.memory_of_words().await else {
            return Ok(Chosen::Stopped);
        };
        let Some(mut slot) = self.slot(before.name()).await else {
            return Ok(Chosen::Stopped);
        };
        let Some(turn) = self.reserving(turn).await? else {
            return Ok(Chosen::Stopped);
        };
        let kept = self.kept_state().await?;
        // It has failed too often, or an operator does not wait for it any more.
        let is_heard = self.endings.are_heard();
        let swap = Swap {
            old: slot.take(),
            ending: is_heard.then(|| self.making(&before, kept.clone())),
            making: self.making(&wanted, kept),
            tables: Arc::clone(&self.ground.tables),
        };
        let swapped = self.on_thread(&wanted, move |_| swap.work(memory)).await;
        let swapped = match swapped {
            Ok(Some(Ok(swapped))) => swapped,
            Ok(None) => return Ok(Chosen::Stopped),
            Ok(Some(Err(unswapped))) => {
                let (old, trouble) = *unswapped;
                slot.put(old);
                slot.rest();
                return self.is_not_swapped((&before, &wanted), trouble);
            }
            Err(lost) => return Err(self.waits(lost.to_string())),
        };
        slot.put(Some(swapped.instance));
        let emitted = swapped.wishes.emitted.iter();
        let emitted: u64 = emitted.map(|(_, _, data)| data.len() as u64).sum();
        let emissions = match self.ready(swapped.wishes.emitted).await {
            Ok(Some(emissions)) => emissions,
            Ok(None) => return Ok(Chosen::Stopped),
            Err(Unready::Refused(why)) => {
                self.endings.failed += 1;
                self.stumbles(&wanted, 1);
                return Err(self.waits(why));
            }
            // No fault of a version's, so that no trial hears of it.
            Err(Unready::NotNow(why)) => return Err(self.waits(why)),
            Err(Unready::OverRate { why, wait }) => return Err(self.is_over_rate(why, wait)),
        };
        *effects = swapped.effects;
        let mut progress = self.progress;
        progress.version = Some(wanted.hash());
        progress.counts.emitted += emitted;
        progress.counts.rows += swapped.wishes.rows;
        if !is_heard {
            let name = self.of.running.application().name.clone();
            let shard = &self.of.origin.shard;
            tracing::error!(application = %name, shard, ?before, "a version ends and is not heard");
        }
        let pending = Pending {
            state: Some(swapped.state),
            emissions,
            slot: Some(slot),
            swapped: Some(wanted),
            is_unheard: !is_heard,
            begun: Instant::now(),
            _held: (Some(turn), swapped.wishes.memory),
            ..self.without_batch(self.stands_at, progress)
        };
        self.hand_over(pending, effects).map(Chosen::Swapped)
    }

    fn is_not_swapped(
        &mut self,
        (before, wanted): (&Version, &Version),
        trouble: Trouble,
    ) -> Result<Chosen, StepError> {
        if let Some(lacked) = self.desk.lacked() {
            return Err(self.lacks(lacked));
        }
        let why = match trouble {
            Trouble::OfNew(Fault::Stopped) | Trouble::OfOld(Fault::Stopped) => {
                return Err(self.gave_its_turn());
            }
            Trouble::OfNew(fault) if is_for_good(&fault) => {
                self.refuse(wanted, &fault.to_string());
                return self.goes_on(before);
            }
            Trouble::OfNew(fault) => {
                if is_its_own(&fault) {
                    self.stumbles(wanted, 1);
                }
                fault.to_string()
            }
            Trouble::OfOld(fault) => {
                self.endings.note(&fault);
                let version = before.hash().short();
                format!("the version before, {version}, does not end: {fault}")
            }
            Trouble::Broken(why) => why,
        };
        Err(self.waits(format!("swap in another version: {why}")))
    }

    /// Waits for the memory of a call without records. `None` if the stop comes before.
    pub(super) async fn memory_of_words(&self) -> Option<Memory> {
        let mut memory = self
            .memory(STATE_MEMORY_BYTES.max(self.bytes_wanted))
            .await?;
        memory.begins_with(STATE_MEMORY_BYTES);
        Some(memory)
    }
}

/// A swap on a thread of guests.
struct Swap {
    /// The instance at work, if there is one.
    old: Option<Consumer>,
    /// What one is made of that hears that it ends; `None`: none does.
    ending: Option<Making>,
    /// What the next one is made of.
    making: Making,
    tables: Arc<tables::Tables>,
}

/// Whose fault a swap met.
enum Trouble {
    OfNew(Fault),
    OfOld(Fault),
    Broken(String),
}

/// The instance at work, if it can go on, and what stood in the way.
type Unswapped = Box<(Option<Consumer>, Trouble)>;

impl Swap {
    /// Lets the next version begin before the one at work hears of it, so that it goes on
    /// undisturbed if that does not. Then ends the one at work, and lets the next one begin with
    /// what it leaves.
    fn work(mut self, memory: Memory) -> Result<Swapped, Unswapped> {
        let desk = self.making.desk.clone();
        desk.begin(memory);
        let trial = self.making.begin();
        // What it wrote is what the one that stays writes once more.
        let (_, memory) = desk.leave();
        if let Err(fault) = trial {
            return Err(Box::new((self.old, Trouble::OfNew(fault))));
        }
        drop(trial);
        desk.begin(memory);
        let swapped = self.end_and_begin();
        swapped.map_err(|trouble| {
            desk.leave();
            Box::new((None, trouble))
        })
    }

    fn end_and_begin(&mut self) -> Result<Swapped, Trouble> {
        if let Some(ending) = &self.ending {
            let state = last_words(self.old.take(), ending).map_err(Trouble::OfOld)?;
            self.making.kept = state;
        }
        self.old = None;
        let instance = self.making.begin().map_err(Trouble::OfNew)?;
        let mut effects = Transaction::default();
        let wishes = self.making.desk.take(&self.tables, &mut effects);
        let wishes = wishes.map_err(|error| Trouble::Broken(error.to_string()))?;
        Ok(Swapped {
            effects,
            wishes,
            state: self.making.kept.take(),
            instance,
        })
    }
}

/// Tells an instance that it ends, or one that goes on with what is kept; what it leaves.
fn last_words(old: Option<Consumer>, making: &Making) -> Result<Option<KeptState>, Fault> {
    let mut ending = match old {
        Some(mut ending) => {
            ending.begin(making.moment);
            ending
        }
        None => making.begin()?,
    };
    ending.shutdown_requested()?;
    let state = ending.snapshot()?;
    Ok(state.map(|(state_version, bytes)| KeptState {
        state_version,
        bytes,
    }))
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
    is_its_own(fault) && !matches!(fault, Fault::Retryable(_))
}

/// Whether a fault is the version's, and not the server's.
fn is_its_own(fault: &Fault) -> bool {
    !matches!(
        fault,
        Fault::NoInstance(_) | Fault::Unavailable(_) | Fault::Stopped
    )
}
