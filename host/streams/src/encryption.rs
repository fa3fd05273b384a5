//! What the records of a stream, or of a delivery stream, are sealed with, and what becomes of
//! that. Pure rules; the catalogs keep what they come to.

use bincode::{Decode, Encode};
use bytes::Bytes;
use store::{KeyId, StoreError};
use types::Timestamp;
use types::limits::ENCRYPTION_CHANGES_PER_DAY_MAX;

use crate::codec;
use crate::kms::{MasterName, NewDataKey};

/// The model's word for records that are sealed.
pub const KMS: &str = "KMS";
const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// How something is encrypted; the default is not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encryption {
    /// What is sealed from now on is sealed with this; `None`: nothing is.
    pub in_force: Option<Sealing>,
    /// What comes in its place, once that was kept.
    pub coming: Option<Coming>,
    /// When it was changed within a day, the oldest first.
    changed_at: Vec<Timestamp>,
}

/// What records are sealed with.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Sealing {
    /// The master key, as it was named.
    pub named: String,
    /// Which master key that is.
    pub master: MasterName,
    data_key: u64,
}

impl Sealing {
    /// What seals with a data key that was made for it.
    pub fn new(named: String, master: MasterName, data_key: &NewDataKey) -> Self {
        let data_key = data_key.id.0;
        Self {
            named,
            master,
            data_key,
        }
    }

    /// The data key.
    pub fn key(&self) -> KeyId {
        KeyId(self.data_key)
    }
}

/// What is to be in force.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Coming {
    /// Records are sealed with this.
    Start(Sealing),
    /// They are not sealed.
    Stop,
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Records are to be sealed with a key of their own that this master key wraps.
    Start {
        /// The master key, as it is named.
        named: String,
        /// Which master key that is.
        master: MasterName,
    },
    /// They are not to be sealed.
    Stop,
}

/// It was changed as often as it may be within a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverChanges;

#[derive(Encode, Decode)]
struct EncryptionRow {
    in_force: Option<Sealing>,
    coming: Option<Coming>,
    changed_at_ms: Vec<u64>,
}

impl Encryption {
    /// Whether what is asked for is so already: asking again changes nothing.
    pub fn is(&self, asked: &Asked) -> bool {
        match (asked, &self.in_force) {
            (Asked::Stop, None) => true,
            (Asked::Start { named, master }, Some(now)) => {
                (named, master) == (&now.named, &now.master)
            }
            (Asked::Stop, Some(_)) | (Asked::Start { .. }, None) => false,
        }
    }

    /// The same on its way to something else, which counts as a change of this moment.
    pub fn changing(&self, to: Coming, now: Timestamp) -> Result<Self, OverChanges> {
        let mut changing = self.clone();
        // One that is ahead was noted before the clock was set back: it counts for a day as well.
        changing
            .changed_at
            .retain(|at| now.0.abs_diff(at.0) < DAY_MS);
        if changing.changed_at.len() >= ENCRYPTION_CHANGES_PER_DAY_MAX {
            return Err(OverChanges);
        }
        changing.changed_at.push(now);
        changing.coming = Some(to);
        Ok(changing)
    }

    /// The same with what comes in force.
    pub fn changed(&self) -> Self {
        let mut changed = self.clone();
        match changed.coming.take() {
            None => {}
            Some(Coming::Start(sealing)) => changed.in_force = Some(sealing),
            Some(Coming::Stop) => changed.in_force = None,
        }
        changed
    }

    /// The data key that is in force.
    pub fn key(&self) -> Option<KeyId> {
        self.in_force.as_ref().map(Sealing::key)
    }

    /// The value of a row that keeps it; `None` if there is nothing to keep.
    pub fn encode(&self) -> Result<Option<Bytes>, StoreError> {
        if *self == Self::default() {
            return Ok(None);
        }
        let row = EncryptionRow {
            in_force: self.in_force.clone(),
            coming: self.coming.clone(),
            changed_at_ms: self.changed_at.iter().map(|at| at.0).collect(),
        };
        codec::encode(&row).map(Some)
    }

    /// What a row keeps.
    pub fn decode(row: &[u8]) -> Result<Self, StoreError> {
        let row: EncryptionRow = codec::decode("encryptions", row)?;
        Ok(Self {
            in_force: row.in_force,
            coming: row.coming,
            changed_at: row.changed_at_ms.into_iter().map(Timestamp).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealing(named: &str, data_key: u64) -> Sealing {
        Sealing {
            named: named.to_owned(),
            master: MasterName::Given("m".to_owned()),
            data_key,
        }
    }

    #[test]
    fn a_change_comes_into_force_once_it_was_kept_and_asking_again_changes_nothing() {
        let plain = Encryption::default();
        let asked = Asked::Start {
            named: "alias/a".to_owned(),
            master: MasterName::Given("m".to_owned()),
        };
        assert!(plain.is(&Asked::Stop) && !plain.is(&asked));
        let coming = Coming::Start(sealing("alias/a", 7));
        let starting = plain.changing(coming, Timestamp(1_000)).unwrap();
        assert_eq!(starting.key(), None);
        let started = starting.changed();
        assert_eq!(started.key(), Some(KeyId(7)));
        assert!(started.is(&asked) && !started.is(&Asked::Stop));
        let stopped = started.changing(Coming::Stop, Timestamp(2_000)).unwrap();
        assert_eq!(stopped.key(), Some(KeyId(7)));
        assert_eq!(stopped.changed().key(), None);
        for kept in [starting, started, stopped] {
            let row = kept.encode().unwrap().unwrap();
            assert_eq!(Encryption::decode(&row).unwrap(), kept);
        }
        assert_eq!(plain.encode().unwrap(), None);
    }

    #[test]
    fn it_is_changed_25_times_within_a_day_and_again_once_the_first_is_a_day_old() {
        let mut encryption = Encryption::default();
        for number in 0..25 {
            let at = Timestamp(1_000 + number);
            encryption = encryption.changing(Coming::Stop, at).unwrap().changed();
        }
        let again = |at| encryption.changing(Coming::Stop, Timestamp(at));
        assert_eq!(again(2_000), Err(OverChanges));
        assert_eq!(again(999 + DAY_MS), Err(OverChanges));
        assert!(again(1_000 + DAY_MS).is_ok());
    }
}
