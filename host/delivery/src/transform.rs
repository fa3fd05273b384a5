//! A batch goes through a plugin. A batch that the plugin does not take is tried again on a fresh
//! instance; one that it takes never is divided, until what it cannot take stands alone: one bad
//! record costs one record.

use std::ops::Range;
use std::sync::Arc;

use wasm::{Fault, Instance, Moment, Output, Slab, Status, Version};

/// Records of one batch.
pub const BATCH_RECORDS_MAX: usize = 1_000;
/// Bytes of the records of one batch; a larger record goes alone.
pub const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// What failed calls may cost while one batch is divided, over all its parts: enough to find one
/// record among a thousand that takes for ever, or two dozen that trap. After that all records that
/// were not worked on yet fail: a plugin that runs into its deadline with every record must not
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
    /// What failed calls for the batch that is divided have cost so far.
    cost: u32,
}

/// What came of one call.
type Called = Result<wasm::Outputs, Fault>;

/// Why a cut cannot go on at the moment, for no fault of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped(pub String);

impl Transformer {
    /// A version at work at one moment. A batch that it asks to be tried again for is, `retries`
    /// times.
    pub fn new(version: Arc<Version>, moment: Moment, retries: u32) -> Self {
        Self {
            version,
            moment,
            retries: retries.min(RETRIES_MAX),
            instance: None,
            cost: 0,
        }
    }

    /// Hands `batch` to the plugin and what became of it to `sink`, in order. Blocks.
    ///
    /// # Errors
    /// When no instance could be made: nothing is wrong with the batch, which can be tried again.
    pub fn work(&mut self, batch: &Slab, sink: &mut impl Sink) -> Result<(), Stopped> {
        let mut attempts = 0;
        let fault = loop {
            attempts += 1;
            match self.call(batch)? {
                Ok(outputs) => {
                    give(outputs.iter(), 0, sink);
                    return Ok(());
                }
                Err(Fault::Permanent(text)) => {
                    fail_all(0..batch.len(), &Fault::Permanent(text), attempts, sink);
                    return Ok(());
                }
                Err(fault) if attempts < self.tries(&fault) => {
                    tracing::debug!(version = ?self.version, %fault, "a batch is tried again");
                }
                Err(fault) => break fault,
            }
        };
        self.cost = 0;
        self.divide(batch, 0..batch.len(), (fault, attempts), sink)
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
            fail_all(range, &fault, attempts, sink);
            return Ok(());
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
                Err(fault) => return Ok(Err(fault)),
            },
        };
        let outcome = instance.transform(batch);
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
