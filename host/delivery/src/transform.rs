//! A batch goes through a plugin, and one bad record costs one record.
//!
//! ```text
//! the batch, on the instance of the one before          -> it comes out
//!   fails, and the guest says with which record         -> what is before it, it, what is after it
//!   fails                                                -> its records one by one
//! ```
//!
//! A part of a batch that failed has a fresh instance, and so has what comes after a record that
//! failed: what a plugin keeps in its memory is a function of the records and of what is
//! [`Settled`]. Nothing in here is decided twice: a later try follows what was noted.
//!
//! A batch is worked on call by call, so that whoever asks for it can wait between two of them, and
//! can end a batch that was divided before its end.

mod division;
mod words;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use wasm::{
    BatchColumns, Fault, Instance, Moment, Outcomes, Outputs, Patience, Slab, Status, Version,
    Workplace,
};

use self::division::Part;
use self::words::give;
use crate::failed_record::Failure;
use crate::output::Output;
use crate::pins::Pins;
use crate::settled::{Digest, Settled, Words};

/// Calls at least for a record that fails on an instance that worked before, or for which no
/// instance could be made: the second is on a fresh one.
const TRIES_AFTER_FAULT: u32 = 2;
/// How often a record is called for again at most (model, NumberOfRetries).
const RETRIES_MAX: u32 = 300;

/// What becomes of each record of a batch.
pub trait Outlet {
    /// A record to deliver that stems from the `source`-th of the batch.
    fn deliver(&mut self, source: usize, data: &[u8]);
    /// All that is delivered of the `source`-th record.
    fn deliver_all(&mut self, source: usize, outputs: &[Output<'_>]) {
        for output in outputs {
            self.deliver(source, output.data);
        }
    }
    /// The `source`-th record is left out on purpose.
    fn drop_record(&mut self, source: usize);
    /// The `source`-th record could not be worked on.
    fn fail(&mut self, source: usize, failure: Failure<'_>);
}

/// How a cut goes through a plugin.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// What its batches are made by.
    pub pins: Pins,
    /// When it was decided.
    pub moment: Moment,
    /// How often a record whose calls fail is called for again, counted from the first call that it
    /// was in; one that the plugin says will never do is not. A batch is only tried again as a
    /// whole where the plugin asks for it.
    pub retries: u32,
    /// The number of the delivery stream: how patient one has become with the plugin is no matter
    /// of the others.
    pub delivery_stream: u64,
}

/// A plugin at work on one cut.
pub struct Transformer {
    version: Arc<Version>,
    workplace: Arc<Workplace>,
    terms: Terms,
    patience: Arc<Patience>,
    instance: Option<Instance>,
    /// Records of the cut before the batch.
    before: u32,
    /// What a guest may ask of the batch's records.
    columns: Option<BatchColumns>,
    /// What is left to be done of the batch, in order.
    left: VecDeque<Part>,
    /// Records of the batch that are done.
    done: usize,
    /// Of what came out so far.
    digest: Digest,
    /// What no try may change, and what this one adds.
    settled: Settled,
    /// How many records were settled before this try.
    settled_before: u32,
}

/// Why a cut cannot go on at the moment, for no fault of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It may go on when it is tried again.
    ForNow(String),
    /// What may have left does not come out as it did before: an operator has to decide.
    Changed(String),
}

/// What came of one call.
type Called = Result<Outputs, Failed>;

/// A call that failed.
struct Failed {
    fault: Fault,
    /// The instance that it failed on had worked before, so that what that kept may be the cause.
    was_used: bool,
    /// No instance came to life.
    not_begun: bool,
}

impl Transformer {
    /// A version at work on these terms. An earlier try may have settled some of the records.
    pub fn new(
        version: Arc<Version>,
        workplace: Arc<Workplace>,
        terms: Terms,
        settled: Settled,
    ) -> Self {
        Self {
            patience: version.patience_with(terms.delivery_stream),
            version,
            workplace,
            terms: Terms {
                retries: terms.retries.min(RETRIES_MAX),
                ..terms
            },
            instance: None,
            before: 0,
            columns: None,
            left: VecDeque::new(),
            done: 0,
            digest: Digest::default(),
            settled_before: settled.to,
            settled,
        }
    }

    /// What its batches are made by.
    pub fn pins(&self) -> &Pins {
        &self.terms.pins
    }

    /// What is settled once the records so far have left.
    pub fn settled(&self) -> &Settled {
        &self.settled
    }

    /// Begins with the cut's next batch, of so many records, of which a guest may ask this.
    ///
    /// # Errors
    /// When the cut has more records than can be.
    pub fn begin(&mut self, records: usize, columns: BatchColumns) -> Result<(), Stopped> {
        self.columns = Some(columns);
        let count = u32::try_from(records).ok();
        let end = count.and_then(|count| self.before.checked_add(count));
        let end =
            end.ok_or_else(|| Stopped::ForNow("a cut of more than 4 Gi records".to_owned()))?;
        self.done = 0;
        let notes = self.settled.notes_of(self.before..end);
        self.left = if notes.is_empty() {
            VecDeque::from([Part::Whole { attempts: 0 }])
        } else {
            let own = |(range, noted)| Part::noted(self.before, range, noted);
            notes.into_iter().filter_map(own).collect()
        };
        Ok(())
    }

    /// Makes the next call for the batch, which is the one that was begun, and hands what became of
    /// records to `outlet`, in order. How many of its records are done. Blocks.
    ///
    /// # Errors
    /// When no instance could be made, or what is settled did not come out as it was: nothing is
    /// wrong with the batch, which can be tried again.
    pub fn work(&mut self, batch: &Slab, outlet: &mut impl Outlet) -> Result<usize, Stopped> {
        let Some(part) = self.left.pop_front() else {
            // Other records than those that were noted make up this batch.
            return Err(self.changed());
        };
        self.work_on(part, batch, outlet)?;
        Ok(self.done)
    }

    /// Ends the batch with the records that are done. What was left of it begins another.
    ///
    /// # Errors
    /// When what came out is not what came out in an earlier try of which something has left.
    pub fn end(&mut self) -> Result<(), Stopped> {
        for part in std::mem::take(&mut self.left) {
            if let Part::Alone(stretch) = part {
                self.note_stretch(&stretch)?;
            }
        }
        self.before = self.place(self.done)?;
        self.done = 0;
        self.columns = None;
        self.settled.to = self.settled.to.max(self.before);
        match self.settled.digest_at(self.before) {
            Some(kept) if kept != self.digest.value() => Err(self.changed()),
            _ => Ok(()),
        }
    }

    /// An object ended with the batch that was ended last: what came out so far leaves.
    ///
    /// # Errors
    /// When none ended here in an earlier try of which something has left.
    pub fn mark(&mut self) -> Result<(), Stopped> {
        // An equal digest was found when the batch was done.
        if self.settled.digest_at(self.before).is_some() {
            return Ok(());
        }
        if self.before < self.settled.marked_to() {
            return Err(self.changed());
        }
        self.settled.mark(self.before, self.digest.value());
        Ok(())
    }

    fn changed(&self) -> Stopped {
        Stopped::Changed(format!(
            "the first {} records of this delivery do not come out as they did before, and some of \
             them may have left: either {:?} gives something else each time, or another build of \
             millrace is at work. Nothing is put. Start the build that began the delivery, or \
             decide what becomes of it",
            self.before, self.version,
        ))
    }

    /// Whether the batch was worked on before, and something of it may have left.
    fn is_settled(&self) -> bool {
        self.before < self.settled_before
    }

    /// Makes one call, for records from the `first` of the batch on.
    fn call(&mut self, records: &Slab, first: usize) -> Result<Called, Stopped> {
        let was_used = self.instance.is_some();
        let limits = self.terms.pins.limits;
        let time = if self.is_settled() {
            // It came out within this before, or within less.
            limits.batch_time_max
        } else {
            self.patience.time(records.len(), limits.batch_time_max)
        };
        let columns = self.columns.as_ref();
        let columns = columns.map(|columns| columns.part(first..first + records.len()));
        // An instance of its own has random numbers of its own.
        let moment = self.terms.moment.at(self.place(first)?.into());
        let instance = match &mut self.instance {
            Some(instance) => instance,
            empty => match Instance::start_at(&self.workplace, &self.version, moment, limits) {
                Ok(started) => empty.insert(started),
                Err(none @ (Fault::NoInstance(_) | Fault::Stopped)) => {
                    return Err(Stopped::ForNow(none.to_string()));
                }
                // A guest that does not begin does not take this batch.
                Err(fault) => {
                    return self.failed(Failed {
                        fault,
                        was_used,
                        not_begun: true,
                    });
                }
            },
        };
        match instance.transform(records, columns, time) {
            Ok(outputs) => {
                self.patience.came_out(records.len(), instance.took());
                Ok(Ok(outputs))
            }
            Err(fault @ (Fault::Stopped | Fault::Unavailable(_))) => {
                Err(Stopped::ForNow(fault.to_string()))
            }
            Err(fault) => {
                // Whatever state it is in, the next call does not see it.
                self.instance = None;
                self.failed(Failed {
                    fault,
                    was_used,
                    not_begun: false,
                })
            }
        }
    }

    /// What was settled came out in time, so that it waits for a machine that is faster again.
    fn failed(&self, failed: Failed) -> Result<Called, Stopped> {
        if self.is_settled() && matches!(failed.fault, Fault::Deadline(_)) {
            let fault = failed.fault;
            let why = format!("what came out in time before: {fault}");
            return Err(Stopped::ForNow(why));
        }
        Ok(Err(failed))
    }

    fn note_part(&mut self, range: Range<usize>, one_by_one: bool) -> Result<(), Stopped> {
        if !self.is_settled() {
            let places = self.places(&range)?;
            self.settled.note_part(places, one_by_one);
        }
        Ok(())
    }

    fn give(
        &mut self,
        outputs: &Outputs,
        range: Range<usize>,
        outlet: &mut impl Outlet,
    ) -> Result<(), Stopped> {
        let first = self.place(range.start)?;
        self.digest.add_outputs(first, outputs);
        if !self.is_settled() {
            self.version.ended(outcomes(outputs, range.len()));
        }
        give(outputs, range.start, outlet);
        self.done = range.end;
        Ok(())
    }

    fn give_failed(
        &mut self,
        record: usize,
        words: &Words,
        outlet: &mut impl Outlet,
    ) -> Result<(), Stopped> {
        // What comes after has an instance of its own.
        self.instance = None;
        let places = self.places(&(record..record + 1))?;
        self.digest.add_failed(&places, words);
        if !self.is_settled() {
            self.version.ended(Outcomes {
                failed: 1,
                ..Outcomes::default()
            });
        }
        let failure = Failure {
            code: &words.code,
            message: &words.message,
            reason: None,
            attempts: words.attempts,
        };
        self.done = record + 1;
        outlet.fail(record, failure);
        Ok(())
    }

    fn places(&self, range: &Range<usize>) -> Result<Range<u32>, Stopped> {
        Ok(self.place(range.start)?..self.place(range.end)?)
    }

    /// The place in the cut of a record of the batch.
    ///
    /// # Errors
    /// When there can be none: all records of the batch were counted when it was begun.
    fn place(&self, record: usize) -> Result<u32, Stopped> {
        let place = u32::try_from(record).ok();
        let place = place.and_then(|place| self.before.checked_add(place));
        place.ok_or_else(|| Stopped::ForNow(format!("record {record} of a batch was not counted")))
    }
}

/// What became of so many records. Each that did not come out has one output that says so.
fn outcomes(outputs: &Outputs, records: usize) -> Outcomes {
    let count = |status| outputs.iter().filter(|it| it.status == status).count() as u64;
    let (dropped, failed) = (count(Status::Dropped), count(Status::Failed));
    Outcomes {
        ok: (records as u64).saturating_sub(dropped + failed),
        dropped,
        failed,
    }
}

#[cfg(test)]
mod tests;
