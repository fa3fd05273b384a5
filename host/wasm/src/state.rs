//! What the host keeps for one instance, and the answers to what the guest calls.

use std::sync::Arc;

use types::Timestamp;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::bindings::{context, types as wit_types};
use crate::call_counts::CallCounts;
use crate::call_time::CallTime;
use crate::columns::BatchColumns;
use crate::effect_access::EffectAccess;
use crate::fault::{Panic, Told};
use crate::grant_book::{Asked, CallGrant, GrantBook};
use crate::guest_log::GuestLog;
use crate::http_url::HttpUrl;
use crate::limit_reached::LimitReached;
use crate::limits::CallLimits;
use crate::manifest::Manifest;
use crate::memory_limits::MemoryLimits;
use crate::moment::Moment;
use crate::name::PluginName;
use crate::plugin_costs::PluginCosts;
use crate::printed::Prints;
use crate::sealed;
use crate::version::Version;
use crate::workplace::Workplace;

/// The data of a store.
pub(crate) struct State {
    pub(crate) memory_limits: MemoryLimits,
    limits: CallLimits,
    wasi: WasiCtx,
    table: ResourceTable,
    log: Arc<GuestLog>,
    /// Where it works, if that is known: its lines say so.
    workplace: Option<Arc<Workplace>>,
    costs: Option<Arc<PluginCosts>>,
    manifest: Arc<Manifest>,
    now: Timestamp,
    prints: Prints,
    panic: Option<Panic>,
    host_calls_left: u32,
    pub(crate) call_time: CallTime,
    /// What is known of the records of the batch at work.
    pub(crate) columns: Option<BatchColumns>,
    pub(crate) effects: EffectAccess,
    grants: Arc<GrantBook>,
    counts: Arc<CallCounts>,
    /// Whether calls over HTTP are made: not before its first batch, and not where nobody shall see
    /// its work.
    pub(crate) may_call: bool,
    is_apart: bool,
    /// Calls over HTTP during the batch at work.
    pub(crate) http_calls: u32,
}

impl State {
    pub(crate) fn new(
        version: &Version,
        (moment, limits): (Moment, CallLimits),
        workplace: Option<Arc<Workplace>>,
    ) -> Self {
        let log = version.log();
        let prints = Prints::to((log, workplace.as_ref()), limits.host_calls_max);
        Self {
            memory_limits: MemoryLimits::new(&limits),
            limits,
            wasi: sealed::context(moment, &prints, &limits),
            table: ResourceTable::new(),
            log: Arc::clone(log),
            workplace,
            costs: version.costs(),
            manifest: Arc::clone(version.shared_manifest()),
            now: moment.now,
            prints,
            panic: None,
            host_calls_left: limits.host_calls_max,
            call_time: CallTime::default(),
            columns: None,
            effects: EffectAccess::new(&limits),
            counts: version.runtime().grants.counts_of(version.name()),
            grants: Arc::clone(&version.runtime().grants),
            may_call: false,
            is_apart: false,
            http_calls: 0,
        }
    }

    /// From now on the guest's clocks show another moment, and its random numbers are made of that.
    pub(crate) fn begin_moment(&mut self, moment: Moment) {
        self.now = moment.now;
        self.wasi = sealed::context(moment, &self.prints, &self.limits);
    }

    /// A new batch of so many records may call the host anew.
    pub(crate) fn begin_batch(&mut self, records: u32) {
        self.host_calls_left = self.limits.host_calls_max;
        self.panic = None;
        self.may_call = !self.is_apart;
        self.http_calls = 0;
        self.prints.begin_batch();
        self.effects.begin_batch(records, &self.limits);
    }

    /// Where its plugin is profiled, if that is one of a server, and what tells its version.
    pub(crate) fn profiling(&self) -> Option<(Arc<PluginCosts>, Arc<GuestLog>)> {
        let costs = self
            .costs
            .as_ref()
            .filter(|costs| costs.profiling.is_on())?;
        Some((Arc::clone(costs), Arc::clone(&self.log)))
    }

    pub(crate) fn limits(&self) -> &CallLimits {
        &self.limits
    }

    /// What the guest said of its end, once its call has ended with an error.
    pub(crate) fn told(&mut self) -> Told {
        Told {
            panic: self.panic.take(),
            last_words: self.prints.last_words(),
        }
    }

    /// Where what the guest says goes.
    pub(crate) fn log(&self) -> &GuestLog {
        &self.log
    }

    /// What the guest is told that asks for a secret.
    pub(crate) fn secret(&self, name: &str) -> Asked {
        self.grants.secret(&self.manifest, name)
    }

    /// Nobody shall see its work: it makes no calls.
    pub(crate) fn set_apart(&mut self) {
        self.is_apart = true;
    }

    /// Who makes a call to a server, and to which addresses.
    ///
    /// # Errors
    /// Why the call may not be made.
    pub(crate) fn call_grant(&self, url: &HttpUrl) -> Result<CallGrant, String> {
        self.grants.call(&self.manifest, url)
    }

    pub(crate) fn counts(&self) -> &Arc<CallCounts> {
        &self.counts
    }

    pub(crate) fn plugin(&self) -> &PluginName {
        &self.manifest.name
    }

    /// How often the guest called the host during this batch.
    pub(crate) fn host_calls(&self) -> u32 {
        self.limits.host_calls_max - self.host_calls_left
    }

    pub(crate) fn host_call(&mut self) -> wasmtime::Result<()> {
        match self.host_calls_left.checked_sub(1) {
            Some(left) => {
                self.host_calls_left = left;
                Ok(())
            }
            None => Err(LimitReached::HostCalls(self.limits.host_calls_max).into()),
        }
    }
}

impl context::Host for State {
    fn log(&mut self, level: context::Level, message: String) -> wasmtime::Result<()> {
        self.host_call()?;
        self.log.line(level, &message, self.workplace.as_ref());
        Ok(())
    }

    fn counter(&mut self, name: String, by: u64) -> wasmtime::Result<()> {
        self.host_call()?;
        self.log.count(&name, by);
        Ok(())
    }

    fn config(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        self.host_call()?;
        Ok(self.manifest.config.get(&key).cloned())
    }

    fn now_ms(&mut self) -> wasmtime::Result<u64> {
        self.host_call()?;
        Ok(self.now.0)
    }

    fn panicked(
        &mut self,
        record: Option<u32>,
        message: String,
        location: String,
    ) -> wasmtime::Result<()> {
        // The first is not counted: a panic with the last call is told all the same.
        if self.panic.is_some() {
            self.host_call()?;
        }
        let text = match location.as_str() {
            "" => format!("with: {message}"),
            place => format!("at {place}: {message}"),
        };
        let text = self.log.told(&text);
        self.panic = Some(Panic { record, text });
        Ok(())
    }
}

impl wit_types::Host for State {}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}
