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

mod follow;
mod words;

use std::ops::Range;
use std::sync::Arc;

use wasm::{Fault, Instance, Moment, Outputs, Slab, Version};

use self::follow::Note;
use self::words::{code, give};
use crate::failed_record::Failure;
use crate::pins::Pins;
use crate::settled::{Digest, Noted, Settled, Words};

/// Calls at least for a record that fails on an instance that worked before, or for which no
/// instance could be made: the second is on a fresh one.
const TRIES_AFTER_FAULT: u32 = 2;
/// How often a record is called for again at most (model, NumberOfRetries).
const RETRIES_MAX: u32 = 300;

/// What becomes of each record of a batch.
pub trait Sink {
    /// A record to deliver that stems from the `source`-th of the batch.
    fn deliver(&mut self, source: usize, data: &[u8]);
    /// The `source`-th record is left out on purpose.
    fn drop_record(&mut self, source: usize);
    /// The `source`-th record could not be worked on.
    fn fail(&mut self, source: usize, failure: Failure<'_>);
}

/// A plugin at work on one cut.
pub struct Transformer {
    version: Arc<Version>,
    moment: Moment,
    pins: Pins,
    retries: u32,
    instance: Option<Instance>,
    /// Records of the cut before the batch.
    before: u32,
    /// Of what came out so far.
    digest: Digest,
    /// What no try may change, and what this one adds.
    settled: Settled,
    /// How many records were settled before this try.
    settled_before: u32,
}

/// Why a cut cannot go on at the moment, for no fault of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped(pub String);

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

/// A stretch of a batch whose records are called one by one.
struct Stretch {
    /// The first record that is not noted yet.
    from: usize,
    end: usize,
    /// Calls that were made for all of them before.
    attempts: u32,
    /// All that becomes of it is noted, and not only what a deadline decided.
    notes_all: bool,
    /// A deadline decided something, so that the rest is noted too.
    is_late: bool,
}

impl Transformer {
    /// A version at work at one moment. A record whose calls fail is called for `retries` times
    /// again, counted from the first call that it was in; one that the plugin says will never do is
    /// not. A batch is only tried again as a whole where the plugin asks for it. An earlier try may
    /// have settled some of the records.
    pub fn new(
        version: Arc<Version>,
        pins: Pins,
        moment: Moment,
        retries: u32,
        settled: Settled,
    ) -> Self {
        Self {
            version,
            moment,
            pins,
            retries: retries.min(RETRIES_MAX),
            instance: None,
            before: 0,
            digest: Digest::default(),
            settled_before: settled.to,
            settled,
        }
    }

    /// What its batches are made by.
    pub fn pins(&self) -> &Pins {
        &self.pins
    }

    /// What is settled once the records so far have left.
    pub fn settled(&self) -> &Settled {
        &self.settled
    }

    /// Hands `batch`, the cut's next, to the plugin and what became of it to `sink`, in order.
    /// Blocks.
    ///
    /// # Errors
    /// When no instance could be made, or what is settled did not come out as it was: nothing is
    /// wrong with the batch, which can be tried again.
    pub fn work(&mut self, batch: &Slab, sink: &mut impl Sink) -> Result<(), Stopped> {
        let count = u32::try_from(batch.len()).ok();
        let end = count.and_then(|count| self.before.checked_add(count));
        let end = end.ok_or_else(|| Stopped("a cut of more than 4 Gi records".to_owned()))?;
        let before = self.before;
        let notes = self.settled.notes_of(before..end);
        if notes.is_empty() {
            self.work_on_new(batch, sink)?;
        } else {
            let own = |(range, noted): (Range<u32>, Noted<'_>)| {
                let place = |record: u32| usize::try_from(record - before).ok();
                let range = place(range.start)?..place(range.end)?;
                Some((range, Note::of(noted)))
            };
            let notes: Vec<_> = notes.into_iter().filter_map(own).collect();
            self.follow(batch, notes, sink)?;
        }
        self.before = end;
        self.settled.to = self.settled.to.max(end);
        match self.settled.digest_at(end) {
            Some(kept) if kept != self.digest.value() => Err(self.changed()),
            _ => Ok(()),
        }
    }

    /// An object ended with the batch that was worked on last: what came out so far leaves.
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
        Stopped(format!(
            "the first {} records of this delivery do not come out as they did before, and some of \
             them may have left: either {:?} gives something else each time, or another build of \
             millrace is at work. Nothing is put. Start the build that began the delivery, or \
             decide what becomes of it (millrace delivery --help)",
            self.before, self.version,
        ))
    }

    /// Whether the batch was worked on before, and something of it may have left.
    fn is_settled(&self) -> bool {
        self.before < self.settled_before
    }

    fn work_on_new(&mut self, batch: &Slab, sink: &mut impl Sink) -> Result<(), Stopped> {
        let all = 0..batch.len();
        let mut attempts = 0;
        let failed = loop {
            attempts += 1;
            match self.call(batch)? {
                Ok(outputs) => {
                    if attempts > 1 && self.settled.has_room(batch.len()) {
                        self.note_part(all.clone(), false);
                    }
                    self.give(&outputs, all.start, sink);
                    return Ok(());
                }
                Err(failed) if attempts < self.tries_of_batch(&failed) => {}
                Err(failed) => break failed,
            }
        };
        tracing::debug!(version = ?self.version, fault = %failed.fault, "a batch is divided");
        let is_late = matches!(failed.fault, Fault::Deadline(_));
        let is_last = batch.len() == 1 && attempts >= self.tries_of_record(&failed, 0);
        if is_last && is_late {
            self.version.record_missed_its_deadline();
        }
        if is_last || failed.not_begun || matches!(failed.fault, Fault::Permanent(_)) {
            let notes = is_late || self.settled.has_room(batch.len());
            self.fail(all, (&failed.fault, attempts), notes, sink);
            return Ok(());
        }
        self.divide(batch, (failed.fault, attempts), sink)
    }

    fn tries_of_batch(&self, failed: &Failed) -> u32 {
        match &failed.fault {
            Fault::Retryable(_) => self.retries + 1,
            _ if failed.not_begun => TRIES_AFTER_FAULT,
            _ => 1,
        }
    }

    /// Works on a batch that failed after so many calls.
    fn divide(
        &mut self,
        batch: &Slab,
        (mut fault, attempts): (Fault, u32),
        sink: &mut impl Sink,
    ) -> Result<(), Stopped> {
        let notes_all = self.settled.has_room(batch.len());
        let mut from = 0;
        while let Some(named) = named(&fault, batch.len() - from).filter(|_| notes_all) {
            let named = from + named;
            if from < named && self.call_together(batch, from..named, sink)?.is_err() {
                let stretch = Stretch::new(from..named, attempts + 1, notes_all, false);
                self.call_one_by_one(batch, stretch, sink)?;
            }
            self.try_named(batch, named, (fault, attempts), sink)?;
            from = named + 1;
            if from == batch.len() {
                return Ok(());
            }
            match self.call_together(batch, from..batch.len(), sink)? {
                Ok(()) => return Ok(()),
                Err(failed) => fault = failed.fault,
            }
        }
        // A later try that only knows that they were called one by one says 1.
        let attempts = if notes_all { attempts } else { 1 };
        let is_late = matches!(fault, Fault::Deadline(_));
        let stretch = Stretch::new(from..batch.len(), attempts, notes_all, is_late);
        self.call_one_by_one(batch, stretch, sink)
    }

    /// Calls again for a record that named itself after so many calls, on fresh instances.
    fn try_named(
        &mut self,
        batch: &Slab,
        named: usize,
        (fault, attempts): (Fault, u32),
        sink: &mut impl Sink,
    ) -> Result<(), Stopped> {
        let range = named..named + 1;
        if attempts > self.retries {
            self.fail(range, (&fault, attempts), true, sink);
            return Ok(());
        }
        self.instance = None;
        let (called, tries, _) = self.call_alone(&batch.part(range.clone()), attempts)?;
        match called {
            Ok(outputs) => {
                self.note_part(range, false);
                self.give(&outputs, named, sink);
            }
            Err(failed) => {
                self.fail(range, (&failed.fault, attempts + tries), true, sink);
            }
        }
        Ok(())
    }

    /// Calls for a part of a batch on a fresh instance.
    fn call_together(
        &mut self,
        batch: &Slab,
        range: Range<usize>,
        sink: &mut impl Sink,
    ) -> Result<Result<(), Failed>, Stopped> {
        self.instance = None;
        match self.call(&batch.part(range.clone()))? {
            Ok(outputs) => {
                self.note_part(range.clone(), false);
                self.give(&outputs, range.start, sink);
                Ok(Ok(()))
            }
            Err(failed) => Ok(Err(failed)),
        }
    }

    /// Calls for the records of a stretch, one after the other, first on a fresh instance.
    fn call_one_by_one(
        &mut self,
        batch: &Slab,
        mut stretch: Stretch,
        sink: &mut impl Sink,
    ) -> Result<(), Stopped> {
        self.instance = None;
        for record in stretch.from..stretch.end {
            let alone = batch.part(record..record + 1);
            let (called, tries, was_late) = self.call_alone(&alone, stretch.attempts)?;
            let is_noted = stretch.notes_all || was_late;
            stretch.is_late |= was_late;
            match called {
                Ok(outputs) => {
                    if tries > 1 && is_noted {
                        // What was called before it is on another instance.
                        self.note_part(stretch.from..record, true);
                        stretch.from = record;
                    }
                    self.give(&outputs, record, sink);
                }
                Err(failed) => {
                    let end = if failed.not_begun || (was_late && self.settled.is_full()) {
                        stretch.end
                    } else {
                        record + 1
                    };
                    if is_noted {
                        self.note_part(stretch.from..record, true);
                        stretch.from = end;
                    }
                    let told = (&failed.fault, stretch.attempts + tries);
                    self.fail(record..end, told, is_noted, sink);
                    if end == stretch.end {
                        break;
                    }
                }
            }
        }
        if stretch.notes_all || stretch.is_late {
            self.note_part(stretch.from..stretch.end, true);
        }
        Ok(())
    }

    /// Calls for one record that was in so many calls before until it is known what becomes of it:
    /// that, how often it was called for alone, and whether a deadline was missed meanwhile.
    fn call_alone(&mut self, record: &Slab, before: u32) -> Result<(Called, u32, bool), Stopped> {
        let (mut tries, mut was_late) = (0, false);
        loop {
            tries += 1;
            let failed = match self.call(record)? {
                Ok(outputs) => return Ok((Ok(outputs), tries, was_late)),
                Err(failed) => failed,
            };
            was_late |= matches!(failed.fault, Fault::Deadline(_));
            if tries >= self.tries_of_record(&failed, before) {
                if matches!(failed.fault, Fault::Deadline(_)) {
                    self.version.record_missed_its_deadline();
                }
                return Ok((Err(failed), tries, was_late));
            }
        }
    }

    /// How often a record is called for alone that was in so many calls before.
    fn tries_of_record(&self, failed: &Failed, before: u32) -> u32 {
        if matches!(failed.fault, Fault::Permanent(_)) {
            return 1;
        }
        let at_least = if failed.was_used || failed.not_begun {
            TRIES_AFTER_FAULT
        } else {
            1
        };
        (self.retries + 1).saturating_sub(before).max(at_least)
    }

    fn call(&mut self, batch: &Slab) -> Result<Called, Stopped> {
        let was_used = self.instance.is_some();
        let time = self.pins.limits.batch_time_max;
        let time = if self.is_settled() {
            // It came out within this before, or within less.
            time
        } else {
            self.version.time_for(batch.len(), time)
        };
        let instance = match &mut self.instance {
            Some(instance) => instance,
            empty => match Instance::start(&self.version, self.moment, self.pins.limits) {
                Ok(started) => empty.insert(started),
                Err(none @ (Fault::NoInstance(_) | Fault::Stopped)) => {
                    return Err(Stopped(none.to_string()));
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
        match instance.transform(batch, time) {
            Ok(outputs) => Ok(Ok(outputs)),
            Err(fault @ Fault::Stopped) => Err(Stopped(fault.to_string())),
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
            return Err(Stopped(format!("what came out in time before: {fault}")));
        }
        Ok(Err(failed))
    }

    /// Fails records for good.
    fn fail(
        &mut self,
        range: Range<usize>,
        (fault, attempts): (&Fault, u32),
        is_noted: bool,
        sink: &mut impl Sink,
    ) {
        if let Fault::Panicked(panic) = fault {
            self.version.log_panic(panic);
        }
        let mut words = Words {
            code: code(fault).to_owned(),
            message: fault.to_string(),
            attempts,
        };
        if is_noted && !self.is_settled() {
            words = self.settled.note_failed(self.places(&range), words);
        }
        self.give_failed(range, &words, sink);
    }

    fn note_part(&mut self, range: Range<usize>, one_by_one: bool) {
        if !self.is_settled() {
            self.settled.note_part(self.places(&range), one_by_one);
        }
    }

    fn give(&mut self, outputs: &Outputs, first: usize, sink: &mut impl Sink) {
        let places = self.places(&(first..first));
        self.digest.add_outputs(places.start, outputs);
        give(outputs.iter(), first, sink);
    }

    fn give_failed(&mut self, range: Range<usize>, words: &Words, sink: &mut impl Sink) {
        // What comes after has an instance of its own.
        self.instance = None;
        self.digest.add_failed(&self.places(&range), words);
        let failure = Failure {
            code: &words.code,
            message: &words.message,
            reason: None,
            attempts: words.attempts,
        };
        for source in range {
            sink.fail(source, failure);
        }
    }

    /// Places in the cut of records of the batch, which are counted before they are worked on.
    fn places(&self, range: &Range<usize>) -> Range<u32> {
        let place = |record: usize| {
            let record = u32::try_from(record).ok();
            record.map_or(u32::MAX, |record| self.before + record)
        };
        place(range.start)..place(range.end)
    }
}

impl Stretch {
    fn new(range: Range<usize>, attempts: u32, notes_all: bool, is_late: bool) -> Self {
        Self {
            from: range.start,
            end: range.end,
            attempts,
            notes_all,
            is_late,
        }
    }
}

/// Which of so many records the guest says that it panicked with.
fn named(fault: &Fault, records: usize) -> Option<usize> {
    let Fault::Panicked(panic) = fault else {
        return None;
    };
    let record = usize::try_from(panic.record?).ok()?;
    Some(record).filter(|record| *record < records)
}

#[cfg(test)]
mod tests;
