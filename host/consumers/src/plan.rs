//! How many records a shard's next batch has. A batch that fails is divided until the record is
//! alone that makes it fail; that one is tried a few times and then kept apart. Pure rules.

use std::collections::VecDeque;

use crate::limits::{BATCH_RECORDS_MAX, RECORD_TRIES_MAX};

/// Batches that must go well until the next one is twice as large again.
const GOOD_BATCHES_TO_GROW: u32 = 8;

/// What comes next.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Records of the next batches, in order, while a batch that failed is worked on in parts.
    pieces: VecDeque<usize>,
    /// Records of a batch otherwise.
    batch_max: usize,
    good: u32,
    /// How often the record that is alone has failed.
    tries: u32,
}

/// A batch that failed for what the plugin made of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failing {
    /// Its records.
    pub records: usize,
    /// The first so many are done, as the plugin said.
    pub done: usize,
    /// The record that it was working on, from 0, as the plugin said.
    pub named: Option<usize>,
}

/// What becomes of a batch that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is tried again in parts.
    Divided,
    /// Its one record is tried again; so often it was already.
    Again(u32),
    /// Its one record always fails.
    Hopeless(u32),
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            pieces: VecDeque::new(),
            batch_max: BATCH_RECORDS_MAX,
            good: 0,
            tries: 0,
        }
    }
}

impl Plan {
    /// Records of the next batch at most.
    pub fn records_max(&self) -> usize {
        self.pieces.front().copied().unwrap_or(self.batch_max)
    }

    #[cfg(test)]
    /// Whether something failed lately that is not done.
    pub fn is_about_a_failure(&self) -> bool {
        !self.pieces.is_empty() || self.tries > 0
    }

    /// A batch of so many records is done, or kept apart.
    pub fn is_done(&mut self, records: usize) {
        if records == 0 {
            return;
        }
        self.tries = 0;
        if let Some(first) = self.pieces.front_mut() {
            *first = first.saturating_sub(records);
            if *first == 0 {
                self.pieces.pop_front();
            }
            return;
        }
        self.good += 1;
        if self.good >= GOOD_BATCHES_TO_GROW {
            self.good = 0;
            self.batch_max = (self.batch_max * 2).min(BATCH_RECORDS_MAX);
        }
    }

    /// The next record goes alone.
    pub fn isolates(&mut self) {
        let first = self.pieces.pop_front().unwrap_or(self.batch_max);
        if first > 1 {
            self.pieces.push_front(first - 1);
        }
        self.pieces.push_front(1);
    }

    /// A batch of so many records was refused again and again for what others did meanwhile: a
    /// smaller one takes less time, and reads less.
    pub fn meets_conflicts(&mut self, records: usize) {
        self.good = 0;
        if records > 1 {
            self.batch_max = (self.batch_max.min(records) / 2).max(1);
        }
    }

    /// The shard stands elsewhere than it did.
    pub fn begins_anew(&mut self) {
        self.pieces.clear();
        self.tries = 0;
    }

    /// A batch failed.
    pub fn failed(&mut self, failing: Failing) -> Verdict {
        let Failing {
            records,
            done,
            named,
        } = failing;
        if records <= 1 {
            self.tries += 1;
            return if self.tries < RECORD_TRIES_MAX {
                Verdict::Again(self.tries)
            } else {
                Verdict::Hopeless(self.tries)
            };
        }
        self.good = 0;
        self.tries = 0;
        // The rest of the piece that this was the beginning of.
        let rest = self
            .pieces
            .pop_front()
            .map_or(0, |piece| piece.saturating_sub(records));
        let parts = match (named, done) {
            (Some(at), _) if at < records => [at, 1, records - at - 1],
            (_, done) if 0 < done && done < records => [done, 1, records - done - 1],
            _ => {
                // Whatever it was, a smaller batch has less of it.
                self.batch_max = (self.batch_max.min(records) / 2).max(1);
                [records / 2, records - records / 2, 0]
            }
        };
        let parts = parts.into_iter().chain([rest]).rev();
        for part in parts.filter(|part| *part > 0) {
            self.pieces.push_front(part);
        }
        Verdict::Divided
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Works on `records` of which some always fail; `named` says whether the plugin names them.
    /// Returns those that were kept apart, and how many batches it took.
    fn work(records: usize, bad: &[usize], is_named: bool) -> (Vec<usize>, usize) {
        let (mut plan, mut at, mut apart, mut batches) = (Plan::default(), 0, Vec::new(), 0);
        while at < records {
            batches += 1;
            assert!(batches < 20 * records, "it does not end");
            let size = plan.records_max().min(records - at);
            let failing = bad.iter().find(|bad| (at..at + size).contains(*bad));
            let Some(failing) = failing else {
                plan.is_done(size);
                at += size;
                continue;
            };
            let verdict = plan.failed(Failing {
                records: size,
                done: 0,
                named: is_named.then_some(failing - at),
            });
            if let Verdict::Hopeless(RECORD_TRIES_MAX) = verdict {
                assert_eq!(size, 1);
                apart.push(at);
                plan.is_done(1);
                at += 1;
            }
        }
        (apart, batches)
    }

    #[test]
    fn exactly_the_records_that_always_fail_are_kept_apart() {
        for bad in [&[][..], &[0], &[999], &[0, 1, 2], &[3, 500, 501, 1_998]] {
            for is_named in [true, false] {
                let (apart, batches) = work(2_000, bad, is_named);
                assert_eq!(apart, bad);
                let most = if is_named { 6 } else { 40 };
                assert!(batches <= 40 + bad.len() * most, "{bad:?}: {batches}");
            }
        }
    }

    #[test]
    fn what_the_plugin_said_is_done_goes_first_and_alone() {
        let mut plan = Plan::default();
        let failing = Failing {
            records: 10,
            done: 4,
            named: None,
        };
        assert_eq!(plan.failed(failing), Verdict::Divided);
        let mut sizes = Vec::new();
        while plan.is_about_a_failure() {
            sizes.push(plan.records_max());
            plan.is_done(plan.records_max());
        }
        assert_eq!(sizes, [4, 1, 5]);
    }

    #[test]
    fn batches_that_were_too_large_stay_smaller_for_a_while() {
        let mut plan = Plan::default();
        let failing = Failing {
            records: 1_000,
            ..Failing::default()
        };
        plan.failed(failing);
        for _ in 0..2 {
            plan.is_done(500);
        }
        assert_eq!(plan.records_max(), 500);
        for _ in 0..GOOD_BATCHES_TO_GROW {
            plan.is_done(500);
        }
        assert_eq!(plan.records_max(), BATCH_RECORDS_MAX);
    }
}
