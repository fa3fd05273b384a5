//! One running copy of a version: a store with its memory, whatever it is for.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{AsContextMut, PoolConcurrencyLimitError, Store};

use crate::bindings::types::Fault as WitFault;
use crate::call_time::LOOK_TICKS;
use crate::fault::Fault;
use crate::fault_kind::FaultKind;
use crate::guest_log::GuestLog;
use crate::guest_turns::current_turn;
use crate::instance_shares::InstanceShare;
use crate::limit_reached::LimitReached;
use crate::limits::CallLimits;
use crate::moment::Moment;
use crate::plugin_costs::AccountCosts;
use crate::role::Role;
use crate::state::State;
use crate::version::Version;
use crate::workplace::Workplace;
use crate::world::Exports;

/// A copy of a version, begun. Whatever a guest keeps in its memory lives as long as this.
pub(crate) struct Running {
    version: Arc<Version>,
    limits: CallLimits,
    pub(crate) store: Store<State>,
    exports: Exports,
    /// Where what is done for its account is counted.
    payer: Option<Arc<AccountCosts>>,
    // Counts until the store is gone.
    _share: InstanceShare,
}

/// What an instance took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    /// What is left of its fuel, where that is counted.
    pub(crate) fuel_left: Option<u64>,
    /// Bytes of all its memories.
    pub(crate) memory_bytes: usize,
    /// Calls to the host during the last batch.
    pub(crate) host_calls: u32,
}

impl Running {
    /// Makes an instance that may use so much, whatever is configured now, and lets the plugin
    /// prepare it. Blocks for as long as the guest may take.
    ///
    /// # Errors
    /// [`Fault::NoInstance`] when there are as many as there can be, or as this plugin may have, or
    /// this build gives none so much; any other when the guest did not begin.
    pub(crate) fn start(
        version: &Arc<Version>,
        (moment, limits): (Moment, CallLimits),
        workplace: Option<Arc<Workplace>>,
    ) -> Result<Self, Fault> {
        if let Some(excess) = limits.excess() {
            return Err(Fault::NoInstance(format!("it was begun with {excess}")));
        }
        let runtime = version.runtime();
        let account = current_turn().map(|turn| turn.account());
        let share = runtime.shares.take(version.name(), account);
        let share = share.map_err(Fault::NoInstance)?;
        let payer = payer(version, workplace.as_deref());
        let mut store = make_store(version, (moment, limits), workplace);
        let time = limits.batch_time_max;
        begin_call(&mut store, time);
        let ticking = runtime.ticking();
        let started = begin(version, &mut store);
        drop(ticking);
        end_call(&mut store, (version, payer.as_deref()));
        let exports = started.map_err(|why| {
            version.count(|counters| counters.starts_failed.add(1));
            match why {
                Begun::Trapped(error) if error.is::<PoolConcurrencyLimitError>() => {
                    Fault::NoInstance(error.to_string())
                }
                Begun::Trapped(error) => failed(version, &error, time, &mut store),
                Begun::Refused(text) => {
                    let fault = Fault::NotReady(format!("init: {text}"));
                    count_fault(version, &fault);
                    fault
                }
            }
        })?;
        Ok(Self {
            version: Arc::clone(version),
            limits,
            store,
            exports,
            payer,
            _share: share,
        })
    }

    /// The same for a version that must be for this.
    pub(crate) fn start_as(
        role: Role,
        version: &Arc<Version>,
        with: (Moment, CallLimits),
        workplace: Option<Arc<Workplace>>,
    ) -> Result<Self, Fault> {
        if version.role() == role {
            return Self::start(version, with, workplace);
        }
        let world = version.world_name();
        let wanted = match role {
            Role::Transform => "transforms no records",
            Role::Consumer => "consumes no streams",
        };
        Err(Fault::NotReady(format!(
            "{} is a {world}: it {wanted}",
            version.name()
        )))
    }

    pub(crate) fn version(&self) -> &Arc<Version> {
        &self.version
    }

    pub(crate) fn limits(&self) -> &CallLimits {
        &self.limits
    }

    /// How much of a processor's time the last call took.
    pub(crate) fn took(&self) -> Duration {
        self.store.data().call_time.took()
    }

    /// What it took so far.
    pub(crate) fn spent(&self) -> Spent {
        let state = self.store.data();
        Spent {
            fuel_left: self.store.get_fuel().ok(),
            memory_bytes: state.memory_limits.memory_bytes(),
            host_calls: state.host_calls(),
        }
    }

    /// Calls into the guest, which may take so long.
    ///
    /// # Errors
    /// What the call ended with. The instance is of no use after that.
    pub(crate) fn call<T>(
        &mut self,
        time: Duration,
        call: impl FnOnce(&Exports, &mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T, Fault> {
        begin_call(&mut self.store, time);
        if let Some(turn) = current_turn() {
            turn.called(self.version.manifest().limits.cpu_ms_per_second);
        }
        let ticking = self.version.runtime().ticking();
        let called = call(&self.exports, &mut self.store);
        drop(ticking);
        end_call(&mut self.store, (&self.version, self.payer.as_deref()));
        called.map_err(|error| failed(&self.version, &error, time, &mut self.store))
    }

    /// Counts a batch of so many records, with what came of it and how long it took.
    pub(crate) fn count_batch(&self, records: u64, fault: Option<&Fault>, took: Duration) {
        if let Some(payer) = &self.payer {
            payer.called(records);
        }
        self.version
            .count(|counters| counters.called(records, fault, took));
        // What ended the call itself was counted with it.
        if let Some(
            told @ (Fault::Answer(_)
            | Fault::Doubled(_)
            | Fault::Retryable(_)
            | Fault::Permanent(_)),
        ) = fault
        {
            count_fault(&self.version, told);
        }
    }

    /// Counts what the guest told of itself outside of a batch, and hands it on.
    pub(crate) fn told_fault(&self, fault: Fault) -> Fault {
        count_fault(&self.version, &fault);
        fault
    }

    /// What a guest says, as it is shown and kept.
    pub(crate) fn told(&self, text: &str) -> String {
        self.version.log().told(text)
    }

    /// What the plugin says that it is called, and its version.
    pub(crate) fn describe(&mut self) -> Result<(String, String), Fault> {
        let time = self.limits.batch_time_max;
        let said = self.call(time, |exports, store| {
            exports.lifecycle.call_describe(store)
        })?;
        Ok((self.told(&said.name), self.told(&said.version)))
    }
}

/// A store whose guest is bounded.
fn make_store(
    version: &Arc<Version>,
    (moment, limits): (Moment, CallLimits),
    workplace: Option<Arc<Workplace>>,
) -> Store<State> {
    let runtime = version.runtime();
    let mut store = Store::new(
        &runtime.engine,
        State::new(version, (moment, limits), workplace),
    );
    runtime.fill(&mut store);
    if version.is_apart() {
        store.data_mut().set_apart();
    }
    store.limiter(|state| &mut state.memory_limits);
    store.set_hostcall_fuel(limits.output_bytes_max);
    store
        .as_context_mut()
        .set_max_component_handles(limits.handles_max);
    store.epoch_deadline_callback(|mut store| {
        if let Some((costs, log)) = store.data().profiling() {
            costs.profiling.look(&store, &log);
        }
        store.data_mut().call_time.look()
    });
    store
}

fn payer(version: &Version, workplace: Option<&Workplace>) -> Option<Arc<AccountCosts>> {
    let costs = version.costs()?;
    Some(costs.of_account(workplace?.account))
}

/// Counts what a call took that has ended.
fn end_call(store: &mut Store<State>, (version, payer): (&Version, Option<&AccountCosts>)) {
    let state = store.data_mut();
    state.call_time.end();
    let (took, bytes) = (state.call_time.took(), state.memory_limits.memory_bytes());
    version.count(|counters| counters.spent(took, bytes));
    if let Some(payer) = payer {
        payer.spent(took);
    }
}

/// What came of a call that ended with an error, which is counted.
fn failed(
    version: &Version,
    error: &wasmtime::Error,
    time: Duration,
    store: &mut Store<State>,
) -> Fault {
    let state = store.data_mut();
    let (told, limits) = (state.told(), *state.limits());
    let fault = Fault::of(error, time, &limits, told);
    let reached = LimitReached::of(error, &limits);
    if let Some(kind) = FaultKind::of(&fault, reached.as_ref()) {
        version.count(|counters| counters.failed_with(kind));
    }
    fault
}

fn count_fault(version: &Version, fault: &Fault) {
    if let Some(kind) = FaultKind::of(fault, None) {
        version.count(|counters| counters.failed_with(kind));
    }
}

/// From now on the guest may take so long.
fn begin_call(store: &mut Store<State>, time_max: Duration) {
    store.data_mut().call_time.begin(time_max);
    store.set_epoch_deadline(LOOK_TICKS);
}

enum Begun {
    Trapped(wasmtime::Error),
    Refused(String),
}

impl From<wasmtime::Error> for Begun {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trapped(error)
    }
}

fn begin(version: &Version, store: &mut Store<State>) -> Result<Exports, Begun> {
    let exports = version.world().instantiate(store)?;
    let begun = exports.lifecycle.call_init(store)?;
    begun.map_err(|text| Begun::Refused(version.log().told(&text)))?;
    Ok(exports)
}

/// What a guest says of a batch as a whole.
pub(crate) fn fault_told(log: &GuestLog, fault: &WitFault) -> Fault {
    match fault {
        WitFault::Retryable(text) => Fault::Retryable(log.told(text)),
        WitFault::Permanent(text) => Fault::Permanent(log.told(text)),
    }
}
