//! What an operator must know.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// The reasons why not all is well.
#[derive(Default)]
pub struct Health {
    reasons: Mutex<BTreeMap<Topic, String>>,
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
