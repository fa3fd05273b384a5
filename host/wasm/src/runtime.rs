//! The one wasmtime engine of the process, what it allows, and the clock that interrupts guests.

use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{
    Config, Engine, EngineWeak, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    Store,
};

use crate::bindings::{
    checkpoint, context, emit, http, records, secrets, table, types as wit_types,
};
use crate::grant_book::GrantBook;
use crate::instance_shares::InstanceShares;
use crate::limits::{
    CORE_INSTANCES_PER_COMPONENT_MAX, INSTANCES_MAX, MEMORIES_PER_COMPONENT_MAX, MEMORY_SLOT_BYTES,
    STACK_BYTES, TABLE_ELEMENTS_MAX, TABLES_PER_COMPONENT_MAX, TICK,
};
use crate::profiling::{PROFILES_MAX, SAMPLE_PAUSE};
use crate::state::State;
use crate::wasi;

/// Bytes of an instance's own bookkeeping.
const INSTANCE_BYTES_MAX: usize = 1024 * 1024;
/// Memory and table bytes of a slot that stay resident when it is given back: a new instance in it
/// is then cleared by writing and not by the kernel.
const MEMORY_KEPT_BYTES: usize = 1024 * 1024;
const TABLE_KEPT_BYTES: usize = 64 * 1024;

/// Functions of a guest's stack that are told of one that trapped or is profiled: the innermost.
/// What called them is left out, since a guest may be thousands deep in itself.
const STACK_FRAMES_MAX: usize = 64;

/// How often an idle clock looks whether its engine is still there: nobody wakes it when that goes.
const ENGINE_LOOK: Duration = Duration::from_secs(1);

/// The engine with everything that guests may import linked.
pub(crate) struct Runtime {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<State>,
    pub(crate) shares: Arc<InstanceShares>,
    /// What plugins are granted.
    pub(crate) grants: Arc<GrantBook>,
    purpose: Purpose,
    ticker: Arc<Ticker>,
}

/// What an engine is for, which decides how code is made for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Records of deliveries.
    #[default]
    Production,
    /// An author's trials: what a guest executes is counted, the same on every machine, and every
    /// instruction costs more for it.
    Metered,
}

impl Runtime {
    pub(crate) fn new(purpose: Purpose, grants: Arc<GrantBook>) -> wasmtime::Result<Self> {
        let engine = Engine::new(&running_config(purpose))?;
        let mut linker = Linker::new(&engine);
        wit_types::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
        context::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
        records::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
        http::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
        secrets::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
        // What consumers have and others do not: see `world`.
        checkpoint::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
        table::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
        emit::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
        wasi::add_to_linker(&mut linker)?;
        let ticker = Arc::new(Ticker::default());
        let (clock, weak) = (Arc::clone(&ticker), engine.weak());
        thread::Builder::new()
            .name("millrace-tick".to_owned())
            .spawn(move || clock.run(&weak))?;
        Ok(Self {
            engine,
            linker,
            shares: Arc::default(),
            grants,
            purpose,
            ticker,
        })
    }

    /// Gives a new store all the fuel that can be: it is counted, and never runs out.
    pub(crate) fn fill<T>(&self, store: &mut Store<T>) {
        if self.purpose == Purpose::Metered
            && let Err(error) = store.set_fuel(u64::MAX)
        {
            // Its guest traps at once, and says why.
            tracing::error!(%error, "fill a store of a metered engine");
        }
    }

    /// Ticks for as long as the answer lives.
    pub(crate) fn ticking(&self) -> Ticking<'_> {
        self.ticker.lock().guests += 1;
        self.ticker.wake.notify_one();
        Ticking(&self.ticker)
    }

    /// Ticks faster, whether or not a guest runs, for as long as the answer lives; `None` if as
    /// many profiles are under way as may be.
    pub(crate) fn profile_ticks(&self) -> Option<ProfileTicks> {
        let mut wanted = self.ticker.lock();
        if wanted.profiles >= PROFILES_MAX {
            return None;
        }
        wanted.profiles += 1;
        drop(wanted);
        self.ticker.wake.notify_one();
        Some(ProfileTicks(Arc::clone(&self.ticker)))
    }
}

/// An engine whose code every [`Runtime`] takes, and that runs nothing: it does without the pool,
/// whose reservation of address space is far above what a compiler may have.
pub(crate) fn compiling_engine(purpose: Purpose) -> wasmtime::Result<Engine> {
    Engine::new(&code_config(purpose))
}

/// What instances are made of, beside what decides how code is made.
fn running_config(purpose: Purpose) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    // Each instance may be of a component that has as much as one may have, so that none that may
    // be there lacks a part.
    let core_instances = INSTANCES_MAX * CORE_INSTANCES_PER_COMPONENT_MAX;
    pool.total_component_instances(INSTANCES_MAX)
        .max_component_instance_size(INSTANCE_BYTES_MAX)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT_MAX)
        .total_core_instances(core_instances)
        .max_core_instance_size(INSTANCE_BYTES_MAX)
        .total_memories(INSTANCES_MAX * MEMORIES_PER_COMPONENT_MAX)
        .max_memories_per_component(MEMORIES_PER_COMPONENT_MAX)
        .max_memories_per_module(MEMORIES_PER_COMPONENT_MAX)
        .max_memory_size(MEMORY_SLOT_BYTES)
        .linear_memory_keep_resident(MEMORY_KEPT_BYTES)
        .total_tables(INSTANCES_MAX * TABLES_PER_COMPONENT_MAX)
        .max_tables_per_component(TABLES_PER_COMPONENT_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .table_keep_resident(TABLE_KEPT_BYTES);
    let mut config = code_config(purpose);
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .wasm_backtrace_max_frames(NonZeroUsize::new(STACK_FRAMES_MAX));
    config
}

/// What decides how code is made.
fn code_config(purpose: Purpose) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .consume_fuel(purpose == Purpose::Metered)
        .max_wasm_stack(STACK_BYTES)
        .cranelift_opt_level(OptLevel::Speed)
        // The same records give the same output, to the bit.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        // QuickJS comes as two components with a memory each. What one gives to the other is copied
        // by a module that the compiler makes, which has the memories of both.
        .wasm_multi_memory(true)
        // No plugin needs it, and it has had faults of its own.
        .wasm_memory64(false)
        // Tasks of a guest would wait for each other within the host, where no deadline reaches
        // them. What needs them is refused by `admission`.
        .concurrency_support(false);
    config
}

/// Moves the engine's epoch while guests run, and sleeps while none does.
#[derive(Default)]
struct Ticker {
    wanted: Mutex<TicksWanted>,
    wake: Condvar,
}

/// Who wants ticks.
#[derive(Default)]
struct TicksWanted {
    /// Guests that run.
    guests: usize,
    /// Profiles that are under way. A guest that runs for less than a tick now and then must be
    /// seen as often as one that runs as long at once, so that the clock does not begin with it.
    profiles: usize,
}

impl TicksWanted {
    /// The time between two ticks; `None` while nobody wants one.
    fn pause(&self) -> Option<Duration> {
        match (self.guests, self.profiles) {
            (0, 0) => None,
            (_, 0) => Some(TICK),
            _ => Some(SAMPLE_PAUSE),
        }
    }
}

impl Ticker {
    fn run(&self, engine: &EngineWeak) {
        loop {
            let mut wanted = self.lock();
            let pause = loop {
                if let Some(pause) = wanted.pause() {
                    break pause;
                }
                let waited = self.wake.wait_timeout(wanted, ENGINE_LOOK);
                wanted = waited.unwrap_or_else(PoisonError::into_inner).0;
                if engine.upgrade().is_none() {
                    return;
                }
            };
            drop(wanted);
            thread::sleep(pause);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, TicksWanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A guest that runs, for as long as this lives.
pub(crate) struct Ticking<'a>(&'a Ticker);

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.lock().guests -= 1;
    }
}

/// A profile that is under way, for as long as this lives.
pub(crate) struct ProfileTicks(Arc<Ticker>);

impl Drop for ProfileTicks {
    fn drop(&mut self) {
        self.0.lock().profiles -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash, Hasher};

    use super::*;

    fn compatibility(engine: &Engine) -> u64 {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn what_compiles_makes_the_code_that_what_runs_takes() {
        let mut seen = Vec::new();
        for purpose in [Purpose::Production, Purpose::Metered] {
            let running = Engine::new(&running_config(purpose)).unwrap();
            let compiling = compiling_engine(purpose).unwrap();
            assert_eq!(compatibility(&running), compatibility(&compiling));
            seen.push(compatibility(&running));
        }
        assert_ne!(
            seen[0], seen[1],
            "the code of one is not taken for the other's"
        );
    }
}
