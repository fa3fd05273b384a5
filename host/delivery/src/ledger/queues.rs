//! Those who wait for a seat, in queues: in each all are alike, but for the bytes that they ask for
//! and for when they came. So what stands in the way of all of a queue is looked at once, however
//! many they are.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use super::{Asker, PASSED_MAX, SeatId};

/// One who waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) bytes: u64,
    /// How many others have passed it.
    pub(super) passed: u32,
    /// Who had asked when that were enough: the first that had not.
    pub(super) enough_at: Option<SeatId>,
}

/// In the order in which they came.
type Queue = BTreeMap<SeatId, Waiting>;

#[derive(Debug, Default)]
pub(super) struct Queues {
    by_asker: HashMap<Asker, Queue>,
    askers: HashMap<SeatId, Asker>,
}

impl Queues {
    pub(super) fn len(&self) -> usize {
        self.askers.len()
    }

    /// Puts one at the end of its queue. Each comes with a higher number than those before.
    pub(super) fn push(&mut self, id: SeatId, asker: Asker, bytes: u64) {
        let waiting = Waiting {
            bytes,
            passed: 0,
            enough_at: None,
        };
        let queue = self.by_asker.entry(asker.clone()).or_default();
        queue.insert(id, waiting);
        self.askers.insert(id, asker);
    }

    pub(super) fn get(&self, id: SeatId) -> Option<(&Asker, &Waiting)> {
        let asker = self.askers.get(&id)?;
        Some((asker, self.by_asker.get(asker)?.get(&id)?))
    }

    pub(super) fn remove(&mut self, id: SeatId) -> Option<(Asker, Waiting)> {
        let asker = self.askers.remove(&id)?;
        let queue = self.by_asker.get_mut(&asker)?;
        let waiting = queue.remove(&id)?;
        if queue.is_empty() {
            self.by_asker.remove(&asker);
        }
        Some((asker, waiting))
    }

    /// One was passed by another; `next` asks next.
    pub(super) fn pass(&mut self, id: SeatId, next: SeatId) {
        let queue = self.askers.get(&id);
        let queue = queue.and_then(|asker| self.by_asker.get_mut(asker));
        if let Some(waiting) = queue.and_then(|queue| queue.get_mut(&id)) {
            waiting.passed = waiting.passed.saturating_add(1);
            if waiting.passed >= PASSED_MAX {
                waiting.enough_at.get_or_insert(next);
            }
        }
    }

    /// The first of each queue.
    pub(super) fn heads(&self) -> impl Iterator<Item = (&Asker, SeatId)> {
        let queues = self.by_asker.iter();
        queues.filter_map(|(asker, queue)| Some((asker, *queue.first_key_value()?.0)))
    }

    /// The one behind another in its queue.
    pub(super) fn behind(&self, asker: &Asker, id: SeatId) -> Option<SeatId> {
        let queue = self.by_asker.get(asker)?;
        let mut behind = queue.range((Bound::Excluded(id), Bound::Unbounded));
        behind.next().map(|(id, _)| *id)
    }

    /// How many bytes those of each queue ask for.
    pub(super) fn by_asker(
        &self,
    ) -> impl Iterator<Item = (&Asker, impl Iterator<Item = u64> + '_)> {
        let queues = self.by_asker.iter();
        queues.map(|(asker, queue)| (asker, queue.values().map(|waiting| waiting.bytes)))
    }
}
