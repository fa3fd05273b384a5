//! A batch goes through a plugin. A batch that the plugin does not take is tried again on a fresh
//! instance; one that it takes never is divided, until what it cannot take stands alone: one bad
//! record costs one record.

use std::ops::Range;
use std::sync::Arc;

use crate::settled::Settled;
use wasm::{Fault, Instance, Moment, Output, Slab, Status, Version};

/// Records of one batch.
pub const BATCH_RECORDS_MAX: usize = 1_000;
/// Bytes of the records of one batch; a larger record goes alone.
pub const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// What failed calls may cost while one batch is divided, over all its parts: enough to find one
/// record among a thousand that takes for ever, or two dozen that trap. After that a part that
/// fails is not divided any more: a plugin that runs into its deadline with every record must not
/// hold up its delivery stream for a thousand deadlines.
const FAILED_CALLS_COST_MAX: u32 = 300;
/// What a failed call costs, by how long it took.
const TRAP_COST: u32 = 1;
const DEADLINE_COST: u32 = 25;
/// Calls for a batch, or for a record of one that stands alone, before it is given up: the second
/// is on a fresh instance. One that missed its deadline may have waited for a busy machine.
const TRIES_AFTER_FAULT: u32 = 2;
/// Calls that a plugin may ask to be tried again for, one after the other (model,
/// NumberOfRetries).
const RETRIES_MAX: u32 = 300;

/// What becomes of each record of a batch.
pub trait Sink {
    /// A record to deliver that stems from the `source`-th of the batch.
    fn deliver(&mut self, source: usize, data: &[u8]);
    /// The `source`-th record is left out on purpose.
    fn drop_record(&mut self, source: usize);
    /// The `source`-th record could not be worked on.
    fn fail(&mut self, source: usize, code: &str, message: &str, attempts: u32);
}

/// A plugin at work on one cut.
pub struct Transformer {
    version: Arc<Version>,
    moment: Moment,
    retries: u32,
    instance: Option<Instance>,
    /// Records of the cut before the batch.
    before: u64,
    /// What no try may change, and what this one adds.
    settled: Settled,
    /// How many records were settled before this try.
    settled_before: u64,
    /// A deadline was missed with the part of a batch that is worked on.
    is_late: bool,
    /// What failed calls for the part that is divided have cost so far.
    cost: u32,
}

/// What came of one call.
type Called = Result<wasm::Outputs, Fault>;

/// Why a cut cannot go on at the moment, for no fault of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped(pub String);

impl Transformer {
    /// A version at work at one moment. A batch that it asks to be tried again for is, `retries`
    /// times. An earlier try may have settled some of the records.
    pub fn new(version: Arc<Version>, moment: Moment, retries: u32, settled: Settled) -> Self {
        Self {
            version,
            moment,
            retries: retries.min(RETRIES_MAX),
            instance: None,
            before: 0,
            settled_before: settled.to,
            settled,
            is_late: false,
            cost: 0,
        }
    }

    /// What is settled once the records so far have left.
    pub fn settled(&self) -> &Settled {
        &self.settled
    }

    /// Hands `batch`, the cut's next, to the plugin and what became of it to `sink`, in order.
    /// Blocks.
    ///
    /// # Errors
    /// When no instance could be made, or a deadline was missed with what is settled: nothing is
    /// wrong with the batch, which can be tried again.
    pub fn work(&mut self, batch: &Slab, sink: &mut impl Sink) -> Result<(), Stopped> {
        let end = self.before + u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let place = |record: u64| usize::try_from(record - self.before).unwrap_or(usize::MAX);
        let parts = self.settled.parts(self.before..end).into_iter();
        let parts: Vec<_> = parts
            .map(|(part, is_late)| (place(part.start)..place(part.end), is_late))
            .collect();
        for (part, is_late) in parts {
            match is_late {
                true => {
                    let fault = Fault::Deadline(self.version.manifest().limits.batch_time_max);
                    fail_all(part, &fault, TRIES_AFTER_FAULT, sink);
                }
                false => self.work_on(batch, part, sink)?,
            }
        }
        self.before = end;
        self.settled.to = self.settled.to.max(end);
        Ok(())
    }

    fn work_on(
        &mut self,
        batch: &Slab,
        range: Range<usize>,
        sink: &mut impl Sink,
    ) -> Result<(), Stopped> {
        let part;
        let records = match range.len() == batch.len() {
            true => batch,
            false => {
                part = batch.part(range.clone());
                &part
            }
        };
        (self.is_late, self.cost) = (false, 0);
        let mut attempts = 0;
        let fault = loop {
            attempts += 1;
            match self.call(records)? {
                Ok(outputs) => {
                    give(outputs.iter(), range.start, sink);
                    return Ok(());
                }
                Err(Fault::Permanent(text)) => {
                    fail_all(range, &Fault::Permanent(text), attempts, sink);
                    return Ok(());
                }
                Err(fault) if attempts < self.tries(&fault) => {
                    tracing::debug!(version = ?self.version, %fault, "a batch is tried again");
                }
                Err(fault) => break fault,
            }
        };
        self.divide(batch, range, (fault, attempts), sink)
    }

    fn tries(&self, fault: &Fault) -> u32 {
        match fault {
            Fault::Retryable(_) => self.retries + 1,
            Fault::Deadline(_)
            | Fault::Trap(_)
            | Fault::Answer(_)
            | Fault::Permanent(_)
            | Fault::NoInstance(_) => TRIES_AFTER_FAULT,
        }
    }

    /// Works on the records of `range`, which failed together with `told`.
    fn divide(
        &mut self,
        batch: &Slab,
        range: Range<usize>,
        told: (Fault, u32),
        sink: &mut impl Sink,
    ) -> Result<(), Stopped> {
        let (fault, attempts) = told;
        self.pay(&fault);
        if range.len() <= 1 || FAILED_CALLS_COST_MAX < self.cost {
            return self.fail(range, (fault, attempts), sink);
        }
        let middle = range.start + range.len() / 2;
        for half in [range.start..middle, middle..range.end] {
            let (called, tries) = self.call_part(&batch.part(half.clone()))?;
            match called {
                Ok(outputs) => give(outputs.iter(), half.start, sink),
                Err(fault) => self.divide(batch, half, (fault, attempts + tries), sink)?,
            }
        }
        Ok(())
    }

    /// Calls for a part of a batch that is divided, and how often: a record that stands alone is
    /// tried as often as a batch.
    fn call_part(&mut self, part: &Slab) -> Result<(Called, u32), Stopped> {
        let tries_max = match part.len() {
            1 => TRIES_AFTER_FAULT,
            _ => 1,
        };
        let mut tries = 1;
        loop {
            match self.call(part)? {
                Err(fault) if tries < tries_max => self.pay(&fault),
                called => return Ok((called, tries)),
            }
            tries += 1;
        }
    }

    /// Fails records for good.
    fn fail(
        &mut self,
        range: Range<usize>,
        (fault, attempts): (Fault, u32),
        sink: &mut impl Sink,
    ) -> Result<(), Stopped> {
        let place = |record: usize| self.before + u64::try_from(record).unwrap_or(u64::MAX);
        let records = place(range.start)..place(range.end);
        if self.is_late && records.end <= self.settled_before {
            return Err(Stopped(format!("what came out in time before: {fault}")));
        }
        if self.is_late {
            self.settled.add_late(records);
        }
        fail_all(range, &fault, attempts, sink);
        Ok(())
    }

    fn pay(&mut self, fault: &Fault) {
        self.cost += match fault {
            Fault::Deadline(_) => DEADLINE_COST,
            _ => TRAP_COST,
        };
    }

    fn call(&mut self, batch: &Slab) -> Result<Called, Stopped> {
        let instance = match &mut self.instance {
            Some(instance) => instance,
            empty => match Instance::start(&self.version, self.moment) {
                Ok(started) => empty.insert(started),
                Err(full @ Fault::NoInstance(_)) => return Err(Stopped(full.to_string())),
                // A guest that does not begin does not take this batch.
                Err(fault) => {
                    self.is_late |= matches!(fault, Fault::Deadline(_));
                    return Ok(Err(fault));
                }
            },
        };
        let outcome = instance.transform(batch);
        self.is_late |= matches!(outcome, Err(Fault::Deadline(_)));
        if outcome.is_err() {
            // Whatever state it is in, the next call does not see it.
            self.instance = None;
        }
        Ok(outcome)
    }
}

fn give<'a>(outputs: impl Iterator<Item = Output<'a>>, first: usize, sink: &mut impl Sink) {
    for output in outputs {
        let source = first + output.source;
        match output.status {
            Status::Ok => sink.deliver(source, output.data),
            Status::Dropped => sink.drop_record(source),
            Status::Failed => {
                let message = String::from_utf8_lossy(output.data);
                sink.fail(source, FUNCTION_ERROR, &message, 1);
            }
        }
    }
}

fn fail_all(range: Range<usize>, fault: &Fault, attempts: u32, sink: &mut impl Sink) {
    let message = fault.to_string();
    for source in range {
        sink.fail(source, code(fault), &message, attempts);
    }
}

const FUNCTION_ERROR: &str = "Lambda.FunctionError";

/// AWS's words for why a function did not do its work.
fn code(fault: &Fault) -> &'static str {
    match fault {
        Fault::Deadline(_) => "Lambda.FunctionTimedOut",
        Fault::Answer(_) => "Lambda.MissingRecordId",
        Fault::Trap(_) | Fault::Retryable(_) | Fault::Permanent(_) | Fault::NoInstance(_) => {
            FUNCTION_ERROR
        }
    }
}
