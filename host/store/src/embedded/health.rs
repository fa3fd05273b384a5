//! What an operator must know.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::engine::StoreError;

/// A way in which the engine can be in a poorer state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Nothing is written any more.
    ReadOnly,
    /// New data is refused.
    DiskFull,
    /// Frames do not get from the write-ahead log to segments.
    Flush,
    /// Something on the disk is not what was written.
    Damage,
}

/// Places of damage that are remembered. Further ones are logged, each as often as it is read.
const UNREADABLE_MAX: usize = 64;

/// The reasons why not all is well.
#[derive(Default)]
pub struct Health {
    reasons: Mutex<BTreeMap<Topic, String>>,
    /// What is wrong at a place of a file that somebody wanted to read.
    unreadable: Mutex<BTreeMap<(String, u64), String>>,
}

impl Health {
    fn reasons(&self) -> MutexGuard<'_, BTreeMap<Topic, String>> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a reason, then logs it, once as long as it stays.
    pub fn set(&self, topic: Topic, reason: String) {
        if self.note(topic, reason.clone()) {
            tracing::error!(?topic, %reason, "the store is in a poorer state");
        }
    }

    /// Notes a reason and logs nothing. Returns whether it is a new one.
    pub fn note(&self, topic: Topic, reason: String) -> bool {
        self.reasons().insert(topic, reason.clone()) != Some(reason)
    }

    /// Takes a reason back.
    pub fn clear(&self, topic: Topic) {
        let before = self.reasons().remove(&topic);
        if before.is_some() {
            tracing::info!(?topic, "the store has recovered");
        }
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<(String, u64), String>> {
        self.unreadable
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes damage that a read came to, and logs it once. Everything else is read and written as
    /// before, so that it is no reason to turn away from the store.
    pub fn note_unreadable(&self, error: &StoreError) {
        if self.note_place(error) {
            tracing::warn!(%error, "records cannot be read");
        }
    }

    /// Notes damage of a segment's own header in the same way.
    pub fn note_damaged_header(&self, error: &StoreError) {
        if self.note_place(error) {
            tracing::warn!(%error, "the header of a segment is damaged");
        }
    }

    /// Notes a place. Returns whether it was not known.
    fn note_place(&self, error: &StoreError) -> bool {
        let StoreError::Corrupt { file, offset, what } = error else {
            return false;
        };
        let mut places = self.places();
        let place = (file.clone(), *offset);
        if places.contains_key(&place) {
            return false;
        }
        if places.len() < UNREADABLE_MAX {
            places.insert(place, what.clone());
        }
        true
    }

    /// Forgets the damage of a file that is gone, or of all files in a directory.
    pub fn forget_unreadable(&self, path: &str) {
        self.places().retain(|(file, _), _| !file.starts_with(path));
    }

    /// Where damage was read.
    pub fn unreadable(&self) -> Vec<String> {
        let places = self.places();
        let told = places
            .iter()
            .map(|((file, offset), what)| format!("{file} at byte {offset}: {what}"));
        told.collect()
    }

    /// All reasons, or that all is well.
    pub fn check(&self) -> Result<(), String> {
        let reasons = self.reasons();
        if reasons.is_empty() {
            Ok(())
        } else {
            Err(reasons.values().cloned().collect::<Vec<_>>().join("; "))
        }
    }
}
