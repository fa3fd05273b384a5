//! Versions that are held ready though they are not in force: a rollback to one takes no time, nor
//! does a lane that goes by an alias or by a canary wait for one.

use std::sync::Arc;

use crate::hash::ContentHash;
use crate::version::Version;

/// Versions of a plugin that are held besides the one in force. The one that was used longest ago
/// is let go for another; it is loaded again when it is needed.
const WARM_VERSIONS_MAX: usize = 4;

/// The versions, the one that was used last in front.
#[derive(Default)]
pub(crate) struct Warm(Vec<Arc<Version>>);

impl Warm {
    /// The version of this content. It is used by that.
    pub(crate) fn find(&mut self, hash: ContentHash) -> Option<Arc<Version>> {
        let place = self.0.iter().position(|version| version.hash() == hash)?;
        self.0.get_mut(..=place)?.rotate_right(1);
        self.0.first().cloned()
    }

    /// Holds a version.
    pub(crate) fn hold(&mut self, version: Arc<Version>) {
        self.let_go(version.hash());
        self.0.insert(0, version);
        for gone in self.0.drain(WARM_VERSIONS_MAX.min(self.0.len())..) {
            // Whoever is at work with it is counted with the others.
            gone.is_shown().set(false);
        }
    }

    /// Holds a version no longer.
    pub(crate) fn let_go(&mut self, hash: ContentHash) {
        self.0.retain(|version| version.hash() != hash);
    }

    pub(crate) fn all(&self) -> &[Arc<Version>] {
        &self.0
    }
}
