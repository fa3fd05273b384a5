//! What is done on the threads of guests: a batch is made of frames, goes through an instance, and
//! what comes of it is made ready to be committed. It blocks.

use std::sync::Arc;

use bytes::Bytes;
use store::{Frame, Position, Transaction};
use streams::Streams;
use streams::emit::{Emission, EmitError, Emitted};
use tables::Tables;
use types::{Caller, StreamName, Timestamp};
use wasm::{Assignment, Consumer, Fault, Moment, Slab, Turn, Version};

use crate::application::stream_arn;
use crate::batch::{Batch, First, Origin};
use crate::desk::{Desk, Wishes};
use crate::effects::{BatchEffects, Sources};
use crate::memory::Memory;
use crate::place::Place;
use crate::rows::KeptState;

/// Bytes that a batch's columns take for each record, about.
pub const RECORD_OVERHEAD_BYTES: u64 = 128;

/// An instance's whereabouts: what it is, or is to be made of.
#[derive(Clone)]
pub struct Making {
    /// The version.
    pub version: Arc<Version>,
    /// What it works on.
    pub assignment: Assignment,
    /// What its calls go to.
    pub sources: Sources,
    /// Where they are gathered.
    pub desk: Desk,
    /// What it goes on with.
    pub kept: Option<KeptState>,
    /// What it sees of time and chance.
    pub moment: Moment,
}

impl Making {
    /// A new instance that goes on with what is kept.
    ///
    /// # Errors
    /// It does not begin.
    pub fn begin(&self) -> Result<Consumer, Fault> {
        let limits = self.version.call_limits();
        let effects = BatchEffects::new(self.sources.clone(), self.desk.clone());
        let effects = Box::new(effects);
        let (version, assignment) = (&self.version, &self.assignment);
        let mut consumer = Consumer::start(version, self.moment, limits, assignment, effects)?;
        if let Some(kept) = &self.kept {
            consumer.restore(kept.state_version, &kept.bytes)?;
        }
        Ok(consumer)
    }
}

/// One batch.
pub struct Job {
    /// The instance, or what one is made of.
    pub instance: Option<Consumer>,
    /// What one is made of.
    pub making: Making,
    /// The frames that hold the batch.
    pub frames: Vec<Frame>,
    /// Where they come from.
    pub origin: Arc<Origin>,
    /// The first record.
    pub from: Place,
    /// Records at most.
    pub records_max: usize,
    /// Where the log ends.
    pub tip: Position,
    /// The time.
    pub now: Timestamp,
    /// Memory.
    pub memory: Memory,
    /// The tables.
    pub tables: Arc<Tables>,
}

/// What came of it.
pub enum Outcome {
    /// It went well.
    Done(Box<Done>),
    /// It did not.
    Failed(Box<Failed>),
    /// Something is not as it must be, which is no fault of the plugin.
    Broken(String),
}

/// A batch that went well.
pub struct Done {
    /// Where the shard stands after it.
    pub end: Place,
    /// Its records.
    pub records: u64,
    /// Records that were left out.
    pub foreign: u64,
    /// When the last of them arrived.
    pub last_arrival: Timestamp,
    /// Rows and checks.
    pub effects: Transaction,
    /// Records for streams.
    pub wishes: Wishes,
    /// What is to be kept; `None` where nothing is, since the plugin has no state.
    pub state: Option<KeptState>,
    /// Its first record, with its content, where it is alone.
    pub first: Option<(First, Lone)>,
}

/// A batch that did not.
pub struct Failed {
    /// Why.
    pub fault: Fault,
    /// No record was worked on: the instance did not begin.
    pub is_beginning: bool,
    /// Bytes of memory that it would have had to have, if it failed for lack of some.
    pub lacked: Option<u64>,
    /// Records of the batch.
    pub records: usize,
    /// The first so many are done, as the plugin said.
    pub done: usize,
    /// Its first record, with its content, where it is alone.
    pub first: Option<(First, Lone)>,
    /// Where the shard stands after it.
    pub end: Place,
    /// Records that were left out before it ends.
    pub foreign: u64,
}

/// A record that is alone in its batch.
#[derive(Clone)]
pub struct Lone {
    /// The producer's choice.
    pub partition_key: String,
    /// What it holds.
    pub data: Bytes,
}

impl Job {
    /// Works on the batch. Returns the instance as well, unless it must not be used any more.
    pub fn work(mut self, turn: &Turn) -> (Option<Consumer>, Outcome) {
        let instance = self.instance.take();
        let batch = Batch::of(&self.frames, &self.origin, self.from, self.records_max);
        let batch = match batch {
            Ok(batch) => batch,
            Err(misfit) => return (instance, Outcome::Broken(misfit.to_string())),
        };
        self.frames.clear();
        self.making.desk.begin(std::mem::take(&mut self.memory));
        if turn.is_stopped() {
            self.making.desk.leave();
            return (instance, Outcome::Broken("nobody waits for it".to_owned()));
        }
        if batch.is_empty() {
            return (instance, self.done(&batch, None));
        }
        let begun = match instance {
            Some(mut instance) => {
                instance.begin(self.making.moment);
                Ok(instance)
            }
            None => self.making.begin(),
        };
        let mut instance = match begun {
            Ok(instance) => instance,
            Err(fault) => return (None, self.failed(fault, &batch, true)),
        };
        match self.process(&mut instance, &batch) {
            Ok(state) => (Some(instance), self.done(&batch, state)),
            // What it keeps in its memory has seen the batch.
            Err(fault) => (None, self.failed(fault, &batch, false)),
        }
    }

    fn process(&self, instance: &mut Consumer, batch: &Batch) -> Result<Option<KeptState>, Fault> {
        let is_last = batch.end.position >= self.tip;
        let behind = if is_last {
            0
        } else {
            self.now.0.saturating_sub(batch.last_arrival.0)
        };
        let time = self.making.version.call_limits().batch_time_max;
        let columns = Arc::new(batch.columns.clone());
        instance.process(&batch.data, &columns, behind, time)?;
        let kept = instance.snapshot()?;
        Ok(kept.map(|(state_version, bytes)| KeptState {
            state_version,
            bytes,
        }))
    }

    fn done(&self, batch: &Batch, state: Option<KeptState>) -> Outcome {
        let mut effects = Transaction::default();
        let wishes = match self.making.desk.take(&self.tables, &mut effects) {
            Ok(wishes) => wishes,
            Err(error) => {
                self.making.desk.leave();
                return Outcome::Broken(error.to_string());
            }
        };
        Outcome::Done(Box::new(Done {
            end: batch.end,
            records: batch.len() as u64,
            foreign: batch.foreign,
            last_arrival: batch.last_arrival,
            effects,
            wishes,
            state,
            first: lone(batch),
        }))
    }

    fn failed(&self, fault: Fault, batch: &Batch, is_beginning: bool) -> Outcome {
        let (done, memory) = self.making.desk.leave();
        Outcome::Failed(Box::new(Failed {
            fault,
            is_beginning,
            lacked: memory.lacked(),
            records: batch.len(),
            done: usize::try_from(done).unwrap_or(usize::MAX),
            first: lone(batch),
            end: batch.end,
            foreign: batch.foreign,
        }))
    }
}

/// The one record of a batch, if there is one only.
fn lone(batch: &Batch) -> Option<(First, Lone)> {
    let first = batch.first.filter(|_| batch.len() == 1)?;
    let key = batch.columns.partition_keys.get(0)?;
    let lone = Lone {
        partition_key: String::from_utf8_lossy(key).into_owned(),
        data: Bytes::copy_from_slice(batch.data.get(0)?),
    };
    Some((first, lone))
}

/// Why records for a stream are not ready.
pub struct NotReady {
    /// Which stream.
    pub stream: StreamName,
    /// Why.
    pub error: EmitError,
}

/// Makes records for streams ready, each stream's in the order in which they were emitted.
///
/// # Errors
/// Those of one stream cannot be; none are charged then.
pub fn prepare(
    streams: &Arc<Streams>,
    owner: &Caller,
    emitted: &[(StreamName, Slab, Slab)],
) -> Result<Vec<Emission>, NotReady> {
    let mut names: Vec<&StreamName> = emitted.iter().map(|(stream, ..)| stream).collect();
    names.sort();
    names.dedup();
    let mut all = Vec::with_capacity(names.len());
    for name in names {
        let of_stream = emitted.iter().filter(|(stream, ..)| stream == name);
        let records = of_stream.flat_map(|(_, keys, data)| keys.iter().zip(data.iter()));
        let records = records.map(|(key, data)| {
            let partition_key = std::str::from_utf8(key).map_err(|_| NotReady {
                stream: name.clone(),
                error: EmitError::Internal("a partition key that was emitted is not UTF-8"),
            })?;
            Ok(Emitted {
                partition_key,
                data,
            })
        });
        let records: Vec<_> = records.collect::<Result<_, NotReady>>()?;
        let arn = stream_arn(owner, name.clone());
        let emission = streams.prepare(&arn, &records).map_err(|error| NotReady {
            stream: name.clone(),
            error,
        })?;
        all.push(emission);
    }
    Ok(all)
}
