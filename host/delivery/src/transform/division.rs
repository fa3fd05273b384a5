//! What is left to be done of a batch, one call after the other.

use std::ops::Range;

use wasm::{Fault, Slab};

use super::words::code;
use super::{Failed, Outlet, Stopped, TRIES_AFTER_FAULT, Transformer};
use crate::settled::{Noted, Words};

/// Records of a batch that are still to be done. The parts of a batch follow each other.
pub(super) enum Part {
    /// All of them, called for together so many times already.
    Whole { attempts: u32 },
    /// Those before one that named itself after so many calls: together, on a fresh instance.
    Before { range: Range<usize>, attempts: u32 },
    /// One that named itself, after so many calls.
    Named(Named),
    /// Those after one that named itself: together, on a fresh instance.
    After { range: Range<usize>, attempts: u32 },
    /// One by one.
    Alone(Stretch),
    /// Those that came out together of a fresh instance in an earlier try.
    Together { range: Range<usize> },
    /// Those that failed for good.
    Failed(Lost),
}

/// Records that failed for good.
pub(super) struct Lost {
    range: Range<usize>,
    words: Words,
    /// That they did is noted. Where an earlier try did, it is already.
    is_noted: bool,
}

/// A record that the guest said it panicked with.
pub(super) struct Named {
    record: usize,
    fault: Fault,
    /// Calls for it so far.
    attempts: u32,
}

/// Records that are called for one by one, the first on a fresh instance.
pub(super) struct Stretch {
    /// The first record that is not noted yet.
    from: usize,
    /// The record that comes next.
    next: usize,
    end: usize,
    /// Calls that were made for all of them before.
    attempts: u32,
    /// All that becomes of it is noted, and not only what a deadline decided.
    notes_all: bool,
    /// A deadline decided something, so that the rest is noted too.
    is_late: bool,
    is_begun: bool,
    /// Calls for the next record alone so far, which all failed.
    tries: u32,
    /// One of these missed its deadline.
    was_late: bool,
}

/// A batch that failed with these records, after so many calls.
struct Divided {
    range: Range<usize>,
    fault: Fault,
    attempts: u32,
    notes_all: bool,
}

impl Part {
    /// What an earlier try noted of records of the cut, of which `before` come before the batch.
    pub(super) fn noted(before: u32, range: Range<u32>, noted: Noted<'_>) -> Option<Self> {
        let place = |record: u32| usize::try_from(record.checked_sub(before)?).ok();
        let range = place(range.start)?..place(range.end)?;
        Some(match noted {
            Noted::Together => Self::Together { range },
            // Records that fail on their own account may not be noted.
            Noted::OneByOne => Self::Alone(Stretch::new(range, 1, false, false)),
            Noted::Failed(words) => Self::Failed(Lost {
                range,
                words: words.clone(),
                is_noted: false,
            }),
        })
    }

    /// The first of its records that is not done.
    fn begins(&self) -> usize {
        match self {
            Self::Whole { .. } => 0,
            Self::Before { range, .. } | Self::After { range, .. } | Self::Together { range } => {
                range.start
            }
            Self::Failed(lost) => lost.range.start,
            Self::Named(named) => named.record,
            Self::Alone(stretch) => stretch.next,
        }
    }
}

impl Stretch {
    fn new(range: Range<usize>, attempts: u32, notes_all: bool, is_late: bool) -> Self {
        Self {
            from: range.start,
            next: range.start,
            end: range.end,
            attempts,
            notes_all,
            is_late,
            is_begun: false,
            tries: 0,
            was_late: false,
        }
    }

    /// Whether what becomes of the next record is noted.
    fn notes_next(&self) -> bool {
        self.notes_all || self.was_late
    }

    /// The next record, and those before `next`, are done.
    fn goes_on_at(&mut self, next: usize) {
        self.is_late |= self.was_late;
        (self.next, self.tries, self.was_late) = (next, 0, false);
    }
}

impl Transformer {
    /// Makes the call that comes next for a part, if it takes one.
    pub(super) fn work_on(
        &mut self,
        part: Part,
        batch: &Slab,
        outlet: &mut impl Outlet,
    ) -> Result<(), Stopped> {
        if part.begins() != self.done {
            return Err(self.changed());
        }
        match part {
            Part::Whole { attempts } => self.call_whole(batch, attempts + 1, outlet),
            Part::Before { range, attempts } => {
                if self.call_together(batch, range.clone(), outlet)?.is_err() {
                    let stretch = Stretch::new(range, attempts + 1, true, false);
                    self.left.push_front(Part::Alone(stretch));
                }
                Ok(())
            }
            Part::Named(named) => self.call_named(batch, named, outlet),
            Part::After { range, attempts } => {
                if let Err(failed) = self.call_together(batch, range.clone(), outlet)? {
                    self.divide(Divided {
                        range,
                        fault: failed.fault,
                        attempts,
                        notes_all: true,
                    });
                }
                Ok(())
            }
            Part::Alone(stretch) => self.call_alone(batch, stretch, outlet),
            Part::Together { range } => match self.call_together(batch, range, outlet)? {
                Ok(()) => Ok(()),
                Err(failed) => {
                    let fault = failed.fault;
                    tracing::debug!(%fault, "a batch that came out before fails");
                    Err(self.changed())
                }
            },
            Part::Failed(lost) => self.lose_next(lost, outlet),
        }
    }

    /// Calls for the whole batch, for the `attempts`-th time.
    fn call_whole(
        &mut self,
        batch: &Slab,
        attempts: u32,
        outlet: &mut impl Outlet,
    ) -> Result<(), Stopped> {
        let all = 0..batch.len();
        let failed = match self.call(batch, 0)? {
            Ok(outputs) => {
                if attempts > 1 && self.settled.has_room(batch.len()) {
                    self.note_part(all.clone(), false)?;
                }
                self.give(&outputs, all, outlet)?;
                return Ok(());
            }
            Err(failed) => failed,
        };
        if attempts < self.tries_of_batch(&failed) {
            self.left.push_front(Part::Whole { attempts });
            return Ok(());
        }
        tracing::debug!(version = ?self.version, fault = %failed.fault, "a batch is divided");
        let is_late = matches!(failed.fault, Fault::Deadline(_));
        let is_last = batch.len() == 1 && attempts >= self.tries_of_record(&failed, 0);
        if is_last && is_late {
            self.version.record_missed_its_deadline(&self.patience);
        }
        let has_room = self.settled.has_room(batch.len());
        if is_last || failed.not_begun || matches!(failed.fault, Fault::Permanent(_)) {
            self.fail(all, (&failed.fault, attempts), is_late || has_room);
        } else {
            self.divide(Divided {
                range: all,
                fault: failed.fault,
                attempts,
                notes_all: has_room,
            });
        }
        Ok(())
    }

    fn tries_of_batch(&self, failed: &Failed) -> u32 {
        match &failed.fault {
            Fault::Retryable(_) => self.terms.retries + 1,
            _ if failed.not_begun => TRIES_AFTER_FAULT,
            _ => 1,
        }
    }

    /// Says how it goes on with a batch that failed, which is the last of what is left.
    fn divide(&mut self, divided: Divided) {
        let Divided {
            range,
            fault,
            attempts,
            notes_all,
        } = divided;
        let named = named(&fault, range.len()).filter(|_| notes_all);
        let Some(named) = named.map(|named| range.start + named) else {
            // A later try that only knows that they were called one by one says 1.
            let attempts = if notes_all { attempts } else { 1 };
            let is_late = matches!(fault, Fault::Deadline(_));
            let stretch = Stretch::new(range, attempts, notes_all, is_late);
            self.left.push_back(Part::Alone(stretch));
            return;
        };
        if range.start < named {
            let range = range.start..named;
            self.left.push_back(Part::Before { range, attempts });
        }
        self.left.push_back(Part::Named(Named {
            record: named,
            fault,
            attempts,
        }));
        if named + 1 < range.end {
            let range = named + 1..range.end;
            self.left.push_back(Part::After { range, attempts });
        }
    }

    /// Calls for a part of a batch on a fresh instance.
    fn call_together(
        &mut self,
        batch: &Slab,
        range: Range<usize>,
        outlet: &mut impl Outlet,
    ) -> Result<Result<(), Failed>, Stopped> {
        self.instance = None;
        match self.call(&batch.part(range.clone()), range.start)? {
            Ok(outputs) => {
                self.note_part(range.clone(), false)?;
                self.give(&outputs, range, outlet)?;
                Ok(Ok(()))
            }
            Err(failed) => Ok(Err(failed)),
        }
    }

    /// Calls again for a record that named itself, on a fresh instance, if it is to be.
    fn call_named(
        &mut self,
        batch: &Slab,
        named: Named,
        outlet: &mut impl Outlet,
    ) -> Result<(), Stopped> {
        let Named {
            record,
            fault,
            attempts,
        } = named;
        let range = record..record + 1;
        if attempts > self.terms.retries {
            self.fail(range, (&fault, attempts), true);
            return Ok(());
        }
        self.instance = None;
        match self.call(&batch.part(range.clone()), record)? {
            Ok(outputs) => {
                self.note_part(range.clone(), false)?;
                self.give(&outputs, range, outlet)?;
            }
            Err(failed) if matches!(failed.fault, Fault::Permanent(_)) => {
                self.fail(range, (&failed.fault, attempts + 1), true);
            }
            Err(failed) => self.left.push_front(Part::Named(Named {
                record,
                fault: failed.fault,
                attempts: attempts + 1,
            })),
        }
        Ok(())
    }

    /// Calls for the next record of a stretch, if there is one.
    fn call_alone(
        &mut self,
        batch: &Slab,
        mut stretch: Stretch,
        outlet: &mut impl Outlet,
    ) -> Result<(), Stopped> {
        let record = stretch.next;
        if record == stretch.end {
            self.note_stretch(&stretch)?;
            return Ok(());
        }
        if !stretch.is_begun {
            stretch.is_begun = true;
            self.instance = None;
        }
        match self.call(&batch.part(record..record + 1), record)? {
            Ok(outputs) => {
                if stretch.tries > 0 && stretch.notes_next() {
                    // What was called before it is on another instance.
                    self.note_part(stretch.from..record, true)?;
                    stretch.from = record;
                }
                self.give(&outputs, record..record + 1, outlet)?;
                stretch.goes_on_at(record + 1);
                self.left.push_front(Part::Alone(stretch));
            }
            Err(failed) => self.failed_alone(stretch, &failed)?,
        }
        Ok(())
    }

    /// The next record of a stretch failed alone: for good, unless it is to be tried again.
    fn failed_alone(&mut self, mut stretch: Stretch, failed: &Failed) -> Result<(), Stopped> {
        let is_late = matches!(failed.fault, Fault::Deadline(_));
        stretch.tries += 1;
        stretch.was_late |= is_late;
        if stretch.tries < self.tries_of_record(failed, stretch.attempts) {
            self.left.push_front(Part::Alone(stretch));
            return Ok(());
        }
        if is_late {
            self.version.record_missed_its_deadline(&self.patience);
        }
        let record = stretch.next;
        let end = if failed.not_begun || (stretch.was_late && self.settled.is_full()) {
            stretch.end
        } else {
            record + 1
        };
        let is_noted = stretch.notes_next();
        if is_noted {
            self.note_part(stretch.from..record, true)?;
            stretch.from = end;
        }
        let attempts = stretch.attempts + stretch.tries;
        stretch.goes_on_at(end);
        self.left.push_front(Part::Alone(stretch));
        self.fail(record..end, (&failed.fault, attempts), is_noted);
        Ok(())
    }

    /// Fails records for good, which come next.
    fn fail(&mut self, range: Range<usize>, (fault, attempts): (&Fault, u32), is_noted: bool) {
        if let Fault::Panicked(panic) = fault {
            self.version.log_panic(panic, Some(&self.workplace));
        }
        let words = Words {
            code: code(fault).to_owned(),
            message: fault.to_string(),
            attempts,
        };
        self.left.push_front(Part::Failed(Lost {
            range,
            words,
            is_noted,
        }));
    }

    /// The first of records that failed is done: one by one, so that a batch can end at any of them
    /// in this try and in a later one.
    fn lose_next(&mut self, mut lost: Lost, outlet: &mut impl Outlet) -> Result<(), Stopped> {
        let record = lost.range.start;
        lost.range.start += 1;
        if lost.is_noted && !self.is_settled() {
            let places = self.places(&(record..record + 1))?;
            lost.words = self.settled.note_failed(places, lost.words);
        }
        self.give_failed(record, &lost.words, outlet)?;
        if !lost.range.is_empty() {
            self.left.push_front(Part::Failed(lost));
        }
        Ok(())
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
        (self.terms.retries + 1)
            .saturating_sub(before)
            .max(at_least)
    }

    /// Notes records of a stretch that are done and came out, if they are to be noted.
    pub(super) fn note_stretch(&mut self, stretch: &Stretch) -> Result<(), Stopped> {
        if stretch.notes_all || stretch.is_late {
            self.note_part(stretch.from..self.done, true)?;
        }
        Ok(())
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
