//! One running transform, called batch by batch.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::Store;

use crate::bindings::types::Slab as RawSlab;
use crate::bindings::{transform, transform_simple};
use crate::columns::BatchColumns;
use crate::fault::Fault;
use crate::limits::CallLimits;
use crate::moment::Moment;
use crate::outputs::{Head, Outputs, RawOutputs};
use crate::role::Role;
use crate::running::{Running, Spent, fault_told};
use crate::slab::Slab;
use crate::state::State;
use crate::version::Version;
use crate::workplace::Workplace;
use crate::world::Work;

/// A copy of a version that transforms records. Whatever a guest keeps in its memory lives as long
/// as this.
pub struct Instance {
    running: Running,
}

impl Instance {
    /// Makes an instance that may use so much, whatever is configured now, and lets the plugin
    /// prepare it. Blocks for as long as the guest may take.
    ///
    /// # Errors
    /// [`Fault::NoInstance`] when there are as many as there can be, or as this plugin may have, or
    /// this build gives none so much; any other when the guest did not begin, or is no transform.
    pub fn start(
        version: &Arc<Version>,
        moment: Moment,
        limits: CallLimits,
    ) -> Result<Self, Fault> {
        let running = Running::start_as(Role::Transform, version, (moment, limits), None)?;
        Ok(Self { running })
    }

    /// The same at a workplace: what it logs says so, and what it takes is counted for its account.
    ///
    /// # Errors
    /// Those of [`Instance::start`].
    pub fn start_at(
        workplace: &Arc<Workplace>,
        version: &Arc<Version>,
        moment: Moment,
        limits: CallLimits,
    ) -> Result<Self, Fault> {
        let at = Some(Arc::clone(workplace));
        let running = Running::start_as(Role::Transform, version, (moment, limits), at)?;
        Ok(Self { running })
    }

    /// The version that this is a copy of.
    pub fn version(&self) -> &Arc<Version> {
        self.running.version()
    }

    /// How much of a processor's time the last call took.
    pub fn took(&self) -> Duration {
        self.running.took()
    }

    /// Bytes of all its memories together.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.running.store.data().memory_limits.memory_bytes()
    }

    pub(crate) fn spent(&self) -> Spent {
        self.running.spent()
    }

    /// Works on one batch. Blocks for as long as it may take. What is known of its records besides
    /// their data is made only if the guest asks for it; where it is `None` nothing is known.
    ///
    /// # Errors
    /// When the plugin gave no answer that keeps the rules. The instance must not be used again
    /// after a fault other than one that the plugin itself told.
    pub fn transform(
        &mut self,
        batch: &Slab,
        columns: Option<BatchColumns>,
        time: Duration,
    ) -> Result<Outputs, Fault> {
        let started = Instant::now();
        let records = u32::try_from(batch.len())
            .map_err(|_| Fault::Unavailable("a batch of more than 4 Gi records".to_owned()))?;
        let state = self.running.store.data_mut();
        state.begin_batch(records);
        state.columns = columns;
        let called = self
            .running
            .call(time, |exports, store| match &exports.work {
                Work::Transform(guest) => call_with_slab(guest, store, batch),
                Work::TransformSimple(guest) => call_with_records(guest, store, batch),
                Work::Process(_) | Work::ProcessSimple(_) => {
                    Err(wasmtime::Error::msg("a consumer transforms no records"))
                }
            });
        self.running.store.data_mut().columns = None;
        let answered = called.and_then(|answer| answer);
        let outputs = answered.and_then(|answer| Outputs::parse(answer, batch.len()));
        let log = self.running.version().log();
        let outputs = outputs.map(|outputs| outputs.cleaned(|text| log.clean(text)));
        let fault = outputs.as_ref().err();
        self.running
            .count_batch(records.into(), fault, started.elapsed());
        outputs
    }
}

type Called = wasmtime::Result<Result<RawOutputs, Fault>>;

fn call_with_slab(guest: &transform::Guest, store: &mut Store<State>, batch: &Slab) -> Called {
    let out = match guest.call_transform(&mut *store, batch.raw())? {
        Ok(out) => out,
        Err(fault) => return Ok(Err(fault_told(store.data().log(), &fault))),
    };
    let heads = out.outputs.into_iter();
    let keys = out.partition_keys.into_iter();
    let targets = out.targets.into_iter();
    Ok(Ok(RawOutputs {
        heads: heads.map(|it| Head::new(it.source, it.status)).collect(),
        data: out.data,
        partition_keys: keys.map(|it| (it.output, it.name, it.value)).collect(),
        targets: targets.map(|it| (it.output, it.name)).collect(),
    }))
}

fn call_with_records(
    guest: &transform_simple::Guest,
    store: &mut Store<State>,
    batch: &Slab,
) -> Called {
    let records: Vec<_> = (0..)
        .zip(batch.iter())
        .map(|(index, data)| transform_simple::InRecord {
            index,
            data: data.to_vec(),
        })
        .collect();
    let answer = match guest.call_transform(&mut *store, &records)? {
        Ok(answer) => answer,
        Err(fault) => return Ok(Err(fault_told(store.data().log(), &fault))),
    };
    let mut outputs = RawOutputs {
        heads: Vec::with_capacity(answer.len()),
        data: RawSlab {
            bytes: Vec::new(),
            ends: Vec::new(),
        },
        partition_keys: Vec::new(),
        targets: Vec::new(),
    };
    let mut data = Slab::default();
    for (place, output) in (0..).zip(answer) {
        outputs.heads.push(Head::new(output.index, output.status));
        if !data.push(&output.data) {
            return Ok(Err(Fault::Answer("more than 4 GiB".to_owned())));
        }
        let keys = output.partition_keys.into_iter();
        let keys = keys.map(|(name, value)| (place, name, value));
        outputs.partition_keys.extend(keys);
        outputs
            .targets
            .extend(output.target.map(|target| (place, target)));
    }
    outputs.data = data.into_raw();
    Ok(Ok(outputs))
}
