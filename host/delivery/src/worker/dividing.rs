//! Records that come several in one are taken one after the other.

use std::collections::VecDeque;
use std::ops::Range;

use super::Worker;
use crate::deaggregation::{Deaggregation, Undivided};
use crate::failed_record::Failure;
use crate::sink::requests::Record;
use crate::transform::Stopped;
use crate::user_records::Offered;

/// How records are taken apart, and how far that has come.
pub(super) struct Dividing {
    terms: Deaggregation,
    /// Those of the record at hand that were not taken yet; `None` before it was looked at.
    left: Option<VecDeque<Range<usize>>>,
    /// How many were taken of each record of the frame, since that was asked last.
    times: Vec<u32>,
    /// Those of the record at hand.
    taken: u32,
}

impl Dividing {
    pub(super) fn new(terms: Deaggregation) -> Self {
        Self {
            terms,
            left: None,
            times: Vec::new(),
            taken: 0,
        }
    }

    /// How many were taken of each record that was offered since this was asked last.
    pub(super) fn take_times(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.times)
    }

    /// No more of the record at hand is taken for now.
    fn turns(&mut self) {
        self.times.push(std::mem::take(&mut self.taken));
    }
}

impl Worker {
    /// Takes a record as the records that lie in it.
    pub(super) fn take_divided(
        &mut self,
        record: Record<'_>,
        dividing: &mut Dividing,
    ) -> Result<Offered, Stopped> {
        let mut left = match dividing.left.take() {
            Some(left) => left,
            None => self.divide(record, &dividing.terms),
        };
        let mut is_enough = false;
        while let Some(range) = left.front() {
            let data = record.data.get(range.clone()).ok_or_else(|| {
                let (bytes, end) = (record.data.len(), range.end);
                Stopped::ForNow(format!("a record in one of {bytes} bytes ends at {end}"))
            })?;
            let offered = if is_enough {
                Offered::Left
            } else {
                self.take_data(Record { data, ..record }, data)?
            };
            if offered == Offered::Left {
                dividing.turns();
                dividing.left = Some(left);
                return Ok(Offered::Left);
            }
            left.pop_front();
            dividing.taken += 1;
            is_enough = offered == Offered::TakenLast;
        }
        dividing.turns();
        Ok(if is_enough || self.is_full {
            Offered::TakenLast
        } else {
            Offered::Taken
        })
    }

    /// Where the records lie in one. Of one that has none, or cannot be taken apart, it is said
    /// here what becomes of it.
    fn divide(&mut self, record: Record<'_>, terms: &Deaggregation) -> VecDeque<Range<usize>> {
        self.packing.backs_up(record.data);
        let why = match terms.divide(record.data) {
            Ok(found) if found.is_empty() => {
                self.packing.counts_in(record.data);
                self.packing.drop_record();
                self.pass(record.data.len());
                return VecDeque::new();
            }
            Ok(found) => return found.into(),
            Err(why) => why,
        };
        self.packing.counts_in(record.data);
        self.fail_undivided(record, why, terms);
        self.pass(record.data.len());
        VecDeque::new()
    }

    fn fail_undivided(&mut self, record: Record<'_>, why: Undivided, terms: &Deaggregation) {
        let (code, message) = terms.words(why);
        let failure = Failure {
            code,
            message: &message,
            reason: None,
            attempts: record.history.attempts.saturating_add(1),
        };
        let failed = (record.data, record.history.arrival);
        self.packing.fail(failed, failure);
    }
}
