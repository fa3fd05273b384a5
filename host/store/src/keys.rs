//! The keys that frames are sealed with, and which of them may be used. FORMAT.md, section "Seal".
//!
//! Who keeps the keys, and what they are wrapped with, is for the layer above: it puts them into
//! the ring of an open engine and takes them out again. Nothing here is ever written to the disk.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, MAX_TAG_LEN, NONCE_LEN, Nonce, UnboundKey};
use ring::error::Unspecified;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

/// Bytes of a data key.
pub const DATA_KEY_BYTES: usize = 32;
/// Bytes of the number that makes the keys of one run of the server others than those of all runs.
const SALT_BYTES: usize = 16;
const TAG_BYTES: usize = MAX_TAG_LEN;
/// Bytes of a seal: tag of the content, key, salt, count, tag of the place.
pub(crate) const SEAL_BYTES: usize = 2 * TAG_BYTES + 8 + SALT_BYTES + 8;
/// Runs of the server whose keys are kept at hand for reading. Those of another are derived anew,
/// which takes a few microseconds.
const RUNS_KEPT_MAX: usize = 4;

/// A data key, named by the number that its maker chose for it. A number is used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub u64);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "data key {:016x}", self.0)
    }
}

/// Why a key is not to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyRefusal {
    /// Nobody has given it, or what it is wrapped with is gone.
    Absent,
    /// It was taken out of use, and may come back.
    Disabled,
    /// What it is wrapped with is there, and does not open it.
    Unfit,
    /// What it is wrapped with is not for those any more whose records it seals.
    Denied,
}

impl fmt::Display for KeyRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "its master key is not there",
            Self::Disabled => "its master key is disabled",
            Self::Unfit => "its master key does not open it",
            Self::Denied => "its master key is for another account",
        })
    }
}

/// A frame's content once it is sealed, without its place.
pub(crate) struct SealedContent {
    key: Arc<DataKey>,
    count: u64,
    tag: [u8; TAG_BYTES],
    /// As long as what was sealed.
    pub(crate) ciphertext: Bytes,
}

/// A key for the frames of one stream.
///
/// Each run of the server derives two keys of its own from it, by a salt that it draws: one for
/// contents, one for places. Under each of them a count is the nonce, so that none is used twice,
/// neither after a crash nor where a copy of the data directory is opened beside the first.
pub struct DataKey {
    id: KeyId,
    secret: hmac::Key,
    sealing: Arc<RunKeys>,
    /// Frames that were sealed in this run.
    sealed: AtomicU64,
    /// Keys of other runs, those used last in front.
    others: Mutex<VecDeque<Arc<RunKeys>>>,
}

struct RunKeys {
    salt: [u8; SALT_BYTES],
    content: LessSafeKey,
    place: LessSafeKey,
}

impl RunKeys {
    fn derive(secret: &hmac::Key, salt: [u8; SALT_BYTES]) -> Result<Self, Unspecified> {
        let derive = |purpose: &[u8]| -> Result<LessSafeKey, Unspecified> {
            let input = [b"millrace frame ", purpose, &salt[..]].concat();
            let key = UnboundKey::new(&AES_256_GCM, hmac::sign(secret, &input).as_ref())?;
            Ok(LessSafeKey::new(key))
        };
        Ok(Self {
            salt,
            content: derive(b"content ")?,
            place: derive(b"place ")?,
        })
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl DataKey {
    /// The key with this number and these bytes.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn new(id: KeyId, secret: &[u8; DATA_KEY_BYTES]) -> Result<Self, String> {
        let mut salt = [0; SALT_BYTES];
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let drawn = SystemRandom::new().fill(&mut salt);
        let sealing = drawn.and_then(|()| RunKeys::derive(&secret, salt));
        let sealing = sealing.map_err(|_| format!("draw the salt of {id}: no random numbers"))?;
        Ok(Self {
            id,
            secret,
            sealing: Arc::new(sealing),
            sealed: AtomicU64::new(0),
            others: Mutex::default(),
        })
    }

    /// Seals a frame's content; `None` if it is longer than the cipher takes, which is more than
    /// any frame.
    pub(crate) fn seal(self: &Arc<Self>, content: &[u8], identity: &[u8]) -> Option<SealedContent> {
        let count = self.sealed.fetch_add(1, Ordering::Relaxed);
        let mut ciphertext = content.to_vec();
        let sealed = self.sealing.content.seal_in_place_separate_tag(
            nonce(count),
            Aad::from(identity),
            &mut ciphertext,
        );
        Some(SealedContent {
            key: Arc::clone(self),
            count,
            tag: sealed.ok()?.as_ref().try_into().ok()?,
            ciphertext: Bytes::from(ciphertext),
        })
    }

    /// The content of a frame that this key sealed with this identity for this place; `None` for
    /// all others. `stored` is the ciphertext and the seal.
    pub(crate) fn open(&self, stored: &[u8], identity: &[u8], place: &[u8]) -> Option<Bytes> {
        let (_, seal) = Seal::split(stored)?;
        let run = self.run(seal.salt)?;
        let placed = [place, &seal.tag[..]].concat();
        let mut place_tag = seal.place_tag;
        let nonce_of = || nonce(seal.count);
        let is_there = run
            .place
            .open_in_place(nonce_of(), Aad::from(&placed), &mut place_tag);
        is_there.ok()?;
        let mut content = stored
            .get(..stored.len() - SEAL_BYTES + TAG_BYTES)?
            .to_vec();
        let opened = run
            .content
            .open_in_place(nonce_of(), Aad::from(identity), &mut content);
        let length = opened.ok()?.len();
        content.truncate(length);
        Some(crate::records::exact(content))
    }

    fn run(&self, salt: [u8; SALT_BYTES]) -> Option<Arc<RunKeys>> {
        if salt == self.sealing.salt {
            return Some(Arc::clone(&self.sealing));
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let found = others.iter().position(|run| run.salt == salt);
        let run = match found.and_then(|place| others.remove(place)) {
            Some(run) => run,
            None => Arc::new(RunKeys::derive(&self.secret, salt).ok()?),
        };
        others.push_front(Arc::clone(&run));
        others.truncate(RUNS_KEPT_MAX);
        Some(run)
    }
}

impl SealedContent {
    /// The seal of the frame at this place.
    pub(crate) fn at(&self, place: &[u8]) -> [u8; SEAL_BYTES] {
        let run = &self.key.sealing;
        let placed = [place, &self.tag[..]].concat();
        let tag =
            run.place
                .seal_in_place_separate_tag(nonce(self.count), Aad::from(&placed), &mut []);
        let Ok(tag) = tag else {
            unreachable!("nothing is never too long to be sealed")
        };
        let mut seal = [0; SEAL_BYTES];
        let mut rest = &mut seal[..];
        for part in [
            &self.tag[..],
            &self.key.id.0.to_le_bytes(),
            &run.salt,
            &self.count.to_le_bytes(),
            tag.as_ref(),
        ] {
            let (field, after) = rest.split_at_mut(part.len());
            field.copy_from_slice(part);
            rest = after;
        }
        seal
    }
}

/// A seal as it was read.
struct Seal {
    tag: [u8; TAG_BYTES],
    key: KeyId,
    salt: [u8; SALT_BYTES],
    count: u64,
    place_tag: [u8; TAG_BYTES],
}

impl Seal {
    /// The ciphertext and its seal.
    fn split(stored: &[u8]) -> Option<(&[u8], Self)> {
        let (ciphertext, seal) = stored.split_last_chunk::<SEAL_BYTES>()?;
        let (tag, rest) = seal.split_first_chunk()?;
        let (key, rest) = rest.split_first_chunk()?;
        let (salt, rest) = rest.split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk()?;
        let seal = Self {
            tag: *tag,
            key: KeyId(u64::from_le_bytes(*key)),
            salt: *salt,
            count: u64::from_le_bytes(*count),
            place_tag: rest.try_into().ok()?,
        };
        Some((ciphertext, seal))
    }
}

/// Which key a stored body was sealed with; `None` if it is too short to have a seal.
pub(crate) fn key_of(stored: &[u8]) -> Option<KeyId> {
    Seal::split(stored).map(|(_, seal)| seal.key)
}

/// The count, and zeros: under one key each count is used once.
fn nonce(count: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[..8].copy_from_slice(&count.to_le_bytes());
    Nonce::assume_unique_for_key(nonce)
}

/// The keys of an open engine, as many as the layer above gives it.
#[derive(Default)]
pub struct KeyRing {
    keys: RwLock<HashMap<KeyId, Result<Arc<DataKey>, KeyRefusal>>>,
}

impl KeyRing {
    /// Frames may be sealed with this key and opened with it.
    pub fn put(&self, key: DataKey) {
        self.set(key.id, Ok(Arc::new(key)));
    }

    /// Nothing is sealed or opened with this key.
    pub fn refuse(&self, key: KeyId, why: KeyRefusal) {
        self.set(key, Err(why));
    }

    /// Nothing that is kept needs this key any more.
    pub fn forget(&self, key: KeyId) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.remove(&key);
    }

    /// Whether the key may be used.
    pub fn check(&self, key: KeyId) -> Result<(), KeyRefusal> {
        self.find(key).map(|_| ())
    }

    pub(crate) fn find(&self, key: KeyId) -> Result<Arc<DataKey>, KeyRefusal> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(&key).cloned().unwrap_or(Err(KeyRefusal::Absent))
    }

    fn set(&self, id: KeyId, key: Result<Arc<DataKey>, KeyRefusal>) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.insert(id, key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: [u8; DATA_KEY_BYTES] = [7; DATA_KEY_BYTES];

    fn key(secret: u8) -> Arc<DataKey> {
        Arc::new(DataKey::new(KeyId(5), &[secret; DATA_KEY_BYTES]).unwrap())
    }

    fn stored(key: &Arc<DataKey>, content: &[u8]) -> Vec<u8> {
        let sealed = key.seal(content, b"identity").unwrap();
        let seal = sealed.at(b"place");
        [&sealed.ciphertext[..], &seal].concat()
    }

    #[test]
    fn what_was_sealed_opens_with_its_key_in_its_place_and_nowhere_else() {
        let sealing = key(7);
        let stored = stored(&sealing, b"some records");
        assert_eq!(key_of(&stored), Some(KeyId(5)));
        assert!(!stored.windows(4).any(|bytes| bytes == b"some"));
        // The same key after a start has another salt to seal with.
        for key in [&sealing, &key(7)] {
            let opened = key.open(&stored, b"identity", b"place").unwrap();
            assert_eq!(&opened[..], b"some records");
            assert_eq!(key.open(&stored, b"another", b"place"), None);
            assert_eq!(key.open(&stored, b"identity", b"elsewhere"), None);
        }
        assert_eq!(key(8).open(&stored, b"identity", b"place"), None);
        for length in 0..stored.len() {
            assert_eq!(sealing.open(&stored[..length], b"identity", b"place"), None);
        }
    }

    #[test]
    fn no_bit_of_what_is_stored_can_change() {
        let sealing = key(7);
        let stored = stored(&sealing, b"some records");
        for bit in 0..stored.len() * 8 {
            let mut flipped = stored.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // Which key it was is for whoever looks it up.
            if key_of(&flipped) == Some(KeyId(5)) {
                let opened = sealing.open(&flipped, b"identity", b"place");
                assert_eq!(opened, None, "bit {bit}");
            }
        }
    }

    #[test]
    fn the_seal_of_one_frame_is_not_that_of_another_with_the_same_content() {
        let sealing = key(7);
        let (one, other) = (stored(&sealing, b"same"), stored(&sealing, b"same"));
        assert_ne!(one[..4], other[..4]);
        let mixed = [&one[..4], &other[4..]].concat();
        assert_eq!(sealing.open(&mixed, b"identity", b"place"), None);
    }

    #[test]
    fn a_key_that_nobody_gave_or_that_was_taken_out_of_use_is_refused() {
        let ring = KeyRing::default();
        assert_eq!(ring.check(KeyId(5)), Err(KeyRefusal::Absent));
        ring.put(DataKey::new(KeyId(5), &SECRET).unwrap());
        assert_eq!(ring.check(KeyId(5)), Ok(()));
        ring.refuse(KeyId(5), KeyRefusal::Disabled);
        assert_eq!(ring.check(KeyId(5)), Err(KeyRefusal::Disabled));
        ring.forget(KeyId(5));
        assert_eq!(ring.check(KeyId(5)), Err(KeyRefusal::Absent));
    }
}
