//! What each request holds, each at its place.

use std::sync::Arc;
use std::time::Instant;

use super::holder::{Holder, Phase};
use super::payer::Payer;
use crate::pace::{Due, Pace};

/// What one request holds.
pub(super) struct Share {
    pub(super) payer: Payer,
    pub(super) phase: Phase,
    /// Bytes that count; none once it was ended, because they are as good as free.
    pub(super) bytes: usize,
    /// Bytes that a stream of events takes apart from its events, for as long as it lives.
    pub(super) resting: usize,
    /// Bytes that it will hold at most, as far as that is known.
    pub(super) needs: usize,
    /// When it is late, if nothing has moved since somebody looked.
    pub(super) due: Due,
    /// As much of what has moved as `due` knows of.
    pub(super) moved: usize,
    pub(super) is_ended: bool,
    pub(super) holder: Arc<Holder>,
}

impl Share {
    /// When it is late, after what has moved since the last look.
    pub(super) fn look(&mut self, pace: Pace, now: Instant) -> Due {
        let moved = self.holder.moved();
        let since = moved.wrapping_sub(self.moved);
        if since > 0 {
            self.moved = moved;
            self.due = pace.earn(self.due, since, now);
        }
        self.due
    }
}

/// All shares. A place is used again once its share is gone.
#[derive(Default)]
pub(super) struct Places {
    shares: Vec<Option<Share>>,
    free: Vec<usize>,
}

impl Places {
    pub(super) fn add(&mut self, share: Share) -> usize {
        if let Some(place) = self.free.pop() {
            self.shares[place] = Some(share);
            return place;
        }
        self.shares.push(Some(share));
        self.shares.len() - 1
    }

    pub(super) fn remove(&mut self, place: usize) {
        if self.shares.get_mut(place).and_then(Option::take).is_some() {
            self.free.push(place);
        }
    }

    pub(super) fn get(&self, place: usize) -> Option<&Share> {
        self.shares.get(place).and_then(Option::as_ref)
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut Share> {
        self.shares.get_mut(place).and_then(Option::as_mut)
    }

    /// Every place has a lower number than this.
    pub(super) fn end(&self) -> usize {
        self.shares.len()
    }
}
