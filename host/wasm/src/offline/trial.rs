//! Records through a version, batch by batch, with what became of each batch and what it cost.

use std::sync::Arc;

use bytes::Bytes;

use super::recorder::{Effect, Recorder};
use crate::columns::{BatchColumns, Columns};
use crate::consumer::{Assignment, Consumer};
use crate::effects::{EffectError, Effects};
use crate::fault::Fault;
use crate::instance::Instance;
use crate::limits::CallLimits;
use crate::moment::Moment;
use crate::outputs::Outputs;
use crate::role::Role;
use crate::running::Spent;
use crate::slab::Slab;
use crate::version::Version;

/// Records on their way through a version. As on a server, batches go through one instance for as
/// long as it works, and what comes after a batch that failed has a fresh one, which goes on with
/// the state that was kept. A consumer has the tables that its manifest asks for, in memory, for as
/// long as the trial lives.
pub struct Trial {
    version: Arc<Version>,
    moment: Moment,
    limits: CallLimits,
    begun: Option<Begun>,
    batches: u64,
    recorder: Recorder,
    /// The state after the last batch that went well, with its version.
    kept: Option<(u32, Vec<u8>)>,
}

/// An instance at work.
enum Begun {
    Transform(Instance),
    Consumer(Consumer),
}

/// What became of a batch.
#[derive(Debug)]
pub struct Tried {
    /// What came of it, or why nothing did.
    pub outcome: Result<Came, Fault>,
    /// What it cost.
    pub cost: Cost,
}

/// What came of a batch.
#[derive(Debug)]
pub enum Came {
    /// What a transform made of its records.
    Outputs(Outputs),
    /// What a consumer did, in order.
    Effects(Vec<Effect>),
}

/// What a batch cost. The same records cost the same on every machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Instructions, about: wasmtime's fuel. Only where it is metered, and only of a batch that an
    /// instance was there for.
    pub fuel: Option<u64>,
    /// Bytes of all memories of the instance when the batch was done: they never get smaller.
    pub memory_bytes: usize,
    /// Calls to the host.
    pub host_calls: u32,
    /// Bytes of all outputs.
    pub output_bytes: usize,
    /// Bytes of the state that is kept after it.
    pub state_bytes: usize,
}

impl Trial {
    /// A trial in which clocks show `moment`. The same records give the same outcomes and costs.
    /// Where the version is in force somewhere nothing of it is counted or logged there.
    pub fn new(version: &Arc<Version>, moment: Moment) -> Self {
        Self {
            version: Arc::new(version.apart()),
            moment,
            limits: version.call_limits(),
            begun: None,
            batches: 0,
            recorder: Recorder::new(&version.manifest().grants),
            kept: None,
        }
    }

    /// What a batch may use.
    pub fn limits(&self) -> &CallLimits {
        &self.limits
    }

    /// Puts an entry into a table, as if an earlier batch had written it.
    ///
    /// # Errors
    /// That the manifest does not ask for the table, or that all tables together have too much.
    pub fn fill(&mut self, table: &str, key: Bytes, value: Bytes) -> Result<(), String> {
        let filled = self
            .recorder
            .write(table, vec![(key, Some(value))])
            .map_err(|error| match error {
                EffectError::Refused(why) | EffectError::Unavailable(why) => why,
            });
        self.recorder.end(filled.is_ok());
        filled
    }

    /// All entries of all tables in order: the table, the key and the value.
    pub fn entries(&self) -> Vec<(String, Bytes, Bytes)> {
        self.recorder.all()
    }

    /// Hands a batch to the version, with what is known of its records. Blocks for as long as that
    /// may take.
    pub fn work(&mut self, batch: &Slab, columns: &Arc<Columns>) -> Tried {
        let mut begun = match self.begin(columns) {
            Ok(begun) => begun,
            Err(fault) => {
                return Tried {
                    outcome: Err(fault),
                    cost: Cost::default(),
                };
            }
        };
        let before = begun.spent();
        let time = self.limits.batch_time_max;
        let outcome = match &mut begun {
            Begun::Transform(instance) => {
                let columns = BatchColumns::made(batch.len(), columns);
                let outputs = instance.transform(batch, Some(columns), time);
                outputs.map(Came::Outputs)
            }
            Begun::Consumer(consumer) => {
                let processed = consumer.process(batch, columns, 0, time);
                let kept = processed.and_then(|()| consumer.snapshot());
                let effects = self.recorder.end(kept.is_ok());
                kept.map(|kept| {
                    self.kept = kept;
                    Came::Effects(effects)
                })
            }
        };
        let mut cost = Cost::of(before, begun.spent(), &outcome);
        cost.state_bytes = self.kept.as_ref().map_or(0, |(_, state)| state.len());
        let goes_on = match (&begun, &outcome) {
            (_, Ok(_)) => true,
            (Begun::Transform(_), Err(fault)) => fault.leaves_its_instance(),
            // What it keeps in its memory has seen the batch.
            (Begun::Consumer(_), Err(_)) => false,
        };
        if goes_on {
            self.begun = Some(begun);
        }
        self.batches += 1;
        Tried { outcome, cost }
    }

    /// The instance of the batch before, or a fresh one.
    fn begin(&mut self, columns: &Columns) -> Result<Begun, Fault> {
        if let Some(begun) = self.begun.take() {
            return Ok(begun);
        }
        let (version, moment) = (&self.version, self.moment.at(self.batches));
        match version.role() {
            Role::Transform => Instance::start(version, moment, self.limits).map(Begun::Transform),
            Role::Consumer => {
                let assignment = Assignment {
                    application: version.name().to_string(),
                    stream: columns.arn.clone(),
                    shard: columns.shard.clone().unwrap_or_default(),
                };
                let effects = Box::new(self.recorder.clone());
                let mut consumer =
                    Consumer::start(version, moment, self.limits, &assignment, effects)?;
                if let Some((state_version, state)) = &self.kept {
                    consumer.restore(*state_version, state)?;
                }
                // What `initialize` wrote is kept with the first batch.
                Ok(Begun::Consumer(consumer))
            }
        }
    }
}

impl Begun {
    fn spent(&self) -> Spent {
        match self {
            Self::Transform(instance) => instance.spent(),
            Self::Consumer(consumer) => consumer.spent(),
        }
    }
}

impl Cost {
    fn of(before: Spent, after: Spent, outcome: &Result<Came, Fault>) -> Self {
        let fuel = before.fuel_left.zip(after.fuel_left);
        Self {
            fuel: fuel.map(|(before, after)| before.saturating_sub(after)),
            memory_bytes: after.memory_bytes,
            host_calls: after.host_calls,
            output_bytes: match outcome {
                Ok(Came::Outputs(outputs)) => outputs.bytes().len(),
                Ok(Came::Effects(effects)) => effects.iter().map(Effect::bytes).sum(),
                Err(_) => 0,
            },
            state_bytes: 0,
        }
    }
}

impl Effect {
    /// Bytes of what the guest gave to the host for it.
    fn bytes(&self) -> usize {
        match self {
            Self::Write { key, value, .. } => {
                key.len() + value.as_ref().map_or(0, |value| value.len())
            }
            Self::Emit {
                partition_key,
                data,
                ..
            } => partition_key.len() + data.len(),
        }
    }
}
