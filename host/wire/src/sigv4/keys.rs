//! Signing keys: derived from a secret for one day, region and service.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::canonical::{HexDigest, hex};
use super::{ALGORITHM, SecretKey, TERMINATOR};

/// Keys that are kept, in each of two generations. When the younger is full it becomes the elder
/// and the elder is forgotten; a forgotten key costs four hashes to derive again.
const KEYS_KEPT_MAX: usize = 512;

const BLOCK_BYTES: usize = 64;

/// A key that signs requests.
#[derive(Clone)]
pub(super) struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Derives the key of a day (`20150830`), a region and a service.
    pub(super) fn derive(secret: &SecretKey, day: &str, region: &str, service: &str) -> Self {
        let mut key = keyed(format!("AWS4{}", secret.0).as_bytes());
        for part in [day, region, service, TERMINATOR] {
            key.update(part.as_bytes());
            key = keyed(&key.finalize().into_bytes());
        }
        Self(key)
    }

    /// The signature of a canonical request that has this hash.
    pub(super) fn sign(self, signed_at: &[u8; 16], scope: &str, hash: &HexDigest) -> HexDigest {
        let mut mac = self.0;
        mac.update(ALGORITHM.as_bytes());
        mac.update(b"\n");
        mac.update(signed_at);
        mac.update(b"\n");
        mac.update(scope.as_bytes());
        mac.update(b"\n");
        mac.update(hash);
        hex(&mac.finalize().into_bytes().into())
    }
}

/// HMAC-SHA-256 with a key of any length, which RFC 2104 brings to the length of a block.
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    let mut block = [0; BLOCK_BYTES];
    match block.get_mut(..key.len()) {
        Some(start) => start.copy_from_slice(key),
        None => block[..32].copy_from_slice(&Sha256::digest(key)),
    }
    Hmac::new(&block.into())
}

/// Signing keys by credential (`<id>/<date>/<region>/<service>/aws4_request`).
#[derive(Default)]
pub(super) struct KeyCache(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    younger: HashMap<String, Kept>,
    elder: HashMap<String, Kept>,
}

/// The secret is kept beside the key: a credential whose secret was changed is another.
#[derive(Clone)]
struct Kept {
    secret: SecretKey,
    key: SigningKey,
}

impl KeyCache {
    /// The key of `credential`, derived by `derive` unless it is kept.
    pub(super) fn key(
        &self,
        credential: &str,
        secret: &SecretKey,
        derive: impl FnOnce() -> SigningKey,
    ) -> SigningKey {
        // The maps are whole after each statement, so a panic elsewhere does not spoil them.
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = generations.younger.get(credential)
            && kept.secret.is(secret)
        {
            return kept.key.clone();
        }
        let elder = generations.elder.remove(credential);
        let kept = elder
            .filter(|kept| kept.secret.is(secret))
            .unwrap_or_else(|| Kept {
                secret: secret.clone(),
                key: derive(),
            });
        let key = kept.key.clone();
        if KEYS_KEPT_MAX <= generations.younger.len() {
            generations.elder = std::mem::take(&mut generations.younger);
        }
        generations.younger.insert(credential.to_owned(), kept);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_stays_small_and_keeps_what_is_used() {
        let cache = KeyCache::default();
        let secret = SecretKey::new("secret");
        let derive = || SigningKey::derive(&secret, "20150830", "us-east-1", "kinesis");
        let used = || panic!("the key in use was forgotten");
        drop(cache.key("used", &secret, derive));
        for n in 0..10 * KEYS_KEPT_MAX {
            drop(cache.key(&format!("stranger {n}"), &secret, derive));
            drop(cache.key("used", &secret, used));
        }
        let generations = cache.0.lock().unwrap();
        assert!(generations.younger.len() + generations.elder.len() <= 2 * KEYS_KEPT_MAX);
    }

    #[test]
    fn another_secret_is_another_key() {
        let cache = KeyCache::default();
        let sign = |secret: &str| {
            let secret = SecretKey::new(secret);
            let derive = || SigningKey::derive(&secret, "20150830", "us-east-1", "kinesis");
            let key = cache.key("id/20150830", &secret, derive);
            key.sign(b"20150830T123600Z", "scope", &[b'0'; 64])
        };
        assert_ne!(sign("one"), sign("two"));
        assert_eq!(sign("one"), sign("one"));
    }

    #[test]
    fn a_secret_longer_than_a_block_is_hashed_first() {
        let long = "x".repeat(BLOCK_BYTES + 1);
        let mut hashed = keyed(&Sha256::digest(long.as_bytes()));
        let mut given = keyed(long.as_bytes());
        hashed.update(b"text");
        given.update(b"text");
        assert_eq!(
            hashed.finalize().into_bytes(),
            given.finalize().into_bytes()
        );
    }
}
