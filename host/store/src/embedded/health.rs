//! What an operator must know.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

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
    /// Notes a reason and logs it, once as long as it stays.
    pub fn set(&self, topic: Topic, reason: String) {
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        if reasons.get(&topic) != Some(&reason) {
            tracing::error!(?topic, %reason, "the store is in a poorer state");
            reasons.insert(topic, reason);
        }
    }

    /// Takes a reason back.
    pub fn clear(&self, topic: Topic) {
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        if reasons.remove(&topic).is_some() {
            tracing::info!(?topic, "the store has recovered");
        }
    }

    /// All reasons, or that all is well.
    pub fn check(&self) -> Result<(), String> {
        let reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        if reasons.is_empty() {
            Ok(())
        } else {
            Err(reasons.values().cloned().collect::<Vec<_>>().join("; "))
        }
    }
}
