//! What cuts at work hold, in sum.

use std::collections::HashMap;
use std::hash::Hash;

/// What somebody holds, or all do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// Bytes of cuts that are worked on, and of objects that are put.
    pub bytes: u64,
    /// Cuts that are worked on.
    pub cuts: usize,
    /// Those of them that are slow.
    pub slow_cuts: usize,
    /// Bytes of all that is slow, also while its objects are put.
    pub slow_bytes: u64,
    /// Cuts that keep an instance, and are not worked on while objects of them are put.
    pub resting_cuts: usize,
}

impl Holding {
    pub(super) fn with(self, part: Self) -> Self {
        Self {
            bytes: self.bytes + part.bytes,
            cuts: self.cuts + part.cuts,
            slow_cuts: self.slow_cuts + part.slow_cuts,
            slow_bytes: self.slow_bytes + part.slow_bytes,
            resting_cuts: self.resting_cuts + part.resting_cuts,
        }
    }

    pub(super) fn without(self, part: Self) -> Self {
        Self {
            bytes: self.bytes - part.bytes,
            cuts: self.cuts - part.cuts,
            slow_cuts: self.slow_cuts - part.slow_cuts,
            slow_bytes: self.slow_bytes - part.slow_bytes,
            resting_cuts: self.resting_cuts - part.resting_cuts,
        }
    }
}

/// Changes what one of them holds. Only who holds something is noted.
pub(super) fn book_of<K: Clone + Eq + Hash>(
    all: &mut HashMap<K, Holding>,
    of: &K,
    book: impl FnOnce(&mut Holding),
) {
    let held = all.entry(of.clone()).or_default();
    book(held);
    if *held == Holding::default() {
        all.remove(of);
    }
}
