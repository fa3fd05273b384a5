//! Profiles: where a plugin spends its time, sampled from within its own calls. An instance asks,
//! each time that it is looked at (see `call_time`), whether its plugin is being profiled, and if
//! so notes the stack of its guest. So instances that are at work when a profile begins are in it
//! like those that are made afterwards, and one that nobody profiles has nothing to carry.
//!
//! While a profile lasts, guests are looked at every millisecond. Only functions of the plugin's
//! own component are on such a stack; nothing of the host or of records is.

mod gathered;
mod processed;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use types::Timestamp;
use wasmtime::{AsContext, WasmBacktrace};

use self::gathered::Gathered;
use crate::call_clock::processor_time;
use crate::control::Control;
use crate::guest_log::GuestLog;
use crate::name::PluginName;
use crate::plugin_costs::PluginCosts;
use crate::runtime::ProfileTicks;

pub use processed::Profile;

/// The pace at which guests are looked at while a profile lasts.
pub(crate) const SAMPLE_PAUSE: Duration = Duration::from_millis(1);
/// Profiles that may be under way at a time, over all plugins; each takes a few megabytes. One more
/// is refused.
pub(crate) const PROFILES_MAX: usize = 4;

/// The profile of a plugin that is under way, if one is.
#[derive(Default)]
pub(crate) struct Profiling {
    /// Looked at by every instance; whoever finds it set takes the lock.
    is_on: AtomicBool,
    gathered: Mutex<Option<Box<Gathered>>>,
}

impl fmt::Debug for Profiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_on = self.is_on.load(Ordering::Relaxed);
        write!(f, "Profiling({is_on})")
    }
}

/// Why no profile begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotProfiled {
    /// There is no plugin of that name.
    NoPlugin,
    /// One of it is under way.
    UnderWay,
    /// As many are under way as may be.
    TooMany,
}

/// A profile that is being taken, until this is dropped or ended.
pub struct ProfileUnderWay {
    plugin: PluginName,
    costs: Arc<PluginCosts>,
    began: Timestamp,
    since: Instant,
    is_ended: bool,
    _ticks: ProfileTicks,
}

impl Profiling {
    /// Whether the plugin is being profiled.
    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Notes the stack of a guest. Called on the thread of the call, while the guest is
    /// interrupted.
    pub(crate) fn look(&self, store: impl AsContext, log: &GuestLog) {
        let stack = WasmBacktrace::force_capture(store);
        // A thread without a clock is noted as one that took nothing.
        let processor = processor_time().unwrap_or_default();
        if let Some(gathered) = &mut *self.lock() {
            gathered.sample(log.version(), processor, stack.frames());
        }
    }

    /// Begins; false if one is under way.
    fn begin(&self, since: Instant) -> bool {
        let mut gathered = self.lock();
        if gathered.is_some() {
            return false;
        }
        *gathered = Some(Box::new(Gathered::new(since)));
        self.is_on.store(true, Ordering::Relaxed);
        true
    }

    fn end(&self) -> Option<Box<Gathered>> {
        let mut gathered = self.lock();
        self.is_on.store(false, Ordering::Relaxed);
        gathered.take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<Gathered>>> {
        // A sample that was half added is of no harm to the others: its columns are added last.
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control {
    /// Begins a profile of a plugin, over all its versions and whoever they work for.
    pub(crate) fn profile(&self, name: &PluginName) -> Result<ProfileUnderWay, NotProfiled> {
        let plugin = self.registry.find(name).ok_or(NotProfiled::NoPlugin)?;
        let ticks = self.loader.runtime.profile_ticks();
        let ticks = ticks.ok_or(NotProfiled::TooMany)?;
        let since = Instant::now();
        if !plugin.costs.profiling.begin(since) {
            return Err(NotProfiled::UnderWay);
        }
        Ok(ProfileUnderWay {
            plugin: name.clone(),
            costs: plugin.costs,
            began: self.clock.now(),
            since,
            is_ended: false,
            _ticks: ticks,
        })
    }
}

impl ProfileUnderWay {
    /// Ends the profile. What was sampled since it began. Takes a moment where that is much.
    pub fn end(mut self) -> Profile {
        self.is_ended = true;
        let gathered = self.costs.profiling.end();
        let lasted = self.since.elapsed();
        let gathered = gathered.unwrap_or_else(|| Box::new(Gathered::new(self.since)));
        Profile::of(&self.plugin, self.began, lasted, *gathered)
    }
}

impl Drop for ProfileUnderWay {
    fn drop(&mut self) {
        // Whoever asked for it may be gone. Another one may have begun since one was ended.
        if !self.is_ended {
            drop(self.costs.profiling.end());
        }
    }
}
