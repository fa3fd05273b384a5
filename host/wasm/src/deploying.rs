//! Versions that somebody hands to a running server, to be put in force as if they had been put
//! into the plugins directory. The thread that watches the directory does both, so that neither
//! sees the other's half done.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;

use crate::hash::ContentHash;
use crate::kept::Source;
use crate::name::PluginName;
use crate::refusal::Refusal;

/// Versions that are on their way at a time; the files of each are in memory. One more is refused,
/// and may be handed in again.
const DEPLOYMENTS_MAX: usize = 4;

/// What became of a version that was handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// The version.
    pub hash: ContentHash,
    /// It was so before.
    pub was_in_force: bool,
    /// Who goes by it now.
    pub standing: Standing,
}

/// Who goes by a version that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Everybody.
    InForce,
    /// A share, as its manifest or an operator says.
    Canary,
    /// Nobody: it was set aside meanwhile.
    SetAside,
}

/// Why a version that was handed in is not in force. The one before goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotDeployed {
    /// The server has no plugins directory, so that none can lie there.
    NoDirectory,
    /// For what is in its files, or lies in its place.
    Refused(String),
    /// It may be at another time.
    ForNow(String),
}

impl From<Refusal> for NotDeployed {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::ForGood(why) => Self::Refused(why),
            Refusal::ForNow(why) => Self::ForNow(why),
        }
    }
}

/// A version on its way to the watcher's thread.
pub(crate) struct Deployment {
    pub(crate) name: PluginName,
    pub(crate) source: Source,
    /// Whoever waits for what becomes of it.
    pub(crate) answer: SyncSender<Result<Deployed, Refusal>>,
    /// Counts until it is done.
    pub(crate) _place: Place,
}

/// How many are on their way.
#[derive(Clone, Default)]
pub(crate) struct Places(Arc<AtomicUsize>);

/// The place of one.
pub(crate) struct Place(Arc<AtomicUsize>);

impl Places {
    /// Takes a place; none when all are taken.
    pub(crate) fn take(&self) -> Option<Place> {
        let more = |taken: usize| (taken < DEPLOYMENTS_MAX).then_some(taken + 1);
        let taken = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        taken.is_ok().then(|| Place(Arc::clone(&self.0)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_what_had_it_is_done() {
        let places = Places::default();
        let taken: Vec<_> = (0..DEPLOYMENTS_MAX).map(|_| places.take()).collect();
        assert!(taken.iter().all(Option::is_some));
        assert!(places.take().is_none());
        drop(taken);
        assert!(places.take().is_some());
    }
}
