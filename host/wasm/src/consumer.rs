//! One running consumer: an instance that works on the records of one shard, batch by batch.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::Store;

use crate::bindings::record_processor_simple::InRecord;
use crate::bindings::types::{Assignment as WitAssignment, Fault as WitFault};
use crate::bindings::{record_processor, record_processor_simple};
use crate::columns::{BatchColumns, Columns};
use crate::effects::{Effects, EffectsUnavailable};
use crate::fault::Fault;
use crate::limits::{CallLimits, STATE_BYTES_MAX};
use crate::moment::Moment;
use crate::role::Role;
use crate::running::{Running, Spent, fault_told};
use crate::slab::Slab;
use crate::state::State;
use crate::version::Version;
use crate::workplace::Workplace;
use crate::world::{Exports, Work};

/// What an instance works on, all its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The application's name.
    pub application: String,
    /// The stream's ARN.
    pub stream: String,
    /// The shard's id.
    pub shard: String,
}

/// A copy of a version that consumes a shard. Its calls block for as long as the guest may take,
/// and as its [`Effects`] do.
///
/// After a fault other than [`Fault::Retryable`] and [`Fault::Permanent`] it must not be used
/// again, and after these two only if what the guest keeps in its memory may have seen the batch.
pub struct Consumer {
    running: Running,
    /// Which layout the guest keeps its state in, once it was asked.
    state_version: Option<u32>,
}

impl Consumer {
    /// Makes an instance that may use so much, whatever is configured now, lets the plugin prepare
    /// it, and tells it what it is for: `init`, then `initialize`, which may use `effects`.
    ///
    /// # Errors
    /// [`Fault::NoInstance`] when there are as many as there can be, or as this plugin may have, or
    /// this build gives none so much; [`Fault::NotReady`] when the guest says that it cannot begin,
    /// or is no consumer; any other when it did not begin.
    pub fn start(
        version: &Arc<Version>,
        moment: Moment,
        limits: CallLimits,
        assignment: &Assignment,
        effects: Box<dyn Effects>,
    ) -> Result<Self, Fault> {
        let at = Workplace::of_consumer(assignment).map(Arc::new);
        let running = Running::start_as(Role::Consumer, version, (moment, limits), at)?;
        let mut consumer = Self {
            running,
            state_version: None,
        };
        consumer.set_effects(effects);
        let assignment = WitAssignment {
            application: assignment.application.clone(),
            stream: assignment.stream.clone(),
            shard: assignment.shard.clone(),
        };
        let begun = consumer.ask("initialize", |work, store| match work {
            Processor::Slabs(guest) => guest.call_initialize(store, &assignment),
            Processor::Records(guest) => guest.call_initialize(store, &assignment),
        })?;
        begun.map_err(|why| consumer.running.told_fault(Fault::NotReady(why)))?;
        Ok(consumer)
    }

    /// The version that this is a copy of.
    pub fn version(&self) -> &Arc<Version> {
        self.running.version()
    }

    /// How much of a processor's time the last call took.
    pub fn took(&self) -> Duration {
        self.running.took()
    }

    pub(crate) fn spent(&self) -> Spent {
        self.running.spent()
    }

    /// Whether it hands its state on: see [`Consumer::snapshot`].
    pub fn has_state(&self) -> bool {
        self.running.version().has_state()
    }

    /// From now on this does what the guest asks for.
    pub fn set_effects(&mut self, effects: Box<dyn Effects>) {
        self.running.store.data_mut().effects.set(Some(effects));
    }

    /// From now on the guest's clocks show this moment, and its random numbers are made of it:
    /// those of the next batch.
    pub fn begin(&mut self, moment: Moment) {
        self.running.store.data_mut().begin_moment(moment);
    }

    /// Takes over the state that another instance kept, right after the start. `state_version` is
    /// what that one's snapshot said.
    ///
    /// # Errors
    /// [`Fault::NotReady`] when the guest refuses, or cannot take over any; any other when the call
    /// came to nothing.
    pub fn restore(&mut self, state_version: u32, state: &[u8]) -> Result<(), Fault> {
        if !self.has_state() {
            let why = "restore: there is a state to go on with, and this version takes none over";
            return Err(Fault::NotReady(why.to_owned()));
        }
        let time = self.begin_call(0)?;
        let restored = self.running.call(time, |exports, store| {
            let guest = exports.state.as_ref().ok_or_else(no_state)?;
            guest.call_restore(store, state_version, state)
        })?;
        restored.map_err(|why| {
            let fault = Fault::NotReady(self.told("restore", &why));
            self.running.told_fault(fault)
        })
    }

    /// Works on one batch.
    ///
    /// # Errors
    /// When the plugin did not work on it: what its effects got for the batch is to be left out, as
    /// far as the guest did not say that its records are done.
    pub fn process(
        &mut self,
        data: &Slab,
        columns: &Arc<Columns>,
        millis_behind: u64,
        time: Duration,
    ) -> Result<(), Fault> {
        let started = Instant::now();
        self.begin_call(data.len())?;
        let all = BatchColumns::made(data.len(), columns);
        self.running.store.data_mut().columns = Some(all.clone());
        let called = self
            .running
            .call(time, |exports, store| match Processor::of(exports)? {
                Processor::Slabs(guest) => guest.call_process(store, data.raw(), millis_behind),
                Processor::Records(guest) => {
                    let records = in_records(data, &all).map_err(EffectsUnavailable)?;
                    guest.call_process(store, &records, millis_behind)
                }
            });
        self.running.store.data_mut().columns = None;
        let version = self.running.version();
        let fault_of = |fault: WitFault| fault_told(version.log(), &fault);
        let processed = called.and_then(|told: Result<(), WitFault>| told.map_err(fault_of));
        let fault = processed.as_ref().err();
        self.running
            .count_batch(data.len() as u64, fault, started.elapsed());
        processed
    }

    /// The state after all batches so far, with its version; `None` where the plugin has none. What
    /// this asks the host for belongs to the last batch.
    ///
    /// # Errors
    /// [`Fault::Retryable`] when the guest says that it cannot tell, [`Fault::Answer`] when there
    /// is more than can be kept, any other when the call came to nothing.
    pub fn snapshot(&mut self) -> Result<Option<(u32, Vec<u8>)>, Fault> {
        if !self.has_state() {
            return Ok(None);
        }
        let (time, known) = (self.running.limits().batch_time_max, self.state_version);
        let (version, kept) = self.running.call(time, |exports, store| {
            let guest = exports.state.as_ref().ok_or_else(no_state)?;
            let version = match known {
                Some(version) => version,
                None => guest.call_state_version(&mut *store)?,
            };
            Ok((version, guest.call_snapshot(&mut *store)?))
        })?;
        self.state_version = Some(version);
        let kept = kept.map_err(|why| Fault::Retryable(self.told("snapshot", &why)))?;
        if kept.len() > STATE_BYTES_MAX {
            let bytes = kept.len();
            let why = format!("a snapshot of {bytes} bytes, not at most {STATE_BYTES_MAX}");
            return Err(Fault::Answer(why));
        }
        Ok(Some((version, kept)))
    }

    /// The shard has no more records, and all are done.
    ///
    /// # Errors
    /// [`Fault::Retryable`] when the guest says that something is left to do.
    pub fn shard_ended(&mut self) -> Result<(), Fault> {
        let ended = self.ask("shard-ended", |work, store| match work {
            Processor::Slabs(guest) => guest.call_shard_ended(store),
            Processor::Records(guest) => guest.call_shard_ended(store),
        })?;
        ended.map_err(Fault::Retryable)
    }

    /// The instance is about to end while its shard goes on.
    ///
    /// # Errors
    /// [`Fault::Retryable`] when the guest says that something is left to do.
    pub fn shutdown_requested(&mut self) -> Result<(), Fault> {
        let asked = self.ask("shutdown-requested", |work, store| match work {
            Processor::Slabs(guest) => guest.call_shutdown_requested(store),
            Processor::Records(guest) => guest.call_shutdown_requested(store),
        })?;
        asked.map_err(Fault::Retryable)
    }

    /// Another worker has the shard: from now on nothing that the guest asks for has an effect.
    ///
    /// # Errors
    /// What the call ended with; there is nothing left to be done about it.
    pub fn lease_lost(&mut self) -> Result<(), Fault> {
        self.running.store.data_mut().effects.set(None);
        let time = self.begin_call(0)?;
        self.running.store.data_mut().may_call = false;
        self.running
            .call(time, |exports, store| match Processor::of(exports)? {
                Processor::Slabs(guest) => guest.call_lease_lost(store),
                Processor::Records(guest) => guest.call_lease_lost(store),
            })
    }

    /// A call without records begins; how long it may take.
    fn begin_call(&mut self, records: usize) -> Result<Duration, Fault> {
        let records = u32::try_from(records)
            .map_err(|_| Fault::Unavailable("a batch of more than 4 Gi records".to_owned()))?;
        self.running.store.data_mut().begin_batch(records);
        Ok(self.running.limits().batch_time_max)
    }

    /// Makes a call that answers with a text if it fails.
    fn ask(
        &mut self,
        what: &str,
        ask: impl FnOnce(Processor<'_>, &mut Store<State>) -> wasmtime::Result<Result<(), String>>,
    ) -> Result<Result<(), String>, Fault> {
        let time = self.begin_call(0)?;
        let answer = self
            .running
            .call(time, |exports, store| ask(Processor::of(exports)?, store))?;
        Ok(answer.map_err(|why| self.told(what, &why)))
    }

    /// What the guest says of one of its functions that it does not do.
    fn told(&self, what: &str, why: &str) -> String {
        format!("{what}: {}", self.running.told(why))
    }
}

/// The two shapes of a consumer's exports.
enum Processor<'a> {
    Slabs(&'a record_processor::Guest),
    Records(&'a record_processor_simple::Guest),
}

impl<'a> Processor<'a> {
    fn of(exports: &'a Exports) -> wasmtime::Result<Self> {
        match &exports.work {
            Work::Process(guest) => Ok(Self::Slabs(guest)),
            Work::ProcessSimple(guest) => Ok(Self::Records(guest)),
            Work::Transform(_) | Work::TransformSimple(_) => {
                Err(wasmtime::Error::msg("a transform consumes no stream"))
            }
        }
    }
}

fn no_state() -> wasmtime::Error {
    wasmtime::Error::msg("it keeps no state")
}

/// The records of a batch one by one, with all that is known of them.
fn in_records(data: &Slab, all: &BatchColumns) -> Result<Vec<InRecord>, String> {
    let (columns, _) = all.get()?;
    let records = data.iter().enumerate().map(|(index, data)| {
        let key = columns.partition_keys.get(index).unwrap_or_default();
        let number = columns.sequence_numbers.get(index);
        let arrival = columns.arrivals_ms.get(index);
        let place = columns.sub_sequence_numbers.get(index);
        Ok(InRecord {
            data: data.to_vec(),
            partition_key: String::from_utf8(key.to_vec()).map_err(|error| error.to_string())?,
            sequence_number: number.map(ToString::to_string).unwrap_or_default(),
            sub_sequence_number: *place.ok_or("a record without a place")?,
            arrival_ms: *arrival.ok_or("a record without an arrival")?,
        })
    });
    records.collect()
}
