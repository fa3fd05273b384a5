//! Events that several consumers push: those who stand at the same place of a shard share their
//! text and its checksum.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use store::{LogId, Position};
use wire::Codec;

use super::events::Pushed;

/// Bytes of text, and of what each takes besides, that are kept. Beyond that the oldest are
/// forgotten, and whoever comes for them reads them once more.
const SHARED_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes that an entry counts for besides its text.
const ENTRY_BYTES: usize = 512;
/// How old text may be that is pushed: consumers that keep up are much closer, and what retention
/// takes meanwhile is not given out for longer.
const SHARED_FOR_MAX: Duration = Duration::from_secs(1);

/// Where events begin, and how they are written.
type Place = (LogId, Position, Codec);

/// The events that were made last.
#[derive(Default)]
pub struct SharedEvents(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_place: HashMap<Place, (Arc<Pushed>, Duration)>,
    /// The oldest first; each is in the map.
    order: VecDeque<Place>,
    bytes: usize,
}

impl SharedEvents {
    /// What begins at a place, if it was made a moment ago.
    pub fn find(&self, place: Place, uptime: Duration) -> Option<Arc<Pushed>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (pushed, made_at) = kept.by_place.get(&place)?;
        (uptime < *made_at + SHARED_FOR_MAX).then(|| Arc::clone(pushed))
    }

    /// Keeps what begins at a place for others.
    pub fn keep(&self, place: Place, pushed: &Arc<Pushed>, uptime: Duration) {
        if pushed.text.bytes() > SHARED_BYTES_MAX {
            return;
        }
        // Whole again at the end, and nothing between can panic.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.forget_before(uptime.saturating_sub(SHARED_FOR_MAX));
        kept.bytes += pushed.text.bytes() + ENTRY_BYTES;
        let new = (Arc::clone(pushed), uptime);
        match kept.by_place.insert(place, new) {
            Some((old, _)) => kept.bytes -= old.text.bytes() + ENTRY_BYTES,
            None => kept.order.push_back(place),
        }
        while kept.bytes > SHARED_BYTES_MAX {
            if !kept.forget_oldest() {
                return;
            }
        }
    }
}

impl Kept {
    /// Forgets what was made before; nobody pushes it any more.
    fn forget_before(&mut self, uptime: Duration) {
        while let Some(oldest) = self.order.front() {
            let made_at = self.by_place.get(oldest).map(|(_, made_at)| *made_at);
            if made_at.is_some_and(|made_at| made_at >= uptime) {
                return;
            }
            self.forget_oldest();
        }
    }

    /// Forgets the entry that came first; `false`: there is none.
    fn forget_oldest(&mut self) -> bool {
        let Some(oldest) = self.order.pop_front() else {
            return false;
        };
        if let Some((old, _)) = self.by_place.remove(&oldest) {
            self.bytes -= old.text.bytes() + ENTRY_BYTES;
        }
        true
    }
}
