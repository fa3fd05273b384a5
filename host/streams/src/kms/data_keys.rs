//! Data keys: made, wrapped into rows, and put into the store's ring.
//!
//! A stream has as many as its encryption was changed, at most 25 times within a day, for as long
//! as records of before are kept and a day longer: see [`Kms::outlived`].

use std::collections::HashMap;
use std::sync::PoisonError;

use bincode::{Decode, Encode};
use bytes::Bytes;
use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};
use store::{
    DATA_KEY_BYTES, DataKey, Engine, Expect, KeyId, KeyRefusal, KeyRing, StoreError, TableWrite,
    key_after,
};
use types::{AccountId, Caller, Timestamp};

use super::error::KmsError;
use super::master::{Kms, MasterName};
use crate::codec::{self, damaged};
use crate::tables::{self, DATA_KEYS};

/// Rows that are read at once.
const ROWS_PER_SCAN: usize = 256;
/// How much longer than its records a data key is kept that others have followed: puts may still
/// be on their way that began before the next key was in force.
const KEPT_LONGER_MS: u64 = 24 * 3_600 * 1_000;

/// Whose records a data key seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum KeyOwner {
    /// Those of the stream with this number.
    Stream(u64),
    /// Those of the delivery stream with this number.
    Delivery(u64),
}

/// What is known of a data key beside the key itself.
#[derive(Clone, Debug)]
pub(super) struct Known {
    owner: KeyOwner,
    master: MasterName,
    made_at: Timestamp,
}

#[derive(Encode, Decode)]
struct DataKeyRow {
    owner: KeyOwner,
    master: MasterName,
    made_at_ms: u64,
    /// Nonce, key and tag.
    wrapped: Vec<u8>,
}

/// A data key that was made, and is to be kept together with what it is for.
pub struct NewDataKey {
    /// Its number.
    pub id: KeyId,
    /// The write of its row.
    pub write: TableWrite,
}

impl Kms {
    /// Reads all data keys and puts those into the ring whose master keys open them.
    pub(crate) async fn load(&self, engine: &dyn Engine) -> Result<(), StoreError> {
        let mut from = Bytes::new();
        loop {
            let rows = engine.scan(DATA_KEYS, from, None, ROWS_PER_SCAN).await?;
            let Some((last, _)) = rows.last() else {
                return Ok(());
            };
            from = key_after(last);
            for (key, row) in &rows {
                let id = tables::parse_data_key_key(key);
                let id = id.ok_or_else(|| damaged("the key of a data key"))?;
                self.admit(engine.keys(), id, codec::decode("data keys", &row.value)?);
            }
        }
    }

    fn admit(&self, ring: &KeyRing, id: KeyId, row: DataKeyRow) {
        let known = Known {
            owner: row.owner,
            master: row.master,
            made_at: Timestamp(row.made_at_ms),
        };
        let opened = match self.key(&known.master) {
            Err(why) => Err(why),
            Ok(master) => unwrap(&master, &row.wrapped, &bound_to(id, &known)),
        };
        match opened.and_then(|secret| DataKey::new(id, &secret).map_err(|_| KeyRefusal::Unfit)) {
            Ok(key) => ring.put(key),
            Err(why) => {
                let (owner, master) = (&known.owner, &known.master);
                tracing::error!(?owner, ?master, %why, "{id} is not to be had");
                ring.refuse(id, why);
            }
        }
        self.note(id, known);
    }

    /// Takes keys out of use whose master keys are not for the accounts of their owners any more.
    pub fn refuse_those_of_others(&self, ring: &KeyRing, owners: &HashMap<KeyOwner, AccountId>) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        for (id, key) in &*known {
            let account = owners.get(&key.owner);
            if account.is_some_and(|account| !self.is_for(&key.master, *account)) {
                let (owner, master, why) = (&key.owner, &key.master, KeyRefusal::Denied);
                tracing::error!(?owner, ?master, %why, "{id} is not to be had");
                ring.refuse(*id, why);
            }
        }
    }

    /// Makes a data key and puts it into the ring, of `now` or after all that was sealed before. It
    /// counts once its row is kept; one that is not is to be forgotten.
    pub fn make(
        &self,
        ring: &KeyRing,
        (owner, master): (KeyOwner, &MasterName),
        caller: &Caller,
        now: Timestamp,
    ) -> Result<NewDataKey, KmsError> {
        let ours = |_| KmsError::ours("make a data key: no random numbers");
        let wrapping = self.usable(master, caller)?;
        let mut secret = [0; DATA_KEY_BYTES];
        getrandom::fill(&mut secret).map_err(ours)?;
        let id = KeyId(getrandom::u64().map_err(ours)?);
        // After those that it follows, though the clock was set back: see `outlived`.
        let latest = self.latest_of(owner).map(|at| at.0.saturating_add(1));
        let made_at = now.max(Timestamp(latest.unwrap_or(0)));
        let known = Known {
            owner,
            master: master.clone(),
            made_at,
        };
        let wrapped = wrap(&wrapping, &secret, &bound_to(id, &known))?;
        let row = DataKeyRow {
            owner,
            master: master.clone(),
            made_at_ms: made_at.0,
            wrapped,
        };
        let value = codec::encode(&row).map_err(|error| KmsError::ours(error.to_string()))?;
        ring.put(DataKey::new(id, &secret).map_err(KmsError::ours)?);
        self.note(id, known);
        Ok(NewDataKey {
            id,
            write: TableWrite {
                table: DATA_KEYS,
                key: tables::data_key_key(id),
                value: Some(value),
                // A number is given once.
                expect: Expect::Absent,
            },
        })
    }

    /// When the newest key of an owner was made.
    fn latest_of(&self, owner: KeyOwner) -> Option<Timestamp> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let of_owner = known.values().filter(|key| key.owner == owner);
        of_owner.map(|key| key.made_at).max()
    }

    /// The keys of an owner, the oldest first.
    pub fn keys_of(&self, owner: KeyOwner) -> Vec<KeyId> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let of_owner = known.iter().filter(|(_, key)| key.owner == owner);
        let mut keys: Vec<_> = of_owner.map(|(id, key)| (key.made_at, *id)).collect();
        keys.sort_unstable();
        keys.into_iter().map(|(_, id)| id).collect()
    }

    /// The keys of an owner that nothing needs any more: others followed them before all that is
    /// kept arrived, which is what arrived at `cutoff` or later.
    pub fn outlived(&self, owner: KeyOwner, cutoff: Timestamp) -> Vec<KeyId> {
        let keys = self.keys_of(owner);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let is_outlived = |next: &KeyId| {
            let followed_at = known.get(next).map(|next| next.made_at);
            followed_at.is_some_and(|at| at.0.saturating_add(KEPT_LONGER_MS) < cutoff.0)
        };
        let followed = keys.iter().zip(keys.iter().skip(1));
        followed
            .filter(|(_, next)| is_outlived(next))
            .map(|(key, _)| *key)
            .collect()
    }

    /// The removal of a data key's row.
    pub fn removal(id: KeyId) -> TableWrite {
        TableWrite {
            table: DATA_KEYS,
            key: tables::data_key_key(id),
            value: None,
            expect: Expect::Any,
        }
    }

    /// Forgets keys in memory, whose rows are gone or were never kept.
    pub fn forget(&self, ring: &KeyRing, ids: &[KeyId]) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            known.remove(id);
            ring.forget(*id);
        }
    }

    /// How many data keys are not to be had, by what is the matter with their master keys. Records
    /// that are sealed with them are neither read nor written.
    pub fn refused(&self, ring: &KeyRing) -> [(&'static str, usize); 4] {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let refusals: Vec<_> = known
            .keys()
            .filter_map(|id| ring.check(*id).err())
            .collect();
        let count = |why| refusals.iter().filter(|refusal| **refusal == why).count();
        [
            ("absent", count(KeyRefusal::Absent)),
            ("disabled", count(KeyRefusal::Disabled)),
            ("unfit", count(KeyRefusal::Unfit)),
            ("denied", count(KeyRefusal::Denied)),
        ]
    }

    /// What a client is told for whom a data key is not to be had, in whose name the records are.
    pub fn refusal(&self, key: KeyId, why: KeyRefusal, owner: &Caller) -> KmsError {
        let master = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            known.get(&key).map(|known| known.master.clone())
        };
        match master {
            Some(master) => self.unfit(&master, owner),
            None => KmsError::ours(format!("{key} is not to be had: {why}")),
        }
    }

    fn note(&self, id: KeyId, key: Known) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(id, key);
    }
}

/// What a wrapped key is bound to, so that it is the key of no other owner and under no other
/// number.
fn bound_to(id: KeyId, known: &Known) -> Vec<u8> {
    let (kind, owner) = match known.owner {
        KeyOwner::Stream(id) => (1, id),
        KeyOwner::Delivery(id) => (2, id),
    };
    let parts = [
        b"millrace data key ".as_slice(),
        &id.0.to_le_bytes(),
        &[kind],
        &owner.to_le_bytes(),
    ];
    parts.concat()
}

/// Nonce, key and tag. The nonce is random: a master key wraps a few thousand keys.
fn wrap(
    master: &LessSafeKey,
    secret: &[u8; DATA_KEY_BYTES],
    bound_to: &[u8],
) -> Result<Vec<u8>, KmsError> {
    let failed = || KmsError::ours("wrap a data key");
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(|_| failed())?;
    let mut key = *secret;
    let unique = Nonce::assume_unique_for_key(nonce);
    let tag = master.seal_in_place_separate_tag(unique, Aad::from(bound_to), &mut key);
    let tag = tag.map_err(|_| failed())?;
    Ok([&nonce[..], &key, tag.as_ref()].concat())
}

fn unwrap(
    master: &LessSafeKey,
    wrapped: &[u8],
    bound_to: &[u8],
) -> Result<[u8; DATA_KEY_BYTES], KeyRefusal> {
    let (nonce, sealed) = wrapped
        .split_first_chunk::<NONCE_LEN>()
        .ok_or(KeyRefusal::Unfit)?;
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let mut sealed = sealed.to_vec();
    let opened = master.open_in_place(nonce, Aad::from(bound_to), &mut sealed);
    let opened = opened.map_err(|_| KeyRefusal::Unfit)?;
    <[u8; DATA_KEY_BYTES]>::try_from(&*opened).map_err(|_| KeyRefusal::Unfit)
}

#[cfg(test)]
mod tests {
    use ring::aead::{AES_256_GCM, UnboundKey};

    use super::*;

    fn master(byte: u8) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[byte; 32]).unwrap())
    }

    #[test]
    fn a_wrapped_key_opens_with_its_master_key_and_for_its_owner_alone() {
        let secret = [5; DATA_KEY_BYTES];
        let wrapped = wrap(&master(1), &secret, b"its owner").unwrap();
        assert_eq!(unwrap(&master(1), &wrapped, b"its owner"), Ok(secret));
        let refused = Err(KeyRefusal::Unfit);
        assert_eq!(unwrap(&master(2), &wrapped, b"its owner"), refused);
        assert_eq!(unwrap(&master(1), &wrapped, b"another"), refused);
        for at in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[at] ^= 1;
            assert_eq!(unwrap(&master(1), &changed, b"its owner"), refused);
            assert_eq!(unwrap(&master(1), &wrapped[..at], b"its owner"), refused);
        }
    }

    #[test]
    fn a_key_is_outlived_once_another_followed_it_long_before_all_that_is_kept() {
        let kms = Kms::default();
        let owner = KeyOwner::Stream(7);
        for (id, owner, at) in [
            (1, owner, 1_000),
            (2, owner, 2_000),
            (3, owner, 3_000),
            (4, KeyOwner::Delivery(7), 0),
        ] {
            let master = MasterName::Given("m".to_owned());
            let made_at = Timestamp(at);
            kms.note(
                KeyId(id),
                Known {
                    owner,
                    master,
                    made_at,
                },
            );
        }
        let outlived = |cutoff| kms.outlived(owner, Timestamp(cutoff + KEPT_LONGER_MS));
        assert_eq!(outlived(2_000), []);
        assert_eq!(outlived(2_001), [KeyId(1)]);
        assert_eq!(outlived(u64::MAX - KEPT_LONGER_MS), [KeyId(1), KeyId(2)]);
    }
}
