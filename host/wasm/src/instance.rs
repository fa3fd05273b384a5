//! One running copy of a version: a store with its memory, called batch by batch.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::{AsContextMut, PoolConcurrencyLimitError, Store, StoreContextMut};

use crate::bindings::transformer::exports::millrace::plugin::transform::Fault as WitFault;
use crate::bindings::transformer_simple::exports::millrace::plugin::transform_simple::InRecord;
use crate::bindings::types::Slab as RawSlab;
use crate::bindings::{transformer, transformer_simple};
use crate::call_time::LOOK_TICKS;
use crate::fault::Fault;
use crate::instance_shares::InstanceShare;
use crate::limits::{CallLimits, INSTANCES_PER_PLUGIN_MAX, REASON_BYTES_MAX};
use crate::moment::Moment;
use crate::outputs::{Outputs, Status};
use crate::printable::printable;
use crate::slab::Slab;
use crate::state::State;
use crate::version::{Version, World};

/// A copy of a version. Whatever a guest keeps in its memory lives as long as this.
pub struct Instance {
    version: Arc<Version>,
    limits: CallLimits,
    store: Store<State>,
    exports: Exports,
    // Counts until the store is gone.
    _share: InstanceShare,
}

enum Exports {
    Slabs(transformer::Transformer),
    Records(transformer_simple::TransformerSimple),
}

impl Instance {
    /// Makes an instance that may use so much, whatever is configured now, and lets the plugin
    /// prepare it. Blocks for as long as the guest may take.
    ///
    /// # Errors
    /// [`Fault::NoInstance`] when there are as many as there can be, or as this plugin may have, or
    /// this build gives none so much; any other when the guest did not begin.
    pub fn start(
        version: &Arc<Version>,
        moment: Moment,
        limits: CallLimits,
    ) -> Result<Self, Fault> {
        if let Some(excess) = limits.excess() {
            return Err(Fault::NoInstance(format!("it was begun with {excess}")));
        }
        let runtime = version.runtime();
        let Some(share) = runtime.shares.take(version.name()) else {
            return Err(Fault::NoInstance(format!(
                "{} has {INSTANCES_PER_PLUGIN_MAX}, as many as a plugin may have",
                version.name()
            )));
        };
        let mut store = Store::new(
            &runtime.engine,
            State::new(version.shared_manifest(), version.log(), moment, limits),
        );
        store.limiter(|state| &mut state.memory_limits);
        store.set_hostcall_fuel(limits.output_bytes_max);
        store
            .as_context_mut()
            .set_max_component_handles(limits.handles_max);
        store.epoch_deadline_callback(|mut store| store.data_mut().call_time.look());
        let time = limits.batch_time_max;
        begin_call(&mut store, time);
        let ticking = runtime.ticking();
        let started = begin(version, &mut store);
        drop(ticking);
        let exports = started.map_err(|why| {
            version.counters().starts_failed.add(1);
            match why {
                Begun::Trapped(error) if error.is::<PoolConcurrencyLimitError>() => {
                    Fault::NoInstance(error.to_string())
                }
                Begun::Trapped(error) => Fault::of(&error, time, &limits, store.data_mut().told()),
                Begun::Refused(text) => Fault::NotReady(text),
            }
        })?;
        Ok(Self {
            version: Arc::clone(version),
            limits,
            store,
            exports,
            _share: share,
        })
    }

    /// The version that this is a copy of.
    pub fn version(&self) -> &Arc<Version> {
        &self.version
    }

    /// How much of a processor's time the last call took, to a tick.
    pub fn took(&self) -> Duration {
        self.store.data().call_time.took()
    }

    /// Bytes of all its memories together.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.store.data().memory_limits.memory_bytes()
    }

    /// What the plugin says that it is called, and its version, where its world has words for it.
    pub(crate) fn describe(&mut self) -> Result<Option<(String, String)>, Fault> {
        let Exports::Slabs(world) = &self.exports else {
            return Ok(None);
        };
        let time = self.limits.batch_time_max;
        begin_call(&mut self.store, time);
        let ticking = self.version.runtime().ticking();
        let described = world
            .millrace_plugin_lifecycle()
            .call_describe(&mut self.store);
        drop(ticking);
        match described {
            Ok(said) => Ok(Some((
                printable(&said.name, REASON_BYTES_MAX),
                printable(&said.version, REASON_BYTES_MAX),
            ))),
            Err(error) => {
                let told = self.store.data_mut().told();
                Err(Fault::of(&error, time, &self.limits, told))
            }
        }
    }

    /// Works on one batch. Blocks for as long as it may take.
    ///
    /// # Errors
    /// When the plugin gave no answer that keeps the rules. The instance must not be used again
    /// after a fault other than one that the plugin itself told.
    pub fn transform(&mut self, batch: &Slab, time: Duration) -> Result<Outputs, Fault> {
        let started = Instant::now();
        self.store.data_mut().begin_batch();
        begin_call(&mut self.store, time);
        let ticking = self.version.runtime().ticking();
        let store = self.store.as_context_mut();
        let called = match &self.exports {
            Exports::Slabs(world) => call_with_slab(world, store, batch),
            Exports::Records(world) => call_with_records(world, store, batch),
        };
        drop(ticking);
        let answered = called.unwrap_or_else(|error| {
            let told = self.store.data_mut().told();
            Err(Fault::of(&error, time, &self.limits, told))
        });
        let outputs =
            answered.and_then(|answer| Outputs::parse(answer.heads, answer.data, batch.len()));
        self.version
            .counters()
            .called(batch, &outputs, started.elapsed());
        outputs
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
    match version.world() {
        World::Slabs(pre) => {
            let world = pre.instantiate(&mut *store)?;
            let begun = world.millrace_plugin_lifecycle().call_init(&mut *store)?;
            begun.map_err(|text| Begun::Refused(printable(&text, REASON_BYTES_MAX)))?;
            Ok(Exports::Slabs(world))
        }
        World::Records(pre) => Ok(Exports::Records(pre.instantiate(&mut *store)?)),
    }
}

/// What a plugin answered, whether or not it keeps the rules.
struct RawOutputs {
    /// The source of each output, and what became of it.
    heads: Vec<(u32, Status)>,
    /// The bytes of each.
    data: RawSlab,
}

type Called = wasmtime::Result<Result<RawOutputs, Fault>>;

fn call_with_slab(
    world: &transformer::Transformer,
    store: StoreContextMut<'_, State>,
    batch: &Slab,
) -> Called {
    let told = |text: String| printable(&text, REASON_BYTES_MAX);
    let answer = world
        .millrace_plugin_transform()
        .call_transform(store, batch.raw())?;
    Ok(match answer {
        Ok(out) => {
            let heads = out.outputs.into_iter();
            Ok(RawOutputs {
                heads: heads.map(|it| (it.source, it.status.into())).collect(),
                data: out.data,
            })
        }
        Err(WitFault::Retryable(text)) => Err(Fault::Retryable(told(text))),
        Err(WitFault::Permanent(text)) => Err(Fault::Permanent(told(text))),
    })
}

fn call_with_records(
    world: &transformer_simple::TransformerSimple,
    store: StoreContextMut<'_, State>,
    batch: &Slab,
) -> Called {
    let records: Vec<_> = (0..)
        .zip(batch.iter())
        .map(|(index, data)| InRecord {
            index,
            data: data.to_vec(),
        })
        .collect();
    let answer = world
        .millrace_plugin_transform_simple()
        .call_transform(store, &records)?;
    let mut heads = Vec::with_capacity(answer.len());
    let mut data = Slab::default();
    for output in answer {
        heads.push((output.index, output.status.into()));
        if !data.push(&output.data) {
            return Ok(Err(Fault::Answer("more than 4 GiB".to_owned())));
        }
    }
    let data = data.into_raw();
    Ok(Ok(RawOutputs { heads, data }))
}
