//! What a lane remembers of the state that is kept for its shard: not its bytes, of which there
//! would be as many as shards, but what tells them apart. They are read within a batch's memory,
//! for an instance that begins with them.

use std::time::Duration;

use sha2::{Digest, Sha256};
use store::{StoreError, Version};
use streams::pump::{Retry, StepError};

use super::Lane;
use crate::rows::{self, KeptState};

/// Tells the contents of states apart.
pub(super) type StateDigest = [u8; 32];

/// A state as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) digest: StateDigest,
    /// The version of its row.
    pub(super) version: Version,
}

/// What tells a state apart from all others.
pub(super) fn digest(state: &KeptState) -> StateDigest {
    let mut hasher = Sha256::new();
    hasher.update(state.state_version.to_be_bytes());
    hasher.update(&state.bytes);
    hasher.finalize().into()
}

impl Lane {
    /// The state that is kept, for an instance that is to begin with it.
    ///
    /// # Errors
    /// It cannot be read, or somebody has changed it since the lane looked: it looks again.
    pub(super) async fn kept_state(&mut self) -> Result<Option<KeptState>, StepError> {
        let (found, state) = match self.read_kept().await {
            Ok(read) => read,
            Err(error) => return Err(self.waits(error.to_string())),
        };
        if found == self.kept {
            return Ok(state);
        }
        self.is_unsure = true;
        self.ground.instances.forget(self.of.key);
        self.retry = Retry::After(Duration::ZERO);
        let why = "a replay has changed the state of the shard";
        Err(StepError::Failed(why.to_owned()))
    }

    /// What is kept, and its bytes.
    pub(super) async fn read_kept(&self) -> Result<(Option<Kept>, Option<KeptState>), StoreError> {
        let read = rows::state_of(&*self.ground.engine, self.of.key).await?;
        Ok(match read {
            Some((state, version)) => {
                let digest = digest(&state);
                (Some(Kept { digest, version }), Some(state))
            }
            None => (None, None),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_other_bytes_or_another_layout_are_others() {
        let state = |state_version, bytes: &[u8]| KeptState {
            state_version,
            bytes: bytes.to_vec(),
        };
        let one = digest(&state(1, b"a"));
        assert_eq!(one, digest(&state(1, b"a")));
        assert_ne!(one, digest(&state(1, b"b")));
        assert_ne!(one, digest(&state(2, b"a")));
        assert_ne!(digest(&state(1, b"")), digest(&state(2, b"")));
    }
}
